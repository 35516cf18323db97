"""A malformed row goes to quarantine with file, line and reason; everything else is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit19.catalog import load_catalog
from kit19.core.errors import ReadError
from kit19.fetching import Leniency, Use, select_files
from tests.support.reading import complaints, put, read, text, texts

NSMC = "nsmc/ratings_train.txt"
HATESCORE = "hatescore/HateScore.csv"
HEAD = ",comment,macrolabel,microlabel,source\n"
PETITIONS = "petitions/petitions_2017-08"


def petition(**changes: object) -> str:
    row = {
        "category": "행정",
        "begin": "2017-08-19",
        "end": "2017-11-17",
        "content": "내용",
        "num_agree": 11,
        "petition_idx": "21",
        "status": "청원종료",
        "title": "제목",
    }
    return json.dumps({**row, **changes}, ensure_ascii=False) + "\n"


def test_bad_lines_of_a_file_without_quoting(tmp_path: Path) -> None:
    lines = ["id\tdocument\tlabel", "1\t가\t1", "2\t나", "3\t다\t라\t0", "4\t마\t2", "5\t바\t0", ""]
    data = "\n".join(lines).encode().replace("가".encode(), b"\xb0\xa1")
    put(tmp_path, NSMC, data)
    records = read("nsmc", tmp_path, "train")
    assert texts(records, "text", "label") == {"nsmc/train/5": ("바", "negative")}
    assert sorted(complaints(records), key=lambda found: found[1]) == [
        (NSMC, 2, "is not UTF-8"),
        (NSMC, 3, "has 2 fields, not 3"),
        (NSMC, 4, "has 4 fields, not 3"),
        (NSMC, 5, "label: unknown value '2'"),
    ]
    assert records.read == records.upstream_rows == 5


def test_a_quarantined_row_is_named_by_its_file_and_place(tmp_path: Path) -> None:
    put(tmp_path, NSMC, "id\tdocument\tlabel\n1\t가\t1\n2\t나\n")
    [bad] = read("nsmc", tmp_path, "train").bad
    assert (bad.id, bad.kind) == ("nsmc/train/ratings_train:1", "malformed")


def test_bad_rows_of_a_quoted_file(tmp_path: Path) -> None:
    rows = [
        "0,가,Clean,None,s",
        "1,나,Clean,None",
        '2,"다"라,Clean,None,s',
        '3,"마\n바",Clean,None,s',
        "4,가각,Clean,None,s",
        '5,"사, ""아""",Clean,None,s',
    ]
    data = (HEAD + "\n".join(rows) + "\n").encode().replace("가각".encode(), b"\xff")
    put(tmp_path, HATESCORE, data)
    records = read("hatescore", tmp_path)
    assert texts(records, "text") == {
        "hatescore/train/0": ("가",),
        "hatescore/train/3": ("마\n바",),
        "hatescore/train/5": ('사, "아"',),
    }
    assert complaints(records) == [
        (HATESCORE, 3, "has 4 fields, not 5"),
        (HATESCORE, 4, "is not valid CSV: ',' expected after '\"'"),
        (HATESCORE, 7, "is not UTF-8"),
    ]


def test_a_quote_left_open_in_the_last_row_costs_that_row(tmp_path: Path) -> None:
    put(tmp_path, HATESCORE, HEAD + '0,가,Clean,None,s\n1,"나,Clean,None,s\n')
    records = read("hatescore", tmp_path)
    assert texts(records, "text") == {"hatescore/train/0": ("가",)}
    assert complaints(records) == [(HATESCORE, 3, "is not valid CSV: unexpected end of data")]


def test_a_quote_left_open_costs_no_later_row_and_moves_no_id(tmp_path: Path) -> None:
    rows = '0,가,Clean,None,s\n1,"나,Clean,None,s\n2,"다",Clean,None,s\n3,라,Clean,None,s\n'
    put(tmp_path, HATESCORE, HEAD + rows)
    records = read("hatescore", tmp_path)
    assert texts(records, "text") == {
        "hatescore/train/0": ("가",),
        "hatescore/train/2": ("다",),
        "hatescore/train/3": ("라",),
    }


