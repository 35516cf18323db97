"""Invalid results: tasks that cannot be compared are skipped with a note."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit19 import Kit19Error, ResultsError, compare, load_catalog
from kit19.comparing.model_results import ModelResults, normalized_choice
from kit19.comparing.reading import read_results
from tests.support.invoking import invoke
from tests.support.simulate import model

HARNESS = Path(__file__).parent / "lm_eval_0_4_13"
BENCHMARKS = load_catalog().benchmarks
LEFT, STAYS = "kobest_hellaswag", "kobest_copa"
Change = Callable[[Any], object]


def read(path: Path) -> ModelResults:
    return read_results(path, BENCHMARKS)


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [
        Path(shutil.copytree(HARNESS / f"models__tiny-{n}", tmp_path / f"tiny-{n}")) for n in (1, 2)
    ]


def _document(folder: Path, change: Change) -> None:
    (file,) = folder.glob("results*.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def _items(folder: Path, task: str, change: Change) -> None:
    (file,) = folder.glob(f"samples_{task}*.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        change(row)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _set(**values: Any) -> Change:
    return lambda row: row.update(values)


def _into_prompts(row: Any) -> None:
    """As in Winogrande: the same continuation after several prompts."""
    for key, one in row["arguments"].items():
        row["arguments"][key] = {"arg_0": one["arg_0"] + one["arg_1"], "arg_1": " 끝"}


ITEMS: list[tuple[Change, str]] = [
    (_set(target="[1, 2]"), "does not have one right answer: [1, 2]"),
    (_set(target=[1, 2]), "does not have one right answer: [1, 2]"),
    (_into_prompts, "its choices are in the prompts"),
    (_set(target="-100"), "target '-100' is not one of its choices"),
    (_set(target=10**400), "is not one of its choices"),
    (_set(filtered_resps=[[float("nan"), False]] * 4), "finite number"),
    (_set(filtered_resps=[["-Infinity", False]] * 4), "finite number"),
    (_set(filtered_resps=[[10**400, False]] * 4), "filtered_resps.0"),
    (_set(filtered_resps=None), "filtered_resps: Input should be a valid list"),
    (_set(filtered_resps=[[-1.0, False]]), "4 choices and 1 answers"),
    (_set(arguments=[]), "arguments: Input should be a valid dictionary"),
    (_set(arguments={}), "arguments"),
    (_set(doc_id=-1), "doc_id: Input should be greater than or equal to 0"),
    (_set(doc_id=10**30), "doc_id"),
    (_set(doc_id=None), "doc_id: Input should be a valid integer"),
]


@pytest.mark.parametrize(("change", "message"), ITEMS, ids=range(len(ITEMS)))
def test_a_task_with_invalid_items_is_skipped_with_the_reason(
    pair: list[Path], change: Change, message: str
) -> None:
    for folder in pair:
        _items(folder, LEFT, change)
    scored = read(pair[0])
    assert message in scored.skipped[LEFT]
    assert f"samples_{LEFT}" in scored.skipped[LEFT]
    assert list(scored.tasks) == [STAYS]
    result = compare(pair, replicates=100)
    assert {one.task for one in result.differences} == {STAYS}
    notes = [note for note in result.notes if note.task == LEFT]
    assert len(notes) == 2
    assert all(note.what.startswith("skipped: ") for note in notes)


def _filter(document: Any) -> None:
    scores = document["results"][LEFT]
    renamed = {key.replace(",none", ",first"): value for key, value in scores.items()}
    document["results"][LEFT] = renamed


def _predictions(document: Any) -> None:
    """As lm_eval 0.4.13 writes it: without the task's metrics and counts of choices."""
    document["results"][LEFT] = {"name": LEFT, "alias": LEFT, "sample_len": 0}
    document["configs"][LEFT]["metric_list"] = [{"metric": "bypass"}]
    document["n-samples"][LEFT]["effective"] = 0


DOCUMENTS: list[tuple[Change, str]] = [
    (_filter, "its answers are filtered (first)"),
    (_predictions, "(--predict_only)"),
    (lambda d: d["results"].update({LEFT: None}), "scores: Input should be a valid dictionary"),
    (lambda d: d["configs"].update({LEFT: [1]}), "config: Input should be a valid dictionary"),
    (lambda d: d["configs"][LEFT].update(target_delimiter=3), "config.target_delimiter"),
    (lambda d: d["n-shot"].update({LEFT: "many"}), "shots: Input should be a valid integer"),
    (lambda d: d["n-shot"].update({LEFT: 10**30}), "shots"),
    (lambda d: d["n-samples"].update({LEFT: 7}), "count"),
]


