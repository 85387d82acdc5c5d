"""Checkout Sessions: what is made of our request, refusals, expiry, repetition."""

import time
from uuid import uuid4

import pytest

from .client import StripeError, const


@pytest.fixture(scope="module")
def open_session(new_session):
    """One without a payment."""
    return new_session()


class TestOpen:
    def test_it_has_a_page_and_waits(self, open_session):
        assert open_session["url"].startswith("http")
        assert open_session["status"] == "open"
        assert open_session["payment_status"] == "unpaid"
        assert open_session["livemode"] is False

    def test_no_intent_exists_before_the_payer_submits(self, open_session):
        assert open_session["payment_intent"] is None

    def test_amount_and_currency_are_ours(self, side, open_session):
        assert open_session["amount_total"] == 11000
        assert open_session["currency"] == side.currency
        assert open_session["adaptive_pricing"]["enabled"] is False

    def test_what_leads_back_to_us_is_kept(self, client, open_session):
        found = client.retrieve_session(open_session["id"])
        assert found["metadata"] == open_session["metadata"]
        assert found["metadata"]["checkout_link"] == "7"
        reference = found["metadata"]["checkout_payment"]
        assert found["client_reference_id"] == reference

    def test_the_place_of_the_session_id_is_kept_literally(self, open_session):
        assert "session_id={CHECKOUT_SESSION_ID}" in open_session["success_url"]

    def test_what_the_addon_reads_of_it_is_there(self, open_session):
        assert {"customer_details", "expires_at", "url"} <= open_session.keys()


class TestLife:
    @pytest.mark.parametrize(
        "minutes", [const.LIMITED_SESSION_MINUTES, const.SESSION_MINUTES, 24 * 60 - 1]
    )
    def test_ours_are_taken_to_the_second(self, new_session, minutes):
        expires_at = int(time.time()) + 60 * minutes
        assert new_session(expires_at=expires_at)["expires_at"] == expires_at

    @pytest.mark.parametrize("minutes", [25, 25 * 60])
    def test_shorter_and_longer_ones_are_refused(self, new_session, minutes):
        expires_at = int(time.time()) + 60 * minutes
        assert _refusal(new_session, expires_at=expires_at).param == "expires_at"

    def test_expired_by_us_it_has_no_page(self, client, new_session):
        expired = client.expire_session(new_session()["id"])
        assert (expired["status"], expired["url"]) == ("expired", None)

    def test_only_an_open_one_can_be_expired(self, client, new_session):
        session = new_session()
        client.expire_session(session["id"])
        assert _refusal(client.expire_session, session["id"]).reason == "refused"


class TestRepetition:
    def test_the_same_request_gives_the_same_session(self, side, client):
        params, key = side.session_params(), str(uuid4())
        first = client.create_session(params, key)
        assert client.create_session(params, key)["id"] == first["id"]
        client.expire_session(first["id"])

    def test_another_request_with_the_same_key_is_refused(self, side, client):
        params, key = side.session_params(), str(uuid4())
        first = client.create_session(params, key)
        error = _refusal(client.create_session, {**params, "locale": "fr"}, key)
        assert "same parameters" in str(error)
        client.expire_session(first["id"])

    def test_a_refused_request_leaves_its_key_free(self, side, client):
        params, key = side.session_params(), str(uuid4())
        _refusal(client.create_session, {**params, "nonsense": "1"}, key)
        session = client.create_session(params, key)
        assert session["status"] == "open"
        client.expire_session(session["id"])


class TestRefusals:
    @pytest.mark.parametrize(
        ("params", "param", "code"),
        [
            ({"nonsense": "1"}, "nonsense", "parameter_unknown"),
            ({"customer_email": "no-address"}, "customer_email", "email_invalid"),
            ({"success_url": "nonsense"}, "success_url", "url_invalid"),
            ({"locale": "xx"}, "locale", ""),
        ],
    )
    def test_the_parameter_is_named(self, new_session, params, param, code):
        error = _refusal(new_session, **params)
        assert (error.reason, error.param) == ("refused", param)
        assert error.code == code or not code

    def test_less_than_a_charge_may_be(self, new_session):
        error = _refusal(new_session, line_items=_lines("usd", 1))
        assert error.code == "amount_too_small"

    def test_an_unknown_session(self, client):
        error = _refusal(client.retrieve_session, "cs_test_unknown")
        assert (error.reason, error.code) == ("missing", "resource_missing")


class TestCurrencies:
    @pytest.mark.parametrize(
        ("currency", "amount"), [("jpy", 5000), ("isk", 500_000), ("mga", 50_000)]
    )
    def test_minor_units(self, new_session, currency, amount):
        session = new_session(line_items=_lines(currency, amount))
        assert (session["currency"], session["amount_total"]) == (currency, amount)

    def test_fractions_of_a_krona_are_refused(self, new_session):
        assert _refusal(new_session, line_items=_lines("isk", 500_050))


@pytest.mark.parametrize("locale", ["fr-CA", "zh-HK", "pt-BR"])
def test_locales_are_written_with_a_hyphen(new_session, locale):
    assert new_session(locale=locale)["locale"] == locale


class TestPaid:
    def test_it_is_complete_and_paid(self, paid_session):
        _, paid = paid_session
        assert (paid["status"], paid["payment_status"]) == ("complete", "paid")
        assert paid["amount_total"] == 11000

    def test_its_intent_carries_the_metadata(self, paid_session):
        started, paid = paid_session
        assert paid["payment_intent"]["metadata"] == started["metadata"]

    def test_one_question_answers_everything_down_to_the_fee(self, paid_session):
        _, paid = paid_session
        charge = paid["payment_intent"]["latest_charge"]
        transaction = charge["balance_transaction"]
        assert transaction["net"] == transaction["amount"] - transaction["fee"]
        assert charge["refunds"]["data"] == []

    def test_the_payer_is_named(self, paid_session):
        _, paid = paid_session
        assert {"email", "name", "phone"} <= paid["customer_details"].keys()

    def test_it_is_found_by_its_intent(self, client, paid_session):
        _, paid = paid_session
        found = client.list_sessions_of_intent(paid["payment_intent"]["id"])
        assert [session["id"] for session in found] == [paid["id"]]

    def test_it_cannot_be_expired(self, client, paid_session):
        _, paid = paid_session
        assert _refusal(client.expire_session, paid["id"]).reason == "refused"


def _lines(currency, amount):
    product = {"name": "Contract suite"}
    price = {"currency": currency, "unit_amount": amount, "product_data": product}
    return [{"quantity": 1, "price_data": price}]


def _refusal(call, *args, **params):
    with pytest.raises(StripeError) as caught:
        call(*args, **params)
    return caught.value