def test_bad_bytes_are_seen_even_where_another_row_holds_a_replacement_sign(
    tmp_path: Path,
) -> None:
    data = (HEAD + "0,가\ufffd,Clean,None,s\n").encode() + b"1,\xff,Clean,None,s\n"
    put(tmp_path, HATESCORE, data)
    records = read("hatescore", tmp_path)
    assert texts(records, "text") == {"hatescore/train/0": ("가\ufffd",)}
    assert complaints(records) == [(HATESCORE, 3, "is not UTF-8")]


def test_a_replacement_sign_that_upstream_wrote_is_text(tmp_path: Path) -> None:
    put(tmp_path, HATESCORE, HEAD + "0,가\ufffd,Clean,None,s\n")
    assert text(read("hatescore", tmp_path), "hatescore/train/0", "text") == "가\ufffd"


def test_an_unknown_label_of_a_quoted_file_is_reported_with_its_line(tmp_path: Path) -> None:
    put(tmp_path, HATESCORE, HEAD + '0,"가\n나",Clean,None,s\n1,다,Dirty,None,s\n')
    records = read("hatescore", tmp_path)
    assert complaints(records) == [(HATESCORE, 4, "label: unknown value 'Dirty'")]


def test_several_labels_of_which_one_is_unknown(tmp_path: Path) -> None:
    put(tmp_path, HATESCORE, HEAD + '0,가,혐오발언,"종교, 지역",s\n1,나,혐오발언,"종교, 지방",s\n')
    records = read("hatescore", tmp_path)
    assert texts(records, "micro") == {"hatescore/train/0": ("region,religion",)}
    assert [why for _, _, why in complaints(records)] == ["micro: unknown value '종교, 지방'"]


def test_two_unknown_labels_of_a_row_are_both_reported(tmp_path: Path) -> None:
    put(tmp_path, HATESCORE, HEAD + "0,가,Clean,None,s\n1,나,Dirty,Nothing,s\n")
    [(_, _, why)] = complaints(read("hatescore", tmp_path))
    assert why == "label: unknown value 'Dirty'; micro: unknown value 'Nothing'"


def test_a_flag_that_is_neither_0_nor_1(tmp_path: Path) -> None:
    names = "문장\t여성/가족\t남성\t성소수자\t인종/국적\t연령\t지역\t종교\t기타 혐오"
    names += "\t악플/욕설\tclean\t개인지칭"
    rows = ["가" + "\t0" * 9 + "\t1\t0", "나" + "\t0" * 9 + "\t2\t0"]
    name = "unsmile/unsmile_train_v1.0.tsv"
    put(tmp_path, name, "\n".join([names, *rows]))
    records = read("unsmile", tmp_path, "train")
    assert texts(records, "label") == {"unsmile/train/0": ("clean",)}
    assert complaints(records) == [(name, 3, "clean: '2' is neither 0 nor 1")]


def test_bad_json_lines(tmp_path: Path) -> None:
    lines = [petition(), '{"category"\n', petition(petition_idx="22"), "[]\n"]
    broken = petition(petition_idx="23").replace('"title"', '"titel"')
    put(tmp_path, PETITIONS, "".join([*lines, broken]))
    records = read("petitions", tmp_path)
    assert list(texts(records, "title")) == ["petitions/train/21", "petitions/train/22"]
    found = complaints(records)
    assert [(file, line) for file, line, _ in found] == [(PETITIONS, n) for n in (2, 4, 5)]
    assert found[0][2].startswith("is not valid JSON")
    assert [why for _, _, why in found[1:]] == ["is not an object", "has no key 'title'"]


def test_of_two_rows_with_one_key_the_first_keeps_it(tmp_path: Path) -> None:
    put(tmp_path, PETITIONS, petition() + petition(title="다른 제목") + petition(petition_idx="22"))
    records = read("petitions", tmp_path)
    assert texts(records, "title") == {
        "petitions/train/21": ("제목",),
        "petitions/train/22": ("제목",),
    }
    [why] = [why for _, _, why in complaints(records)]
    assert why == "has the key of an earlier row: petitions/train/21"


