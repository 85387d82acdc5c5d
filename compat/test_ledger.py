"""Entries beside OCA's reconciliation widget and other countries' accounting."""

import pytest

from tools.rpc import OdooError


@pytest.fixture
def charge_line(place):
    """The statement line of the payment's charge; other tests make more of them."""
    domain = [("kind", "=", "charge"), ("gateway_id", "=", place.shop.gateway_id)]
    (row,) = place.admin.rows("checkout.movement", domain, ["statement_line_id"])
    return row["statement_line_id"][0]


@pytest.fixture
def ledger_stays(place):
    """What is in the ledger before a test is there, and nothing else, after it."""
    before = place.items()
    yield
    assert place.items() == before
    assert place.problems() == []


def test_a_payment_is_posted_as_it_is_alone(place):
    amounts = sorted(item["debit"] - item["credit"] for item in place.items())
    assert amounts == [-100, -10, -3.49, 3.49, 110]
    assert place.problems() == []


def test_nothing_is_left_to_reconcile(place, charge_line):
    (row,) = place.admin.rows(
        "account.bank.statement.line", [("id", "=", charge_line)], ["is_reconciled"]
    )
    assert row["is_reconciled"]


@pytest.mark.usefixtures("ledger_stays")
class TestWidgetOfOca:
    @pytest.mark.parametrize(
        "undo", ["unreconcile_bank_line", "action_undo_reconciliation"]
    )
    def test_a_charge_cannot_be_unreconciled(self, place, charge_line, undo):
        with pytest.raises(OdooError, match="refund the payment"):
            place.admin.call("account.bank.statement.line", undo, [charge_line])

    @pytest.mark.parametrize("mode", ["edit", "keep"])
    def test_a_charge_cannot_be_reconciled_again(self, place, charge_line, mode):
        journal_id = place.admin.read(
            "checkout.gateway", place.shop.gateway_id, "journal_id"
        )
        place.admin.write("account.journal", journal_id, reconcile_mode=mode)
        with pytest.raises(OdooError):
            place.admin.call(
                "account.bank.statement.line", "reconcile_bank_line", [charge_line]
            )

    def test_looking_at_it_changes_nothing(self, place, charge_line):
        place.admin.call(
            "account.bank.statement.line", "clean_reconcile", [charge_line]
        )
