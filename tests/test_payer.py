"""A payer in a real browser, on the pay page, Stripe's page and the return page."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.kit import assert_booked_once
from tests.pages import DECLINED_CARD, GOOD_CARD, expect_paid, pay_with, start_paying

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(browser):
    """A page of a browser with scripts and cookies."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_declined_card_stays_on_stripes_page_and_another_one_pays(shop, page):
    link = shop.make_link("Declined at first")
    start_paying(page, link.url)
    pay_with(page, DECLINED_CARD)
    expect(page.locator("#number-error")).to_contain_text("declined")
    assert "/c/pay/" in page.url
    pay_with(page, GOOD_CARD)
    expect_paid(page)
    shop.wait_until_booked(link)
    assert_booked_once(shop, link)


def test_back_from_stripes_page_leads_to_the_pay_page(shop, page):
    link = shop.make_link("Second thoughts")
    start_paying(page, link.url)
    page.click("#back")
    expect(page).to_have_url(link.url)
    expect(page.locator("h1")).to_have_text(link.name)


def test_open_amount_is_corrected_and_paid(shop, page):
    link = shop.make_link(
        "Donation", amount=0, amount_type="open", minimum_amount=5, maximum_amount=500
    )
    page.goto(link.url)
    page.fill("#amount", "3")
    page.click("form button")
    expect(page.get_by_role("alert")).to_contain_text("5.00")
    page.fill("#amount", "12.50")
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    expect(page.locator("h1")).to_contain_text("12.50")
    pay_with(page, GOOD_CARD)
    expect_paid(page)
    shop.wait_until_booked(link)
    assert [row["amount"] for row in shop.payments(link)] == [12.5]


def test_phone_shows_amount_and_button_without_scrolling(shop, browser):
    link = shop.make_link("On a phone")
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.goto(link.url)
    expect(page.locator(".amount")).to_be_in_viewport(ratio=1)
    expect(page.locator("form button")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.tap("form button")
    page.wait_for_url("**/c/pay/**")
    context.close()


def test_nothing_but_the_shop_and_stripe_is_asked_for_anything(shop, page):
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    link = shop.make_link("Two hosts")
    start_paying(page, link.url)
    before_stripe = asked[: asked.index(urlsplit(shop.sandbox.url).netloc)]
    assert set(before_stripe) == {urlsplit(shop.url).netloc}
    asked.clear()
    pay_with(page, GOOD_CARD)
    expect_paid(page)
    page.wait_for_load_state("networkidle")
    hosts = {urlsplit(shop.url).netloc, urlsplit(shop.sandbox.url).netloc}
    assert set(asked) <= hosts
    assert page.context.cookies() == []
