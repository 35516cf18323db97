"""Tasks of the harness whose data kit19 reads: the same documents, scores and metrics."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import lm_eval
import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from benchmarks.exams import lay_out_exams
from kit19.catalog import load_catalog
from kit19.core.errors import FilesError
from kit19.core.results import read_samples, samples_path
from kit19.evaluating import TASKS
from kit19.evaluating.hub_tasks import HubTask, example_problems
from kit19.evaluating.source import use_files
from kit19.evaluating.task_files import load_tasks
from kit19.sample import SAMPLE
from tests.support.harness_runs import ours, same, theirs
from tests.support.invoking import invoke

Models = Callable[..., Path]
CASES = [("neox", "plain"), ("llama", "bos"), ("llama", "merging")]
HARNESS = Path(lm_eval.__file__).parent / "tasks"
# The complete list of the harness's tasks takes long to read.
FOLDERS = [
    HARNESS / name
    for name in (
        *("kmmlu/default", "kmmlu/hard", "haerae", "click", "csatqa", "kormedmcqa"),
        *("hrm8k/default", "kbl", "global_mmlu/full/ko"),
    )
]
BELEBELE = str(HARNESS / "belebele" / "belebele_kor_Hang.yaml")
WITH_EXAMPLES = ["kmmlu_criminal_law", "kmmlu_hard_ecology", "global_mmlu_full_ko_astronomy"]
WITHOUT = ["csatqa_rcs", BELEBELE, "haerae_loan_word", "click_all_options"]
GENERATED = ["kormedmcqa_doctor", "hrm8k_ksm", "kbl_bar_exam_em_civil_2012"]
GENERATED += ["kbl_legal_concept_qa_em"]
# Where the datasets are in a folder of upstream files, and who reads them for the Hub.
HUB = {
    "HAERAE-HUB/KMMLU": ("csv", "kmmlu/data/{config}-{split}.csv"),
    "HAERAE-HUB/KMMLU-HARD": ("parquet", "kmmlu_hard/{config}/{split}/0000.parquet"),
    "HAERAE-HUB/HAE_RAE_BENCH": ("parquet", "haerae/{config}/{split}/0000.parquet"),
    "HAERAE-HUB/csatqa": ("parquet", "csatqa/{config}/{split}/0000.parquet"),
    "HAERAE-HUB/HRM8K": ("csv", "hrm8k/ksm_{split}.csv"),
    "EunsuKim/CLIcK": ("json", "click/Dataset"),
    "sean0042/KorMedMCQA": ("parquet", "kormedmcqa/{config}/{split}-00000-of-00001.parquet"),
    "lbox/kbl": ("parquet", "kbl/{config}/{split}/0000.parquet"),
    "facebook/belebele": ("parquet", "belebele/{config}/{split}/0000.parquet"),
    "CohereForAI/Global-MMLU": ("parquet", "global_mmlu/{config}/{split}/0000.parquet"),
}


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    """Return a folder with a subject of KMMLU and its examples, of which the card has no digest."""
    folder = tmp_path / "data"
    place = folder / "kmmlu" / "data"
    place.mkdir(parents=True)
    for split in ("test", "dev"):
        shutil.copyfile(SAMPLE / f"kmmlu/data/Criminal-Law-{split}.csv", place / f"Law-{split}.csv")
    return folder


@pytest.fixture(scope="module")
def real_hub(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    """Return real files as files of the Hub: CLIcK, a subject of KMMLU, and what is of HAE-RAE."""
    return lay_out_exams(real_data, tmp_path_factory.mktemp("real") / "data")


def scores(model: Any, names: Sequence[str], folder: Path, shots: int) -> dict[str, Any]:
    with use_files(folder):
        loaded = load_tasks(names, FOLDERS)
    assert all(isinstance(task, HubTask) and task.files for task in loaded.tasks.values())
    return _scores(model, loaded.runs, loaded.manager, shots)


def _scores(model: Any, names: list[Any], manager: TaskManager, shots: int) -> dict[str, Any]:
    found: dict[str, Any] = simple_evaluate(
        model=model,
        tasks=names,
        task_manager=manager,
        num_fewshot=shots,
        limit=1 if shots else 2,
        bootstrap_iters=0,
    )
    return found


@pytest.fixture
def harness_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path], TaskManager]:
    """Return the harness, for which a folder is the Hub: the Hub's own readers read its files."""
    real = datasets.load_dataset

    def of(folder: Path) -> TaskManager:
        def load(path: str, name: str | None = None, **_: Any) -> Any:
            reader, place = HUB[path]
            if path == "EunsuKim/CLIcK":
                paths = [folder / "click" / file for file in _files_of_click()]
                files = {"train": [str(one) for one in paths if one.exists()]}
            else:
                found = {s: folder / place.format(config=name, split=s) for s in POOLS}
                files = {split: [str(one)] for split, one in found.items() if one.exists()}
            return real(reader, data_files=files, cache_dir=str(tmp_path / "datasets"))

        monkeypatch.setattr("lm_eval.api.task.datasets.load_dataset", load)
        return TaskManager(include_path=[TASKS, *FOLDERS], include_defaults=False)

    return of


