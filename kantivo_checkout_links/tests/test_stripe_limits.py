"""What Stripe never takes is said when a link is saved, else once Stripe refused."""

import re
from decimal import Decimal

from odoo.exceptions import ValidationError
from odoo.tools import mute_logger

from ..money import read_minimum
from .common import CLIENT_LOGGER, CheckoutCommon, CheckoutHttpCommon


class TestLimitsOfALink(CheckoutCommon):
    """What a merchant reads on the form."""

    def test_fixed_amount_below_the_minimum_is_saved_with_a_warning(self):
        link = self.create_link(0.3)
        self.assertIn("$0.50", link.minimum_hint)
        link.amount = 0.5
        self.assertFalse(link.minimum_hint)

    def test_form_without_an_amount_yet_has_no_hint(self):
        values = {"gateway_id": self.gateway.id, "amount_type": "fixed", "amount": 0}
        link = self.env["checkout.link"].new(values)
        self.assertFalse(link.minimum_hint)
        link.amount = 0.3
        self.assertTrue(link.minimum_hint)

    def test_open_amount_without_a_minimum_is_saved_with_a_warning(self):
        link = self.create_open_link()
        self.assertIn("Enter it as the minimum", link.minimum_hint)
        link.minimum_amount = 0.5
        self.assertFalse(link.minimum_hint)

    def test_minimum_is_that_of_the_settlement_currency(self):
        euro = self.setup_other_currency("EUR", rates=[("2016-01-01", 0.8)])
        link = self.create_link(0.3, currency_id=euro.id)
        self.assertIn("0.40", link.minimum_hint)
        link.amount = 0.4
        self.assertFalse(link.minimum_hint)

    def test_minimum_in_another_currency_is_rounded_up(self):
        euro = self.setup_other_currency("EUR", rates=[("2016-01-01", 0.813)])
        link = self.create_link(0.3, currency_id=euro.id)
        self.assertIn("0.41", link.minimum_hint)

    def test_nothing_is_said_where_no_rate_gives_the_minimum(self):
        euro = self.setup_other_currency("EUR", rates=[])
        link = self.create_link(0.3, currency_id=euro.id)
        self.assertFalse(link.minimum_hint)

    def test_minimum_of_a_gateway_can_be_changed(self):
        self.assertEqual(self.gateway.minimum_amount, 0.5)
        self.gateway.minimum_amount = 1
        self.assertIn("1.00", self.create_link(0.9).minimum_hint)

    def test_titles_that_stripe_refuses_are_refused(self):
        for title in (" ", "\t\n", "x" * 1001):
            with self.subTest(title=title[:9]), self.assertRaises(ValidationError):
                self.create_link(name=title)
        self.create_link(name="x" * 1000)

    def test_description_that_stripe_refuses_is_refused(self):
        with self.assertRaises(ValidationError):
            self.create_link(description="x" * 5001)
        self.create_link(description="x" * 5000)

    def test_longest_texts_are_taken_by_stripe(self):
        link = self.create_link(name="x" * 1000, description="y" * 5000)
        self.assertTrue(self.start_payment(link).stripe_checkout_session_id)

    def test_address_to_continue_to_is_a_complete_web_address(self):
        wrong = ("https://", "http:///path", "https://exa mple.com", "example.com")
        for address in (*wrong, "javascript:alert(1)", "https://[::1", "ftp://x.org"):
            with self.subTest(address=address), self.assertRaises(ValidationError):
                self.create_link(success_url=address)
        for address in ("https://example.com", "HTTPS://example.com/a?b=c#d"):
            self.create_link(success_url=address)

    def test_minimum_is_read_from_stripes_own_words(self):
        for message, expected in {
            "Amount must be at least $0.50 usd": (Decimal("0.50"), "USD"),
            "Amount must be at least €1,000.00 eur": (Decimal("1000.00"), "EUR"),
            "total amount must convert to at least ¥50 jpy.": (Decimal("50"), "JPY"),
            "Amount must convert to at least 50 cents.": None,
            "No such payment": None,
        }.items():
            with self.subTest(message=message):
                self.assertEqual(read_minimum(message), expected)


class TestRefusals(CheckoutHttpCommon):
    """What becomes of a payment that Stripe refuses permanently."""

    def send(self, link, **form):
        page = self.url_open(f"/checkout/{link.access_token}")
        nonce = re.search(r'name="nonce" value="([^"]+)"', page.text)[1]
        return self.url_open(
            f"/checkout/{link.access_token}",
            data={"nonce": nonce, **form},
            allow_redirects=False,
        )

    def test_payer_of_an_open_amount_reads_the_minimum(self):
        link = self.create_open_link()
        answer = self.send(link, amount="0.10")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("The minimum is $0.50.", answer.text)
        self.assertIn('value="0.10"', answer.text)
        self.assertEqual(self.send(link, amount="0.50").status_code, 303)

    def test_minimum_that_stripe_states_counts_where_ours_is_too_low(self):
        self.gateway.minimum_amount = 0.01
        link = self.create_open_link()
        self.assertIn("$0.50", self.send(link, amount="0.10").text)
        self.assertEqual(link.stripe_minimum, 0.5)
        self.assertIn("0.50", link.minimum_hint)

    def test_payer_of_a_fixed_amount_is_offered_no_second_try(self):
        link = self.create_link(0.3)
        answer = self.send(link)
        self.assertEqual(answer.status_code, 503)
        self.assertNotIn("<form", answer.text)
        self.assertIn("Please contact the merchant", answer.text)

    def test_merchant_reads_on_the_link_why_stripe_refused(self):
        link = self.create_link(0.3)
        self.send(link)
        self.assertIn("at least $0.50", link.refusal)
        link.amount = 110
        self.assertFalse(link.refusal)

    def test_refusal_is_gone_once_stripe_takes_a_payment(self):
        link = self.create_open_link()
        self.send(link, amount="0.10")
        self.assertTrue(link.refusal)
        self.send(link, amount="5")
        self.assertFalse(link.refusal)

    def test_key_that_is_no_longer_good_is_no_refusal_of_the_link(self):
        link = self.create_link()
        self.standin.api_fault("status", "POST /v1/checkout/sessions", status=401)
        answer = self.send(link)
        self.assertNotIn("<form", answer.text)
        self.assertFalse(link.refusal)

    @mute_logger(CLIENT_LOGGER)
    def test_temporary_failure_offers_another_try(self):
        link = self.create_link()
        for status in (429, 500):
            self.standin.api_fault(
                "status", "POST /v1/checkout/sessions", status=status, times=2
            )
            with self.subTest(status=status):
                self.assertIn("<form", self.send(link).text)
        self.assertFalse(link.refusal)
