"""Charges, refunds, disputes, payouts, balance transactions, events."""

import time
from itertools import islice
from uuid import uuid4

import pytest

from .client import StripeError, const, kinds
from .sides import eventually

HOUR = 3600


class TestCharge:
    def test_its_balance_transaction_adds_up(self, charge):
        transaction = charge["balance_transaction"]
        assert transaction["net"] == transaction["amount"] - transaction["fee"]
        details = transaction["fee_details"]
        assert transaction["fee"] == sum(detail["amount"] for detail in details)
        assert kinds.KIND_BY_CATEGORY[transaction["reporting_category"]] == "charge"
        assert transaction["source"] == charge["id"]

    def test_in_its_own_currency_nothing_is_converted(self, side, charge):
        transaction = charge["balance_transaction"]
        assert (transaction["currency"], transaction["amount"]) == (side.currency, 5000)
        assert transaction["exchange_rate"] is None

    def test_its_intent_is_expanded(self, charge):
        assert charge["payment_intent"]["latest_charge"] == charge["id"]

    def test_money_of_others_has_no_session(self, client, charge):
        assert client.list_sessions_of_intent(charge["payment_intent"]["id"]) == []

    def test_nothing_was_given_back_or_disputed(self, client, charge):
        assert client.list_refunds(charge["id"]) == []
        assert client.list_disputes(charge["id"]) == []


class TestRefund:
    def test_a_part_of_it(self, client, fresh_charge):
        refund = client.create_refund(
            {"charge": fresh_charge["id"], "amount": 2000}, str(uuid4())
        )
        assert refund["status"] in ("succeeded", "pending")
        transaction = refund["balance_transaction"]
        assert transaction["amount"] == -2000
        assert kinds.KIND_BY_CATEGORY[transaction["reporting_category"]] == "refund"
        listed = client.list_refunds(fresh_charge["id"])
        assert [each["id"] for each in listed] == [refund["id"]]
        assert client.retrieve_refund(refund["id"])["amount"] == 2000

    def test_repeated_it_is_one(self, client, fresh_charge):
        params, key = {"charge": fresh_charge["id"], "amount": 2000}, str(uuid4())
        first = client.create_refund(params, key)
        assert client.create_refund(params, key)["id"] == first["id"]
        assert len(client.list_refunds(fresh_charge["id"])) == 1

    def test_more_than_was_paid_is_refused(self, client, fresh_charge):
        error = _refusal(client, {"charge": fresh_charge["id"], "amount": 5001})
        assert error.reason == "refused"
        assert client.list_refunds(fresh_charge["id"]) == []

    def test_more_than_is_left_is_refused(self, client, fresh_charge):
        params = {"charge": fresh_charge["id"], "amount": 3000}
        client.create_refund(params, str(uuid4()))
        assert _refusal(client, params).reason == "refused"

    def test_all_of_it_only_once(self, client, fresh_charge):
        params = {"charge": fresh_charge["id"]}
        client.create_refund(params, str(uuid4()))
        assert _refusal(client, params).code == "charge_already_refunded"

    def test_metadata_and_reason_are_kept(self, client, fresh_charge):
        reasons = [reason for reason, _ in const.REFUND_REASONS]
        params = {"charge": fresh_charge["id"], "reason": reasons[0]}
        refund = client.create_refund({**params, "metadata": {"a": "b"}}, str(uuid4()))
        assert (refund["reason"], refund["metadata"]) == (reasons[0], {"a": "b"})


@pytest.fixture(scope="module")
def dispute(side, client):
    """A dispute whose money was taken back."""
    charge_id = side.charge(5000, "pm_card_createDispute")

    def read():
        disputes = client.list_disputes(charge_id)
        return disputes and disputes[0]["balance_transactions"] and disputes[0]

    return eventually(read)


