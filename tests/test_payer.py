"""A payer in a real browser, on the pay page, Stripe's page and the return page."""

import re
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.kit import assert_posted_once, session_id, start_checkout
from tests.pages import DECLINED_CARD, GOOD_CARD, expect_paid, pay_with, start_paying

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
# The page's ground, from 0 (black) to 1, and of each text that is shown: itself, and
# its contrast with what is behind it. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
LOOK = """() => {
    const canvas = document.createElement("canvas");
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    const channels = (color) => {
        brush.clearRect(0, 0, 1, 1);
        brush.fillStyle = color;
        brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data];
    };
    const behind = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        const isClear = channels(color)[3] === 0;
        return isClear && element.parentElement ? behind(element.parentElement) : color;
    };
    const light = (color) => {
        const [red, green, blue] = channels(color).map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (element) => {
        const lights = [getComputedStyle(element).color, behind(element)].map(light);
        return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
    };
    const hasText = (element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const texts = [...document.querySelectorAll("body *")]
        .filter((element) => hasText(element) && element.checkVisibility())
        .map((element) => [element.textContent.trim(), contrast(element)]);
    return { ground: light(behind(document.body)), texts };
}"""


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
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_back_from_stripes_page_leads_to_the_pay_page(shop, page):
    link = shop.make_link("Second thoughts")
    start_paying(page, link.url)
    page.click("#back")
    expect(page).to_have_url(re.compile(re.escape(f"{link.url}?resume=")))
    expect(page.locator("h1")).to_have_text(link.name)


def test_payer_who_comes_back_in_the_same_browser_continues(shop, page, browser):
    link = shop.make_link("Two", amount=0, amount_type="open", max_payments=2)
    page.goto(link.url)
    page.fill("#amount", "12.50")
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    session = page.url
    start_checkout(link, amount="7")
    page.goto(link.url)
    expect(page.locator("#amount")).to_have_value("12.50")
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    assert page.url == session
    assert page.context.cookies() == []
    other = browser.new_context(timezone_id="Asia/Kolkata").new_page()
    other.goto(link.url)
    expect(other.locator("[data-state=held]")).to_contain_text("Try again at")
    stamp = other.locator("time").get_attribute("datetime")
    moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    there = moment.astimezone(ZoneInfo("Asia/Kolkata"))
    expect(other.locator("time")).to_have_text(f"{there:%H:%M}")
    other.context.close()


def test_payer_whose_payment_is_over_starts_a_new_one(shop, page):
    link = shop.make_link("Once more")
    for _time in range(2):
        start_paying(page, link.url)
        pay_with(page, GOOD_CARD)
        expect_paid(page)
    shop.wait_until_posted(link, payments=2)


def test_without_scripts_the_last_place_is_continued_from_the_mail(shop, bare_browser):
    link = shop.make_link("Bare", amount=0, amount_type="open", max_payments=1)
    page = bare_browser.new_page()
    page.goto(link.url)
    page.fill("#amount", "12.50")
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    session = page.url
    page.goto(link.url)
    expect(page.locator("#amount")).to_have_value("12.50")
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    assert page.url == session


def test_open_amount_is_corrected_and_paid(shop, page):
    link = shop.make_link(
        "Donation", amount=0, amount_type="open", minimum_amount=5, maximum_amount=500
    )
    page.goto(link.url)
    page.fill("#amount", "3")
    page.click("form button")
    expect(page.get_by_role("alert")).to_contain_text("5.00")
    page.fill("#amount", "12.50")
    expect(page.locator("form button")).to_have_text("Pay $12.50", use_inner_text=True)
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    expect(page.locator("h1")).to_contain_text("12.50")
    pay_with(page, GOOD_CARD)
    expect_paid(page)
    shop.wait_until_posted(link)
    assert [row["amount"] for row in shop.payments(link)] == [12.5]


