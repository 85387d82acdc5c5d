"""Shops for the whole-system tests, each started once for the tests that share it."""

import json
from contextlib import ExitStack
from functools import partial

import pytest
from playwright.sync_api import sync_playwright

from tests.kit import open_shop, open_still_shop
from tests.pages import Merchant
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
def still_shop(odoo):
    """A shop where nothing happens unless a test has it done by workers."""
    with open_still_shop(odoo, "still") as shop:
        yield shop


@pytest.fixture
def worked_shop(still_shop):
    """The shop with workers, with nothing left of an earlier test's troubles."""
    still_shop.end_troubles()
    return still_shop


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


# -- people ---------------------------------------------------------------------------

# None of them administers anything but Ana (accounting) and Sid (the system).
GROUPS = {
    "mia": ("account.group_account_invoice", "base.group_allow_export"),
    "ben": ("account.group_account_invoice",),
    "max": ("account.group_account_user",),
    "rea": ("account.group_account_readonly",),
    "ana": ("account.group_account_manager",),
    "sid": ("base.group_system",),
    "otto": ("account.group_account_manager",),
}
ABROAD = ("otto",)  # at work in another company


@pytest.fixture(scope="session")
def users(lasting_shop):
    """The people of two companies, each with their own rights."""
    admin = lasting_shop.admin
    other_id = admin.create("res.company", name="Otto Elsewhere")
    for login, groups in GROUPS.items():
        user_id = admin.create(
            "res.users",
            name=f"{login.title()} Example",
            login=login,
            password=f"{login}-of-the-tests",
            group_ids=[(4, admin.xml_id(group)) for group in groups],
        )
        if login in ABROAD:
            values = {"company_ids": [(6, 0, [other_id])], "company_id": other_id}
            admin.write("res.users", user_id, **values)


@pytest.fixture
def log_in(shop, users, browser):
    """Logs a user in, each in a browser profile of their own."""
    with ExitStack() as profiles:
        yield partial(new_session, shop, browser, profiles)


def new_session(shop, browser, profiles: ExitStack, login: str) -> Merchant:
    """Somebody's work in the backend, in a new browser profile."""
    context = browser.new_context(
        base_url=shop.url, permissions=["clipboard-read", "clipboard-write"]
    )
    profiles.callback(context.close)
    person = Merchant(context.new_page())
    person.log_in(login, f"{login}-of-the-tests")
    return person
