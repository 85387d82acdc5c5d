"""Payers read the pages in their language, on the narrowest phone, in a browser."""

import base64

import pytest
from playwright.sync_api import expect

from tests.kit import session_id
from tools import payer, project

NARROW = {"width": 360, "height": 740}
LONG = "Summer Camp for Children and Teenagers, Second Week"
# Elements whose text is wider or higher than the element itself.
CRAMPED = """() => [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility() && element.textContent.trim())
    .filter((element) => !element.closest(".unseen"))
    .filter((element) => getComputedStyle(element).display !== "inline")
    .filter((element) => element.scrollWidth > element.clientWidth + 1
        || element.scrollHeight > element.clientHeight + 1)
    .map((element) => `${element.className}: ${element.textContent.trim()}`)"""


@pytest.fixture(scope="module")
def languages(lasting_shop):
    """The shop in all languages of the addon, imported as users import them."""
    admin = lasting_shop.admin
    paths = sorted((project.ADDON_FOLDER / "i18n").glob("*.po"))
    langs = [import_language(admin, path) for path in paths]
    assert len(langs) >= 9
    yield [lang["code"].replace("_", "-") for lang in langs]
    for lang in langs:
        admin.write("res.lang", lang["id"], active=False)


def import_language(admin, path) -> dict:
    """Odoo's language of a file of translations, which is imported."""
    domain = [("iso_code", "=", path.stem), ("active", "in", [True, False])]
    (lang,) = admin.rows("res.lang", domain, ["code"])
    admin.write("res.lang", lang["id"], active=True)
    wizard_id = admin.create(
        "base.language.import",
        name=lang["code"],
        code=lang["code"],
        filename=path.name,
        data=base64.b64encode(path.read_bytes()).decode(),
        overwrite=True,
    )
    admin.call("base.language.import", "import_lang", [wizard_id])
    return lang


@pytest.fixture
def phone(browser):
    """A page of a narrow phone."""
    context = browser.new_context(viewport=NARROW, is_mobile=True, has_touch=True)
    yield context.new_page()
    context.close()


def test_no_words_of_any_language_leave_their_place(shop, languages, phone):
    fixed = shop.make_link(LONG)
    tips = shop.make_link(
        "Tips", amount=0, amount_type="open", minimum_amount=5, maximum_amount=50
    )
    closed = shop.make_link("Closed")
    shop.admin.call("checkout.link", "action_deactivate", [closed.id])
    for tag in languages:
        session = session_id(payer.submit(payer.open_page(f"{fixed.url}?lang={tag}")))
        returned = f"{fixed.url}/return?session_id={session}"
        pages = [f"{link.url}?lang={tag}" for link in (fixed, tips, closed)]
        for url in (*pages, returned):
            look(phone, url, tag)
        shop.standin.pay(session, name="Ada Example")
        look(phone, returned, tag)
        expect(phone.locator("[data-state=paid]")).to_be_visible()


def look(phone, url, tag):
    """All words of a page have their place, and none is left in English."""
    phone.goto(url)
    assert phone.locator("html").get_attribute("lang") == tag
    direction = "rtl" if tag.startswith("ar") else "ltr"
    assert phone.locator("html").get_attribute("dir") == direction
    assert phone.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert phone.evaluate(CRAMPED) == []
    assert "Powered by" not in phone.locator("body").inner_text()
