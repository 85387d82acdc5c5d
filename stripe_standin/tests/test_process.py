"""The process, its clock, and many customers at once."""

import subprocess
import sys
import threading
import time
from email.utils import parsedate_to_datetime

import pytest

from stripe_standin.control_client import ROOT, Standin, StandinError

from .conftest import client_of, new_charge, new_session


def test_starts_on_a_free_port_and_stops():
    with Standin.start() as one, Standin.start() as two:
        assert one.url != two.url
        assert one.url.startswith("http://127.0.0.1:")
        assert client_of(one).v1.balance.retrieve().object == "balance"
    assert one.process.returncode is not None


def test_ends_with_the_process_that_started_it():
    standin = Standin.start()
    standin.process.stdin.close()
    assert standin.process.wait(10) == 0
    standin.process.stdout.close()


def test_a_taken_port_is_an_error(standin):
    port = standin.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "stripe_standin", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert "in use" in done.stderr


def test_refuses_a_speed_of_zero():
    command = [sys.executable, "-m", "stripe_standin", "--speed", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=30)
    assert done.returncode == 2


def test_answers_are_dated_by_the_clock_of_the_standin(standin):
    standin.reset(clock={"now": 1_790_000_000})
    answer = client_of(standin).v1.balance.retrieve()
    date = parsedate_to_datetime(answer.last_response.headers["Date"])
    assert 0 <= date.timestamp() - 1_790_000_000 < 5


def test_seeded_ids_repeat(standin):
    ids = []
    for _ in range(2):
        standin.reset(seed=7, clock={"now": 1_790_000_000, "frozen": True})
        charge = new_charge(standin, client_of(standin))
        ids.append((charge.id, charge.created))
    assert ids[0] == ids[1]


def test_ids_do_not_repeat_without_a_seed(standin):
    first = new_session(client_of(standin)).id
    standin.reset()
    assert new_session(client_of(standin)).id != first


def test_reset_forgets_everything(standin, client):
    standin.settings(merchant_name="Other", currencies=["eur"])
    standin.api_fault("status", status=500)
    standin.hold()
    standin.set_clock(now=1, frozen=True)
    state = standin.reset()
    assert state["settings"]["merchant_name"] == "Standin Merchant"
    assert abs(state["clock"]["now"] - time.time()) < 5
    assert standin.counts() == {"requests": 0, "deliveries": 0}
    new_session(client)
    standin.expire(client.v1.checkout.sessions.list().data[0].id)
    assert standin.idle()


class TestClock:
    def test_runs_from_where_it_is_set(self, standin, client):
        standin.set_clock(now=1_798_761_590)
        assert 0 <= new_session(client).created - 1_798_761_590 < 5
        standin.advance(3600)
        assert 0 <= new_session(client).created - 1_798_765_190 < 5

    def test_stands_still_when_frozen(self, standin, client):
        standin.set_clock(now=1_798_761_599, frozen=True)
        created = [new_charge(standin, client).created for _ in range(2)]
        assert created == [1_798_761_599] * 2
        standin.set_clock(frozen=False)
        assert standin.clock()["frozen"] is False


class TestMistakes:
    @pytest.mark.parametrize(
        "call",
        [
            lambda standin: standin.settings(bogus=1),
            lambda standin: standin.pay("cs_test_none"),
            lambda standin: standin.api_fault("bogus"),
            lambda standin: standin.delivery_faults(bogus=1),
            lambda standin: standin.settle_debit("py_none"),
            lambda standin: standin.change_payout("po_none", "pay"),
            lambda standin: standin.refund("ch_none"),
            lambda standin: standin.create_balance_transaction(1, source="ch_none"),
        ],
    )
    def test_are_refused_with_a_reason(self, standin, call):
        with pytest.raises(StandinError, match="error") as caught:
            call(standin)
        assert caught.value.status == 400

    def test_an_unpayable_session(self, standin, client):
        session = new_session(client)
        standin.pay(session.id)
        with pytest.raises(StandinError, match="complete"):
            standin.pay(session.id)


def test_twenty_customers_at_once(standin, client):
    def pay():
        standin.pay(new_session(client).id)

    customers = [threading.Thread(target=pay) for _ in range(20)]
    for customer in customers:
        customer.start()
    for customer in customers:
        customer.join()
    standin.release()
    assert standin.balance() == {"usd": 20 * 10651}
    assert standin.counts()["balance_transaction"] == 20


def test_one_session_is_paid_once(standin, client):
    session = new_session(client)
    outcomes = []

    def pay():
        try:
            outcomes.append(standin.pay(session.id)["charge"]["status"])
        except StandinError:
            outcomes.append("refused")

    customers = [threading.Thread(target=pay) for _ in range(5)]
    for customer in customers:
        customer.start()
    for customer in customers:
        customer.join()
    assert sorted(outcomes) == ["refused"] * 4 + ["succeeded"]
