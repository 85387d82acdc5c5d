"""Shops for the whole-system tests, each started once for the tests that share it."""

import json

import pytest
from playwright.sync_api import sync_playwright

from tests.kit import open_shop
from tools import browser as browsers
from tools import ground, server

LAUNCH = {"executable_path": browsers.executable(), "args": ["--no-sandbox"]}
# Chromium's own setting: 2 is "block".
NO_COOKIES = {"default_content_setting_values": {"cookies": 2}}


@pytest.fixture(scope="session")
def odoo():
    """Odoo and PostgreSQL, ready."""
    with ground.ready() as odoo:
        yield odoo


@pytest.fixture(scope="session")
def lasting_shop(odoo):
    """A shop in a server with worker processes, as in production."""
    with open_shop(odoo, "shop", server.multi_process(2)) as shop:
        yield shop


@pytest.fixture
def shop(lasting_shop):
    """The shop, with nothing left of an earlier test's troubles."""
    lasting_shop.end_troubles()
    return lasting_shop


@pytest.fixture(scope="module")
def mortal_shop(odoo):
    """A shop of its own for tests that let its server crash."""
    with open_shop(odoo, "mortal") as shop:
        yield shop


@pytest.fixture(scope="session")
def browser():
    """A headless browser with scripts and cookies, as merchants have it."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(**LAUNCH)


@pytest.fixture
def bare_browser(browser, tmp_path):
    """A new profile of a browser that runs no scripts and takes no cookies."""
    preferences = tmp_path / "Default/Preferences"
    preferences.parent.mkdir()
    preferences.write_text(json.dumps({"profile": NO_COOKIES}))
    context = browser.browser_type.launch_persistent_context(
        tmp_path, java_script_enabled=False, **LAUNCH
    )
    yield context
    context.close()
