"""Make what the site's gallery shows: pages that kit19 writes, of a run of the demo.

The demo builds the sample, trains on it and compares. An audit of the sample's ParaKQC finds planted
leaks; with a folder of upstream files it is of the real ParaKQC. docs/site.py publishes what is there.

Usage: python docs/gallery.py [DATA]    (writes build/gallery; DATA: a folder of upstream files)
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import markdown

import kit19
from kit19.sample import SAMPLE

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build/gallery"
PAGES = 300
"""Pages of the view: the overviews, lists, and the first records; all records would be 93 MB."""
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid #8884; padding: .2rem .5rem; text-align: left }
pre { overflow-x: auto }
:root { color-scheme: light dark }
"""


def card_page(card: str) -> str:
    """A build's card (README.md) as an HTML page, as the Hub shows it: without the metadata."""
    _, _, text = card.split("---\n", 2)
    body = markdown.markdown(text, extensions=["tables", "fenced_code"])
    head = f'<meta charset="utf-8"><title>The card of a build</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def make_gallery(build: Path, trained: Path, data: Path | None, out: Path) -> None:
    """Write the gallery's pages.

    Args:
        build: The build of the demo.
        trained: What it trained and compared.
        data: A folder of upstream files; None for those of the sample.
        out: The folder to write, from the root; it is replaced.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "card.html").write_text(card_page((build / "README.md").read_text("utf-8")), "utf-8")
    shutil.copyfile(trained / "report/report.html", out / "comparison.html")
    with contextlib.chdir(data or SAMPLE):  # the page names the folder as it is given
        kit19.audit_files("parakqc", out / "audit", data_dir=data or "sample")
    shutil.copyfile(out / "audit/report.html", out / "audit.html")
    opened = [build, trained, out / "audit"]
    kit19.bundle_view(opened, out / "view", most=PAGES)
    kit19.bundle_view(opened, out / "view-ko", language="ko", most=PAGES)
    shutil.rmtree(out / "audit")


def main() -> None:
    """Run the demo and write the gallery."""
    data = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    demo = ROOT / "build/demo"
    shutil.rmtree(demo, ignore_errors=True)
    command = [sys.executable, "-m", "kit19", "demo", "--out", str(demo / "sample")]
    subprocess.run(command, check=True)  # noqa: S603
    make_gallery(demo / "sample", demo / "sample-train", data, OUT)


if __name__ == "__main__":
    main()
