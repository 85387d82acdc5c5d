"""Charges, their balance transactions and fees, and the balance."""

import pytest
import stripe

from .conftest import eventually, new_charge, new_session


def bt_of(client, charge_id):
    charge = client.v1.charges.retrieve(
        charge_id, params={"expand": ["balance_transaction"]}
    )
    return charge.balance_transaction


class TestBalanceTransaction:
    def test_comes_after_the_charge(self, client, standin):
        charge = standin.pay(new_session(client).id)["charge"]
        assert charge["balance_transaction"] is None
        bt = eventually(lambda: bt_of(client, charge["id"]))
        assert (bt.amount, bt.fee, bt.net) == (11000, 349, 10651)
        assert (bt.type, bt.reporting_category) == ("charge", "charge")
        assert bt.source == charge["id"]
        assert bt.exchange_rate is None

    def test_is_reported_by_charge_updated(self, client, frozen):
        charge = new_charge(frozen, client)
        succeeded, *_, updated = [
            e for e in frozen.events() if e["type"].startswith("charge.")
        ]
        assert succeeded["data"]["object"]["balance_transaction"] is None
        assert updated["type"] == "charge.updated"
        bt_id = updated["data"]["object"]["balance_transaction"]
        assert bt_id == charge.balance_transaction
        assert updated["data"]["previous_attributes"] == {"balance_transaction": None}

    def test_can_be_held_back_and_released(self, client, frozen):
        frozen.settings(balance_transactions="held")
        charge = new_charge(frozen, client)
        other = new_charge(frozen, client)
        assert charge.balance_transaction is None
        assert frozen.balance() == {"usd": 0}
        frozen.release(charge.id)
        assert frozen.balance() == {"usd": 10651}
        assert [c["id"] for c in frozen.release()] == [other.id]
        assert frozen.release() == []

    def test_fee_parts_by_currency_and_tax(self, client, frozen):
        frozen.settings(
            currencies=["eur"], fee_rate="0.015", fee_tax_rate="0.19", country="DE"
        )
        bt = bt_of(client, new_charge(frozen, client, 10000, "eur").id)
        assert [(d.type, d.amount) for d in bt.fee_details] == [
            ("stripe_fee", 175),
            ("tax", 33),
        ]
        assert bt.fee == 208

    def test_available_after_two_days(self, client, frozen):
        new_charge(frozen, client)
        balance = client.v1.balance.retrieve()
        assert (balance.available[0].amount, balance.pending[0].amount) == (0, 10651)
        frozen.advance(2 * 86400)
        balance = client.v1.balance.retrieve()
        assert (balance.available[0].amount, balance.pending[0].amount) == (10651, 0)
        (bt,) = client.v1.balance_transactions.list().data
        assert bt.status == "available"
        assert len(frozen.events("balance.available")) == 1

    def test_available_at_once_for_the_card_that_says_so(self, client, frozen):
        new_charge(frozen, client, number="4000000000000077")
        assert client.v1.balance.retrieve().available[0].amount == 10651


class TestCurrencies:
    def test_conversion_at_a_set_rate(self, client, frozen):
        frozen.settings(rates={"eur": "1.0823"})
        bt = bt_of(client, new_charge(frozen, client, 11000, "eur").id)
        assert (bt.amount, bt.currency, bt.exchange_rate) == (11905, "usd", 1.0823)
        assert bt.fee == 375

    def test_own_balance_per_settlement_currency(self, client, frozen):
        frozen.settings(currencies=["usd", "eur"])
        bt = bt_of(client, new_charge(frozen, client, 11000, "eur").id)
        assert (bt.amount, bt.currency, bt.exchange_rate) == (11000, "eur", None)
        assert frozen.balance() == {"usd": 0, "eur": 11000 - 344}

    @pytest.mark.parametrize(
        ("amount", "currency", "rate", "dollars"),
        [
            (5000, "jpy", "0.0065", 3250),
            (12340, "kwd", "3.25", 4011),
            (500_00, "isk", "0.0072", 360),
            (500_000_00, "ugx", "0.00027", 13500),
        ],
    )
    def test_zero_and_three_decimals(
        self, client, frozen, amount, currency, rate, dollars
    ):
        frozen.settings(rates={currency: rate})
        bt = bt_of(client, new_charge(frozen, client, amount, currency).id)
        assert bt.amount == dollars


