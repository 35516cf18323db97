"""What the word ``data_dir`` means, everywhere the same."""

from __future__ import annotations

from pathlib import Path

from kit19.core.paths import default_data_dir
from kit19.sample import SAMPLE


def resolve_data_dir(data_dir: str | Path | None) -> Path:
    """The folder of upstream files.

    Args:
        data_dir: A folder; ``"sample"`` for the small sample that kit19 carries; None for
            ``KIT19_DATA_DIR``, else where ``kit19 fetch`` puts files.
    """
    if data_dir == "sample":
        return SAMPLE
    return default_data_dir() if data_dir is None else Path(data_dir)


def is_sample(folder: Path) -> bool:
    """Whether a data folder is kit19's sample, which holds a few files of each source."""
    return folder == SAMPLE