@pytest.mark.parametrize(("change", "message"), DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_a_task_with_invalid_statements_is_skipped(
    pair: list[Path], change: Change, message: str
) -> None:
    for folder in pair:
        _document(folder, change)
    assert message in read(pair[0]).skipped[LEFT]
    assert {one.task for one in compare(pair, replicates=100).differences} == {STAYS}


@pytest.mark.parametrize("change", [_filter, _predictions], ids=["another filter", "predict_only"])
def test_an_empty_comparison_is_an_error(pair: list[Path], change: Change) -> None:
    for folder in pair:
        _document(folder, lambda d: d["results"].pop(STAYS))
        _document(folder, change)
    ran = invoke("compare", *pair)
    assert ran.code == 1
    assert f"has no task to compare ({LEFT}: " in ran.err


def test_results_without_a_common_task_are_an_error(tmp_path: Path) -> None:
    one = model(tmp_path / "one", tasks=("kobest_copa",))
    two = model(tmp_path / "two", tasks=("klue_sts",))
    ran = invoke("compare", one, two)
    assert ran.code == 1
    assert "the results have no task in common" in ran.err
    assert "has kobest_copa" in ran.err
    assert "has klue_sts" in ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"results": {"a": {"acc,none": ' + "9" * 5000 + "}}}", "cannot be read as JSON"),
        ("[" * 100_000, "JSON"),
        ('{"results": {"a": {"acc,none": 1}}, "configs": null}', "configs: Input should be"),
        ('{"results": {"a": {"acc,none": 1}}, "model_name": [1]}', "model_name: Input should be"),
    ],
    ids=["a number of 5,000 digits", "deep lists", "null", "a list for a name"],
)
def test_a_document_of_another_shape_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "results_1.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match=re.escape(message)):
        read(tmp_path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            '"test/1"',
            "benchmarks.kobest_copa.ids: Input should be a valid list",
        ),  # no list of letters
        ("null", "benchmarks.kobest_copa.ids: Input should be a valid list"),
        ("[[1]]", "benchmarks.kobest_copa.ids.0"),
        ("9" * 5000, "is not the result of an audit: ValueError"),
        ("[" * 100_000, "is not the result of an audit"),
    ],
    ids=["text", "null", "lists", "a number of 5,000 digits", "deep lists"],
)
def test_an_audit_of_another_shape_is_an_error(
    pair: list[Path], tmp_path: Path, ids: str, message: str
) -> None:
    audit = tmp_path / "audit.json"
    audit.write_text(f'{{"benchmarks": {{"kobest_copa": {{"ids": {ids}}}}}}}', encoding="utf-8")
    with pytest.raises(ResultsError, match=re.escape(message)):
        compare(pair, audits=[audit])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "null", '"x"'])
