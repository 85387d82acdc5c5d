"""Chromium, for the tests that need a real browser."""

import os
from pathlib import Path

from tools import cache, debian
from tools.command import find
from tools.console import step

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def ensure() -> None:
    """Have a browser, installing Debian's if there is none.

    :raise Problem: if only root could install it.
    """
    if executable():
        return
    with cache.lock("browser"), step("Browser: installing Debian's chromium"):
        debian.install("chromium", "fonts-dejavu-core")


def executable() -> str | None:
    """Path of the browser: ``CHROMIUM`` if set, else the first that is installed."""
    return os.environ.get("CHROMIUM") or find(*_NAMES)


def folders() -> list[str]:
    """Folder to put on ``PATH``, so that Odoo's own tests find the same browser."""
    path = executable()
    return [str(Path(path).parent)] if path else []
