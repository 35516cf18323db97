"""Two machines that train one model, as two agents of torchrun on loopback; one of them is lost."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.support.small_models import equal, settings, weights
from tests.support.warm import start


def test_a_run_of_two_hosts_survives_the_loss_of_one(data: Path, tmp_path: Path) -> None:
    preset = tmp_path / "how.yaml"
    preset.write_text(yaml.safe_dump(settings(max_steps=5).model_dump(mode="json")))
    code = "from tests.support.two_hosts import main; main()"
    done = start(data, preset, tmp_path, folder=tmp_path, code=code, OMP_NUM_THREADS="1").ended()
    assert done.code == 0, done.err
    hosts = json.loads((tmp_path / "hosts.json").read_text("utf-8"))
    assert hosts["whole"] == hosts["again"] == [0, 0]
    assert hosts["lost"][0] != 0  # it cannot go on alone
    assert hosts["lost"][1] == -9
    assert hosts["checkpoints"] == ["checkpoint-2"]
    assert hosts["devices"] == 2
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert (cut / "curves.json").read_bytes() == (whole / "curves.json").read_bytes()
    assert equal(weights(cut), weights(whole))