class TestDispute:
    def test_the_money_and_the_fee_are_one_transaction(self, dispute):
        (transaction,) = dispute["balance_transactions"]
        assert kinds.KIND_BY_CATEGORY[transaction["reporting_category"]] == "dispute"
        assert transaction["amount"] == -dispute["amount"] == -5000
        assert transaction["net"] == transaction["amount"] - transaction["fee"]

    def test_it_waits_for_an_answer(self, dispute):
        assert dispute["status"] in const.RESPONSE_STATES
        assert dispute["evidence_details"]["due_by"] > time.time()

    def test_it_is_found_by_its_id(self, client, dispute):
        found = client.retrieve_dispute(dispute["id"])
        assert found["charge"] == dispute["charge"]


@pytest.mark.parametrize(
    ("call", "object_id"),
    [
        ("retrieve_charge", "ch_unknown"),
        ("retrieve_refund", "re_unknown"),
        ("retrieve_dispute", "du_unknown"),
        ("retrieve_payout", "po_unknown"),
    ],
)
def test_what_does_not_exist_is_missing(client, call, object_id):
    with pytest.raises(StripeError) as caught:
        getattr(client, call)(object_id)
    assert (caught.value.reason, caught.value.code) == ("missing", "resource_missing")


class TestBalanceTransactions:
    def test_newest_first_with_their_sources(self, client, charge):
        since = charge["balance_transaction"]["created"]
        rows = list(client.iter_balance_transactions(created={"gte": since}))
        assert _is_newest_first(rows)
        (row,) = (row for row in rows if row["source"]["id"] == charge["id"])
        assert row["id"] == charge["balance_transaction"]["id"]
        assert row["source"]["object"] == "charge"

    def test_not_those_before(self, client, charge):
        since = charge["balance_transaction"]["created"] + HOUR
        assert not list(client.iter_balance_transactions(created={"gte": since}))

    def test_page_by_page_none_is_lost(self, client, charge, fresh_charge):
        since = {"gte": charge["balance_transaction"]["created"]}
        whole = client.iter_balance_transactions(created=since)
        paged = client.iter_balance_transactions(created=since, limit=1)
        expected = [row["id"] for row in islice(whole, 5)]
        assert [row["id"] for row in islice(paged, 5)] == expected
        assert len(expected) > 1


@pytest.fixture(scope="module")
def expired(client, new_session):
    """A session whose end Stripe has reported."""
    session = client.expire_session(new_session()["id"])

    def reported():
        return session["id"] in _ids_of(client, "checkout.session.expired")

    eventually(reported)
    return session


class TestEvents:
    def test_they_carry_the_object_and_its_mode(self, client, expired):
        event = next(client.iter_events(["checkout.session.expired"], _an_hour_ago()))
        assert event["id"].startswith("evt_")
        assert event["livemode"] is False
        assert event["data"]["object"]["object"] == "checkout.session"

    def test_only_of_the_types_asked_for(self, client, expired, charge):
        types = {e["type"] for e in client.iter_events(["charge.succeeded"], 0)}
        assert types == {"charge.succeeded"}

    def test_all_our_types_at_once_newest_first(self, client, expired, charge):
        events = islice(client.iter_events(const.HANDLED_EVENTS, _an_hour_ago()), 300)
        events = list(events)
        assert _is_newest_first(events)
        seen = {event["type"] for event in events}
        assert {"checkout.session.expired", "charge.succeeded"} <= seen

    def test_not_those_before(self, client, expired):
        types = ["checkout.session.expired"]
        assert not list(client.iter_events(types, int(time.time()) + HOUR))


def _ids_of(client, event_type):
    events = client.iter_events([event_type], _an_hour_ago())
    return {event["data"]["object"]["id"] for event in events}


def _an_hour_ago():
    return int(time.time()) - HOUR


def _is_newest_first(rows):
    created = [row["created"] for row in rows]
    return created == sorted(created, reverse=True)


def _refusal(client, params):
    with pytest.raises(StripeError) as caught:
        client.create_refund(params, str(uuid4()))
    return caught.value
