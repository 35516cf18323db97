"""axe-core, which finds what keeps people from using a page; ``make axe`` fetches it from npm."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "build" / "axe"
SCRIPT = FOLDER / "axe.min.js"
_PACKAGE = "axe-core@4.14.1"


def fetch() -> None:
    """Fetch the script of the package."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        line = ["npm", "pack", "--silent", "--pack-destination", folder, _PACKAGE]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            member = packed.extractfile("package/axe.min.js")
            assert member
            SCRIPT.write_bytes(member.read())


if __name__ == "__main__":
    fetch()