def test_name_of_the_address_is_in_a_field_and_the_reference_at_stripe(shop, browser):
    # An email address would be in the server's log.
    link = shop.make_link("Prefilled")
    page = browser.new_context(viewport=PHONE).new_page()
    page.goto(f"{link.url}?name=Blue+team&reference=SO-17")
    expect(page.get_by_label("Name")).to_have_value("Blue team")
    page.get_by_label("Name").fill("Green team")
    page.click("form button")
    page.wait_for_url("**/c/pay/**")
    (session,) = shop.sessions_made(link)
    assert session["metadata"]["reference"] == "SO-17"
    page.context.close()


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
    before_stripe = asked[: asked.index(urlsplit(shop.standin.url).netloc)]
    assert set(before_stripe) == {urlsplit(shop.url).netloc}
    asked.clear()
    pay_with(page, GOOD_CARD)
    expect_paid(page)
    page.wait_for_load_state("networkidle")
    hosts = {urlsplit(shop.url).netloc, urlsplit(shop.standin.url).netloc}
    assert set(asked) <= hosts
    assert page.context.cookies() == []


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    """What the payer's device prefers."""
    return request.param


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def viewer(request, browser, scheme):
    """A page of a payer's device, small or large, light or dark."""
    context = browser.new_context(viewport=request.param, color_scheme=scheme)
    yield context.new_page()
    context.close()


def test_every_text_of_every_page_can_be_read(shop, viewer, scheme):
    paid = shop.make_link("Paid already")
    session = session_id(start_checkout(paid))
    shop.standin.pay(session, name="Ada Example")
    closed = shop.make_link("Closed already")
    shop.admin.call("checkout.link", "action_deactivate", [closed.id])
    tips = shop.make_link("Tips", amount=0, amount_type="open", minimum_amount=5)
    held = shop.make_link("Held", max_payments=2)
    unpaid = [session_id(start_checkout(held)) for _payer in range(2)]
    refused = shop.make_link("Refused", amount=0, amount_type="open", minimum_amount=5)
    for url in (
        paid.url,
        f"{paid.url}/return?session_id={session}",
        f"{held.url}/return?session_id={unpaid[0]}",
        f"{held.url}/return?session_id={unpaid[0]}",  # at once: checking
        held.url,
        closed.url,
        tips.url,
        f"{shop.url}/checkout/kcl_nothing",
    ):
        viewer.goto(url)
        expect_readable(viewer, scheme)
    viewer.goto(refused.url)
    viewer.fill("#amount", "3")
    viewer.click("form button")
    expect(viewer.get_by_role("alert")).to_be_visible()
    expect_readable(viewer, scheme)


def expect_readable(page, scheme):
    """No text is too faint, and none runs out of the window."""
    look = page.evaluate(LOOK)
    assert (look["ground"] < 0.5) == (scheme == "dark")
    assert len(look["texts"]) >= 3
    assert [(text, ratio) for text, ratio in look["texts"] if ratio < 4.5] == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_unknown_address_is_met_with_a_friendly_page(shop, page):
    answer = page.goto(f"{shop.url}/checkout/kcl_nothing")
    assert answer.status == 404
    expect(page.locator("h1")).to_have_text("Page not found")
    expect(page.locator("form")).to_have_count(0)
    assert "Kantivo Bakery" not in page.content()


def test_suggested_amount_is_on_the_button_with_and_without_scripts(
    shop, page, bare_browser
):
    link = shop.make_link(
        "Gift",
        amount=0,
        amount_type="open",
        suggested_amounts="10, 25, 50",
        preset_amount=25,
    )
    for viewer in (page, bare_browser.new_page()):
        viewer.goto(link.url)
        button = viewer.locator("form button")
        expect(button).to_contain_text("Pay $25.00", use_inner_text=True)
        expect(viewer.locator("#amount")).to_be_hidden()
        viewer.get_by_label("$50.00").check()
        expect(button).to_contain_text("Pay $50.00", use_inner_text=True)
        viewer.get_by_label("Other amount").check()
        viewer.fill("#amount", "12.50")
    expect(page.locator("form button")).to_contain_text("Pay $12.50")
    viewer.get_by_label("$10.00").check()
    viewer.click("form button")
    viewer.wait_for_url("**/c/pay/**")
    expect(viewer.locator("h1")).to_contain_text("10.00")
