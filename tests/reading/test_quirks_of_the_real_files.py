"""What is odd in the real files, each as a test on cells: a wrong reader can have the right count."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from kit19.catalog import load_catalog
from kit19.catalog.file_formats import Delimited
from kit19.reading import Records, read_table
from kit19.reading.delimited import read_delimited
from tests.support.reading import present_files, put, read, text, texts

pytestmark = pytest.mark.real


@functools.cache
def real(subset: str, data: Path) -> Records:
    return read(subset, data)


def table(source: str, name: str, data: Path) -> pl.DataFrame:
    """A table that is read for no subset: benchmark items."""
    card = load_catalog().source(source)
    return read_table(card, name, present_files(card, [name], list(card.tables[name].files), data))


def labels(records: Records, split: str) -> Counter[str]:
    return Counter(records.frame.filter(pl.col("split") == split)["label"])


def raw(data: Path, name: str) -> bytes:
    return (data / name).read_bytes()


# apeach


def test_an_apeach_text_holds_its_newlines(real_data: Path) -> None:
    records = real("apeach", real_data)
    found = text(records, "apeach/test/1417", "text")
    assert found is not None
    assert found.startswith("같이 강의 듣는 존잘인 선배가 있다고 했잖아")
    assert "친구가 그러는뎈ㅋ\n여친이 없는 이유가" in found
    # 56 cells hold newlines; those of 14 stand at the ends and are stripped.
    inside = records.frame.filter(pl.col("split") == "test")["text"].str.contains("\n")
    assert inside.sum() == 42
    assert labels(records, "test") == {"hate": 1922, "none": 1848}


def test_apeach_texts_are_stripped(real_data: Path) -> None:
    # This one ends in a newline inside its quotes.
    found = text(real("apeach", real_data), "apeach/test/333", "text")
    assert found == "당신은 얼굴이 동그랗고 눈에서 빛이 나는것 같습니다. 너무 잘생겼어요"


def test_beeps_offensive_is_hate(real_data: Path) -> None:
    assert labels(real("apeach", real_data), "train") == {"none": 3486, "hate": 2499 + 1911}


# unsmile


def test_unsmile_flags_become_labels(real_data: Path) -> None:
    records = real("unsmile", real_data)
    assert text(records, "unsmile/train/1860", "label") == (
        "women_family,sexual_minority,race_nationality,age,region,other_hate"
    )
    assert text(records, "unsmile/train/20", "label") == "women_family"
    assert text(records, "unsmile/train/20", "names_person") == "1"
    assert text(records, "unsmile/train/5876", "label") is None
    assert text(records, "unsmile/train/11942", "label") is None
    single = Counter(
        name
        for names in records.frame.filter(pl.col("split") == "train")["label"].drop_nulls()
        for name in names.split(",")
    )
    assert single == {
        "women_family": 1599,
        "men": 1347,
        "sexual_minority": 1141,
        "race_nationality": 1728,
        "age": 603,
        "region": 1052,
        "religion": 1181,
        "other_hate": 569,
        "insult": 3143,
        "clean": 3739,
    }


def test_unsmile_quotes_are_text(real_data: Path) -> None:
    frame = real("unsmile", real_data).frame.filter(pl.col("split") == "train")
    quotes = frame["text"].str.count_matches('"', literal=True)
    assert (quotes > 0).sum() == 72
    assert (quotes % 2 == 1).sum() == 31


# hatescore


def test_hatescore_has_several_micro_labels_in_the_cards_order(real_data: Path) -> None:
    records = real("hatescore", real_data)
    assert text(records, "hatescore/train/333", "micro") == "region,religion"
    assert text(records, "hatescore/train/0", "micro") == "region"
    assert labels(records, "train") == {"clean": 10_174, "hate": 782, "insult": 152}
    assert len(set(records.frame["micro"])) == 44


def test_a_hatescore_comment_called_hate_may_be_an_insult_too(real_data: Path) -> None:
    found = texts(real("hatescore", real_data), "label", "micro")["hatescore/train/687"]
    assert found == ("hate", "region,insult")


def test_hatescore_cells_keep_commas_and_quotes(real_data: Path) -> None:
    records = real("hatescore", real_data)
    assert '"젊은 사람들이 술마시고 그럴수도있쟈"아휴' in str(
        text(records, "hatescore/train/65", "text")
    )
    assert "공공의대, 공공법대, 공공상대" in str(text(records, "hatescore/train/969", "text"))


# kobest


def test_boolq_answers_are_read_in_every_spelling(real_data: Path) -> None:
    records = real("kobest_boolq", real_data)
    spelled = Counter(
        line.rsplit(b"\t", 1)[1]
        for line in raw(real_data, "kobest/v1.0/BoolQ/test.tsv").split(b"\r\n")
    )
    assert {b"TRUE", b"True", b"FALSE", b"False"} <= set(spelled)
    assert labels(records, "test") == {"true": 348 + 357, "false": 359 + 340}
    assert labels(records, "train").keys() == {"true", "false"}


def test_a_boolq_paragraph_keeps_the_quote_that_it_begins_with(real_data: Path) -> None:
    records = real("kobest_boolq", real_data)
    assert str(text(records, "kobest_boolq/train/28", "paragraph")).startswith(
        '영화의 제목인 "뷰티'
    )
    for number in (45, 164, 194, 1451, 2062, 2152, 3127, 3365):
        found = str(text(records, f"kobest_boolq/train/{number}", "paragraph"))
        assert found.startswith('"'), number
        assert found.count('"') % 2 == 0


def test_boolq_fields_are_stripped_and_blanks_inside_stay(real_data: Path) -> None:
    frame = real("kobest_boolq", real_data).frame.filter(pl.col("split") == "train")
    fields = frame.select("paragraph", "question")
    assert fields.equals(fields.select(pl.all().str.strip_chars()))
    assert fields.select(pl.any_horizontal(pl.all().str.contains("  "))).to_series().any()


def test_copa_questions_with_a_trailing_blank_are_known(real_data: Path) -> None:
    records = real("kobest_copa", real_data)
    asked = {
        number: text(records, f"kobest_copa/train/{number}", "question")
        for number in (1190, 1872, 2088, 2193, 2389, 3071)
    }
    assert asked.pop(2193) == "effect"
    assert set(asked.values()) == {"cause"}
    assert text(records, "kobest_copa/train/1872", "premise") == "연인이 헤어지기로 하였다."


def test_copa_answers_count_from_one(real_data: Path) -> None:
    records = real("kobest_copa", real_data)
    fields = ("label", "alternative_1", "alternative_2", "answer")
    assert texts(records, *fields)["kobest_copa/train/2193"] == (
        "2",
        "휴대폰이 방전되었다.",
        "휴대폰이 충전되기 시작했다.",
        "휴대폰이 충전되기 시작했다.",
    )


def test_hellaswag_is_read_with_its_quotes_undone(real_data: Path) -> None:
    records = real("kobest_hellaswag", real_data)
    row = records.frame.filter(id="kobest_hellaswag/train/528").row(0, named=True)
    endings = [row[f"ending_{n}"] for n in range(1, 5)]
    right = '가위를 사용하여 끈 끝부분을 거꾸로된 "v" 모양으로 자르면 더 전문가처럼 만들 수 있다.'
    assert right in [row["context"], *endings]
    context = str(text(records, "kobest_hellaswag/train/1807", "context"))
    assert context.startswith('수학에서 "평균"이란 자료 전체의 합을')


def test_hellaswag_read_without_quoting_has_the_right_count_and_wrong_cells(
    real_data: Path,
) -> None:
    data = raw(real_data, "kobest/v1.0/HellaSwag/train.tsv")
    wanted = ["context", "choice1", "choice2", "choice3", "choice4", "label"]
    plain, quoted = (
        read_delimited(
            data,
            Delimited.model_validate(
                {"format": "delimited", "delimiter": "tab", "quoting": quoting}
            ),
            wanted,
            "file",
        )
        for quoting in ("none", "csv")
    )
    assert plain.total == quoted.total == 2029
    assert plain.quarantined == quoted.quarantined == []
    pairs = zip(plain.frame.drop("#line").rows(), quoted.frame.drop("#line").rows(), strict=True)
    differ = [one[0] for one, other in pairs if one != other]
    assert differ == [528, 590, 641, 1040, 1217, 1569, 1807]


def test_hellaswag_labels_count_from_zero_upstream_and_from_one_here(real_data: Path) -> None:
    fields = ("label", "ending", "ending_4")
    found = texts(real("kobest_hellaswag", real_data), *fields)["kobest_hellaswag/dev/0"]
    assert found == ("4", "외야수가 공을 따라 뛰기 시작한다.", "외야수가 공을 따라 뛰기 시작한다.")


def test_sentineg_columns_are_found_by_name_in_every_split(real_data: Path) -> None:
    frame = table("kobest", "sentineg", real_data)
    found = {
        (split, key): rest
        for split, key, *rest in frame.select("split", "#id", "text", "label").iter_rows()
    }
    assert found["train", "2"] == ["별로네요 글씨가 지워져요!", "negative"]
    assert found["dev", "1"] == ["만족입니다", "positive"]
    # The negated rewrite and its label, not the sentence that it was made from.
    assert found["test", "3394"] == ["택배사 정말 마음에 듬", "positive"]
    assert Counter(split for split, _ in found) == {"train": 3649, "dev": 400, "test": 397}


def test_wic_targets_appear_with_and_without_brackets(real_data: Path) -> None:
    fields = ("word", "context_1", "plain_1", "context_2", "plain_2", "label")
    found = texts(real("kobest_wic", real_data), *fields)
    assert found["kobest_wic/train/97"] == (
        "방",
        "햇볕이 [방] 안을 따뜻이 비추었다.",
        "햇볕이 방 안을 따뜻이 비추었다.",
        "불을 때지 않아 방바닥이 냉랭하다.",
        "불을 때지 않아 방바닥이 냉랭하다.",
        "same",
    )
    assert found["kobest_wic/train/1349"][3:] == (
        "[불이] 꺼진 학교는 왠지 스산한 분위기를 풍겼다.",
        "불이 꺼진 학교는 왠지 스산한 분위기를 풍겼다.",
        "different",
    )
    assert found["kobest_wic/train/1028"][3:5] == (
        "이 [동상]은 불국사의 두 금[동상]과 더불어 신라 시대 불상의 대표작으로 꼽힌다.",
        "이 동상은 불국사의 두 금동상과 더불어 신라 시대 불상의 대표작으로 꼽힌다.",
    )
    assert found["kobest_wic/test/309"][3:5] == (
        "[호박] 넝쿨에 달린 애호박]",
        "호박 넝쿨에 달린 애호박",
    )


def test_a_non_breaking_space_inside_a_wic_sentence_stays(real_data: Path) -> None:
    found = text(real("kobest_wic", real_data), "kobest_wic/train/1501", "plain_2")
    assert found == "우리\xa0방은\xa0동향이어서\xa0여름에는\xa0늦잠을\xa0자지\xa0못한다."


# kornlu


def test_kornli_loses_no_row_to_an_odd_quote(real_data: Path) -> None:
    records = real("kornli", real_data)
    assert labels(records, "dev") == dict.fromkeys(("entailment", "neutral", "contradiction"), 830)
    assert labels(records, "test") == dict.fromkeys(
        ("entailment", "neutral", "contradiction"), 1670
    )
    fields = ("premise", "hypothesis", "label")
    premise, hypothesis, label = texts(records, *fields)["kornli/dev/103"]
    assert str(premise).endswith('어떻게 해야 할지 몰랐다"라고')
    assert (hypothesis, label) == ("모두들 너무 행복했어요!", "contradiction")


def test_kornli_ids_name_the_file_where_a_split_has_several(real_data: Path) -> None:
    ids = real("kornli", real_data).frame.filter(pl.col("split") == "train")["id"].to_list()
    assert ids == [
        *(f"kornli/train/multinli.train.ko:{n}" for n in range(2)),
        *(f"kornli/train/snli_1.0_train.ko:{n}" for n in range(4)),
    ]


def test_korsts_quotes_are_text(real_data: Path) -> None:
    records = real("korsts", real_data)
    assert text(records, "korsts/train/2035", "sentence1") == '"요정은 존재하지 않는다" - 좋아.'
    frame = records.frame.filter(pl.col("split") == "train")
    starts = pl.any_horizontal(pl.col("sentence1", "sentence2").str.starts_with('"'))
    assert frame.filter(starts).height == 150


def test_korsts_scores_become_points_and_a_label(real_data: Path) -> None:
    records = real("korsts", real_data)
    fields = ("score", "points", "label")
    assert texts(records, *fields)["korsts/train/0"] == ("5.000", "5", "similar")
    assert texts(records, *fields)["korsts/train/1"] == ("3.800", "3.8", "similar")
    assert labels(records, "train") == {"similar": 2994, "different": 5749 - 2994}


# pawsx


def test_a_missing_pawsx_sentence_is_nothing_and_the_other_stays(real_data: Path) -> None:
    records = real("pawsx", real_data)
    found = texts(records, "sentence1", "sentence2", "label")
    assert found["pawsx/dev/488"] == (
        "1969년 12월 제49사단은 제29사단이 되었습니다.",
        None,
        "different",
    )
    assert found["pawsx/dev/157"][0] is None
    lacking = records.frame.filter(pl.any_horizontal(pl.col("sentence1", "sentence2").is_null()))
    assert Counter(lacking["split"]) == {"dev": 35, "test": 28}
    assert set(lacking["label"]) == {"different"}


# parakqc, stylekqc


def test_parakqc_pairs_follow_the_authors_rule(real_data: Path) -> None:
    records = real("parakqc", real_data)
    assert labels(records, "train") == {"same": 1000 * 45, "different": 1000 * 999 // 2}
    fields = ("sentence1", "sentence2", "label", "similarity", "made_by")
    by_id = records.frame.filter(
        pl.col("id").is_in([f"parakqc/train/{key}" for key in ("6964-6968", "2-30", "997-7990")])
    )
    found = {name: values for name, *values in by_id.select("id", *fields).iter_rows()}
    # Two sentences of one group, which KLUE STS holds too.
    assert found["parakqc/train/6964-6968"] == [
        "형이 다시 캐나다 들어가야 하니 가족모임 일정은 바꾸지 마세요.",
        "가족 모임 일정은 바꾸지 말도록 하십시오.",
        "same",
        "4",
        "authors",
    ]
    # groups[99][799 % 10] with groups[799][99 % 10] is 999-7999, so 997-7990 is no pair.
    assert "parakqc/train/997-7990" not in found
    # groups[0][3 % 10] with groups[3][0 % 10] is 3-30, so 2-30 is none either.
    assert "parakqc/train/2-30" not in found


def test_parakqc_utterances_are_stripped_of_every_blank(real_data: Path) -> None:
    frame = real("parakqc", real_data).frame
    one = frame.filter(id="parakqc/train/8100-8107")["sentence2"].item()
    assert one == "다른 계정은 용량 때문에 안되니 메일은 네이버 계정으로 보내주세요."


def test_stylekqc_twin_files_give_act_and_topic(real_data: Path) -> None:
    for split in ("train", "dev", "test"):
        act, topic = (
            [
                line.split("\t", 1)
                for line in raw(real_data, f"stylekqc/{name}/{split}.tsv").decode().split("\n")
            ]
            for name in ("act", "topic")
        )
        assert [cells[1:] for cells in act] == [cells[1:] for cells in topic]
    assert real("stylekqc", real_data).bad == []


def test_stylekqc_same_pairs_are_those_of_upstreams_own_dev_file(real_data: Path) -> None:
    lines = raw(real_data, "stylekqc/sts/dev.tsv").decode().removesuffix("\n").split("\n")[1:]
    rows = [line.split("\t") for line in lines]
    assert [row[0] for row in rows] == ["1"] * 5400 + ["0"] * 5400
    upstream = Counter(frozenset(text.strip() for text in row[1:]) for row in rows[:5400])
    ours = real("stylekqc", real_data).frame.filter(split="dev", label="same")
    assert Counter(map(frozenset, ours.select("sentence1", "sentence2").iter_rows())) == upstream


def test_stylekqc_different_pairs_are_drawn_one_for_each_same_pair(real_data: Path) -> None:
    frame = real("stylekqc", real_data).frame
    for split, groups in (("train", 2400), ("dev", 120), ("test", 480)):
        part = frame.filter(pl.col("split") == split)
        assert labels_of(part) == {"same": groups * 45, "different": groups * 45}
        drawn = part.filter(label="different")
        assert drawn["made_by"].unique().to_list() == ["kit19"]
        assert drawn.filter(pl.col("group") == pl.col("partner")).is_empty()
        keys = [name.rsplit("/", 1)[1].split("-") for name in drawn["id"]]
        numbers = {frozenset((int(a), int(b))) for a, b in keys}
        assert len(numbers) == drawn.height
        assert all(int(a) < int(b) and int(a) // 10 != int(b) // 10 for a, b in keys)
        # Every same pair gave its first record: 9 for the first of a group, 8 for the second …
        drawn_with = Counter(itertools.chain.from_iterable(numbers))
        assert all(drawn_with[n] >= 9 - n % 10 for n in range(groups * 10))
        # What is more than that came as a partner: utterances of every group do.
        for first in range(0, groups * 10, 10):
            assert sum(drawn_with[n] for n in range(first, first + 10)) > 45
    assert frame.filter(label="same")["made_by"].unique().to_list() == ["authors"]


def labels_of(frame: pl.DataFrame) -> Counter[str]:
    return Counter(frame["label"])


# question_pair


def test_question_pair_labels_are_the_reverse_of_their_name(real_data: Path) -> None:
    found = texts(real("question_pair", real_data), "question1", "question2", "label")
    assert found["question_pair/train/3"] == (
        "전화 안 받으니까 초조해져",
        "전화 안 받는 이유가 뭘까",
        "same",
    )
    assert found["question_pair/train/902"] == (
        "밀당은 어떻게 해?",
        "밀당은 어떻게 해?",
        "different",
    )


def test_question_pair_escapes_are_undone(real_data: Path) -> None:
    found = texts(real("question_pair", real_data), "question1", "question2")
    assert found["question_pair/train/734"][1] == '가족끼리 "사랑해요"라는말 하는거 어색해'
    assert found["question_pair/train/713"][0] == '내가 더 사랑한다고 느껴져서 외로워요"'
    assert found["question_pair/train/3146"][1] == "가족들과 사랑하면서 지내고 싶어요"
    assert found["question_pair/train/3385"][1] == '라디오와 같이 사랑을 끄고 켤수 있다면"'


# nsmc


@pytest.mark.parametrize(
    ("number", "review"),
    [
        (10122280, '영화 끝나갈때쯤에 멍하다가 다보고나면 한마디 나올거임 "ㅈ같다."'),
        (1180080, '시미즈레이코의 만화책"비밀".에서 영향받은거 아냐? 똑같애'),
        (3162193, '아놀드 나이 55세에 근육 아직 살아있다...역시 "슈퍼스타"는 나이들어도 멋지다'),
        (9976970, "아 더빙.. 진짜 짜증나네요 목소리"),
    ],
)
def test_nsmc_reviews_are_what_people_wrote(number: int, review: str, real_data: Path) -> None:
    assert text(real("nsmc", real_data), f"nsmc/train/{number}", "text") == review


def test_no_nsmc_review_is_longer_than_the_site_allowed(real_data: Path) -> None:
    frame = real("nsmc", real_data).frame
    # 108 train documents are longer as they stand; of these one has an entity for a sign: &gt
    long = frame.filter(pl.col("text").str.len_chars() > 140)
    assert long["id"].to_list() == ["nsmc/train/9425299"]
    assert long["text"].str.ends_with("&gt").all()


def test_empty_nsmc_reviews_are_empty_and_the_others_are_not(real_data: Path) -> None:
    frame = real("nsmc", real_data).frame
    empty = frame.filter(pl.col("text").is_null() | (pl.col("text") == ""))["id"]
    assert set(empty) == {
        *(f"nsmc/train/{n}" for n in (2172111, 6369843, 1034280, 5942978, 1034283)),
        *(f"nsmc/test/{n}" for n in (402110, 5026896, 511097)),
    }
    assert labels(real("nsmc", real_data), "train") == {"negative": 75_173, "positive": 74_827}


# sae4k


def test_the_bom_of_sae4k_is_not_part_of_its_first_utterance(real_data: Path) -> None:
    assert raw(real_data, "sae4k/data/sae4k_v1.txt").startswith(b"\xef\xbb\xbf")
    found = texts(real("sae4k", real_data), "text", "argument", "label")
    assert found["sae4k/train/0"] == (
        "최근 한 달 동안 학교에서 메일이 온 적이 있는지 확인해줘",
        "한달동안 학교에서 메일 온 적 있는지",
        "yes_no",
    )
    assert found["sae4k/train/8"][0] == "방학동안 컴퓨터 수업일정 모두 취소 했니"


def test_sae4k_labels_are_in_the_authors_order(real_data: Path) -> None:
    assert labels(real("sae4k", real_data), "train") == {
        "yes_no": 5718,
        "alternative": 227,
        "wh": 11_924,
        "prohibition": 477,
        "requirement": 12_369,
        "strong_requirement": 122,
    }


# petitions


def test_answered_petitions_have_no_content(real_data: Path) -> None:
    frame = real("petitions", real_data).frame
    empty = frame.filter(pl.col("content") == "")
    assert empty.height == 22
    assert "petitions/train/579353" in empty["id"].to_list()
    assert not frame["content"].str.contains("\n").any()


def test_zero_width_signs_stay_in_a_petition_even_at_its_ends(real_data: Path) -> None:
    found = texts(real("petitions", real_data), "content")
    assert str(found["petitions/train/570"][0])[2049] == "\u200b"
    assert str(found["petitions/train/580890"][0]).startswith("\u200b")
    assert "\ufeff" in str(found["petitions/train/580021"][0])


def test_petitions_of_all_months_at_hand_are_one_split(real_data: Path) -> None:
    frame = real("petitions", real_data).frame
    assert set(frame["split"]) == {"train"}
    months = sorted(path.name for path in (real_data / "petitions").glob("petitions_*"))
    assert months == [
        f"petitions_{m}" for m in ("2017-08", "2019-04", "2019-05", "2019-06", "2019-07")
    ]
    first = [
        json.loads(raw(real_data, f"petitions/{month}").split(b"\n", 1)[0])["petition_idx"]
        for month in months
    ]
    assert {f"petitions/train/{number}" for number in first} <= set(frame["id"])
    assert frame.height == 662 + 494 + 714 + 572 + 610


# kmwp, dmath


def test_kmwp_code_keeps_its_line_feeds_inside_crlf_records(real_data: Path) -> None:
    fields = ("question", "code", "answer")
    question, code, answer = texts(real("kmwp", real_data), *fields)["kmwp/train/0"]
    assert str(question).startswith("한 변의 길이가 24cm인 정육각형과")
    assert code == "a = 24\nb = 6\nc = 8\ny = a * b // c\nprint(y)"
    assert answer == "18"
    assert text(real("kmwp", real_data), "kmwp/train/5", "answer") == "병원"
    assert not any("\r" in str(code) for code in real("kmwp", real_data).frame["code"])


def test_dmath_records_are_known_by_their_keys(real_data: Path) -> None:
    found = texts(real("math", real_data), "question", "answer", "category", "code")
    question, answer, category, code = found["math/test/1"]
    assert str(question).startswith("테이프를 일직선으로 쭉 붙이려고 한다.")
    assert (answer, category) == ("14.5", "geometry")
    assert str(code).endswith("print('{:.2f}'.format(round(var_k+1e-10,2)))")
    assert Counter(category for _, _, category, _ in found.values()) == {
        "arithmetic": 669,
        "correspondence": 402,
        "geometry": 383,
        "possibility": 291,
        "comparison": 334,
    }


# klue


def test_klue_sts_takes_the_binary_label_out_of_its_object(real_data: Path) -> None:
    frame = table("klue", "sts", real_data)
    row = frame.filter(pl.col("#id") == "klue-sts-v1_dev_00004").row(0, named=True)
    assert row["sentence2"] == "가족 모임 일정은 바꾸지 말도록 하십시오."
    assert row["label"] == "different"
    assert Counter(frame["label"]) == {"similar": 220, "different": 299}


def test_klue_ynat_takes_the_label_and_not_the_predefined_category(real_data: Path) -> None:
    frame = table("klue", "ynat", real_data)
    row = frame.filter(pl.col("#id") == "ynat-v1_dev_00000").row(0, named=True)
    assert row["title"] == "5억원 무이자 융자는 되고 7천만원 이사비는 안된다"
    assert row["label"] == "society"
    assert Counter(frame["label"]) == {
        "it_science": 554,
        "economy": 1348,
        "society": 3701,
        "life_culture": 1369,
        "world": 835,
        "sports": 578,
        "politics": 722,
    }


# every file


@pytest.mark.parametrize(
    ("subset", "name", "split"),
    [
        ("nsmc", "nsmc/ratings_test.txt", "test"),
        ("hatescore", "hatescore/HateScore.csv", "train"),
        ("sae4k", "sae4k/data/sae4k_v1.txt", "train"),
        ("petitions", "petitions/petitions_2017-08", "train"),
    ],
)
def test_one_broken_row_in_a_real_file_costs_that_row_alone(
    subset: str, name: str, split: str, real_data: Path, tmp_path: Path
) -> None:
    put(tmp_path / "whole", name, raw(real_data, name))
    lines = raw(real_data, name).split(b"\n")
    lines[60] = b"\xff" + lines[60]
    put(tmp_path / "broken", name, b"\n".join(lines))
    whole, broken = (read(subset, tmp_path / state, split) for state in ("whole", "broken"))
    [bad] = broken.bad
    assert (bad.file, bad.line) == (name, 61)
    place = int(bad.id.rsplit(":", 1)[1])
    gone = whole.frame.row(place, named=True)["id"]
    assert broken.frame.equals(whole.frame.filter(pl.col("id") != gone))
    assert broken.read == whole.read