POOLS = ("test", "dev", "fewshot")


def _files_of_click() -> list[str]:
    table = load_catalog().source("click").tables["questions"]
    return [file.path for file in table.files["test"]]


@pytest.mark.parametrize(("family", "kind"), CASES)
@pytest.mark.parametrize("shots", [0, 5])
def test_scores_are_hflm_s_on_the_hub_s_data(
    model_of: Models, harness_hub: Any, family: str, kind: str, shots: int
) -> None:
    folder = model_of(family, kind)
    names = WITH_EXAMPLES if shots else [*WITH_EXAMPLES, *WITHOUT]
    mine = scores(ours(folder), names, SAMPLE, shots)
    same(mine, _scores(theirs(folder), names, harness_hub(SAMPLE), shots))
    assert mine["n-shot"]["kmmlu_criminal_law"] == shots


@pytest.mark.real
def test_groups_of_real_files_aggregate_as_the_harness_s(
    model_of: Models, real_hub: Path, harness_hub: Any
) -> None:
    folder = model_of("llama", "merging", 4096)
    names = ["haerae", "click"]
    mine = scores(ours(folder), names, real_hub, 0)
    other = _scores(theirs(folder), names, harness_hub(real_hub), 0)
    same(mine, other)
    assert set(mine["groups"]) == {"haerae", "click", "click_lang", "click_cul"}
    assert mine["groups"].keys() == other["groups"].keys()


@pytest.mark.real
@pytest.mark.parametrize(("family", "kind"), CASES)
def test_five_examples_of_real_files_are_those_of_the_harness(
    model_of: Models, real_hub: Path, harness_hub: Any, family: str, kind: str
) -> None:
    folder = model_of(family, kind, 4096)
    names = ["kmmlu_criminal_law", "haerae_history"]
    mine = scores(ours(folder), names, real_hub, 5)
    same(mine, _scores(theirs(folder), names, harness_hub(real_hub), 5))


def test_tasks_with_generated_answers_ask_what_the_harness_asks(harness_hub: Any) -> None:
    with use_files(SAMPLE):
        mine = load_tasks(GENERATED, FOLDERS).tasks
    other = harness_hub(SAMPLE).load(GENERATED)["tasks"]
    assert mine.keys() == other.keys()
    for name, task in mine.items():
        assert task.files is not None
        asked = [
            [(one.doc_to_text(doc), one.doc_to_target(doc)) for doc in one.task_docs]
            for one in (task, other[name])
        ]
        assert asked[0] == asked[1]
        examples = [
            [one.doc_to_text(doc) for doc in one.fewshot_docs()] for one in (task, other[name])
        ]
        assert examples[0] == examples[1]


