"""Checkout Sessions: creation, what is refused, expiry."""

import time

import pytest
import stripe

from .conftest import client_of, new_session, session_params


def refused(client, **params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(params=session_params(**params))
    return caught.value


class TestCreate:
    def test_an_open_session_has_a_page_and_no_payment_intent(self, client, standin):
        session = new_session(
            client,
            client_reference_id="attempt-1",
            customer_email="payer@example.com",
            metadata={"link": "7"},
            locale="fr",
        )
        assert session.url == f"{standin.url}/c/pay/{session.id}"
        assert (session.status, session.payment_status) == ("open", "unpaid")
        assert session.payment_intent is None
        assert session.amount_total == 11000
        assert session.currency == "usd"
        assert session.client_reference_id == "attempt-1"
        assert session.metadata.link == "7"
        assert session.locale == "fr"
        assert session.livemode is False
        assert session.id.startswith("cs_test_")

    def test_live_keys_make_live_objects(self, standin):
        session = new_session(client_of(standin, "sk_live_1"))
        assert session.livemode is True
        assert session.id.startswith("cs_live_")

    def test_lines_add_up(self, client):
        price = {"currency": "eur", "product_data": {"name": "a"}}
        lines = [
            {"quantity": 3, "price_data": {**price, "unit_amount": 100}},
            {"quantity": 1, "price_data": {**price, "unit_amount": 50}},
        ]
        session = client.v1.checkout.sessions.create(
            params=session_params(line_items=lines, expand=["line_items"])
        )
        assert session.amount_total == 350
        assert [line.amount_total for line in session.line_items] == [300, 50]

    @pytest.mark.parametrize(
        ("params", "param", "code"),
        [
            ({"success_url": "nonsense"}, "success_url", "url_invalid"),
            ({"cancel_url": "javascript:alert(1)"}, "cancel_url", "url_invalid"),
            ({"customer_email": "no-address"}, "customer_email", "email_invalid"),
            ({"customer_email": "a@exämple.com"}, "customer_email", "email_invalid"),
            ({"client_reference_id": "x" * 201}, "client_reference_id", None),
            ({"metadata": {"k": "v" * 501}}, "metadata[k]", None),
            ({"metadata": {"k" * 41: "v"}}, "metadata", None),
            ({"metadata": {str(n): "v" for n in range(51)}}, "metadata", None),
            ({"amount": 49}, "line_items", "amount_too_small"),
            ({"amount": 0}, "line_items", "amount_too_small"),
            (
                {"amount": -1},
                "line_items[0][price_data][unit_amount]",
                "parameter_invalid_integer",
            ),
            ({"amount": 100_000_000}, "line_items", "amount_too_large"),
            ({"currency": "xyz"}, "line_items[0][price_data][currency]", None),
            ({"line_items": []}, "line_items", "parameter_missing"),
            *(
                (
                    {"payment_intent_data": {"statement_descriptor_suffix": text}},
                    "payment_intent_data[statement_descriptor_suffix]",
                    None,
                )
                for text in ("12345", "A*B", "Ä", "ELEVENCHARS")
            ),
            ({"mode": "subscription"}, "mode", "standin_not_modeled"),
            ({"discounts": [{"coupon": "c"}]}, "discounts", "standin_not_modeled"),
        ],
    )
    def test_refusals(self, client, params, param, code):
        error = refused(client, **params)
        assert error.http_status == 400
        assert error.param == param
        assert error.code == code

    def test_live_mode_wants_https(self, standin):
        error = refused(client_of(standin, "sk_live_1"), success_url="http://a.example")
        assert "HTTPS" in error.user_message

    @pytest.mark.parametrize(
        ("amount", "currency", "accepted"),
        [
            (5000, "jpy", True),
            (75, "jpy", False),  # 0.49 dollars
            (12340, "kwd", True),
            (12345, "kwd", False),
            (500_00, "isk", True),
            (500_50, "isk", False),
            (500_000_00, "ugx", True),
            (500_000_01, "ugx", False),
            (45, "gbp", True),  # 0.56 dollars
            (10**12 - 1, "idr", True),
            (10**12, "idr", False),
            (10**10 - 1, "cop", True),
            (10**10, "cop", False),
            (10**9 - 1, "inr", True),
            (10**9, "inr", False),
            (10**8 - 1, "jpy", True),
            (10**8, "jpy", False),
            (39, "gbp", False),  # 0.49 dollars
        ],
    )
    def test_amounts_by_currency(self, client, amount, currency, accepted):
        if accepted:
            assert new_session(client, amount, currency).amount_total == amount
        else:
            assert refused(client, amount=amount, currency=currency).http_status == 400

    @pytest.mark.parametrize(
        ("seconds", "accepted"), [(25 * 60, 0), (30 * 60, 1), (86400, 1), (90000, 0)]
    )
    def test_life_time(self, client, seconds, accepted):
        expires_at = int(time.time()) + seconds
        if accepted:
            assert new_session(client, expires_at=expires_at).expires_at == expires_at
        else:
            assert refused(client, expires_at=expires_at).param == "expires_at"

    def test_default_life_is_a_day(self, frozen, client):
        session = new_session(client)
        assert session.expires_at - session.created == 86400


class TestExpiry:
    def test_by_request(self, client, standin):
        session = new_session(client)
        expired = client.v1.checkout.sessions.expire(session.id)
        assert expired.status == "expired"
        assert expired.url is None
        assert [e["type"] for e in standin.events()] == ["checkout.session.expired"]

    def test_only_once(self, client):
        session = new_session(client)
        client.v1.checkout.sessions.expire(session.id)
        with pytest.raises(stripe.InvalidRequestError, match="status of `expired`"):
            client.v1.checkout.sessions.expire(session.id)

    def test_not_after_payment(self, client, standin):
        session = new_session(client)
        standin.pay(session.id)
        with pytest.raises(stripe.InvalidRequestError, match="status of `complete`"):
            client.v1.checkout.sessions.expire(session.id)

    def test_by_clock(self, client, standin):
        session = new_session(client, expires_at=int(time.time()) + 1800)
        standin.advance(1790)
        assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
        standin.advance(20)
        assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
        (event,) = standin.events("checkout.session.expired")
        assert event["request"]["id"] is None

    def test_by_control(self, client, standin):
        assert standin.expire(new_session(client).id)["status"] == "expired"


def test_list_filters(client, standin):
    sessions = [new_session(client) for _ in range(3)]
    paid = standin.pay(sessions[1].id, email="one@example.com")
    find = client.v1.checkout.sessions.list

    def ids(**params):
        return [session.id for session in find(params=params)]

    newest_first = [session.id for session in reversed(sessions)]
    assert ids() == newest_first
    assert ids(status="complete") == [sessions[1].id]
    assert ids(payment_intent=paid["payment_intent"]["id"]) == [sessions[1].id]
    assert ids(customer_details={"email": "one@example.com"}) == [sessions[1].id]
