"""Refunds in full, in part, in another currency, late and failed."""

import pytest
import stripe

from stripe_standin.control_client import StandinError

from .conftest import new_charge


@pytest.fixture
def charge(frozen, client):
    return new_charge(frozen, client)


def refund(client, charge, **params):
    return client.v1.refunds.create(params={"charge": charge.id, **params})


def movements(client, refund_id):
    found = client.v1.balance_transactions.list(params={"source": refund_id})
    return [(bt.type, bt.reporting_category, bt.net) for bt in found]


class TestCreate:
    def test_in_full_by_payment_intent(self, client, charge, frozen):
        made = client.v1.refunds.create(
            params={"payment_intent": charge.payment_intent, "metadata": {"a": "b"}}
        )
        assert (made.amount, made.status, made.charge) == (
            11000,
            "succeeded",
            charge.id,
        )
        assert movements(client, made.id) == [("refund", "refund", -11000)]
        assert client.v1.charges.retrieve(charge.id).refunded is True
        assert frozen.balance() == {"usd": -349}  # the fee is kept

    def test_in_parts(self, client, charge):
        refund(client, charge, amount=3000)
        refund(client, charge, amount=8000)
        after = client.v1.charges.retrieve(charge.id, params={"expand": ["refunds"]})
        assert (after.amount_refunded, after.refunded) == (11000, True)
        assert [part.amount for part in after.refunds] == [8000, 3000]
        listed = client.v1.refunds.list(params={"charge": charge.id})
        assert len(listed.data) == 2

    def test_events(self, client, charge, frozen):
        made = refund(client, charge, amount=1)
        types = [e["type"] for e in frozen.events() if "refund" in e["type"]]
        assert types == ["refund.created", "charge.refunded"]
        (event,) = frozen.events("refund.created")
        assert event["data"]["object"]["id"] == made.id
        assert event["request"]["id"].startswith("req_")

    def test_more_than_is_left(self, client, charge):
        refund(client, charge, amount=10000)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refund(client, charge, amount=1001)
        assert caught.value.user_message == (
            "Refund amount ($10.01) is greater than unrefunded amount on charge "
            "($10.00)"
        )
        assert caught.value.param == "amount"

    @pytest.mark.parametrize("amount", [0, -5])
    def test_not_a_positive_amount(self, client, charge, amount):
        with pytest.raises(stripe.InvalidRequestError, match="positive"):
            refund(client, charge, amount=amount)

    def test_twice(self, client, charge):
        refund(client, charge)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refund(client, charge)
        assert caught.value.code == "charge_already_refunded"

    def test_after_a_chargeback(self, client, charge, frozen):
        frozen.dispute(charge.id)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refund(client, charge)
        assert caught.value.code == "charge_disputed"

    def test_what_was_not_paid(self, client, frozen):
        pending = new_charge(frozen, client, number="debit")
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refund(client, pending)
        assert caught.value.code == "charge_not_refundable"
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.refunds.create(params={"payment_intent": pending.payment_intent})
        assert caught.value.code == "payment_intent_unexpected_state"

    def test_nothing_named(self, client, frozen):
        with pytest.raises(stripe.InvalidRequestError, match="One of the following"):
            client.v1.refunds.create(params={"amount": 1})

    def test_unknown_charge(self, client, frozen):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.refunds.create(params={"charge": "ch_none"})
        assert (caught.value.code, caught.value.param) == ("resource_missing", "charge")

    def test_in_another_currency_at_the_day_s_rate(self, client, frozen):
        frozen.settings(rates={"eur": "1.10"})
        charge = new_charge(frozen, client, 10000, "eur")
        frozen.settings(rates={"eur": "1.20"})
        made = refund(client, charge)
        assert (made.amount, made.currency) == (10000, "eur")
        assert movements(client, made.id) == [("refund", "refund", -12000)]

    def test_of_a_bank_debit(self, client, frozen):
        charge = new_charge(frozen, client, number="debit")
        frozen.settle_debit(charge.id)
        made = refund(client, charge)
        assert made.id.startswith("pyr_")
        assert movements(client, made.id)[0][0] == "payment_refund"


