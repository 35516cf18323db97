"""A path that somebody gives is a name: no pattern, and the same however it is composed."""

from __future__ import annotations

import ast
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

import kit19
from kit19.auditing import audit
from kit19.catalog import load_catalog
from kit19.core.errors import CatalogError, Kit19Error
from kit19.core.parquet import read_parquet, scan_parquet
from kit19.reading import read_texts
from kit19.training.rows.files import load_build_rows, load_file_rows

Form = Literal["NFC", "NFD"]
SOURCES = Path(kit19.__file__).parent
# Each is a pattern that would match `other`, or a folder that polars would take for a column.
NAMES = [
    "o[ot]her",
    "othe?",
    "oth*",
    "*",
    "[!x]ther",
    "text=겨울",
    "{other,x}",
    "o%74her",
    "~other",
]


@pytest.fixture(params=NAMES)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder and a file in it of such a name, with their like beside them."""
    folder = tmp_path / str(request.param)
    for place, text in ((folder, "right"), (tmp_path / "other", "wrong")):
        place.mkdir()
        for name in (str(request.param), "other"):
            said = text if name == request.param else "wrong"
            frame = pl.DataFrame({"instruction": [said], "output": [said]})
            frame.write_parquet(place / f"{name}.parquet")
            frame.write_ipc(place / f"{name}.arrow")
    return folder / str(request.param)


def test_every_reader_takes_a_path_by_its_letters(odd: Path) -> None:
    path = odd.with_name(f"{odd.name}.parquet")
    assert read_parquet(path)["output"].to_list() == ["right"]
    assert scan_parquet([path, path]).collect()["output"].to_list() == ["right"] * 2
    for suffix in ("parquet", "arrow"):
        named = odd.with_name(f"{odd.name}.{suffix}")
        texts = [text for _, batch in read_texts(named) for text in batch["text"]]
        assert texts == ["right", "right"], suffix
    (batch,) = load_file_rows(path, 0, 0).train.batches()
    assert batch["output"].to_list() == ["right"]


@pytest.mark.parametrize("name", NAMES)
def test_a_build_is_verified_loaded_and_trained_on_in_any_folder(
    name: str, sample_build: Path, tmp_path: Path
) -> None:
    folder = tmp_path / name
    shutil.copytree(sample_build, folder)
    manifest = kit19.verify(folder)
    splits = ("train", "validation")
    loaded = [kit19.load(str(folder), split).polars().collect() for split in splits]
    assert sum(map(len, loaded)) == manifest.rows
    trained = list(load_build_rows(folder, manifest, 0, 0).train.batches())
    assert sum(map(len, trained)) == loaded[0].height


def test_no_code_gives_a_path_to_a_reader_of_patterns() -> None:
    """Polars reads patterns by default, so only one module may give it paths."""
    calls = [
        f"{path.relative_to(SOURCES)}:{call.lineno}"
        for path in SOURCES.rglob("*.py")
        for call in reads_of_polars(ast.parse(path.read_text("utf-8")))
        if not is_of_bytes(call) and not says_no_glob(call)
    ]
    assert calls == []


def reads_of_polars(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr.startswith(("read_", "scan_"))
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("pl", "polars")
        ):
            yield node


def is_of_bytes(call: ast.Call) -> bool:
    first = call.args[0]
    return isinstance(first, ast.Call) and ast.unparse(first.func) == "io.BytesIO"


def says_no_glob(call: ast.Call) -> bool:
    said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    return said.get("glob") == "False" and said.get("hive_partitioning") == "False"


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_names_match_in_any_composition(
    on_disk: Form, asked: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_asked(text: str) -> str:
        return unicodedata.normalize(asked, text)

    def as_written(text: str) -> str:
        return unicodedata.normalize(on_disk, text)

    monkeypatch.chdir(tmp_path)
    folder = Path(as_written("자료 모음"))
    folder.mkdir()
    row = '{"instruction": "거꾸로", "output": "다나가", "질문": "이 물음이 다른 둘보다 길다"}\n'
    (folder / as_written("자료.jsonl")).write_text(as_written(row), "utf-8")
    path = Path(as_asked("자료 모음/자료.jsonl"))
    result = audit(path, [str(path)], columns=[as_asked("질문")])
    assert [hit.column for hit in result.hits] == [as_written("질문")]
    assert [len(batch) for batch in load_file_rows(path, 0, 0).train.batches()] == [1]
    recipe = Path("mine.yaml")
    recipe.write_text(
        "id: mine\ntitle: Mine\ndata: sample\ndecontaminate: false\nextra:\n"
        f"  - {{name: mydata, path: '{path}', license: CC-BY-4.0}}\n",
        "utf-8",
    )
    assert kit19.build(str(recipe), "out").rows == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("rows\\my.jsonl", r"'rows\\\\my.jsonl' has a backslash or a colon"),
        ("my: rows.jsonl", "'my: rows.jsonl' has a backslash or a colon"),
        ("..", "names no file"),
        ("rows/..", "names no file"),
        ("n" * 300, "n.*is missing|File name too long"),
        (".", r"kit19 does not read \.yaml"),
        ("pipe.jsonl", "is not a plain file"),
    ],
)
def test_an_impossible_path_in_a_recipe_is_an_error(path: str, said: str, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.jsonl")
    recipe = tmp_path / "mine.yaml"
    text = f"id: mine\ntitle: Mine\ndata: sample\nextra:\n  - name: my\n    path: '{path}'\n"
    recipe.write_text(f"{text}    license: CC-BY-4.0\n", "utf-8")
    with pytest.raises(Kit19Error, match=said) as raised:
        kit19.build(str(recipe), tmp_path / "out")
    if isinstance(raised.value, CatalogError):
        (problem,) = raised.value.problems
        assert problem.where == f"{recipe}:6"
        assert problem.what.startswith("extra")


def test_every_recipe_that_kit19_carries_still_loads() -> None:
    catalog = load_catalog()
    for name in catalog.recipe_names():
        catalog.recipe(name)
