"""Payers, and impatient ones, at the same time on a server with several processes."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.kit import (
    assert_posted_once,
    at_once,
    session_id,
    start_checkout,
    wait_for,
)
from tools import payer


def test_same_form_sent_twice_at_once_makes_one_session(shop):
    link = shop.make_link("Double click")
    page = payer.open_page(link.url)
    answers = at_once(payer.submit, [page, page])
    assert answers[0].url == answers[1].url
    assert len(shop.sessions_made(link)) == 1
    payer.enter_card(answers[1])
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_last_place_is_one_session_for_six_payers(shop):
    link = shop.make_link("One place", max_payments=1)
    pages = at_once(payer.open_page, [link.url] * 6)
    answers = at_once(payer.submit, pages)
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({page.url for page in answers if page.status == 200}) == 1
    assert len(shop.sessions_made(link)) == 1
    assert len(shop.payments(link)) == 1
    again = [payer.submit(payer.open_page(link.url)) for _payer in range(2)]
    at_once(payer.enter_card, again)
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)
    assert payer.open_page(link.url).status == 410


def test_three_places_take_three_of_eight_payers_who_come_back(shop):
    link = shop.make_link("Three places", max_payments=3)
    pages = at_once(payer.open_page, [link.url] * 8)
    answers = at_once(payer.submit, pages)
    assert Counter(answer.status for answer in answers) == {200: 3, 409: 5}
    hosted = [page for page in answers if page.status == 200]
    held = payer.open_page(link.url)
    assert held.status == 409
    assert "Someone is paying right now. Try again at" in held.text
    backs = at_once(payer.open_page, [cancel_url(shop, page) for page in hosted])
    continued = at_once(payer.submit, backs)
    assert [page.url for page in continued] == [page.url for page in hosted]
    at_once(payer.enter_card, continued)
    shop.wait_until_posted(link, payments=3)
    assert {(row["state"], row["flag"]) for row in shop.payments(link)} == {
        ("paid", False)
    }
    assert payer.open_page(link.url).status == 410


def test_other_amounts_at_once_leave_one_session_for_one_place(shop):
    link = shop.make_link(
        "One place, any amount", amount=0, amount_type="open", max_payments=1
    )
    first = payer.submit(payer.open_page(link.url), amount="10")
    back = payer.open_page(cancel_url(shop, first))
    assert back.fields["amount"] == "10.00"
    amounts = ["20", "30", "40", "50"]
    answers = at_once(lambda amount: payer.submit(back, amount=amount), amounts)
    assert {answer.status for answer in answers} <= {200, 409, 422}
    status = Counter(session["status"] for session in shop.sessions_made(link))
    assert status["open"] <= 1
    for page in answers:
        if "/c/pay/" in page.url:
            payer.enter_card(page)
    paid = [row for row in shop.sessions_made(link) if row["status"] == "complete"]
    assert len(paid) <= 1
    if paid:
        shop.wait_until_posted(link)
    final = payer.submit(payer.open_page(link.url), amount="20")
    assert final.status == (410 if paid else 200)


def cancel_url(shop, hosted_page):
    """Where Stripe's own Back leads."""
    session = shop.stripe.v1.checkout.sessions.retrieve(session_id(hosted_page))
    return session.cancel_url


def test_place_that_was_given_up_is_free_again(shop):
    link = shop.make_link("Place given up", max_payments=1)
    first = payer.submit(payer.open_page(link.url))
    shop.standin.expire(session_id(first))
    shop.wait_for_state(link, "expired")
    assert payer.submit(payer.open_page(link.url)).url != first.url
    assert len(shop.sessions_made(link)) == 2


def test_released_place_goes_to_the_next_payer(shop):
    link = shop.make_link("Place released", max_payments=1)
    first = payer.submit(payer.open_page(link.url))
    shop.admin.call("checkout.link", "action_release_places", [link.id])
    second = payer.submit(payer.open_page(link.url))
    assert second.url != first.url
    status = Counter(session["status"] for session in shop.sessions_made(link))
    assert status == {"expired": 1, "open": 1}


def test_eight_reloads_of_the_return_page_at_once_ask_stripe_once(shop):
    link = shop.make_link("Reloads")
    session = session_id(start_checkout(link))
    question = f"GET /v1/checkout/sessions/{session}"
    shop.standin.api_fault("slow", question, seconds=2)
    url = f"{link.url}/return?session_id={session}"
    shop.standin.clear_requests()
    started = time.monotonic()
    pages = at_once(payer.open_page, [url] * 8)
    assert time.monotonic() - started < 30
    states = Counter(
        page.text.partition('data-state="')[2].partition('"')[0] for page in pages
    )
    assert {page.status for page in pages} == {200}
    assert states == {"open": 1, "checking": 7}
    assert len(shop.standin.requests(question)) == 1


def test_six_payers_at_once_are_posted_one_by_one(shop):
    link = shop.make_link("Six payers")
    pages = at_once(payer.submit, at_once(payer.open_page, [link.url] * 6))
    returned = at_once(payer.enter_card, pages)
    assert all("/return?session_id=" in page.url for page in returned)
    shop.wait_until_posted(link, payments=6)
    states = [row["state"] for row in shop.payments(link)]
    assert states == ["paid"] * 6
    kinds = Counter(shop.movements(link))
    assert kinds == {("charge", "posted", 110.0): 6, ("fee", "posted", -3.49): 6}


def test_link_closed_while_stripe_is_asked_sends_no_customer_there(shop):
    link = shop.make_link("Closed meanwhile")
    page = payer.open_page(link.url)
    asked = "POST /v1/checkout/sessions"
    before = len(shop.standin.requests(asked))
    shop.standin.api_fault("slow", asked, seconds=2)
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(payer.submit, page)
        wait_for(lambda: len(shop.standin.requests(asked)) > before, asked)
        shop.admin.call("checkout.link", "action_deactivate", [link.id])
        answer = sent.result()
    assert answer.status == 410, answer.url


def test_same_form_sent_twice_at_once_to_a_slow_stripe_makes_one_session(shop):
    link = shop.make_link("Double click at a slow time")
    page = payer.open_page(link.url)
    shop.standin.api_fault("slow", "POST /v1/checkout/sessions", seconds=6)
    answers = at_once(payer.submit, [page, page])
    assert "contact the merchant" not in "".join(answer.text for answer in answers)
    assert any("/c/pay/" in answer.url for answer in answers)
    assert len(shop.sessions_made(link)) == 1
    assert len(shop.payments(link)) == 1
