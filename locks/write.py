"""Write the locks: exact pins of a layer and all that it needs, as installed here.

``core.txt`` is what `pip install kit19` brings, ``models.txt`` adds what evaluates, trains and reports,
``dev.txt`` the development layer, ``docs.txt`` what builds the documentation site, and ``judge.txt``
what one study needs: it stays as it is where that is not installed. Pins carry neither index addresses
nor hashes, so that they hold wherever the packages come from; nor do they say which build of a version
it is (torch's +cpu).
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).parent
HEAD = "# Written by `make lock`; change pyproject.toml instead.\n"


def needed(requirements: list[str]) -> dict[str, str]:
    """Installed name → version of everything that the requirements bring, themselves included."""
    found: dict[str, str] = {}
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed: run `make test` first") from None
        known = name in found
        found[name] = package.version.partition("+")[0]
        if known and not requirement.extras:
            continue
        for text in package.requires or []:
            todo += [(Requirement(text), wanted) for wanted in requirement.extras or {""}]
    return found


def is_installed(requirement: str) -> bool:
    """Whether a package is here."""
    try:
        distribution(Requirement(requirement).name)
    except PackageNotFoundError:
        return False
    return True


def main() -> None:
    """Write the locks."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    core = needed(project["dependencies"])
    extras = project["optional-dependencies"]
    parts = ("hub", "eval", "train", "qlora", "report", "serve", "view", "gguf")
    models = needed([requirement for part in parts for requirement in extras[part]])
    dev = needed(extras["dev"])
    docs = needed(extras["docs"])
    layers = [("core.txt", core), ("models.txt", models), ("dev.txt", dev), ("docs.txt", docs)]
    if all(is_installed(requirement) for requirement in extras["judge"]):
        layers.append(("judge.txt", needed(extras["judge"])))
    written: set[str] = set()
    for name, pins in layers:
        new = sorted(set(pins) - written)
        written |= set(pins)
        lines = [f"{package}=={pins[package]}\n" for package in new]
        (HERE / name).write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
