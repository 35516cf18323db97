"""llama.cpp from packages: its converter in llama-cpp-python's source archive, and node-llama-cpp.

``make llama-cpp`` fetches both into build/llama-cpp (1 GB, minutes). Without it, tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "build" / "llama-cpp"
PYTHON_PACKAGE, NODE_PACKAGE = "llama-cpp-python==0.3.36", "node-llama-cpp@3.21.1"
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
    return (FOLDER / "node_modules" / "node-llama-cpp").is_dir() and bool(shutil.which("node"))


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
    """Fetch both packages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(FOLDER), PYTHON_PACKAGE], check=True)
    npm = ["npm", "install", "--prefix", str(FOLDER), "--ignore-scripts", "--save-exact"]
    subprocess.run([*npm, NODE_PACKAGE], check=True)


if __name__ == "__main__":
    fetch()
