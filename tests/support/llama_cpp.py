"""llama.cpp from packages: its converter in llama-cpp-python's source archive, and node-llama-cpp.

``make llama-cpp`` fetches both into build/llama-cpp (160 MB). Without it, tests are skipped.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "build" / "llama-cpp"
PYTHON_PACKAGE, NODE_PACKAGE = "llama-cpp-python==0.3.36", "node-llama-cpp@3.21.1"
_BUILDS = {
    ("Linux", "x86_64"): "linux-x64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "arm64"): "mac-arm64-metal",
}
"""llama.cpp for processors. By default npm also installs those for CUDA and Vulkan, 620 MB."""
_SCRIPT = """
import {getLlama} from "node-llama-cpp";
import fs from "fs";
const [file, requests] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: 1});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: 256, threads: 1});
const answers = [];
for (const {prompt, most} of JSON.parse(fs.readFileSync(requests))) {
  const ids = [...model.tokenize(prompt, true)];
  if (model.tokens.shouldPrependBosToken) ids.unshift(model.tokens.bos);
  const sequence = context.getSequence();
  const answer = [];
  for await (const token of sequence.evaluate(ids, {temperature: 0})) {
    if (model.isEogToken(token)) break;
    answer.push(token);
    if (answer.length >= most) break;
  }
  sequence.dispose();
  answers.push({ids, answer});
}
console.log(JSON.stringify(answers));
process.exit(0);
"""


def converter() -> Path | None:
    """The source archive with llama.cpp's converter; None if it was not fetched."""
    return next(FOLDER.glob("llama_cpp_python-*.tar.gz"), None)


def can_answer() -> bool:
    """Whether llama.cpp for node was fetched."""
    # npm writes its lock when all packages are there.
    return (FOLDER / "package-lock.json").is_file() and bool(shutil.which("node"))


def answers(model: Path, prompts: list[str], most: int) -> list[dict[str, Any]]:
    """What llama.cpp answers at temperature 0: the tokens of each prompt and of its answer."""
    script, requests = FOLDER / "answer.mjs", model.with_suffix(".requests.json")
    script.write_text(_SCRIPT, encoding="utf-8")
    requests.write_text(json.dumps([{"prompt": text, "most": most} for text in prompts]))
    done = subprocess.run(
        ["node", script, model.resolve(), requests.resolve()],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=FOLDER,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def fetch() -> None:
    """Fetch both packages, side by side."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Not `--no-binary :all:`: what reads the archive's metadata would be compiled too, for an hour.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--no-binary", "llama-cpp-python", "--dest", str(FOLDER), PYTHON_PACKAGE]
    npm = ["npm", "install", "--prefix", str(FOLDER), "--ignore-scripts", "--save-exact"]
    npm += ["--no-audit", "--no-fund", "--omit=optional", NODE_PACKAGE]
    build = _BUILDS.get((platform.system(), platform.machine()))
    if build:
        npm.append(f"@node-llama-cpp/{build}@{NODE_PACKAGE.rpartition('@')[2]}")
    with ThreadPoolExecutor() as threads:
        for done in threads.map(subprocess.run, (pip, npm)):
            done.check_returncode()


if __name__ == "__main__":
    fetch()
