"""A slow Stripe keeps payers waiting for a moment, and no one else at all."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg2
import pytest

from tests.kit import at_once, open_shop, session_id, start_checkout, wait_for
from tools import payer, rpc, server

CREATE_SESSION = "POST /v1/checkout/sessions"
WORKERS = 4


@pytest.fixture(scope="module")
def large_shop(odoo):
    """A shop in a server with as many workers as a busy one has."""
    with open_shop(odoo, "large", server.multi_process(WORKERS)) as shop:
        yield shop


@pytest.fixture
def busy_shop(large_shop):
    """The busy shop, with nothing left of an earlier test's troubles."""
    large_shop.end_troubles()
    large_shop.standin.clear_requests()
    return large_shop


@contextmanager
def held(shop, link, payers: int, seconds: float):
    """So many payers at once whose calls Stripe answers late; they go on until then."""
    pages = at_once(payer.open_page, [link.url] * payers)
    shop.standin.clear_requests()
    shop.standin.api_fault("slow", CREATE_SESSION, seconds=seconds, times=payers)
    with ThreadPoolExecutor(payers) as pool:
        answers = [pool.submit(payer.submit_once, page) for page in pages]
        wait_for(lambda: shop.standin.requests(CREATE_SESSION), CREATE_SESSION)
        yield answers


def count_answered(shop) -> int:
    """How many of the calls Stripe has let go of."""
    calls = shop.standin.requests(CREATE_SESSION)
    return sum(call["status"] is not None for call in calls)


def test_nothing_of_the_database_is_held_while_stripe_is_asked(shop):
    link = shop.make_link("Asked with empty hands", max_payments=5)
    with (
        closing(psycopg2.connect(dbname=shop.database)) as watcher,
        held(shop, link, payers=1, seconds=3) as answers,
    ):
        watcher.autocommit = True
        wait_for(lambda: not count_transactions(watcher), "rest of all others")
        assert count_locks(watcher) == 1  # the turn, and not the link
        assert count_answered(shop) == 0
        assert "/c/pay/" in answers[0].result().url
        wait_for(lambda: not count_locks(watcher), "end of the turn")


def count_transactions(connection) -> int:
    """Transactions and snapshots of others that are open."""
    return ask(
        connection,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid != pg_backend_pid() AND (xact_start IS NOT NULL"
        " OR backend_xmin IS NOT NULL)",
    )


def count_locks(connection) -> int:
    """Advisory locks, of anyone."""
    return ask(
        connection,
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


def ask(connection, question: str) -> int:
    """What the database answers with a number."""
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def test_turn_of_a_killed_worker_is_free_again(shop):
    link = shop.make_link("Killed meanwhile")
    with held(shop, link, payers=1, seconds=3) as answers:
        shop.kill_workers()
        with pytest.raises(OSError):
            answers[0].result()
    start_checkout(link)


def test_forty_payers_at_once_all_come_to_stripes_page(busy_shop):
    link = busy_shop.make_link("Forty payers", max_payments=100)
    pages = at_once(payer.open_page, [link.url] * 40)
    busy_shop.standin.api_fault("slow", CREATE_SESSION, seconds=0.3, times=1000)
    for page, answers in zip(pages, at_once(insist, pages), strict=True):
        *asked_to_wait, last = answers
        assert "/c/pay/" in last.url
        for answer in asked_to_wait:
            assert answer.status == 503
            assert answer.fields["nonce"] == page.fields["nonce"]
    assert len(busy_shop.payments(link)) == 40
    calls = [call["at"] for call in busy_shop.standin.requests(CREATE_SESSION)]
    assert len(calls) == 40
    # Of any three calls in a row, the first one was over when the last one came.
    turns = WORKERS // 2
    assert all(a + 0.3 <= b for a, b in zip(calls, calls[turns:], strict=False))
    assert "Traceback" not in busy_shop.read_log()


def insist(page: payer.Page) -> list[payer.Page]:
    """All answers to a payer who sends the form until there is no more to wait for."""
    answers = [payer.submit_once(page)]
    while seconds := answers[-1].retry_after:
        time.sleep(seconds)
        answers.append(payer.submit_once(answers[-1]))
    return answers


def test_five_places_take_five_of_twenty_payers(busy_shop):
    link = busy_shop.make_link("Five places", max_payments=5)
    pages = at_once(payer.open_page, [link.url] * 20)
    answers = at_once(payer.submit, pages)
    assert Counter(answer.status for answer in answers) == {200: 5, 409: 15}
    assert len(busy_shop.sessions_made(link)) == 5
    assert "Traceback" not in busy_shop.read_log()


def test_eight_reloads_at_once_make_one_call(busy_shop):
    link = busy_shop.make_link("Reloads")
    session = session_id(start_checkout(link))
    question = f"GET /v1/checkout/sessions/{session}"
    busy_shop.standin.api_fault("slow", question, seconds=1)
    url = f"{link.url}/return?session_id={session}"
    pages = at_once(payer.open_page, [url] * 8)
    assert {page.status for page in pages} == {200}
    event = busy_shop.find(
        "checkout.event", [("stripe_event_id", "=", f"sync:{session}")], ["state"]
    )
    assert event["state"] == "done"
    assert len(busy_shop.standin.requests(question)) == 1
    assert "Traceback" not in busy_shop.read_log()


def test_others_are_served_before_stripe_lets_go_of_thirty_payers(shop):
    link = shop.make_link("Thirty payers")
    with held(shop, link, payers=30, seconds=15) as answers:
        assert payer.open_page(f"{shop.url}/web/health").status == 200
        assert count_answered(shop) == 0
    shop.end_troubles()
    for answer in answers:
        assert answer.result().status == 503
        assert answer.result().retry_after
    start_checkout(link)


BUTTONS = (
    "action_test_connection",
    "action_sync",
    "action_check_agreement",
    "action_view_difference",
    "action_refund",
)


def test_others_are_served_before_stripe_lets_go_of_ten_merchants(shop):
    payment_id = pay(shop)
    shop.standin.clear_requests()
    shop.standin.api_fault("slow", "/v1/", seconds=15, times=100)
    with ThreadPoolExecutor(10) as pool:
        answers = [
            pool.submit(press, shop, button, payment_id) for button in BUTTONS * 2
        ]
        wait_for(lambda: shop.standin.requests("/v1/"), "a call")
        assert payer.open_page(f"{shop.url}/web/health").status == 200
        calls = shop.standin.requests("/v1/")
        assert {call["status"] for call in calls} == {None}
    shop.end_troubles()
    sentences = [answer.result() for answer in answers]
    assert all("Stripe didn't respond" in s or "Too many" in s for s in sentences)


def pay(shop) -> int:
    """A payment that is posted: its id."""
    link = shop.make_link("Bought before")
    shop.standin.pay(session_id(start_checkout(link)))
    shop.wait_until_posted(link)
    return shop.find("checkout.payment", [("link_id", "=", link.id)], ["id"])["id"]


def press(shop, button: str, payment_id: int) -> str:
    """What a merchant reads after a button that asks Stripe."""
    model, record_id = "checkout.gateway", shop.gateway_id
    if button == "action_refund":
        model, record_id = "checkout.payment", payment_id
    try:
        return str(shop.admin.call(model, button, [record_id]))
    except rpc.OdooError as error:
        return str(error)
