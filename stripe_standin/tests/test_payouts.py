"""Payouts, automatic and manual, that arrive or do not."""

import pytest
import stripe

from stripe_standin.control_client import StandinError

from .conftest import new_charge


@pytest.fixture
def charges(frozen, client):
    return [new_charge(frozen, client, amount) for amount in (11000, 5000)]


def of_payout(client, payout_id):
    listed = client.v1.balance_transactions.list(params={"payout": payout_id})
    return list(listed.auto_paging_iter())


class TestAutomatic:
    def test_takes_all_and_is_itemized(self, client, charges, frozen):
        client.v1.refunds.create(params={"charge": charges[0].id, "amount": 1000})
        made = frozen.payout()
        payout = client.v1.payouts.retrieve(made["id"])
        assert payout.amount == 10651 + 4825 - 1000
        assert payout.automatic is True
        parts = of_payout(client, payout.id)
        own = [bt for bt in parts if bt.type == "payout"]
        assert [bt.net for bt in own] == [-payout.amount]
        assert own[0].id == payout.balance_transaction
        assert sum(bt.net for bt in parts if bt.type != "payout") == payout.amount
        assert frozen.balance() == {"usd": 0}

    def test_goes_to_the_bank_account_of_its_currency(self, client, charges, frozen):
        account = client.v1.accounts.retrieve_current()
        banks = {bank.currency: bank.id for bank in account.external_accounts}
        assert frozen.payout()["destination"] == banks["usd"]

    def test_nothing_is_paid_out_twice(self, client, charges, frozen):
        frozen.payout()
        with pytest.raises(StandinError, match="nothing to pay out"):
            frozen.payout()
        new_charge(frozen, client, 2000)
        assert frozen.payout()["amount"] == 2000 - 88

    def test_only_available_money_unless_asked_for_more(self, client, charges, frozen):
        with pytest.raises(StandinError, match="nothing to pay out"):
            frozen.payout(pending_too=False)
        frozen.advance(2 * 86400)
        assert frozen.payout(pending_too=False)["amount"] == 15476

    def test_events_until_it_arrives(self, client, charges, frozen):
        made = frozen.payout()
        frozen.advance(10)
        frozen.change_payout(made["id"], "send")
        frozen.change_payout(made["id"], "pay")
        types = [e["type"] for e in frozen.events() if e["type"].startswith("payout")]
        assert types == [
            "payout.created",
            "payout.reconciliation_completed",
            "payout.updated",
            "payout.updated",
            "payout.paid",
        ]
        payout = client.v1.payouts.retrieve(made["id"])
        assert (payout.status, payout.reconciliation_status) == ("paid", "completed")
        assert payout.trace_id.value

    def test_arrives_by_itself(self, client, charges, frozen):
        made = frozen.payout()
        frozen.set_clock(now=made["arrival_date"])
        assert client.v1.payouts.retrieve(made["id"]).status == "paid"

    def test_fails_after_it_was_paid(self, client, charges, frozen):
        made = frozen.payout()
        frozen.change_payout(made["id"], "pay")
        frozen.change_payout(made["id"], "fail", code="account_closed")
        payout = client.v1.payouts.retrieve(
            made["id"], params={"expand": ["failure_balance_transaction"]}
        )
        assert (payout.status, payout.failure_code) == ("failed", "account_closed")
        back = payout.failure_balance_transaction
        assert (back.type, back.reporting_category) == (
            "payout_failure",
            "payout_reversal",
        )
        assert frozen.balance() == {"usd": payout.amount}
        assert frozen.payout()["amount"] == payout.amount

    @pytest.mark.parametrize("end", ["fail", "cancel"])
    def test_never_sent_again_once_it_came_back(self, client, charges, frozen, end):
        made = frozen.payout()
        frozen.change_payout(made["id"], end)
        for action in ("send", "pay"):
            with pytest.raises(StandinError, match="already"):
                frozen.change_payout(made["id"], action)
        frozen.set_clock(now=made["arrival_date"])
        payout = client.v1.payouts.retrieve(made["id"])
        assert payout.status in ("failed", "canceled")

    def test_negative_when_the_balance_is(self, client, charges, frozen):
        frozen.payout()
        frozen.dispute(charges[0].id)
        made = frozen.payout()
        assert made["amount"] == -12500
        assert frozen.balance() == {"usd": 0}

    def test_one_currency_at_a_time(self, client, frozen):
        frozen.settings(currencies=["usd", "eur"])
        new_charge(frozen, client, 10000, "eur")
        new_charge(frozen, client, 10000, "usd")
        made = frozen.payout("eur")
        assert made["amount"] == 10000 - 315
        assert frozen.balance() == {"usd": 10000 - 320, "eur": 0}

    def test_forints_in_hundreds(self, client, frozen):
        frozen.settings(currencies=["huf"], fee_fixed={"huf": 8500})
        new_charge(frozen, client, 1_000_050, "huf")
        made = frozen.payout()
        assert made["amount"] == 962_500
        assert frozen.balance() == {"huf": 49}


class TestManual:
    def create(self, client, **params):
        return client.v1.payouts.create(params={"currency": "usd", **params})

    def test_from_the_available_balance(self, client, charges, frozen):
        frozen.advance(2 * 86400)
        payout = self.create(client, amount=4000, metadata={"a": "b"})
        assert (payout.automatic, payout.status) == (False, "pending")
        assert payout.reconciliation_status == "not_applicable"
        assert frozen.balance() == {"usd": 15476 - 4000}
        with pytest.raises(stripe.InvalidRequestError, match="automatic transfers"):
            of_payout(client, payout.id)

    def test_not_more_than_there_is(self, client, charges, frozen):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            self.create(client, amount=1)
        assert caught.value.code == "balance_insufficient"

    @pytest.mark.parametrize(
        ("params", "param"),
        [({"amount": 0}, "amount"), ({"amount": 1, "currency": "eur"}, "currency")],
    )
    def test_refusals(self, client, frozen, params, param):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            self.create(client, **params)
        assert caught.value.param == param

    def test_canceled(self, client, charges, frozen):
        frozen.advance(2 * 86400)
        payout = self.create(client, amount=4000)
        assert client.v1.payouts.cancel(payout.id).status == "canceled"
        assert frozen.balance() == {"usd": 15476}
        assert frozen.events("payout.canceled")
        with pytest.raises(stripe.InvalidRequestError, match="pending"):
            client.v1.payouts.cancel(payout.id)

    def test_instant_ones_cost_a_fee(self, client, charges, frozen):
        frozen.advance(2 * 86400)
        payout = self.create(client, amount=4000, method="instant")
        bt = client.v1.balance_transactions.retrieve(payout.balance_transaction)
        assert (bt.amount, bt.fee, bt.net) == (-4000, 40, -4040)


def test_list_filters(client, charges, frozen):
    made = frozen.payout()
    arrival = made["arrival_date"]
    find = client.v1.payouts.list
    assert [p.id for p in find(params={"status": "pending"})] == [made["id"]]
    assert find(params={"status": "paid"}).data == []
    assert len(find(params={"arrival_date": arrival}).data) == 1
    assert find(params={"arrival_date": {"gt": arrival}}).data == []