def test_a_key_given_twice_is_reported_with_file_and_line(tmp_path: Path) -> None:
    put(tmp_path, PETITIONS, petition() + petition(title="다른 제목"))
    [(file, line, _)] = complaints(read("petitions", tmp_path))
    assert (file, line) == (PETITIONS, 2)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_row_without_its_key_is_malformed(key: str | None, tmp_path: Path) -> None:
    put(tmp_path, PETITIONS, petition() + petition(petition_idx=key))
    records = read("petitions", tmp_path)
    assert list(texts(records, "title")) == ["petitions/train/21"]
    assert [line for _, line, _ in complaints(records)] == [2]


def test_a_twin_file_that_differs_costs_the_rows_that_differ(tmp_path: Path) -> None:
    put(tmp_path, "stylekqc/act/train.tsv", "act\tsentence\n0\t가\n1\t나\n2\t다\n")
    put(tmp_path, "stylekqc/topic/train.tsv", "topic\tsentence\n5\t가\n4\t너\n3\t다\n")
    records = read("stylekqc", tmp_path, "train")
    assert texts(records, "sentence1", "sentence2") == {"stylekqc/train/0-2": ("가", "다")}
    reason = "differs from stylekqc/topic/train.tsv"
    assert complaints(records) == [("stylekqc/act/train.tsv", 3, reason)]


def test_a_twin_file_that_is_cut_costs_the_rows_that_it_lacks(tmp_path: Path) -> None:
    put(tmp_path, "stylekqc/act/train.tsv", "act\tsentence\n0\t가\n1\t나\n2\t다\n")
    put(tmp_path, "stylekqc/topic/train.tsv", "topic\tsentence\n5\t가\n4\t나\n")
    records = read("stylekqc", tmp_path, "train")
    assert list(texts(records, "sentence1")) == ["stylekqc/train/0-1"]
    assert [line for _, line, _ in complaints(records)] == [4]


@pytest.mark.parametrize(
    "there",
    [
        "act",
        pytest.param(
            "topic",
        ),
    ],
)
def test_a_file_without_its_twin_is_left_out_with_it(there: str, tmp_path: Path) -> None:
    put(tmp_path, f"stylekqc/{there}/train.tsv", f"{there}\tsentence\n0\t가\n")
    source, card = load_catalog().subset("stylekqc")
    use = Use("stylekqc", source, card.tables, ["train"])
    (selected,) = select_files([use], tmp_path, Leniency(partial=True, check=False))
    assert selected.used == []
    other = "topic" if there == "act" else "act"
    assert {(one.name, one.status, one.why) for one in selected.skipped} == {
        (f"stylekqc/{other}/train.tsv", "missing", "it is not there"),
        (
            f"stylekqc/{there}/train.tsv",
            "unchecked",
            f"its rows are joined with those of stylekqc/{other}/train.tsv, which is left out",
        ),
    }


def test_a_file_of_which_no_row_can_be_read_is_refused(tmp_path: Path) -> None:
    put(tmp_path, NSMC, "id\tdocument\tlabel\n1,가,1\n2,나,0\n")
    with pytest.raises(ReadError) as error:
        read("nsmc", tmp_path, "train")
    message = f"{tmp_path / NSMC}: none of its 2 rows can be read; the first: has 1 fields, not 3"
    assert str(error.value) == message


def test_a_file_with_a_header_alone_is_refused(tmp_path: Path) -> None:
    put(tmp_path, NSMC, "id\tdocument\tlabel\n")
    with pytest.raises(ReadError, match="has no rows"):
        read("nsmc", tmp_path, "train")


def test_records_that_hold_template_text_or_markup_stay_as_they_are(tmp_path: Path) -> None:
    odd = ["{label}", "{은/는}", "{{", "<b>굵게</b>", "&lt;", "가\x00\x1b[31m나", "\\n", "%s"]
    lines = [f"{n}\t{text}\t1" for n, text in enumerate(odd)]
    put(tmp_path, NSMC, "\n".join(["id\tdocument\tlabel", *lines]))
    found = texts(read("nsmc", tmp_path, "train"), "text")
    assert [value for (value,) in found.values()] == odd
