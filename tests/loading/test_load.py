"""``kit19.load``: records and builds in four shapes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import kit19
from kit19.catalog import load_catalog
from kit19.core.errors import FilesError, Kit19Error, ReadError, UnknownNameError, VerifyError
from kit19.reading import read_subset
from tests.support.reading import present_files

CATALOG = load_catalog()
SPLITS = [
    (name, split)
    for name in CATALOG.owners
    for split in CATALOG.subset(name)[0].splits_of(CATALOG.subset(name)[1])
]


def rows(loaded: kit19.Loaded) -> pl.DataFrame:
    return loaded.polars().collect()


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_every_split_of_every_subset_has_the_columns_that_it_promised(
    name: str, split: str
) -> None:
    try:
        loaded = kit19.load(name, split, data_dir="sample")
    except FilesError as error:  # the sample holds a file of each table, not of each split
        pytest.skip(str(error))
    promised = loaded.polars().collect_schema()
    frame = rows(loaded)
    assert frame.height
    assert frame.schema == promised
    assert set(frame["split"]) == {split}
    assert frame["id"].str.starts_with(f"{name}/{split}/").all()


@pytest.mark.parametrize("name", ["nsmc", "hatescore", "parakqc", "kobest_copa"])
def test_records_are_what_a_build_reads(name: str, sample_dir: Path) -> None:
    source, card = CATALOG.subset(name)
    there = present_files(source, card.tables, ["train"], sample_dir)
    read = read_subset(name, source, card, there).frame
    frame = rows(kit19.load(name, data_dir="sample"))
    plain = frame.with_columns(
        pl.col(column).list.join(",") if dtype == pl.List else pl.col(column).cast(pl.String)
        for column, dtype in frame.schema.items()
    )
    assert_frame_equal(plain, read.select(plain.columns))


def test_named_values_are_typed() -> None:
    frame = rows(kit19.load("hatescore", data_dir="sample"))
    assert frame.schema["label"] == pl.Enum(["clean", "hate", "insult"])
    assert frame.schema["micro"] == pl.List(pl.String)
    assert frame["micro"].list.len().max() == 2
    assert frame.schema["text"] == pl.String


@pytest.mark.parametrize("name", ["nsmc", "hatescore", "stylekqc", "unsmile"])
def test_records_are_the_same_in_all_four_shapes(name: str) -> None:
    loaded = kit19.load(name, data_dir="sample")
    expected = rows(loaded).to_dicts()
    assert loaded.arrow().to_pylist() == expected
    assert pl.from_pandas(loaded.pandas()).to_dicts() == expected
    data = loaded.datasets()
    named = [
        {
            key: data.features[key].int2str(value)
            if hasattr(data.features[key], "names")
            else value
            for key, value in row.items()
        }
        for row in data.to_list()
    ]
    assert named == expected
    assert str(data.split) == "train"


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_build_is_the_same_in_all_four_shapes(sample_build: Path, split: str) -> None:
    loaded = kit19.load(sample_build, split)
    expected = rows(loaded).to_dicts()
    assert loaded.arrow().to_pylist() == expected
    assert pl.from_pandas(loaded.pandas()).to_dicts() == expected
    assert loaded.datasets().to_list() == expected


def test_a_build_is_what_load_dataset_reads(sample_build: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    theirs = load_dataset(str(sample_build), split="train", cache_dir=str(tmp_path))
    ours = kit19.load(sample_build).datasets()
    assert ours.features == theirs.features
    assert ours.to_list() == theirs.to_list()


def test_labels_are_class_labels_in_datasets() -> None:
    data = kit19.load("kobest_boolq", data_dir="sample").datasets()
    assert data.features["label"].names == ["false", "true"]
    assert set(data["label"]) == {0, 1}


def test_nothing_is_read_before_rows_are_requested(sample_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_dir / "nsmc", tmp_path / "nsmc")
    loaded = kit19.load("nsmc", data_dir=tmp_path, unverified=True)
    (tmp_path / "nsmc" / "ratings_train.txt").unlink()
    names = ["id", "split", "group", "text", "label", "series"]
    assert loaded.polars().collect_schema().names() == names
    for read in (loaded.arrow, loaded.pandas, loaded.datasets):
        with pytest.raises(ReadError, match="cannot be read"):
            read()


def test_a_subsets_name_goes_before_a_folders_and_a_path_is_always_a_folder(
    sample_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nsmc").symlink_to(sample_build)
    monkeypatch.chdir(tmp_path)
    assert kit19.load("nsmc", data_dir="sample").kind == "records"
    assert kit19.load("./nsmc").kind == "build"
    assert kit19.load(Path("nsmc")).kind == "build"


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("nsmk", "train", "did you mean nsmc"),
        ("nsmc", "tain", "did you mean train"),
        ("kobest_copa", "valid", "known: dev, test, train"),
        (
            "/no/such/folder",
            "train",
            "is neither a subset, nor a file or folder, nor of the form owner/name",
        ),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, split: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        kit19.load(name, split, data_dir="sample")


def test_a_build_has_train_and_validation(sample_build: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean validation"):
        kit19.load(sample_build, "validatoin")


@pytest.mark.parametrize("given", ["revision", "data_dir"])
def test_an_argument_that_would_do_nothing_is_refused(given: str, sample_build: Path) -> None:
    name = "nsmc" if given == "revision" else sample_build
    with pytest.raises(Kit19Error, match=f"{given} has no meaning for it"):
        kit19.load(name, revision="v1") if given == "revision" else kit19.load(
            name, data_dir="sample"
        )


def test_missing_files_are_an_error_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(FilesError) as caught:
        kit19.load("petitions", data_dir=tmp_path)
    assert len(caught.value.problems) == 25
    assert "run `kit19 fetch petitions`" in str(caught.value)
    assert "--partial" not in str(caught.value)  # that is the command line's word
    with pytest.raises(FilesError, match="has no usable file of petitions"):
        kit19.load("petitions", data_dir=tmp_path, partial=True)


def test_the_data_folder_of_the_environment_is_the_default(
    sample_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_DATA_DIR", str(sample_dir.parent))
    with pytest.raises(FilesError, match=str(sample_dir.parent)):
        kit19.load("nsmc")


def test_a_folder_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="has no dataset files"):
        kit19.load(tmp_path)


def test_rows_of_ones_own_are_loaded_and_those_that_cannot_be_used_are_listed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "my.jsonl"
    lines = ['{"prompt": "물음", "completion": "답", "label": 1}', '{"text": "글"}', "{cut"]
    path.write_text("\n".join(lines), "utf-8")
    loaded = kit19.load(path)
    assert (loaded.kind, loaded.manifest) == ("rows", None)
    (row,) = loaded.polars().collect().to_dicts()
    nothing = dict.fromkeys(("task", "subset", "template", "license"))
    texts = {"id": "0", "instruction": "물음", "input": "", "output": "답", "label": "1"}
    assert row == {**nothing, **texts}
    assert loaded.malformed is not None
    assert loaded.malformed.select("row", "line", "fault").rows() == [
        (1, 2, "plain text"),
        (2, 3, "unreadable"),
    ]
    assert json.loads(json.dumps(loaded.to_dict()))["malformed"][0]["file"] == str(path)
    wrong: list[dict[str, Any]] = [
        {"data_dir": "sample"},
        {"revision": "main"},
        {"split": "validation"},
    ]
    for arguments in wrong:
        with pytest.raises(Kit19Error, match=r"has no meaning for it|have no split"):
            kit19.load(path, **arguments)


def test_a_file_cut_short_is_noticed_before_it_is_read(sample_build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(sample_build, folder)
    path = folder / "data" / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VerifyError, match="does not match its manifest"):
        kit19.load(folder)
    path.unlink()
    with pytest.raises(VerifyError, match="is missing"):
        kit19.load(folder)


def test_a_damaged_file_is_a_clear_error(sample_build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(sample_build, folder)
    path = folder / "data" / "train-00000-of-00001.parquet"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(VerifyError, match="cannot be read"):
        kit19.load(folder).arrow()


@pytest.mark.parametrize(
    ("library", "method"), [("datasets", "datasets"), ("pyarrow", "arrow"), ("pandas", "pandas")]
)
def test_a_missing_library_is_one_line_away(
    library: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = kit19.load("nsmc", data_dir="sample")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Kit19Error, match=f"pip install .*{library}"):
        getattr(loaded, method)()


@pytest.mark.real
def test_real_records_are_all_there(real_data: Path) -> None:
    frame = rows(kit19.load("nsmc", data_dir=real_data))
    counts = dict(frame["label"].value_counts().iter_rows())
    assert counts == {"negative": 75_173, "positive": 74_827}
    assert (
        frame.filter(id="nsmc/train/9976970")["text"].item() == "아 더빙.. 진짜 짜증나네요 목소리"
    )
    assert rows(kit19.load("kobest_copa", "test", data_dir=real_data)).height == 1_000


@pytest.mark.real
def test_real_files_that_differ_are_refused(real_data: Path) -> None:
    with pytest.raises(FilesError, match="49,401 rows expected"):
        kit19.load("pawsx", data_dir=real_data)
    assert rows(kit19.load("pawsx", data_dir=real_data, unverified=True)).height == 4
