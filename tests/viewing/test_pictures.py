"""The reference pictures of docs/images/view: two widths, two languages, two themes, and small.

``VIEW_SCREENSHOTS=docs/images/view pytest tests/viewing/test_pictures.py`` renews them. Look at them
before you commit: a difference of pixels says little, and fonts differ between machines.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.viewing import Client

REFERENCES = Path(__file__).parents[2] / "docs" / "images" / "view"
MOST_BYTES = 1_500_000
SHOTS = os.environ.get("VIEW_SCREENSHOTS")
WIDE, PHONE = (1280, 860), (390, 844)

PICTURES = {
    "overview": ("/o/build/", WIDE, "en", "light"),
    "rows": ("/o/build/rows?subset=nsmc&q=영화", WIDE, "ko", "light"),
    "record": ("/o/build/record?id=nsmc/train/9016314", WIDE, "en", "dark"),
    "dropped": ("/o/build/record?id=kobest_boolq/train/61", WIDE, "en", "light"),
    "template": ("/o/build/template?subset=nsmc&id=view_request", WIDE, "ko", "dark"),
    "hits": ("/o/audit/hits", WIDE, "en", "light"),
    "items": ("/o/tuned/items?task=kobest_boolq&against=base", WIDE, "ko", "light"),
    "scores": ("/o/tuned/", WIDE, "en", "dark"),
    "phone-overview": ("/o/build/", PHONE, "ko", "dark"),
    "phone-rows": ("/o/build/rows?subset=nsmc&q=영화", PHONE, "en", "light"),
    "phone-hits": ("/o/audit/hits", PHONE, "ko", "light"),
    "phone-record": ("/o/build/record?id=nsmc/train/9016314", PHONE, "en", "dark"),
}
"""Each picture by its name: address, width and height, language, theme."""


@pytest.mark.skipif(not SHOTS, reason="VIEW_SCREENSHOTS names no folder")
def test_pictures_are_taken(
    visit: Callable[..., Any], every: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = [replace(one, shown=f"out/{one.title}") for one in every.site.opened]
    monkeypatch.setattr(every.site, "opened", opened)  # no picture shows a place on this machine
    folder = Path(str(SHOTS))
    folder.mkdir(parents=True, exist_ok=True)
    for name, (path, (width, height), language, theme) in PICTURES.items():
        address = f"/set?theme={theme}&language={language}&back=/"
        page = visit(every, address, width=width, device_scale_factor=1.5 if width < 500 else 1)
        page.set_viewport_size({"width": width, "height": height})
        page.goto(every.url + path)
        page.evaluate("document.fonts.ready.then(() => null)")
        taken = page.context.new_cdp_session(page).send(
            "Page.captureScreenshot", {"format": "webp", "quality": 85}
        )
        (folder / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))
        page.close()


def test_the_reference_pictures_are_all_there_and_small() -> None:
    kept = {path.stem: path for path in REFERENCES.iterdir()}
    assert kept.keys() == PICTURES.keys()
    assert sum(path.stat().st_size for path in kept.values()) < MOST_BYTES
    assert all(path.read_bytes()[8:12] == b"WEBP" for path in kept.values())
