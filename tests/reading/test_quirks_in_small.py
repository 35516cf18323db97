"""The same quirks as in the real files, in a few bytes of our own: these run anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit19.catalog import load_catalog
from kit19.reading import read_table
from tests.support.reading import present_files, put, read, text, texts


def tsv(*rows: str, end: str = "\n", last: bool = True) -> str:
    """Rows with ``|`` for tabs."""
    return end.join(row.replace("|", "\t") for row in rows) + (end if last else "")


def test_a_review_escaped_twice_is_what_was_written(tmp_path: Path) -> None:
    written = [
        '1|"""영화는 """"재미"""" 있다"""|1',
        '2|"""""""가"""" 나"""|0',
        '3|그는 "좋다"고 했다|1',
        "4||0",
        "5| 끝에 빈칸 |1",
    ]
    put(tmp_path, "nsmc/ratings_train.txt", tsv("id|document|label", *written))
    assert texts(read("nsmc", tmp_path), "text", "label") == {
        "nsmc/train/1": ('영화는 "재미" 있다', "positive"),
        "nsmc/train/2": ('"가" 나', "negative"),
        "nsmc/train/3": ('그는 "좋다"고 했다', "positive"),
        "nsmc/train/4": ("", "negative"),
        "nsmc/train/5": ("끝에 빈칸", "positive"),
    }


def test_a_question_escaped_once_is_what_was_written(tmp_path: Path) -> None:
    rows = ['"가족끼리 ""사랑해요""라는 말"|어색해|1', "심심해|심심하다|0"]
    put(tmp_path, "question_pair/train.txt", tsv("question1|question2|is_duplicate", *rows))
    assert texts(read("question_pair", tmp_path), "question1", "label") == {
        "question_pair/train/0": ('가족끼리 "사랑해요"라는 말', "different"),
        "question_pair/train/1": ("심심해", "same"),
    }


@pytest.mark.parametrize("spelling", ["TRUE", "True", "true"])
def test_an_answer_counts_in_any_case(spelling: str, tmp_path: Path) -> None:
    rows = tsv(
        "ID|Text|Question|Answer", f'7|"가"는 글자다. |가는 글자인가? |{spelling}', end="\r\n"
    )
    put(tmp_path, "kobest/v1.0/BoolQ/dev.tsv", rows)
    found = texts(read("kobest_boolq", tmp_path), "paragraph", "question", "label")
    assert found == {"kobest_boolq/dev/7": ('"가"는 글자다.', "가는 글자인가?", "true")}


@pytest.mark.parametrize(
    ("written", "canonical"), [("원인", "cause"), ("원인 ", "cause"), ("결과 ", "effect")]
)
def test_a_question_word_counts_with_a_blank_behind_it(
    written: str, canonical: str, tmp_path: Path
) -> None:
    rows = tsv("ID|sentence|question|1|2|Answer", f"3|비가 왔다.|{written}|우산|양산|2", last=False)
    put(tmp_path, "kobest/v1.0/COPA/train.tsv", rows)
    found = texts(read("kobest_copa", tmp_path), "question", "label", "answer")
    assert found == {"kobest_copa/train/3": (canonical, "2", "양산")}


def test_a_column_order_of_its_own_in_each_split(tmp_path: Path) -> None:
    folder = "kobest/v1.0/SentiNeg"
    put(tmp_path, f"{folder}/train.tsv", tsv("ID|Text|Label", "1|싫다|0"))
    put(tmp_path, f"{folder}/dev.tsv", tsv("ID|Label|Text", "1|1|좋다"))
    head = "ID|Label_origin|Text_origin|Label|Text|Category_neg"
    put(tmp_path, f"{folder}/test.tsv", tsv(head, "1|0|싫다|1|싫지 않다|2"))
    card = load_catalog().source("kobest")
    found = present_files(card, ["sentineg"], ["train", "dev", "test"], tmp_path)
    frame = read_table(card, "sentineg", found)
    assert frame.select("split", "text", "label").rows() == [
        ("train", "싫다", "negative"),
        ("dev", "좋다", "positive"),
        ("test", "싫지 않다", "positive"),
    ]


def test_hellaswag_is_quoted_and_the_other_kobest_files_are_not(tmp_path: Path) -> None:
    endings = '"""강""으로 데운다."|식힌다.|붓는다.|젓는다.'
    rows = tsv("context|choice1|choice2|choice3|choice4|label", f'"""가""를 쓴다."|{endings}|0')
    put(tmp_path, "kobest/v1.0/HellaSwag/train.tsv", rows)
    found = texts(read("kobest_hellaswag", tmp_path), "context", "ending", "label")
    assert found == {"kobest_hellaswag/train/0": ('"가"를 쓴다.', '"강"으로 데운다.', "1")}


def test_a_word_in_brackets_is_shown_with_them_and_without(tmp_path: Path) -> None:
    head = "ID|Target|SENTENCE1|Dictionary 1|Link 1|SENTENCE2|Dictionary 2|Link2|ANSWER"
    put(
        tmp_path,
        "kobest/v1.0/WiC/train.tsv",
        tsv(head, "1|배|[배]가 달다.|1|x|[배]를 탔다.|2|y|FALSE"),
    )
    fields = ("word", "context_1", "plain_1", "plain_2", "label")
    assert texts(read("kobest_wic", tmp_path), *fields) == {
        "kobest_wic/train/1": ("배", "[배]가 달다.", "배가 달다.", "배를 탔다.", "different")
    }


