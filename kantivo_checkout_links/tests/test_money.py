from decimal import Decimal

from odoo.tests import BaseCase

from ..money import (
    AmbiguousAmount,
    InvalidAmount,
    from_minor,
    largest_minor,
    parse_amount,
    smallest_step,
    to_minor,
)


class TestMoney(BaseCase):
    def test_minor_units_are_stripes_own(self):
        cases = [
            (110.0, "USD", 11000),
            (5000, "JPY", 5000),
            (5.25, "KWD", 5250),
            (1500, "ISK", 150000),
            (1500, "UGX", 150000),
            (1500, "MGA", 1500),
            (0.29, "EUR", 29),
            (1.15, "EUR", 115),
        ]
        for amount, currency, minor in cases:
            with self.subTest(currency=currency, amount=amount):
                self.assertEqual(to_minor(amount, currency), minor)
                self.assertEqual(from_minor(minor, currency), amount)

    def test_every_cent_survives_the_way_there_and_back(self):
        for minor in range(0, 1_000_000, 7):
            self.assertEqual(to_minor(from_minor(minor, "USD"), "USD"), minor)

    def test_what_stripe_has_no_integer_for_is_refused(self):
        for amount, currency in [
            (0.5, "JPY"),
            (1.5, "ISK"),
            (1.5, "UGX"),
            (1.234, "USD"),
            (1.2345, "KWD"),
            (1.234, "KWD"),
        ]:
            with self.subTest(currency=currency), self.assertRaises(InvalidAmount):
                to_minor(amount, currency)

    def test_smallest_step_is_chargeable_and_half_of_it_is_not(self):
        for currency in ("USD", "JPY", "KWD", "ISK", "UGX"):
            step = smallest_step(currency)
            self.assertGreater(to_minor(step, currency), 0)
            with self.assertRaises(InvalidAmount):
                to_minor(step / 2, currency)

    def test_largest_amount_is_stripes_own(self):
        cases = [
            ("USD", 999_999.99),
            ("JPY", 99_999_999),
            ("ISK", 999_999),
            ("KWD", 99_999.99),
            ("COP", 99_999_999.99),
            ("IDR", 9_999_999_999.99),
            ("INR", 9_999_999.99),
        ]
        for currency, most in cases:
            with self.subTest(currency=currency):
                self.assertEqual(from_minor(largest_minor(currency), currency), most)

    def test_payers_amounts_are_read_in_their_own_way_of_writing(self):
        cases = [
            ("12", ".", ",", "12"),
            ("12.50", ".", ",", "12.50"),
            ("12,50", ",", ".", "12.50"),
            ("12,50", ".", ",", "12.50"),
            ("1.250", ",", ".", "1250"),
            ("1,250", ".", ",", "1250"),
            ("1.250,75", ",", ".", "1250.75"),
            ("1,250.75", ".", ",", "1250.75"),
            ("1 250,75", ",", "\u202f", "1250.75"),
            ("1\u00a0250,75", ",", " ", "1250.75"),
            ("1'250.75", ".", "'", "1250.75"),
            ("12.50", ",", ".", "12.50"),
            ("١٢", ".", ",", "12"),
            ("١٢٫٥", ".", ",", "12.5"),
            ("１２.５", ".", ",", "12.5"),
            (" 7 ", ".", ",", "7"),
            ("0", ".", ",", "0"),
        ]
        for text, point, thousands, expected in cases:
            with self.subTest(text=text, point=point):
                self.assertEqual(
                    parse_amount(text, point, thousands), Decimal(expected)
                )

    def test_what_can_be_read_two_ways_is_not_guessed(self):
        for text, point, thousands in [
            ("1.250", ".", ","),
            ("1,250", ",", "."),
            ("1.250", ",", ""),
            ("1,250", ",", "\u202f"),
            ("12.500", ".", "'"),
        ]:
            with (
                self.subTest(text=text, point=point),
                self.assertRaises(AmbiguousAmount),
            ):
                parse_amount(text, point, thousands)
        self.assertEqual(parse_amount("1.250", ".", ",", decimals=3), Decimal("1.25"))
        self.assertEqual(parse_amount("1.250", ".", ",", decimals=0), 1250)
        self.assertEqual(parse_amount("0.125", ".", ","), Decimal("0.125"))

    def test_what_can_be_read_one_way_only_is_read_in_any_language(self):
        for text, expected in [
            ("1.250,75", "1250.75"),
            ("1,250.75", "1250.75"),
            ("1.250.000", "1250000"),
            ("12,34,567.50", "1234567.5"),
            ("1 250,75", "1250.75"),
            ("1’250.75", "1250.75"),
        ]:
            for point, thousands in [(".", ","), (",", "."), (",", ""), (".", "'")]:
                with self.subTest(text=text, point=point):
                    read = parse_amount(text, point, thousands)
                    self.assertEqual(read, Decimal(expected))

    def test_what_is_no_plain_amount_is_refused(self):
        for text in [
            "",
            " ",
            "-5",
            "+5",
            "1e9",
            "0x10",
            "inf",
            "NaN",
            "5$",
            "1/2",
            "½",
            "²",
            "1.2.3",
            "1,2,3",
            "1.2,3.4",
            "twelve",
            "1" * 21,
            "5\x00",
            "1;5",
            "10 50",
            "1,250,00",
            "15 €",
        ]:
            with self.subTest(text=text), self.assertRaises(InvalidAmount):
                parse_amount(text, ".", ",")
