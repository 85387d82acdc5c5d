"""Random histories: in each of them, the balance is the sum of its movements."""

import random

import pytest

from stripe_standin import contract
from stripe_standin.control_client import StandinError

from .conftest import new_charge

SETTINGS = {
    "currencies": ["usd", "eur"],
    "rates": {"eur": "1.0837", "gbp": "1.2711", "jpy": "0.00653"},
    "fee_tax_rate": "0.19",
}


class History:
    """A merchant's days, drawn from a seed."""

    def __init__(self, standin, client, seed):
        self.standin, self.client = standin, client
        self.random = random.Random(seed)
        self.charges, self.refunds, self.disputes, self.payouts = [], [], [], []

    def step(self):
        steps = [self.charge, self.charge, self.refund, self.end_refund, self.dispute]
        steps += [self.end_dispute, self.payout, self.end_payout, self.wait, self.fee]
        try:
            self.random.choice(steps)()
        except IndexError:
            return  # nothing there yet to do it with
        except StandinError as error:
            assert error.status == 400  # not possible at this moment

    def charge(self):
        currency = self.random.choice(["usd", "eur", "gbp", "jpy"])
        amount = self.random.randrange(500, 50_000)
        number = self.random.choice([None, None, "4000000000000077"])
        self.charges.append(
            new_charge(self.standin, self.client, amount, currency, number).id
        )

    def refund(self):
        outcome = self.random.choice(["succeeded", "pending", "insufficient_funds"])
        amount = self.random.choice([None, self.random.randrange(1, 300)])
        made = self.standin.refund(self.pick(self.charges), amount, outcome=outcome)
        self.refunds.append(made["id"])

    def end_refund(self):
        action = self.random.choice(["succeed", "fail", "cancel"])
        self.standin.change_refund(self.pick(self.refunds), action)

    def dispute(self):
        inquiry = self.random.random() < 0.3
        made = self.standin.dispute(self.pick(self.charges), inquiry=inquiry)
        self.disputes.append(made["id"])

    def end_dispute(self):
        actions = ["win", "lose", "respond", "reinstate", "escalate", "withdraw_again"]
        self.standin.change_dispute(
            self.pick(self.disputes), self.random.choice(actions)
        )

    def payout(self):
        currency = self.random.choice(["usd", "eur"])
        self.payouts.append(self.standin.payout(currency)["id"])

    def end_payout(self):
        action = self.random.choice(["pay", "pay", "fail", "cancel"])
        self.standin.change_payout(self.pick(self.payouts), action)

    def wait(self):
        self.standin.advance(self.random.randrange(86400))

    def fee(self):
        self.standin.create_balance_transaction(-self.random.randrange(1, 500))

    def pick(self, known):
        return self.random.choice(known)


@pytest.fixture(params=range(6))
def history(request, frozen, client):
    frozen.settings(**SETTINGS)
    drawn = History(frozen, client, request.param)
    for _ in range(60):
        drawn.step()
    return drawn


def test_ledger_of_a_random_history(history, frozen, client):
    listed = client.v1.balance_transactions.list(
        params={"limit": 100, "expand": ["data.source"]}
    )
    movements = list(listed.auto_paging_iter())
    assert len(movements) > 10
    check_balance(client, movements)
    check_sources(movements)
    check_payouts(client, history)
    for event in frozen.events():
        contract.check_answer(event["data"]["object"])


def check_balance(client, movements):
    balance = client.v1.balance.retrieve()
    for available, pending in zip(balance.available, balance.pending, strict=True):
        total = sum(bt.net for bt in movements if bt.currency == available.currency)
        assert available.amount + pending.amount == total


def check_sources(movements):
    for bt in movements:
        assert bt.net == bt.amount - bt.fee
        assert bt.fee == sum(detail.amount for detail in bt.fee_details)
        if bt.type != "stripe_fee":
            assert bt.source.id


def check_payouts(client, history):
    for payout_id in history.payouts:
        payout = client.v1.payouts.retrieve(payout_id)
        params = {"payout": payout_id, "limit": 100}
        parts = client.v1.balance_transactions.list(params=params).auto_paging_iter()
        nets = {bt.id: bt.net for bt in parts}
        assert nets.pop(payout.balance_transaction) == -payout.amount
        assert sum(nets.values()) == payout.amount
