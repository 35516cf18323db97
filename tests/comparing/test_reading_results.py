"""Reading results of kit19 eval and of lm-evaluation-harness."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from kit19 import ResultsError, compare, load_catalog
from kit19.comparing import check
from kit19.comparing.model_results import ChoiceResults, ModelResults, normalized_choice
from kit19.comparing.reading import read_results
from tests.support.simulate import model

# Written by lm_eval 0.4.13 from tiny models; only folder names and the environment's text were changed.
HARNESS = Path(__file__).parent / "lm_eval_0_4_13"
TINY = HARNESS / "models__tiny-1"
BENCHMARKS = load_catalog().benchmarks


def read(path: Path) -> ModelResults:
    return read_results(path, BENCHMARKS)


def edited(folder: Path, pattern: str, change: Any) -> None:
    """Change one JSON file of a folder by a function."""
    (file,) = folder.glob(pattern)
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return model(tmp_path / "ours", 0.5, tasks=("kobest_copa", "kobest_hellaswag"))


def test_results_of_the_harness_are_read() -> None:
    scored = read(TINY)
    assert (scored.name, scored.dtype, scored.prompting) == ("tiny-1", "float32", "raw")
    assert list(scored.tasks) == ["kobest_copa", "kobest_hellaswag"]
    copa = scored.tasks["kobest_copa"].items
    first = copa.row(0, named=True)
    assert first["prompt"] == "치과에서 마취 주사를 맞았다.  그래서"
    assert first["choices"] == [" 한동안 입꼬리에 감각이 없었다.", " 갑자기 사랑니가 새로 났다."]
    assert (first["gold"], first["prediction"]) == (0, 1)
    assert first["loglikelihoods"] == [-342.0984191894531, -304.71954345703125]
    # A number as target; its reading is checked against acc, acc_norm and f1 of the results.
    assert scored.tasks["kobest_hellaswag"].items["gold"][0] == 2


@pytest.mark.parametrize("path", [TINY, next(TINY.glob("results_*.json"))], ids=["folder", "file"])
def test_a_folder_and_its_results_file_are_the_same(path: Path) -> None:
    assert read(path).name == "tiny-1"


def test_two_results_in_one_folder_are_an_error() -> None:
    with pytest.raises(ResultsError, match=r"has 2 results\n +name one of its files: models__t"):
        read(HARNESS)


def test_our_results_are_read_with_their_record(ours: Path) -> None:
    scored = read(ours)
    assert scored.writer == "kit19"
    assert scored.tasks["kobest_copa"].truncated == 0
    assert scored.tasks["kobest_copa"].items["item"][0] == "test/1"
    results = scored.tasks["kobest_copa"]
    assert isinstance(results, ChoiceResults)
    assert results.labels() == ["1", "2"]


def test_the_length_of_a_choice_excludes_the_space_before_it() -> None:
    assert normalized_choice([[" 가", " 가나다"]], [[-1.2, -3.3]]) == [1]
    assert normalized_choice([["가 ", "가나다 "]], [[-2.2, -3.3]]) == [1]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"there are no such results\n +give a results folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(ResultsError, match=r"has no results\.json and no results_….json"):
        read(tmp_path)


def test_truncated_json_is_an_error(ours: Path) -> None:
    file = ours / "results.json"
    file.write_text(file.read_text(encoding="utf-8")[:400], encoding="utf-8")
    with pytest.raises(ResultsError, match=r"is not valid JSON: .* at line \d+\n +evaluate again"):
        read(ours)


@pytest.mark.parametrize("text", ["[]", "{}", '{"results": 3}', "null"])
def test_other_json_is_an_error(ours: Path, text: str) -> None:
    (ours / "results.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match="has no section `results`"):
        read(ours)


def test_missing_samples_are_listed_for_every_task(ours: Path, tiny: Path) -> None:
    for path in [*ours.glob("samples_*"), *tiny.glob("samples_*")]:
        path.unlink()
    with pytest.raises(ResultsError) as caught:
        read(ours)
    assert [p.what for p in caught.value.problems] == [
        "its items are missing: samples_kobest_copa.jsonl does not exist",
        "its items are missing: samples_kobest_hellaswag.jsonl does not exist",
    ]
    with pytest.raises(ResultsError, match="run lm_eval again with --output_path and --log_sam"):
        read(tiny)


def test_a_truncated_samples_file_is_an_error(ours: Path, tiny: Path) -> None:
    file = ours / "samples_kobest_copa.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(ResultsError, match=r"copa\.jsonl: has 39 items; results\.json states 40"):
        read(ours)
    file.write_text("".join(lines)[:-30], encoding="utf-8")
    with pytest.raises(ResultsError, match=r"copa\.jsonl:40: is not a sample"):
        read(ours)
    (other,) = tiny.glob("samples_kobest_copa*")
    other.write_text(other.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(ResultsError, match=r"jsonl:12: is not a sample of a multiple-choice task"):
        read(tiny)


def test_another_schema_version_is_an_error(ours: Path) -> None:
    edited(ours, "results.json", lambda d: d["kit19"].update(schema_version=9))
    with pytest.raises(ResultsError, match="has schema version 9; this kit19 reads 1"):
        read(ours)


def test_scores_without_filters_are_another_version_of_the_harness(tiny: Path) -> None:
    def old(document: Any) -> None:
        for name, scores in document["results"].items():
            plain = {key.partition(",")[0]: value for key, value in scores.items()}
            document["results"][name] = plain

    edited(tiny, "results_*.json", old)
    with pytest.raises(ResultsError, match=r"no filter in their names \(`acc,none`\)\n.* 0\.4"):
        read(tiny)


def test_a_stated_score_that_differs_from_the_items_is_an_error(ours: Path, tiny: Path) -> None:
    edited(ours, "results.json", lambda d: d["results"]["kobest_copa"].update({"f1,none": 0.99}))
    with pytest.raises(ResultsError, match=r"copa: states f1,none 0\.9900; its items give 0\."):
        read(ours)
    edited(tiny, "results_*.json", lambda d: d["results"]["kobest_copa"].pop("acc,none"))
    with pytest.raises(ResultsError, match="kobest_copa: states no 'acc,none'"):
        read(tiny)


def test_a_task_without_choices_is_skipped_with_a_note(tiny: Path) -> None:
    def generate(document: Any) -> None:
        document["configs"]["kobest_copa"]["output_type"] = "loglikelihood_rolling"

    edited(tiny, "results_*.json", generate)
    scored = read(tiny)
    assert scored.skipped == {
        "kobest_copa": "it is of type loglikelihood_rolling, whose items have no grades"
    }
    assert list(scored.tasks) == ["kobest_hellaswag"]


def test_a_lone_surrogate_is_an_error_not_a_crash(tiny: Path) -> None:
    (file,) = tiny.glob("samples_kobest_copa*")
    text = file.read_text(encoding="utf-8").replace("치과에서", "\\ud800")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match=r"jsonl:1: is not a sample .*UnicodeEncodeError"):
        read(tiny)


def test_ours_and_the_harness_can_be_compared(tmp_path: Path) -> None:
    ours = model(tmp_path / "ours", tasks=("kobest_copa",))
    found = check([ours, TINY])
    assert {one.aspect for one in found} == {"tasks", "items"}
    with pytest.raises(ResultsError, match=r"items: the base has 40 items .*\n +evaluate both on"):
        compare([ours, TINY])
    result = compare([TINY, HARNESS / "models__tiny-2"], replicates=200)
    assert [model.name for model in result.models] == ["tiny-1", "tiny-2"]
    assert {cell.seen for cell in result.cells} == {"unknown"}


def test_a_single_result_is_an_error(ours: Path) -> None:
    with pytest.raises(ResultsError, match="there is nothing to compare"):
        compare([ours])


def test_results_of_the_same_name_need_names(ours: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(ours, tmp_path / "seed-2")
    result = compare([ours, copy], replicates=200)
    assert [model.name for model in result.models] == ["ours (ours)", "ours (seed-2)"]
    with pytest.raises(ResultsError, match=r"several results are .* ours \(ours\)\n +name them"):
        compare([ours, ours])
    result = compare([f"a={ours}", f"b={ours}"], replicates=200)
    assert [model.name for model in result.models] == ["a", "b"]
    assert {one.difference for one in result.differences} == {0.0}
    assert {one.p for one in result.differences} == {1.0}


def test_no_fixture_names_a_place_on_one_machine() -> None:
    for path in HARNESS.rglob("*.json*"):
        assert not re.search(r"/home/|/work/|/root/|/tmp/", path.read_text(encoding="utf-8"))
