"""Payers, and impatient ones, at the same time on a server with several processes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.kit import assert_booked_once, at_once, session_id, wait_for
from tools import payer


def test_same_form_sent_twice_at_once_makes_one_session(shop):
    link = shop.make_link("Double click")
    page = payer.open_page(link.url)
    answers = at_once(payer.submit, [page, page])
    assert answers[0].url == answers[1].url
    assert len(shop.sessions_made(link)) == 1
    payer.enter_card(answers[1])
    shop.wait_until_booked(link)
    assert_booked_once(shop, link)


def test_last_place_goes_to_one_of_six_payers(shop):
    link = shop.make_link("One place", max_payments=1)
    pages = at_once(payer.open_page, [link.url] * 6)
    answers = at_once(payer.submit, pages)
    assert Counter(answer.status for answer in answers) == {200: 1, 410: 5}
    assert len(shop.sessions_made(link)) == 1
    assert len(shop.payments(link)) == 1


def test_place_that_was_given_up_is_free_again(shop):
    link = shop.make_link("Place given up", max_payments=1)
    first = payer.submit(payer.open_page(link.url))
    assert payer.open_page(link.url).status == 410
    shop.sandbox.expire(session_id(first))
    shop.wait_for_state(link, "expired")
    assert payer.submit(payer.open_page(link.url)).status == 200
    assert len(shop.sessions_made(link)) == 2


def test_six_payers_at_once_are_booked_one_by_one(shop):
    link = shop.make_link("Six payers")
    pages = at_once(payer.submit, at_once(payer.open_page, [link.url] * 6))
    returned = at_once(payer.enter_card, pages)
    assert all("/return?session_id=" in page.url for page in returned)
    shop.wait_until_booked(link, payments=6)
    states = [row["state"] for row in shop.payments(link)]
    assert states == ["paid"] * 6
    kinds = Counter(shop.movements(link))
    assert kinds == {("charge", "posted", 110.0): 6, ("fee", "posted", -3.49): 6}


def test_link_closed_while_stripe_is_asked_sends_nobody_there(shop):
    link = shop.make_link("Closed meanwhile")
    page = payer.open_page(link.url)
    asked = "POST /v1/checkout/sessions"
    before = len(shop.sandbox.requests(asked))
    shop.sandbox.api_fault("slow", asked, seconds=4)
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(payer.submit, page)
        wait_for(lambda: len(shop.sandbox.requests(asked)) > before, asked)
        shop.admin.call("checkout.link", "action_deactivate", [link.id])
        answer = sent.result()
    assert answer.status == 410, answer.url


def test_same_form_sent_twice_at_once_to_a_slow_stripe_makes_one_session(shop):
    link = shop.make_link("Double click at a slow time")
    page = payer.open_page(link.url)
    shop.sandbox.api_fault("slow", "POST /v1/checkout/sessions", seconds=6)
    answers = at_once(payer.submit, [page, page])
    assert "tell the merchant" not in "".join(answer.text for answer in answers)
    assert any("/c/pay/" in answer.url for answer in answers)
    assert len(shop.sessions_made(link)) == 1
    assert len(shop.payments(link)) == 1
