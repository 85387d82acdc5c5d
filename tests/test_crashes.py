"""A server that is killed between two commits finishes its work after the restart."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit import assert_posted_once, session_id, start_checkout, wait_for
from tools import payer

CREATE_SESSION = "POST /v1/checkout/sessions"
READ_SESSION = "GET /v1/checkout/sessions"


@pytest.fixture
def shop(mortal_shop):
    """The shop whose server may be killed."""
    mortal_shop.end_troubles()
    return mortal_shop


def crash_during(shop, call: str, action) -> None:
    """Kill the server while a call of its is under way at Stripe.

    :param action: What makes the server call; it ends when the server does.
    """
    before = len(shop.standin.requests(call))
    with ThreadPoolExecutor() as pool:
        started = pool.submit(action)
        wait_for(lambda: len(shop.standin.requests(call)) > before, call)
        shop.crash()
        started.result()


def send_in_vain(page) -> None:
    """Send a form to a server that dies meanwhile."""
    with pytest.raises(OSError):
        payer.submit(page)


def test_crash_before_stripes_answer_leaves_one_session_for_the_same_form(shop):
    link = shop.make_link("Crash while a session is made")
    page = payer.open_page(link.url)
    shop.standin.api_fault("lost_answer", CREATE_SESSION, seconds=5)
    crash_during(shop, CREATE_SESSION, lambda: send_in_vain(page))
    assert [row["state"] for row in restarted(shop).payments(link)] == ["open"]
    payer.enter_card(payer.submit(page))
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)
    assert len(shop.payments(link)) == 1
    assert len(shop.sessions_made(link)) == 1


def test_session_missing_in_odoo_is_posted_when_it_is_paid(shop):
    link = shop.make_link("Crash before the session is kept")
    page = payer.open_page(link.url)
    shop.standin.api_fault("lost_answer", CREATE_SESSION, seconds=5)
    crash_during(shop, CREATE_SESSION, lambda: send_in_vain(page))
    restarted(shop)
    assert not shop.payments(link)[0]["stripe_checkout_session_id"]
    (session,) = shop.sessions_made(link)
    shop.standin.pay(session["id"])
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_crash_of_the_processor_is_recovered_after_the_restart(shop):
    link = shop.make_link("Crash while an event is processed")
    session = session_id(start_checkout(link))
    shop.standin.api_fault("slow", READ_SESSION, seconds=5)
    crash_during(shop, READ_SESSION, lambda: shop.standin.pay(session))
    restarted(shop)
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)
    assert shop.journal_balance() == shop.balance()


def restarted(shop):
    """The shop, running again, with no trouble at Stripe."""
    shop.end_troubles()
    shop.start()
    return shop
