"""Takes pictures of pages; runs in Odoo's Python, where the browser's package is.

``python -m tools.photographer FOLDER NAME=URL …`` writes ``NAME.png`` for each.
"""

import sys
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Page, sync_playwright

from tools import browser
from tools.demo_shop import LOGIN, PASSWORD

_BACKEND = {"width": 1280, "height": 720}
_PHONE = {"width": 390, "height": 640}  # no more than the page needs
_TALLEST = 1150
_PATIENCE = 120_000  # milliseconds; a new database builds its assets first


def take(folder: Path, pages: dict[str, str]) -> None:
    """Write a picture of each page.

    :param pages: Addresses by the name of the picture. Those of the backend are seen
        on a desk, all others on a phone.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser.executable(), args=["--no-sandbox"]
        )
        for name, url in pages.items():
            window = _BACKEND if "/odoo/" in url else _PHONE
            page = chromium.new_page(viewport=window)
            page.set_default_timeout(_PATIENCE)
            show = _show_backend if window is _BACKEND else _show
            show(page, url)
            page.screenshot(path=folder / f"{name}.png")
            page.close()
        chromium.close()


def _show(page: Page, url: str) -> None:
    page.goto(url, wait_until="networkidle")


def _show_backend(page: Page, url: str) -> None:
    page.goto(urljoin(url, "/web/login"))
    page.fill("#login", LOGIN)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector(".o_main_navbar")
    page.goto(url)
    page.wait_for_selector(".o_data_row, .o_form_sheet")
    page.wait_for_timeout(1000)  # fonts, avatars and the last of the widgets
    _grow(page)


def _grow(page: Page) -> None:
    """Make the window as high as a form, as far as a picture bears it."""
    sheet = page.locator(".o_form_sheet")
    if not sheet.count():
        return
    box = sheet.bounding_box()
    height = max(_BACKEND["height"], int(box["y"] + box["height"]) + 16)
    page.set_viewport_size({**_BACKEND, "height": min(height, _TALLEST)})
    page.wait_for_timeout(500)  # the form is laid out again


if __name__ == "__main__":
    take(Path(sys.argv[1]), dict(word.split("=", 1) for word in sys.argv[2:]))