class TestDebits:
    def pay(self, client, standin, **settings):
        standin.settings(**settings)
        session = new_session(client)
        standin.pay(session.id, number="debit")
        return session.id

    def test_success_after_days(self, client, frozen):
        session_id = self.pay(client, frozen)
        assert frozen.balance() == {"usd": 0}
        charge = frozen.settle_debit(session_id)
        assert charge["id"].startswith("py_")
        session = client.v1.checkout.sessions.retrieve(session_id)
        assert session.payment_status == "paid"
        assert bt_of(client, charge["id"]).type == "payment"
        types = [event["type"] for event in frozen.events()]
        assert types[-4:-1] == [
            "charge.succeeded",
            "payment_intent.succeeded",
            "checkout.session.async_payment_succeeded",
        ]

    def test_failure_after_days(self, client, frozen):
        session_id = self.pay(client, frozen)
        frozen.fail_debit(session_id)
        session = client.v1.checkout.sessions.retrieve(
            session_id, params={"expand": ["payment_intent.latest_charge"]}
        )
        assert (session.status, session.payment_status) == ("complete", "unpaid")
        assert session.payment_intent.status == "requires_payment_method"
        assert session.payment_intent.latest_charge.status == "failed"
        assert frozen.events("checkout.session.async_payment_failed")
        assert frozen.counts().get("balance_transaction") is None

    def test_entered_at_once_and_taken_back(self, client, frozen):
        session_id = self.pay(client, frozen, debit_balance_transaction="at_once")
        assert frozen.balance() == {"usd": 10651}
        frozen.fail_debit(session_id)
        back, entered = client.v1.balance_transactions.list().data
        assert (back.type, back.amount) == ("payment_failure_refund", -11000)
        assert entered.amount == 11000

    def test_entered_at_once_and_settled_is_entered_once(self, client, frozen):
        session_id = self.pay(client, frozen, debit_balance_transaction="at_once")
        frozen.settle_debit(session_id)
        assert frozen.balance() == {"usd": 10651}


def test_charges_of_other_software_carry_nothing_of_ours(client, frozen):
    made = frozen.create_charge(5000, description="Shop order 7")
    charge = client.v1.charges.retrieve(made["id"])
    assert charge.payment_intent is None
    assert charge.metadata.to_dict() == {}
    assert frozen.balance() == {"usd": 5000 - 175}


def test_metadata_of_the_payment_intent_reaches_the_charge(client, frozen):
    data = {"metadata": {"attempt": "u1"}, "description": "Membership"}
    charge = new_charge(frozen, client, payment_intent_data=data)
    assert charge.metadata.attempt == "u1"
    assert charge.description == "Membership"


def test_money_that_moves_by_itself(client, frozen):
    frozen.create_balance_transaction(-500, description="Radar")
    frozen.create_balance_transaction(9000, type="topup", category="topup")
    assert frozen.balance() == {"usd": 8500}
    fee = client.v1.balance_transactions.list(params={"type": "stripe_fee"}).data[0]
    assert (fee.amount, fee.source, fee.reporting_category) == (-500, None, "fee")


class TestDirectPayments:
    def pay(self, client, **params):
        direct = {"amount": 5000, "currency": "usd", "confirm": True}
        return client.v1.payment_intents.create(
            params={**direct, "payment_method": "pm_card_visa", **params}
        )

    def test_confirmed_at_once(self, client, frozen):
        intent = self.pay(client, metadata={"of": "others"})
        assert intent.status == "succeeded"
        assert intent.metadata.of == "others"
        charge = client.v1.charges.retrieve(intent.latest_charge)
        assert (charge.paid, charge.amount) == (True, 5000)
        assert charge.balance_transaction
        sessions = client.v1.checkout.sessions.list(
            params={"payment_intent": intent.id}
        )
        assert sessions.data == []

    def test_disputed_soon(self, client, frozen):
        intent = self.pay(client, payment_method="pm_card_createDispute")
        (dispute,) = client.v1.disputes.list().data
        assert dispute.payment_intent == intent.id

    @pytest.mark.parametrize(
        ("params", "param"),
        [
            ({"confirm": False}, "confirm"),
            ({"payment_method": "pm_card_mastercard"}, "payment_method"),
            ({"capture_method": "manual"}, "capture_method"),
        ],
    )
    def test_it_says_what_it_cannot_do(self, client, params, param):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            self.pay(client, **params)
        assert caught.value.code == "standin_not_modeled"
        assert caught.value.param == param
