"""A process that is killed between any two commits leaves nothing half done.

Each test kills the first process after (or before) its first commit, the next one
after its second, and so on, with new work each time, until one comes to its end. What
the killed one has left, an ordinary run finishes.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import pytest

from tests.kit import Link, assert_agrees, wait_for

DAY_POSTED = [
    *[("charge", "posted", 110.0)] * 4,
    ("dispute", "posted", -110.0),
    ("dispute_fee", "posted", -15.0),
    *[("fee", "posted", -3.49)] * 4,
    ("refund", "posted", -33.0),
]
REFUND_POSTED = [
    ("charge", "posted", 110.0),
    ("fee", "posted", -3.49),
    ("refund", "posted", -33.0),
]


PAYOUT_RECORDS = {
    "checkout.payout": "stripe_id",
    "checkout.movement": "stripe_source_id",
}
ALARM = [
    ("res_model", "=", "checkout.gateway"),
    ("summary", "=", "The ledger does not match Stripe"),
]


@pytest.fixture
def shop(worked_shop):
    """The shop whose workers may be killed."""
    return worked_shop


@dataclass(frozen=True)
class Day:
    """What happened at Stripe on one day.

    :param link: The link of its four payments of 110.00.
    :param payout_id: Stripe's id of what was paid out before the last of them.
    """

    link: Link
    payout_id: str


def live_a_day(shop, is_delivered: bool) -> Day:
    """Four payments, one refunded in part, one disputed, and a payout between them.

    :param is_delivered: Whether Stripe's deliveries of it arrive.
    """
    shop.standin.delivery_faults(lose=0 if is_delivered else -1)
    link = shop.make_link("One of many days")
    _kept, refunded, disputed = shop.pay_often(link, 3)
    shop.standin.release()
    shop.standin.refund(refunded, 3300)
    shop.standin.dispute(disputed)
    payout_id = shop.standin.payout()["id"]
    for step in ("pay", "reconcile"):
        shop.standin.change_payout(payout_id, step)
    shop.pay_often(link, 1)
    shop.standin.release()
    assert shop.standin.idle(60)
    return Day(link, payout_id)


def assert_day_is_posted(shop, day: Day) -> None:
    """All that happened is in the ledger, once, and nothing is left to do."""
    states = sorted(row["state"] for row in shop.payments(day.link))
    assert states == ["disputed", "paid", "paid", "partially_refunded"]
    assert shop.movements(day.link) == DAY_POSTED
    payout, movement = (
        shop.find(model, [(field, "=", day.payout_id)], ["amount", "state"])
        for model, field in PAYOUT_RECORDS.items()
    )
    assert (payout["state"], movement["state"]) == ("paid", "posted")
    assert movement["amount"] == -payout["amount"]
    uncalled = [("link_id", "=", day.link.id), ("on_paid_due_at", "!=", False)]
    assert not shop.admin.rows("checkout.payment", uncalled, ["id"])
    assert_agrees(shop)


# A sync keeps each of its pieces, so every third of its commits has to do.
@pytest.mark.parametrize(
    ("task", "step", "fewest"), [("process", 1, 3), ("sync", 3, 5)]
)
def test_task_killed_after_any_commit_is_finished_by_the_next(shop, task, step, fewest):
    for number in count(1, step):
        day = live_a_day(shop, is_delivered=task == "process")
        killed = shop.workers.do(task, death=("after", number)).killed
        shop.workers.do(task)
        assert_day_is_posted(shop, day)
        if not killed:
            break
    assert_died_often(f"{task}, after", (number - 1) // step, fewest)


def test_session_that_a_killed_processor_ended_at_stripe_is_ended_here_too(shop):
    link = shop.make_link("Closed")
    (session_id,) = shop.workers.do("start_payments", link_id=link.id, count=1).answer
    shop.admin.call("checkout.link", "action_deactivate", [link.id])
    assert shop.workers.do("process", death=("before", 1)).killed
    assert shop.stripe.v1.checkout.sessions.retrieve(session_id).status == "expired"
    assert shop.payments(link)[0]["state"] == "open"
    shop.workers.do("process")
    assert shop.payments(link)[0]["state"] == "expired"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_refund_killed_at_any_commit_gives_the_money_back_once(shop, moment):
    for number in count(1):
        link = shop.make_link("Refunded once")
        charge_id = sell(shop, link)
        (payment,) = shop.payments(link)
        order = {"payment_id": payment["id"], "amount": 33, "key": "the only one"}
        killed = shop.workers.do("refund", death=(moment, number), **order).killed
        shop.workers.do("sync")
        shop.workers.do("refund", **order)  # the merchant presses the button again
        assert_refunded_once(shop, link, charge_id)
        if not killed:
            break
    assert_died_often(f"refund, {moment}", number - 1, 4)


def sell(shop, link: Link) -> str:
    """A payment that is posted, with its fee: the id of its charge."""
    (charge_id,) = shop.pay_often(link, 1)
    shop.standin.release()
    assert shop.standin.idle(60)
    shop.workers.do("process")
    return charge_id


def assert_refunded_once(shop, link: Link, charge_id: str) -> None:
    """33.00 went back, by one refund at Stripe and one entry here."""
    refunds = shop.stripe.v1.refunds.list({"charge": charge_id}).data
    assert [refund.amount for refund in refunds] == [3300]
    domain = [("payment_id.link_id", "=", link.id)]
    refund = shop.find("checkout.refund", domain, ["stripe_id", "state"])
    assert (refund["stripe_id"], refund["state"]) == (refunds[0].id, "succeeded")
    assert shop.payments(link)[0]["state"] == "partially_refunded"
    assert shop.movements(link) == REFUND_POSTED
    assert shop.standin.idle(60)
    shop.workers.do("process")  # what Stripe has reported of it meanwhile
    assert_agrees(shop)


def test_refund_continues_when_others_write_to_its_event(shop):
    link = shop.make_link("Refunded, and written to by two")
    charge_id = sell(shop, link)
    (payment,) = shop.payments(link)
    order = {"payment_id": payment["id"], "amount": 33, "key": "written to by two"}
    assert shop.workers.do("refund", death=("after", 2), **order).killed
    (refund,) = shop.stripe.v1.refunds.list({"charge": charge_id}).data
    named = [("stripe_event_id", "=", f"sync:{refund.id}")]
    event = shop.find("checkout.event", named, ["state"])
    with (
        ThreadPoolExecutor() as pool,
        shop.written_to("checkout_event", event["id"]) as is_waited_for,
    ):
        pressed_again = pool.submit(shop.workers.do, "refund", **order)
        wait_for(is_waited_for, "refund at the event")
    assert not pressed_again.result().killed
    assert_refunded_once(shop, link, charge_id)


def test_refund_asked_for_by_two_at_once_gives_the_money_back_once(shop):
    link = shop.make_link("Refunded by two at once")
    charge_id = sell(shop, link)
    (payment,) = shop.payments(link)
    order = {"payment_id": payment["id"], "amount": 33, "key": "of two at once"}
    first, second = shop.workers.do_at_once("refund", [order, order])
    assert first.answer == second.answer
    assert_refunded_once(shop, link, charge_id)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_check_killed_at_any_commit_gives_one_alarm(shop, moment):
    for number in count(1):
        alarms = len(shop.admin.search("mail.activity", ALARM))
        with posted_by_hand(shop):
            death = (moment, number)
            killed = shop.workers.do("check_agreement", death=death).killed
            shop.workers.do("check_agreement")
            assert shop.gateway("agreement_state") == "red"
            assert len(shop.admin.search("mail.activity", ALARM)) == alarms + 1
        shop.workers.do("check_agreement")
        assert shop.gateway("agreement_state") == "green"
        if not killed:
            break
    assert_died_often(f"check, {moment}", number - 1, 2)


@contextmanager
def posted_by_hand(shop):
    """An entry on the Stripe account of which Stripe knows nothing."""
    items = [
        {"account_id": shop.stripe_account(), "debit": 5},
        {"account_id": shop.gateway("income_account_id"), "credit": 5},
    ]
    entry = shop.admin.create("account.move", line_ids=[(0, 0, i) for i in items])
    shop.admin.call("account.move", "action_post", [entry])
    yield
    shop.admin.call("account.move", "button_draft", [entry])
    shop.admin.call("account.move", "unlink", [entry])


def assert_died_often(what: str, times: int, fewest: int) -> None:
    """A test that kills no process proves nothing."""
    print(f"{what}: killed at {times} commits")
    assert times >= fewest
