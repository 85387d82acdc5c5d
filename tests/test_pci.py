"""Card data never touch Odoo's pages: payers are sent to Stripe's (PCI DSS, SAQ A)."""

from urllib.parse import urlsplit

import pytest

from tests.kit import session_id, start_checkout

# What a page would need to take a card.
FORBIDDEN = (
    "iframe, frame, object, embed, applet",
    "script[src*=stripe], link[href*=stripe], [src^='http:'], [src*='//']",
    "input:not([type=hidden]):not([name=amount])",
    "[autocomplete^=cc-], [name*=card], [name*=cvc], [id*=card], [data-stripe]",
)


@pytest.fixture
def public_pages(shop):
    """An address for each public page, in the states that a payer can meet."""
    fixed = shop.make_link("Card data, fixed")
    opened = shop.make_link("Card data, open", amount=0, amount_type="open")
    closed = shop.make_link("Card data, closed")
    shop.admin.call("checkout.link", "action_deactivate", [closed.id])
    held = shop.make_link("Card data, held", max_payments=1)
    start_checkout(held)
    started = session_id(start_checkout(fixed))
    paid = session_id(start_checkout(fixed))
    shop.standin.pay(paid, name="Ada Example")
    return {
        "pay_page": fixed.url,
        "open_pay_page": opened.url,
        "unavailable": closed.url,
        "held": held.url,
        "not_found": f"{shop.url}/checkout/kcl_nothing",
        "return_open": f"{fixed.url}/return?session_id={started}",
        "return_paid": f"{fixed.url}/return?session_id={paid}",
    }


def test_no_public_page_has_a_card_field_or_anything_of_stripes(public_pages, browser):
    for name, url in public_pages.items():
        page = browser.new_page()
        hosts = set()
        page.on("request", lambda it, hosts=hosts: hosts.add(urlsplit(it.url).netloc))
        page.goto(url, wait_until="networkidle")
        assert hosts - {""} == {urlsplit(url).netloc}, name
        for selector in FORBIDDEN:
            assert not page.locator(selector).count(), (name, selector)
        for form in page.locator("form").all():
            action = form.get_attribute("action") or url
            assert urlsplit(action).netloc in ("", urlsplit(url).netloc), name
        page.close()


def test_button_leads_to_stripes_own_page(shop, browser):
    link = shop.make_link("Card data, elsewhere")
    page = browser.new_page()
    page.goto(link.url)
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    assert urlsplit(page.url).netloc == urlsplit(shop.standin.url).netloc
    page.close()