def test_nan_scores_of_items_are_refused_and_not_shown(tmp_path: Path, value: str) -> None:
    pair = [model(tmp_path / f"m{n}", n, seed=n, tasks=("klue_sts",)) for n in range(2)]
    file = pair[1] / "samples_klue_sts.jsonl"
    text = re.sub(
        r'"loglikelihoods": \[[-.\d]+', f'"loglikelihoods": [{value}', file.read_text("utf-8")
    )
    file.write_text(text, encoding="utf-8")
    ran = invoke("compare", *pair, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "samples_klue_sts.jsonl:1: is not a sample: loglikelihoods.0" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("config", "chat", "before"),
    [
        ({}, "", " "),
        ({"target_delimiter": ""}, "", ""),
        ({"target_delimiter": "\n"}, "", "\n"),
        ({"target_delimiter": "답: "}, "", "답: "),
        ({}, "{{ messages }}", ""),
        ({"gen_prefix": "답:"}, "{{ messages }}", " "),
        ({"gen_prefix": "답: "}, "{{ messages }}", ""),
    ],
    ids=["default", "none", "a line", "words", "chat", "chat, begun", "chat, begun with a blank"],
)
def test_lengths_are_counted_without_the_delimiter_that_was_used(
    pair: list[Path], config: dict[str, str], chat: str, before: str
) -> None:
    """acc_norm must equal the harness's, also for choices that begin with spaces."""
    folder = pair[0]
    hits = []

    def change(row: Any) -> None:
        choices = [f" {'가' * (1 + place)}" for place in range(4)]  # their own blank counts
        values = [-2.1, -3.0, -4.2, -9.0]  # a character less or more in all makes another the best
        row["arguments"] = {
            f"gen_args_{n}": {"arg_0": "물음", "arg_1": before + text}
            for n, text in enumerate(choices)
        }
        row["filtered_resps"] = [[value, False] for value in values]
        best = max(range(4), key=lambda n: values[n] / len(choices[n]))
        hits.append(best == int(row["target"]))
        row["acc"] = float(int(row["target"]) == 0)

    _items(folder, LEFT, change)

    def state(document: Any) -> None:
        document["configs"][LEFT] = {"output_type": "multiple_choice", **config}
        document["chat_template"] = chat or None
        document["results"][LEFT] = {"acc_norm,none": sum(hits) / len(hits)}

    _document(folder, state)
    (file,) = folder.glob("results*.json")
    scored = read_results(file, {})  # no card: what is stated is what is checked
    assert scored.skipped == {}
    assert LEFT in scored.tasks


def test_without_a_record_a_common_space_is_the_delimiter() -> None:
    texts, values = [[" 가", " 가나다"]], [[-1.2, -3.3]]
    assert normalized_choice(texts, values) == [1]
    assert normalized_choice(texts, values, "") == [0]
    assert normalized_choice([["", "가"]], [[-1.0, -9.0]], "") == [1]  # nothing has no length


def test_a_task_s_name_is_not_used_as_a_path(pair: list[Path], tmp_path: Path) -> None:
    for folder in pair:
        _document(
            folder,
            lambda d: [
                part.update({"x/../../y": part.pop(LEFT)})
                for part in (d["results"], d["configs"], d["n-shot"], d["n-samples"])
            ],
        )
        (samples,) = folder.glob(f"samples_{LEFT}*")
        (folder / "samples_x").mkdir()
        time = samples.name.removeprefix(f"samples_{LEFT}")
        samples.rename(folder.parent / f"y{time}")
    ran = invoke("compare", *pair, "--out", tmp_path / "out" / "report", "--replicates", "100")
    assert ran.code == 0, ran.err
    assert "x/../../y" in ran.out
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written - {".report.kit19-lock"} == {"report"}
    assert (tmp_path / "out/report/charts/length_x_.._.._y-1.svg").is_file()


odd = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(10**40), 10**40)
    | st.sampled_from(["", "x", "\x00", "../x", "[1]", "NaN", "가" * 300]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[list[int], Any]]:
    """Paths into a document, as places among the keys at each level, and what to put there."""
    path = st.lists(st.integers(0, 40), min_size=1, max_size=5)
    return draw(st.lists(st.tuples(path, odd), min_size=1, max_size=3))


def _mutated(document: Any, path: list[int], value: Any) -> None:
    at = document
    for depth, step in enumerate(path):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = keys[step % len(keys)]
        if depth + 1 == len(path) or not isinstance(at[key], dict | list):
            at[key] = value
            return
        at = at[key]


@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(mutations(), mutations(), st.booleans())
def test_any_results_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    in_document: list[tuple[list[int], Any]],
    in_items: list[tuple[list[int], Any]],
    by_us: bool,
) -> None:
    tmp_path = tmp_path_factory.mktemp("odd")
    if by_us:
        folder = model(tmp_path / "ours", 0.5, tasks=("kobest_copa", "kobest_wic"))
    else:
        folder = Path(shutil.copytree(HARNESS / "models__tiny-1", tmp_path / "tiny"))

    def change(document: Any) -> None:
        for path, value in in_document:
            _mutated(document, path, value)

    _document(folder, change)
    (file,) = folder.glob("samples_kobest_copa*")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for path, value in in_items:
        _mutated(rows, path, value)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with contextlib.suppress(Kit19Error):  # and nothing else
        compare([folder, f"again={folder}"], replicates=100)
    shutil.rmtree(tmp_path)