def test_a_literal_ns_means_no_sentence(tmp_path: Path) -> None:
    rows = ["5|NS|문장|0", "9|NS가 든 문장|NS|0", "12|하나|둘|1"]
    put(tmp_path, "pawsx/x-final/ko/dev_2k.tsv", tsv("id|sentence1|sentence2|label", *rows))
    assert texts(read("pawsx", tmp_path), "sentence1", "sentence2") == {
        "pawsx/dev/5": (None, "문장"),
        "pawsx/dev/9": ("NS가 든 문장", None),
        "pawsx/dev/12": ("하나", "둘"),
    }


def test_a_comment_file_with_newlines_inside_quotes(tmp_path: Path) -> None:
    head = "text,user_age,user_gender,text_topic,class,age,text_topic_eng\n"
    rows = '"첫 줄, 쉼표\n둘째 줄\n",1,2,3,Spoiled,5,6\n넷,1,2,3,Default,5,6'
    put(tmp_path, "apeach/APEACH/test.csv", head + rows)
    assert texts(read("apeach", tmp_path), "text", "label") == {
        "apeach/test/0": ("첫 줄, 쉼표\n둘째 줄", "hate"),
        "apeach/test/1": ("넷", "none"),
    }


def test_offensive_counts_as_hate_in_beep(tmp_path: Path) -> None:
    rows = ["가|False|none|none", "나|False|none|offensive", "다|True|gender|hate"]
    name = "apeach/beep_train_for_hf/labeled/train.tsv"
    put(tmp_path, name, tsv("comments|contain_gender_bias|bias|hate", *rows))
    found = texts(read("apeach", tmp_path), "label")
    assert [label for (label,) in found.values()] == ["none", "hate", "hate"]


def test_several_labels_come_in_the_cards_order(tmp_path: Path) -> None:
    head = ",comment,macrolabel,microlabel,source\n"
    rows = (
        '0,가,혐오발언,"단순 악플, 종교, 지역",s\n1,나,단순 악플,단순 악플,s\n2,다,Clean,None,s\n'
    )
    put(tmp_path, "hatescore/HateScore.csv", head + rows)
    assert texts(read("hatescore", tmp_path), "label", "micro") == {
        "hatescore/train/0": ("hate", "region,religion,insult"),
        "hatescore/train/1": ("insult", "insult"),
        "hatescore/train/2": ("clean", "clean"),
    }


def test_a_file_with_a_bom_and_without_a_header(tmp_path: Path) -> None:
    rows = tsv("전등 켜져 있니 |전등 켜짐 여부 |0", "꺼 줘|끄기|4", end="\r\n", last=False)
    put(tmp_path, "sae4k/data/sae4k_v1.txt", "\ufeff" + rows)
    assert texts(read("sae4k", tmp_path), "text", "argument", "label") == {
        "sae4k/train/0": ("전등 켜져 있니", "전등 켜짐 여부", "yes_no"),
        "sae4k/train/1": ("꺼 줘", "끄기", "requirement"),
    }


def test_code_of_several_lines_inside_crlf_records(tmp_path: Path) -> None:
    rows = (
        'class,problem,code,answer\r\n1, 몇 개인가? ,"a = 1\nprint(a)",1\r\n2,누구인가?,x,병원\r\n'
    )
    put(tmp_path, "kmwp/data/train.csv", rows)
    assert texts(read("kmwp", tmp_path), "question", "code", "answer") == {
        "kmwp/train/0": ("몇 개인가?", "a = 1\nprint(a)", "1"),
        "kmwp/train/1": ("누구인가?", "x", "병원"),
    }


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u00ad"])
def test_a_zero_width_sign_is_not_a_blank(sign: str, tmp_path: Path) -> None:
    put(
        tmp_path,
        "nsmc/ratings_train.txt",
        tsv("id|document|label", f"1| {sign}가{sign}나{sign} |1"),
    )
    assert text(read("nsmc", tmp_path), "nsmc/train/1", "text") == f"{sign}가{sign}나{sign}"


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u3000", "\u2003"])
def test_any_blank_at_the_ends_is_stripped(blank: str, tmp_path: Path) -> None:
    rows = tsv("id|document|label", f"1|{blank}가{blank}나{blank}|1")
    put(tmp_path, "nsmc/ratings_train.txt", rows)
    assert text(read("nsmc", tmp_path), "nsmc/train/1", "text") == f"가{blank}나"


def test_the_sample_has_the_quirks_of_its_sources(sample_dir: Path) -> None:
    # The sample is what runs where the real files are not: it must exercise the same rules.
    def holds(name: str, *signs: str) -> bool:
        data = (sample_dir / name).read_bytes().decode("utf-8")
        return all(sign in data for sign in signs)

    assert holds("nsmc/ratings_train.txt", '"""', "\t\t")
    assert holds("kobest/v1.0/HellaSwag/train.tsv", '""')
    assert holds("kobest/v1.0/BoolQ/test.tsv", "TRUE", "True", "\r\n")
    assert holds("kobest/v1.0/WiC/train.tsv", "[", "]")
    assert holds("pawsx/x-final/ko/dev_2k.tsv", "\tNS\t")
    assert holds("sae4k/data/sae4k_v1.txt", "\ufeff", "\r\n")
    assert holds("question_pair/train.txt", '""')
    assert holds("apeach/APEACH/test.csv", '"')
    assert holds("kowikitext/kowikitext_20200920.train", "= = ", "= 분류:")
