"""``kit19 push`` of a training run: a model on the Hub, with what spoils it in its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit19.core.errors import OutputError
from kit19.core.runs import BaseModelEntry, DataEntry, RunRecord
from kit19.publishing.pushing import push
from tests.support.hub_server import HubServer


def write_run(folder: Path, weights: str = "model.safetensors", **data: Any) -> Path:
    folder.mkdir(exist_ok=True)
    record = RunRecord(
        kit19_version="1",
        versions={},
        base=BaseModelEntry(name="owner/base", digest="d"),
        data=DataEntry(**{"label": "clean", "subsets": {"nsmc": 3}, **data}),
        method="full",
        format={"id": "kullm"},
        seed=1,
        settings={},
        rows={},
        metrics={},
    )
    (folder / weights).write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    (folder / "training_args.bin").write_bytes(b"a path")
    (folder / "README.md").write_text("---\nlicense: other\n---\n# mine\n")
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / "checkpoints" / "half").write_text("x")
    (folder / "run.json").write_text(record.to_json())
    return folder


def test_a_run_is_pushed_as_a_model_without_what_is_left_of_training(
    hub: HubServer, tmp_path: Path
) -> None:
    pushed = push(write_run(tmp_path / "run"), "me/model")
    assert pushed.outcome == "pushed"
    assert pushed.url == f"{hub.url}/me/model"
    files = set(hub.repos["me/model"].files())
    assert files == {".gitattributes", "README.md", "config.json", "model.safetensors", "run.json"}
    assert push(tmp_path / "run", "me/model").outcome == "unchanged"


def test_weights_of_an_earlier_run_do_not_stay_beside_new_ones(
    hub: HubServer, tmp_path: Path
) -> None:
    push(write_run(tmp_path / "one"), "me/model")
    two = write_run(tmp_path / "two", weights="adapter_model.safetensors", licenses=["MIT"])
    assert push(two, "me/model").removed == ["model.safetensors"]
    assert "model.safetensors" not in hub.repos["me/model"].files()


@pytest.mark.parametrize(
    ("data", "accept", "message"),
    [
        ({"label": "contaminated", "why": "x"}, "contaminated", "trained on benchmark rows"),
        ({"sample": True}, "sample", "kit19's own sample"),
        ({"subsets": {"unsmile": 2}}, "unclear", "trained on unsmile, whose licenses forbid"),
        ({"subsets": {"nsmc": 2, "mydata": 2}}, "unclear", "trained on mydata, whose licenses"),
    ],
)
def test_what_spoils_a_model_is_published_on_a_persons_word_alone(
    data: dict[str, Any], accept: Any, message: str, hub: HubServer, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", **data)
    with pytest.raises(OutputError, match=message):
        push(run, "me/model")
    assert hub.writes() == []
    pushed = push(run, "me/model", accept=[accept])
    assert message in pushed.notes[0]


def test_unverified_data_is_said(hub: HubServer, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", label="unverified", why="nobody looked")
    assert push(run, "me/model").notes == ["its training data is unverified: nobody looked"]
