"""The page a customer pays on, used as a browser without scripts would."""

import re

import pytest
import requests

from .conftest import new_session

CARD = {
    "email": "payer@example.com",
    "name": "Paula Payer",
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 34",
    "cvc": "123",
    "country": "DE",
}


def post(session, **fields):
    return requests.post(
        session.url, data={**CARD, **fields}, allow_redirects=False, timeout=20
    )


def get(session):
    return requests.get(session.url, timeout=20)


class TestPage:
    def test_shows_what_is_sold_and_the_way_back(self, client, standin):
        standin.settings(merchant_name="Café & Co")
        page = get(new_session(client, customer_email="known@example.com"))
        assert page.status_code == 200
        assert "Café &amp; Co" in page.text
        assert "Annual membership" in page.text
        assert "$110.00" in page.text
        assert 'value="known@example.com"' in page.text
        assert 'href="https://example.com/pay"' in page.text
        assert "standin" in page.text

    @pytest.mark.parametrize(
        ("amount", "currency", "shown"),
        [(5000, "jpy", "¥5,000"), (12340, "kwd", "KWD 12.340"), (999, "eur", "€9.99")],
    )
    def test_shows_the_currency_rightly(self, client, amount, currency, shown):
        assert shown in get(new_session(client, amount, currency)).text

    def test_every_field_has_a_label(self, client):
        page = get(new_session(client)).text
        fields = re.findall(r'<(?:input|select) id="(\w+)"', page)
        assert set(fields) >= {"email", "name", "number", "expiry", "cvc", "country"}
        for field in fields:
            assert f'<label for="{field}">' in page

    def test_text_of_the_merchant_is_escaped(self, client):
        price = {"currency": "usd", "unit_amount": 500}
        price["product_data"] = {"name": "<script>alert(1)</script>"}
        page = get(new_session(client, line_items=[{"price_data": price}])).text
        assert "<script" not in page

    def test_receipt(self, client, standin):
        paid = standin.pay(new_session(client).id)
        receipt = requests.get(paid["charge"]["receipt_url"], timeout=20)
        assert receipt.status_code == 200
        assert "$110.00" in receipt.text

    def test_unknown_session(self, standin):
        answer = requests.get(f"{standin.url}/c/pay/cs_test_nothing", timeout=20)
        assert answer.status_code == 404


class TestPay:
    def test_success_goes_back_to_the_merchant(self, client):
        session = new_session(client)
        answer = post(session)
        assert answer.status_code == 303
        assert (
            answer.headers["Location"]
            == f"https://example.com/back?session_id={session.id}"
        )
        paid = client.v1.checkout.sessions.retrieve(session.id)
        assert (paid.status, paid.payment_status) == ("complete", "paid")
        assert paid.customer_details.email == "payer@example.com"
        assert paid.customer_details.name == "Paula Payer"
        assert paid.customer_details.address.country == "DE"
        assert paid.url is None

    def test_decline_stays_on_the_page(self, client, standin):
        session = new_session(client)
        answer = post(session, number="4000 0000 0000 0002")
        assert answer.status_code == 402
        assert "Your card was declined." in answer.text
        assert 'value="Paula Payer"' in answer.text
        declined = client.v1.checkout.sessions.retrieve(session.id)
        assert (declined.status, declined.payment_status) == ("open", "unpaid")
        intent = client.v1.payment_intents.retrieve(declined.payment_intent)
        assert intent.status == "requires_payment_method"
        assert intent.last_payment_error.code == "card_declined"
        assert standin.balance() == {"usd": 0}

    def test_another_card_after_a_decline(self, client):
        session = new_session(client)
        post(session, number="4000000000009995")
        first = client.v1.checkout.sessions.retrieve(session.id).payment_intent
        assert post(session).status_code == 303
        paid = client.v1.checkout.sessions.retrieve(
            session.id, params={"expand": ["payment_intent"]}
        )
        assert paid.payment_intent.id == first
        assert paid.payment_intent.status == "succeeded"
        charges = client.v1.charges.list(params={"payment_intent": first}).data
        assert [charge.status for charge in charges] == ["succeeded", "failed"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "no-address"),
            ("name", " "),
            ("number", ""),
            ("number", "1234"),
            ("expiry", "13/30"),
            ("expiry", "soon"),
            ("cvc", "1"),
        ],
    )
    def test_bad_fields_are_named(self, client, standin, field, value):
        session = new_session(client)
        answer = post(session, **{field: value})
        assert answer.status_code == 402
        assert f'id="{field}-error"' in answer.text
        assert standin.counts().get("charge") is None

    def test_bank_debit_stays_processing(self, client):
        session = new_session(client)
        answer = post(session, number="000123456789", expiry="", cvc="")
        assert answer.status_code == 303
        done = client.v1.checkout.sessions.retrieve(
            session.id, params={"expand": ["payment_intent"]}
        )
        assert (done.status, done.payment_status) == ("complete", "unpaid")
        assert done.payment_intent.status == "processing"

    def test_bank_debit_only_where_offered(self, client):
        session = new_session(client, excluded_payment_method_types=["us_bank_account"])
        assert post(session, number="000123456789").status_code == 402

    @pytest.mark.parametrize("end", ["pay", "expire"])
    def test_a_closed_session_takes_no_money(self, client, standin, end):
        session = new_session(client)
        getattr(standin, end)(session.id)
        charges = standin.counts().get("charge", 0)
        words = "complete" if end == "pay" else "expired"
        assert words in get(session).text
        assert post(session).status_code == 402
        assert standin.counts().get("charge", 0) == charges

    def test_waits_for_the_webhook_before_it_goes_back(self, client, standin, receiver):
        standin.configure(speed=1)
        receiver.delay = 0.3
        post(new_session(client))
        assert "checkout.session.completed" in receiver.types()

    def test_does_not_wait_forever(self, client, receiver):
        receiver.delay = 3
        assert post(new_session(client)).elapsed.total_seconds() < 2.5
