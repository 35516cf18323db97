"""Two machines that train one model, as two agents of torchrun on loopback; one of them is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support.small_models import equal, settings, weights


def test_a_run_of_two_hosts_survives_the_loss_of_one(data: Path, tmp_path: Path) -> None:
    preset = tmp_path / "how.yaml"
    preset.write_text(yaml.safe_dump(settings(max_steps=5).model_dump(mode="json")))
    command = [sys.executable, "-m", "tests.support.two_hosts", str(data), str(preset)]
    done = subprocess.run(
        [*command, str(tmp_path)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    hosts = json.loads((tmp_path / "hosts.json").read_text("utf-8"))
    assert hosts["whole"] == hosts["again"] == [0, 0]
    assert hosts["lost"][0] != 0  # it cannot go on alone
    assert hosts["lost"][1] == -9
    assert hosts["checkpoints"] == ["checkpoint-2"]
    assert hosts["devices"] == 2
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert (cut / "curves.json").read_bytes() == (whole / "curves.json").read_bytes()
    assert equal(weights(cut), weights(whole))
