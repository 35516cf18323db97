"""A browser that waits for what happens, however busy the machine is."""

from __future__ import annotations

import shutil
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 300_000
"""Milliseconds, for what would never happen."""


def open_browser(playwright: Any) -> Any:
    """Start Chromium; expectations of pages are patient from now on."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE
    )


def open_tab(opener: Any) -> Any:
    """Open a page in a browser or in one of its contexts."""
    page = opener.new_page()
    page.set_default_timeout(PATIENCE)
    return page


def follow(link: Any) -> None:
    """Click a link or a button, and wait until the page that it leads to is complete."""
    link.click()
    link.page.wait_for_load_state()
