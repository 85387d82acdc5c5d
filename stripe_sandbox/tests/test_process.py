"""The process, its clock, and many customers at once."""

import subprocess
import sys
import threading
import time
from email.utils import parsedate_to_datetime

import pytest

from stripe_sandbox.control_client import ROOT, Sandbox, SandboxError

from .conftest import client_of, new_charge, new_session


def test_starts_on_a_free_port_and_stops():
    with Sandbox.start() as one, Sandbox.start() as two:
        assert one.url != two.url
        assert one.url.startswith("http://127.0.0.1:")
        assert client_of(one).v1.balance.retrieve().object == "balance"
    assert one.process.returncode is not None


def test_ends_with_the_process_that_started_it():
    sandbox = Sandbox.start()
    sandbox.process.stdin.close()
    assert sandbox.process.wait(10) == 0
    sandbox.process.stdout.close()


def test_a_taken_port_is_an_error(sandbox):
    port = sandbox.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "stripe_sandbox", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert "in use" in done.stderr


def test_refuses_a_speed_of_nothing():
    command = [sys.executable, "-m", "stripe_sandbox", "--speed", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=30)
    assert done.returncode == 2


def test_answers_are_dated_by_the_clock_of_the_sandbox(sandbox):
    sandbox.reset(clock={"now": 1_790_000_000})
    answer = client_of(sandbox).v1.balance.retrieve()
    date = parsedate_to_datetime(answer.last_response.headers["Date"])
    assert 0 <= date.timestamp() - 1_790_000_000 < 5


def test_seeded_ids_repeat(sandbox):
    ids = []
    for _ in range(2):
        sandbox.reset(seed=7, clock={"now": 1_790_000_000, "frozen": True})
        charge = new_charge(sandbox, client_of(sandbox))
        ids.append((charge.id, charge.created))
    assert ids[0] == ids[1]


def test_ids_do_not_repeat_without_a_seed(sandbox):
    first = new_session(client_of(sandbox)).id
    sandbox.reset()
    assert new_session(client_of(sandbox)).id != first


def test_reset_forgets_everything(sandbox, client):
    sandbox.settings(merchant_name="Other", currencies=["eur"])
    sandbox.api_fault("status", status=500)
    sandbox.hold()
    sandbox.set_clock(now=1, frozen=True)
    state = sandbox.reset()
    assert state["settings"]["merchant_name"] == "Sandbox Merchant"
    assert abs(state["clock"]["now"] - time.time()) < 5
    assert sandbox.counts() == {"requests": 0, "deliveries": 0}
    new_session(client)
    sandbox.expire(client.v1.checkout.sessions.list().data[0].id)
    assert sandbox.idle()


class TestClock:
    def test_runs_from_where_it_is_set(self, sandbox, client):
        sandbox.set_clock(now=1_798_761_590)
        assert 0 <= new_session(client).created - 1_798_761_590 < 5
        sandbox.advance(3600)
        assert 0 <= new_session(client).created - 1_798_765_190 < 5

    def test_stands_still_when_frozen(self, sandbox, client):
        sandbox.set_clock(now=1_798_761_599, frozen=True)
        created = [new_charge(sandbox, client).created for _ in range(2)]
        assert created == [1_798_761_599] * 2
        sandbox.set_clock(frozen=False)
        assert sandbox.clock()["frozen"] is False


class TestMistakes:
    @pytest.mark.parametrize(
        "call",
        [
            lambda sandbox: sandbox.settings(bogus=1),
            lambda sandbox: sandbox.pay("cs_test_none"),
            lambda sandbox: sandbox.api_fault("bogus"),
            lambda sandbox: sandbox.delivery_faults(bogus=1),
            lambda sandbox: sandbox.settle_debit("py_none"),
            lambda sandbox: sandbox.change_payout("po_none", "pay"),
            lambda sandbox: sandbox.refund("ch_none"),
            lambda sandbox: sandbox.create_balance_transaction(1, source="ch_none"),
        ],
    )
    def test_are_refused_with_a_reason(self, sandbox, call):
        with pytest.raises(SandboxError, match="error") as caught:
            call(sandbox)
        assert caught.value.status == 400

    def test_an_unpayable_session(self, sandbox, client):
        session = new_session(client)
        sandbox.pay(session.id)
        with pytest.raises(SandboxError, match="complete"):
            sandbox.pay(session.id)


def test_twenty_customers_at_once(sandbox, client):
    def pay():
        sandbox.pay(new_session(client).id)

    customers = [threading.Thread(target=pay) for _ in range(20)]
    for customer in customers:
        customer.start()
    for customer in customers:
        customer.join()
    sandbox.release()
    assert sandbox.balance() == {"usd": 20 * 10651}
    assert sandbox.counts()["balance_transaction"] == 20


def test_one_session_is_paid_once(sandbox, client):
    session = new_session(client)
    outcomes = []

    def pay():
        try:
            outcomes.append(sandbox.pay(session.id)["charge"]["status"])
        except SandboxError:
            outcomes.append("refused")

    customers = [threading.Thread(target=pay) for _ in range(5)]
    for customer in customers:
        customer.start()
    for customer in customers:
        customer.join()
    assert sorted(outcomes) == ["refused"] * 4 + ["succeeded"]
