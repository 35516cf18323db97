"""Check that the wheel and the sdist in a folder contain every tracked file of the package.

Usage: python3 .github/check_package.py DIST
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path


def tracked(folder: str) -> set[str]:
    """Return the paths of the tracked files below a folder."""
    command = ["git", "ls-files", "-z", "--", folder]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return {path for path in listed.split("\0") if path}


def main(dist: Path) -> int:
    """Compare both archives with what is tracked; return the exit code."""
    wheel, sdist = (sorted(dist.glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    if not len(wheel) == len(sdist) == 1:
        sys.stderr.write(
            f"{dist}: has {len(wheel)} wheels and {len(sdist)} sdists, not one of each\n"
        )
        return 2
    with zipfile.ZipFile(wheel[0]) as archive:
        in_wheel = {f"src/{name}" for name in archive.namelist()}
    with tarfile.open(sdist[0]) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    wanted = tracked("src/kit19")
    missing = [f"{wheel[0].name}: lacks {path}" for path in sorted(wanted - in_wheel)]
    missing += [f"{sdist[0].name}: lacks {path}" for path in sorted(wanted - in_sdist)]
    extra = {path for path in in_wheel if path.startswith("src/kit19/")} - wanted
    missing += [f"{wheel[0].name}: has {path}, which is not tracked" for path in sorted(extra)]
    sys.stdout.write("\n".join(missing) or f"{len(wanted)} tracked files are in both archives")
    sys.stdout.write("\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
