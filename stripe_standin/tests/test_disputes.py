"""Disputes from the first letter of the bank to the last."""

import pytest
import stripe

from stripe_standin.control_client import StandinError

from .conftest import eventually, new_charge


@pytest.fixture
def charge(frozen, client):
    return new_charge(frozen, client)


def nets(client, dispute_id):
    dispute = client.v1.disputes.retrieve(dispute_id)
    return [(bt.reporting_category, bt.net) for bt in dispute.balance_transactions]


def types(standin):
    names = [event["type"] for event in standin.events()]
    prefix = "charge.dispute."
    return [n.removeprefix(prefix) for n in names if n.startswith(prefix)]


def test_opened(client, charge, frozen):
    made = frozen.dispute(charge.id, reason="product_not_received")
    dispute = client.v1.disputes.retrieve(made["id"])
    assert (dispute.amount, dispute.status) == (11000, "needs_response")
    assert dispute.reason == "product_not_received"
    assert dispute.payment_intent == charge.payment_intent
    assert dispute.evidence_details.due_by > dispute.created
    (bt,) = dispute.balance_transactions
    assert (bt.type, bt.amount, bt.fee, bt.net) == ("adjustment", -11000, 1500, -12500)
    assert bt.source == dispute.id
    assert types(frozen) == ["created", "funds_withdrawn"]
    assert client.v1.charges.retrieve(charge.id).disputed is True
    assert frozen.balance() == {"usd": 10651 - 12500}


def test_a_part_only(client, charge, frozen):
    made = frozen.dispute(charge.id, amount=4000)
    assert nets(client, made["id"]) == [("dispute", -5500)]


def test_won(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "win")
    assert client.v1.disputes.retrieve(made["id"]).status == "won"
    assert nets(client, made["id"]) == [
        ("dispute", -12500),
        ("dispute_reversal", 11000),
    ]
    assert types(frozen)[-2:] == ["funds_reinstated", "closed"]


def test_part_of_the_money_is_returned(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "reinstate", amount=4000)
    assert nets(client, made["id"])[-1] == ("dispute_reversal", 4000)


def test_prevented(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "prevent")
    assert client.v1.disputes.retrieve(made["id"]).status == "prevented"
    assert types(frozen)[-1] == "closed"


def test_won_with_the_fee_returned(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "win", returned_fee=1500)
    assert nets(client, made["id"])[1] == ("dispute_reversal", 12500)


def test_lost(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "lose")
    assert client.v1.disputes.retrieve(made["id"]).status == "lost"
    assert nets(client, made["id"]) == [("dispute", -12500)]
    assert types(frozen)[-1] == "closed"


def test_inquiry_moves_no_money(client, charge, frozen):
    made = frozen.dispute(charge.id, inquiry=True)
    assert made["status"] == "warning_needs_response"
    frozen.change_dispute(made["id"], "close_inquiry")
    assert client.v1.disputes.retrieve(made["id"]).status == "warning_closed"
    assert nets(client, made["id"]) == []
    assert types(frozen) == ["created", "closed"]


def test_inquiry_that_escalates(client, charge, frozen):
    made = frozen.dispute(charge.id, inquiry=True)
    frozen.change_dispute(made["id"], "escalate")
    assert client.v1.disputes.retrieve(made["id"]).status == "needs_response"
    assert nets(client, made["id"]) == [("dispute", -12500)]


def test_reinstated_is_not_won(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "reinstate")
    assert client.v1.disputes.retrieve(made["id"]).status == "needs_response"
    frozen.change_dispute(made["id"], "withdraw_again")
    frozen.change_dispute(made["id"], "lose")
    assert [net for _, net in nets(client, made["id"])] == [-12500, 11000, -11000]


def test_money_comes_back_only_once(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.change_dispute(made["id"], "win")
    with pytest.raises(StandinError, match="no money was withdrawn"):
        frozen.change_dispute(made["id"], "win")


def test_further_movements_of_a_dispute(client, charge, frozen):
    made = frozen.dispute(charge.id)
    frozen.create_balance_transaction(
        -1500, source=made["id"], description="Dispute countered fee"
    )
    found = client.v1.balance_transactions.list(params={"source": made["id"]})
    assert [bt.net for bt in found] == [-1500, -12500]


def test_in_another_currency(client, frozen):
    frozen.settings(rates={"eur": "1.10"})
    charge = new_charge(frozen, client, 10000, "eur")
    frozen.settings(rates={"eur": "1.20"})
    made = frozen.dispute(charge.id)
    assert (made["amount"], made["currency"]) == (10000, "eur")
    assert nets(client, made["id"]) == [("dispute", -13500)]
    frozen.change_dispute(made["id"], "win")
    assert nets(client, made["id"])[1] == ("dispute_reversal", 12000)


def test_evidence(client, charge, frozen):
    made = frozen.dispute(charge.id)
    draft = client.v1.disputes.update(
        made["id"], params={"evidence": {"customer_name": "Paula"}, "submit": False}
    )
    assert draft.status == "needs_response"
    sent = client.v1.disputes.update(
        made["id"], params={"evidence": {"uncategorized_text": "She got it."}}
    )
    assert sent.status == "under_review"
    assert sent.evidence.customer_name == "Paula"
    assert sent.evidence_details.submission_count == 1


def test_given_in(client, charge, frozen):
    made = frozen.dispute(charge.id)
    assert client.v1.disputes.close(made["id"]).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.close(made["id"])


def test_test_card_that_is_disputed(client, standin):
    charge = new_charge(standin, client, number="4000000000000259")
    listed = eventually(
        lambda: client.v1.disputes.list(params={"charge": charge.id}).data
    )
    assert [dispute.status for dispute in listed] == ["needs_response"]
