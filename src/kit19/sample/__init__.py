"""The sample: small data that the authors of kit19 wrote, in each source's exact file layout."""

from pathlib import Path

SAMPLE = Path(__file__).parent
