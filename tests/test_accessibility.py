"""People who can't see, use no mouse or enlarge pages can pay (WCAG 2.2, level AA)."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.kit import session_id, start_checkout

# The success criteria of levels A and AA, and axe's own good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# 1280 pixels at 400 %: https://www.w3.org/WAI/WCAG22/Understanding/reflow
ENLARGED = {"width": 320, "height": 256}
OPEN = {"amount": 0, "amount_type": "open"}


@pytest.fixture
def states(shop):
    """The address of a page in each state that a payer can meet."""
    fixed = shop.make_link("For all", description="See https://example.com/camp")
    closed = shop.make_link("For none", inactive_message="Come back in May.")
    shop.admin.call("checkout.link", "action_deactivate", [closed.id])
    full = shop.make_link("For one", max_payments=1)
    shop.pay_unnoticed(full)
    ended = shop.make_link("For a time", expires_at="2020-01-01 00:00:00")
    held = shop.make_link("For two", max_payments=2)
    for _payer in range(2):
        start_checkout(held)
    suggested = {"suggested_amounts": "10, 25", "preset_amount": 25}
    return {
        "fixed": fixed.url,
        "open": shop.make_link("Gift", **OPEN, minimum_amount=5).url,
        "suggested": shop.make_link("Gift", **OPEN, **suggested).url,
        # Access logs keep addresses. The search of logs is for Ada, who is in none.
        "prefilled": f"{fixed.url}?email=payer%40example.net&name=Payer",
        "closed": closed.url,
        "full": full.url,
        "ended": ended.url,
        "held": held.url,
        "not found": f"{shop.url}/checkout/kcl_nothing",
        **{
            state: f"{fixed.url}/return?session_id={session}"
            for state, session in start_sessions(shop, fixed).items()
        },
    }


def start_sessions(shop, link) -> dict[str, str]:
    """A session of the link for each state that a return page can show."""
    names = ("open", "paid", "processing", "failed", "expired", "refunded")
    sessions = {name: session_id(start_checkout(link)) for name in names}
    for name in ("processing", "failed"):
        shop.standin.pay(sessions[name], number="debit")
    for name in ("paid", "refunded"):
        charge = shop.standin.pay(sessions[name], name="Ada Example")["charge"]
    shop.standin.refund(charge["id"], 3300)
    shop.standin.fail_debit(sessions["failed"])
    shop.standin.expire(sessions["expired"])
    return {f"return {name}": session for name, session in sessions.items()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_even_enlarged(shop, states, browser, scheme):
    context = browser.new_context(
        viewport=ENLARGED, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    for state, url in states.items():
        page.goto(url)
        expect_accessible(page, state)
    page.goto(states["open"])
    page.fill("#amount", "3")
    page.click("form button")
    expect(page.get_by_role("alert")).to_be_visible()
    expect_accessible(page, "error")
    shop.standin.api_fault("status", "/v1/checkout/sessions", status=500, times=9)
    page.goto(states["fixed"])
    page.click("form button")
    expect(page.locator("[data-state=retry]")).to_be_visible()
    expect_accessible(page, "retry")
    context.close()


def expect_accessible(page, state: str) -> None:
    """axe finds nothing, and nothing runs out of a window of 320 pixels."""
    options = {"runOnly": {"type": "tag", "values": RULES}}
    found = Axe().run(page, options=options).response
    assert found["passes"], state
    problems = [(rule["id"], rule["nodes"]) for rule in found["violations"]]
    assert not problems, (state, problems)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= ENLARGED["width"], state


def test_keyboard_alone_pays(shop, states, browser):
    page = browser.new_page()
    page.goto(states["open"])
    page.keyboard.press("Tab")
    expect(page.get_by_label("Amount in USD")).to_be_focused()
    page.keyboard.type("12.50")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Pay")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/pay/**")
    page.close()