def test_every_dataset_that_a_card_names_is_one_of_the_harness_s_tasks() -> None:
    named = set()
    for path in chain(*(folder.rglob("*.yaml") for folder in FOLDERS), [Path(BELEBELE)]):
        config = load_yaml(path, resolve_func=False, recursive=True)
        if "dataset_path" in config:
            named.add((config["dataset_path"], config.get("dataset_name")))
    catalog = load_catalog()
    missing = set()
    for dataset, config in named:
        hubs = [one for one in catalog.benchmarks.values() if one.harness]
        cards = [one for one in hubs if one.harness and one.harness.dataset == dataset]
        assert cards, dataset
        found = [
            file
            for card in cards
            if card.harness
            for split, files in catalog.source(card.source).tables[card.table].files.items()
            for file in card.harness.files_of(config, split, files)
        ]
        if not found:
            missing.add(config)
    # Of KBL, the tasks on complete judgments and those with other columns have no card.
    assert all(name.startswith("kbl_") for name in missing)
    assert "kbl_knowledge_legal_concept_qa" not in missing
    assert {card.harness.dataset for card in catalog.benchmarks.values() if card.harness} == set(
        HUB
    )


def test_examples_that_are_not_here_are_named(exam: Path) -> None:
    (exam / "kmmlu" / "data" / "Law-dev.csv").unlink()
    with use_files(exam):
        loaded = load_tasks(["kmmlu_law"], FOLDERS)
    assert not list(example_problems(loaded.tasks.values(), 0))
    (problem,) = example_problems(loaded.tasks.values(), 5)
    assert (problem.what, problem.where, problem.fix) == (
        "has no file of the split dev to draw examples from",
        "kmmlu_law",
        "run `kit19 fetch kmmlu`",
    )


def test_a_file_that_differs_from_its_card_is_an_error(exam: Path) -> None:
    law = exam / "kmmlu" / "data" / "Law-test.csv"
    law.rename(law.with_name("Criminal-Law-test.csv"))  # the card has its digest
    wrong = r"Criminal-Law-test.csv: differs from its card"
    with use_files(exam), pytest.raises(FilesError, match=wrong):
        load_tasks(["kmmlu_criminal_law"], FOLDERS)


def test_what_is_neither_here_nor_on_the_hub_says_how_to_get_it(
    exam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError("no connection")

    monkeypatch.setattr("lm_eval.api.task.datasets.load_dataset", refuse)
    with use_files(exam), pytest.raises(FilesError) as caught:
        load_tasks(["kmmlu_math"], FOLDERS)
    (problem,) = caught.value.problems
    assert problem.what == (
        "is not in the data folder, and cannot be loaded from the Hub: no connection"
    )
    assert (problem.where, problem.fix) == ("HAERAE-HUB/KMMLU Math", "run `kit19 fetch kmmlu`")
    with use_files(SAMPLE), pytest.raises(FilesError, match="kit19's sample has no file of it"):
        load_tasks(["kmmlu_math"], FOLDERS)


def test_results_have_files_items_and_clusters(model_of: Models, tmp_path: Path) -> None:
    tasks = "haerae_loan_word,click_all_options,klue_nli,kobbq"
    given = ["--tasks", tasks, "--include-path", str(HARNESS / "haerae"), "--data-dir", str(SAMPLE)]
    out = tmp_path / "out"
    done = invoke("eval", model_of(), "--out", out, "--device", "cpu", *given)
    assert done.code == 0, done.err
    document = json.loads((out / "results.json").read_text("utf-8"))
    entry = document["kit19"]["tasks"]["haerae_loan_word"]
    assert list(entry["files"]) == ["haerae/loan_words/test/0000.parquet"]
    assert (entry["split"], entry["items"]) == ("test", 2)
    samples = [*read_samples(samples_path(out, "haerae_loan_word"))]
    assert samples[0].item == "test/loan_words.test.0000:0"
    (first, *_) = read_samples(samples_path(out, "klue_nli"))
    assert first.choices == ["예", "알 수 없음", "아니오"]
    assert document["results"]["kobbq"]["acc_ambiguous,none"] is not None
    assert len([*read_samples(samples_path(out, "kobbq"))]) == 9
