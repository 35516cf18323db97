"""Count the trigrams of Korean text: ``python -m studies.common_trigrams --data-dir ../shared/data``.

Writes ``src/kit19/korean/common_trigrams.txt`` from NSMC's reviews
and as many letters of petitions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from kit19.curating import bare
from kit19.curating.extraction import extract_trigrams
from kit19.korean import common_trigrams

MOST = 60_000  # trigrams; more of them help only with the kinds of text that were counted


def reviews(data: Path) -> pl.Series:
    """Return every distinct review."""
    lines = [
        line
        for split in ("train", "test")
        for line in (data / "nsmc" / f"ratings_{split}.txt").read_text("utf-8").split("\n")[1:]
    ]
    return pl.Series([line.split("\t")[1] for line in lines if line]).unique(maintain_order=True)


def petitions(data: Path, letters: int) -> pl.Series:
    """Return petitions with about so many letters."""
    return pl.Series(list(_petitions(data, letters)))


def _petitions(data: Path, letters: int) -> Iterator[str]:
    for path in sorted((data / "petitions").glob("petitions_*")):
        for line in path.read_text("utf-8").splitlines():
            yield (text := json.loads(line)["content"])
            letters -= len(text)
            if letters < 0:
                return


def levels(texts: pl.Series) -> list[str]:
    """Return the most common trigrams of texts, by level."""
    counts = extract_trigrams(bare(texts))["gram"].value_counts()
    top = counts.sort("count", "gram", descending=[True, False]).head(MOST)
    level = np.log2(top["count"].to_numpy() / top["count"][-1]).astype(int)
    grams = top["gram"].to_numpy()[:, None] >> np.array([42, 21, 0], dtype=np.uint64)
    codes = (grams & np.uint64((1 << 21) - 1)).astype("<u4")
    return [codes[level == one].tobytes().decode("utf-32-le") for one in range(level.max(), -1, -1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data_dir
    short = reviews(data)
    texts = pl.concat([short, petitions(data, int(short.str.len_chars().sum()))])
    path = Path(common_trigrams.__file__).with_name(common_trigrams.LEVELS_FILE)
    path.write_text("\n".join(levels(texts)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
