import re
from pathlib import Path

import pytest

from kit19.korean import Final, attach, choose
from kit19.korean.hanja import hanja_finals

FOLDER = Path(__file__).parents[2] / "docs"
DOCS = (FOLDER / "korean.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "head"), [("korean.md", "| ends in |"), ("korean.ko.md", "| 끝 | 규칙 |")]
)
def test_every_example_of_the_readings_is_what_attach_gives(page: str, head: str) -> None:
    table = (FOLDER / page).read_text(encoding="utf-8").split(head)[1].split("\n\n")[0]
    cells = [row.rsplit("|", 2)[1] for row in table.splitlines()[2:]]
    examples = [text for cell in cells for text in re.findall(r"\S+(?:은|는|으로|로)(?=\s)", cell)]
    assert len(examples) > 40
    for example in examples:
        word, form = re.fullmatch(r"(.+?)(은|는|으로|로)", example).groups()  # type: ignore[union-attr]
        assert attach(word, "은/는" if form in "은는" else "으로/로") == example


def test_the_snippet_says_what_the_functions_return() -> None:
    for call, result in re.findall(r"^((?:attach|choose)\(.+\)) +# (\S+)$", DOCS, re.MULTILINE):
        function, word, pair = re.fullmatch(r'(\w+)\("(.+)", "(.+)"\)', call).groups()  # type: ignore[union-attr]
        assert {"attach": attach, "choose": choose}[function](word, pair) == result


def test_the_number_of_undecidable_hanja_is_right() -> None:
    undecidable = [final for final in hanja_finals().values() if final is Final.UNDECIDABLE]
    assert f"({len(undecidable)} hanja)" in DOCS
    in_part = [final for final in hanja_finals().values() if final is Final.NOT_CONSONANT]
    assert f"({len(in_part)} hanja)" in DOCS