class TestOutcomes:
    def test_failure_puts_the_money_back(self, client, charge, frozen):
        made = refund(client, charge, amount=3300)
        frozen.change_refund(made.id, "fail", reason="lost_or_stolen_card")
        failed = client.v1.refunds.retrieve(made.id)
        assert (failed.status, failed.failure_reason) == (
            "failed",
            "lost_or_stolen_card",
        )
        assert failed.failure_balance_transaction
        assert movements(client, made.id) == [
            ("refund_failure", "refund_failure", 3300),
            ("refund", "refund", -3300),
        ]
        assert client.v1.charges.retrieve(charge.id).amount_refunded == 0
        assert frozen.events("refund.failed")

    def test_pending_then_succeeded(self, client, charge, frozen):
        frozen.settings(refund_outcome="pending")
        made = refund(client, charge)
        assert (made.status, made.pending_reason) == ("pending", "processing")
        assert frozen.balance() == {"usd": -349}
        frozen.change_refund(made.id, "succeed")
        assert client.v1.refunds.retrieve(made.id).status == "succeeded"
        assert len(movements(client, made.id)) == 1
        (event,) = frozen.events("refund.updated")
        assert event["data"]["previous_attributes"] == {"status": "pending"}

    def test_waiting_for_funds_moves_no_money_yet(self, client, charge, frozen):
        frozen.settings(refund_outcome="insufficient_funds")
        made = refund(client, charge)
        assert made.pending_reason == "insufficient_funds"
        assert movements(client, made.id) == []
        frozen.change_refund(made.id, "succeed")
        assert movements(client, made.id) == [("refund", "refund", -11000)]

    def test_canceled(self, client, charge, frozen):
        frozen.settings(refund_outcome="requires_action")
        made = refund(client, charge)
        assert client.v1.refunds.cancel(made.id).status == "canceled"
        assert frozen.balance() == {"usd": 10651}
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.cancel(made.id)

    def test_test_cards_that_change_their_mind(self, client, frozen):
        fails = refund(client, new_charge(frozen, client, number="4000000000005126"))
        slow = refund(client, new_charge(frozen, client, number="4000000000007726"))
        assert (fails.status, slow.status) == ("succeeded", "pending")
        frozen.advance(10)
        assert client.v1.refunds.retrieve(fails.id).status == "failed"
        assert client.v1.refunds.retrieve(slow.id).status == "succeeded"

    def test_what_time_would_have_done_may_be_overtaken(self, client, frozen):
        charge = new_charge(frozen, client, number="4000000000007726")
        frozen.set_clock(frozen=False)
        made = refund(client, charge)
        frozen.change_refund(made.id, "fail")
        frozen.advance(60)
        assert client.v1.refunds.retrieve(made.id).status == "failed"

    def test_an_ended_refund_cannot_end_again(self, client, charge, frozen):
        made = refund(client, charge)
        with pytest.raises(StandinError, match="succeeded already"):
            frozen.change_refund(made.id, "succeed")
        frozen.change_refund(made.id, "fail")
        with pytest.raises(StandinError, match="failed already"):
            frozen.change_refund(made.id, "fail")


def test_in_the_dashboard(client, charge, frozen):
    made = frozen.refund(charge.id, 500, outcome="pending", reason="duplicate")
    assert (made["amount"], made["status"]) == (500, "pending")
    (event,) = frozen.events("refund.created")
    assert event["request"] == {"id": None, "idempotency_key": None}
    assert frozen.refund(charge.id, 100)["status"] == "succeeded"


def test_metadata_can_be_changed(client, charge, frozen):
    made = refund(client, charge, metadata={"a": "1", "b": "2"})
    changed = client.v1.refunds.update(
        made.id, params={"metadata": {"a": "", "c": "3"}}
    )
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
