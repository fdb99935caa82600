"""The system's Chromium, for the programs and tests that look at the book's pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


class MissingError(Exception):
    """The machine has no Chromium; the message says what to do."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; while it is open no other event loop can run."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        raise MissingError("no Chromium found (on Debian and Ubuntu: apt install chromium)")
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, as in a container.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
