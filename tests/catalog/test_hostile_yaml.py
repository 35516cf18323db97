"""YAML that was made to do harm: refused with file and line, whichever reader meets it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import Kit19Error, build, load_catalog, load_preset, show
from kit19.catalog.index import summarize_sources
from kit19.catalog.layers import layers_of
from kit19.catalog.yaml_file import parse_yaml
from tests.support.invoking import invoke

GOOD = Path(__file__).parent / "bad_cards" / "good"
FAR = 100_000

HARM = {
    "brackets": "[" * FAR,
    "braces": "{" * FAR,
    "dashes": "- " * FAR + "a",
    "questions": "? " * FAR,
    "both": "- ? " * FAR,
    "mixed": "[? " * FAR,
    "after a key": "a:\n" + "- " * FAR,
    "indents": "".join(" " * depth + "a:\n" for depth in range(1500)),
    "laughs": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    "a circle": "a: &a [*a]",
    "a tag": "a: !!python/object/apply:os.system [id]",
    "24 digits": f"a: {'9' * 24}",
    "4,301 digits": f"a: {'9' * 4301}",
    "minus 4,301 digits": f"a: -{'9' * 4301}",
    "a digit too many": f"a: {2**63}",
    "infinite": "a: 1.0e999",
    "minus infinite": "a: -1.0e999",
    "nul": 'a: "x\\0y"',
    "raw nul": "a: x\0y",
    "half a pair": "a: \ud800",
    "long key": f"a: {'b' * 2000}: c",
    "documents": "a: 1\n---\nb: 1\n",
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_refused_where_it_stands(harm: str) -> None:
    with pytest.raises(Kit19Error) as raised:
        parse_yaml(HARM[harm], "own.yaml")
    [problem] = raised.value.problems
    assert problem.where.startswith("own.yaml")
    assert len(str(problem)) < 300


def broken(root: Path, folder: str) -> Callable[[str], Path]:
    """Writes a file of a catalog whose key ``about`` or whole is the harm."""
    shutil.copytree(GOOD, root)
    path = next((root / folder).glob("*.yaml"))

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return path

    return write


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a source": ("sources", lambda path: load_catalog(path.parent.parent, only=True)),
    "a list": ("sources", lambda path: summarize_sources(layers_of(path.parent.parent, only=True))),
    "a benchmark": ("benchmarks", lambda path: load_catalog(path.parent.parent)),
    "templates": (
        "templates",
        lambda path: show(
            "cafe_reviews",
            n=1,
            data_dir=GOOD / "data",
            catalog=load_catalog(path.parent.parent, only=True),
        ),
    ),
    "own templates": ("templates", lambda path: show(from_file=path)),
    "a recipe": ("recipes", lambda path: build(str(path), path.parent / "out")),
    "a prompt format": ("recipes", lambda path: load_catalog().prompt_format(str(path))),
    "a preset": ("recipes", lambda path: load_preset(str(path))),
    "a changed preset": ("recipes", lambda path: load_preset(str(path), {"epochs": 1})),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_harm_and_names_the_file(
    reader: str, harm: str, tmp_path: Path
) -> None:
    folder, read = READERS[reader]
    path = broken(tmp_path / "catalog", folder)(HARM[harm])
    with pytest.raises(Kit19Error) as raised:
        read(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("harm", [name for name in HARM if name not in ("raw nul", "documents")])
@pytest.mark.parametrize(
    "line",
    [["build", "sample"], ["train", "--data", "x", "--model", "tiny"]],
    ids=["build", "train"],
)
def test_a_value_on_the_command_line_does_no_harm(
    line: list[str], harm: str, tmp_path: Path
) -> None:
    value = HARM[harm].removeprefix("a: ")
    for key in ("cap", "seed", "lora.rank", "title"):
        said = invoke(*line, "--out", tmp_path / "out", "--set", f"{key}={value}")
        assert said.code in (1, 2)
        assert len(said.err) < 2000
        assert not (tmp_path / "out").exists()


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["nsmc", "math", "label", "none", 2**63, 2**64, 10**30]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
RECIPE_KEYS = ["cap", "per_task_cap", "weights", "fill", "views", "balance", "validation", "dedup"]
RECIPE_KEYS += ["seed", "extra", "formats", "subsets", "exclude", "license", "title", "id"]


@given(st.sampled_from(RECIPE_KEYS), values)
def test_a_recipe_takes_a_value_or_refuses_it(key: str, value: object) -> None:
    # JSON is YAML, and what a caller of the API passes needs no YAML at all.
    for changed in ({key: value}, {"subsets": ["math"], key: value}):
        with contextlib.suppress(Kit19Error):
            load_catalog().recipe("sample", changed)
    said = invoke("show", "nothing", "--seed", json.dumps(value))
    assert said.code in (1, 2)


@given(
    st.text(st.sampled_from("[]{}-?:&*!|>'\"%@`#,\n\t ab019.eE~\x00\x1b\u2028\ud800"), max_size=60)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Kit19Error):
        parse_yaml(text, "own.yaml")
