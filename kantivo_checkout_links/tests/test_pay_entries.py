import re
from decimal import Decimal

from ..money import parse_amount
from .common import CheckoutCommon
from .test_pay_page import PayPageCase

AROUND = (".", ")", ",", "%20", ">", "%3E", "'", '"', "]", "”", "…", ").", "%20and")
INVISIBLE = ("\u200b", "\u00ad", "\ufeff", "\u2060", "\u200e", "\u202c")


class TestAddresses(PayPageCase):
    """An address still leads to its page with what mail and messengers add to it."""

    def get(self, path, **kwargs):
        self.opener.cookies.clear()
        return self.opener.request(
            "POST" if "data" in kwargs else "GET",
            f"{self.base_url()}/checkout/{path}",
            allow_redirects=False,
            **kwargs,
        )

    def test_pay_page_opens_and_is_sent(self):
        link = self.create_link()
        token = link.access_token
        nonce = self.get_nonce(link)
        ends = [f"{token}{end}" for end in (*AROUND, *INVISIBLE)]
        starts = [f"{start}{token}" for start in ("%20", "(", "<", *INVISIBLE)]
        inside = [f"{token[:9]}{sign}{token[9:]}" for sign in INVISIBLE]
        for address in ends + starts + inside:
            with self.subTest(address=address):
                page = self.get(address)
                self.assertEqual(page.status_code, 200)
                self.assertIn(f'action="/checkout/{token}"', page.text)
                self.assert_to_stripe(self.get(address, data={"nonce": nonce}))

    def test_return_page_opens(self):
        link = self.create_link()
        session_id = self.pay(link).stripe_checkout_session_id
        self.deliver()
        for end in (*AROUND, *INVISIBLE):
            token, asked = f"{link.access_token}{end}", f"{session_id}{end}"
            with self.subTest(end=end):
                page = self.get(f"{token}/return?session_id={asked}")
                self.assertEqual(page.status_code, 200, page.text)
                self.assertIn('data-state="paid"', page.text)

    def test_part_of_an_address_opens_nothing(self):
        token = self.create_link().access_token
        for address in (token[:-1], f"{token}x", f"{token}-", "...", "%E2%80%8B"):
            self.assertEqual(self.get(address).status_code, 404)

    def test_merchant_finds_a_link_by_an_address_as_it_was_quoted(self):
        link = self.create_link()
        for quoted in (f"{link.url}.", f"<{link.url}>", f"{link.url}\u200b)"):
            found = self.env["checkout.link"].search([("url", "=", quoted)])
            self.assertEqual(found, link)


class TestEntries(PayPageCase):
    """What the page prints it reads, and what can be read two ways it asks about."""

    def enter(self, link, typed, **headers):
        return self.send(link, headers=headers, amount=typed)

    def test_symbol_code_and_dash_are_read(self):
        link = self.create_open_link()
        for typed in ("$15", "15 USD", "usd 15", "15,-", "$ 15.-", "15 $", "＄１５"):
            with self.subTest(typed=typed):
                self.assert_to_stripe(self.enter(link, typed))
                self.assertEqual(self.get_asked_amount(), 1500)

    def test_euros_are_read_where_euros_are_asked_for(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        link = self.create_open_link(currency_id=euro.id)
        for typed in ("15 €", "€15", "15,00\u00a0€", "15 EUR"):
            self.assert_to_stripe(self.enter(link, typed))
            self.assertEqual(self.get_asked_amount(), 1500)

    def test_another_currency_is_refused(self):
        link = self.create_open_link()
        for typed in ("15 €", "15 EUR", "£15"):
            self.assert_refused_kindly(self.enter(link, typed))

    def test_its_own_example_is_read(self):
        link = self.create_open_link(minimum_amount=1250)
        answer = self.enter(link, "x")
        [example] = re.findall(r"such as ([^<]+)\.\s*<", answer.text)
        self.assertIn("1,250.00", example)
        self.assert_to_stripe(self.enter(link, example))
        self.assertEqual(self.get_asked_amount(), 125000)

    def test_entry_that_can_be_read_two_ways_is_asked_about(self):
        link = self.create_open_link()
        answer = self.enter(link, "1.250")
        self.assert_refused_kindly(answer)
        self.assertIn("Did you mean 1250 or 1.25?", answer.text)
        self.assertIn('value="1.250"', answer.text)
        for typed, minor in (("1250", 125000), ("1.25", 125)):
            self.assert_to_stripe(self.enter(link, typed))
            self.assertEqual(self.get_asked_amount(), minor)

    def test_payer_and_page_of_two_languages_have_to_agree(self):
        self.env["res.lang"]._activate_lang("de_DE")
        german = {"Accept-Language": "de-DE"}
        dinar = self.env.ref("base.KWD")
        dinar.active = True
        link = self.create_open_link(currency_id=dinar.id)
        self.assert_refused_kindly(self.enter(link, "1.250", **german))
        self.assert_to_stripe(self.enter(link, "1,25", **german))
        self.assertEqual(self.get_asked_amount(), 1250)


class TestLocales(CheckoutCommon):
    """Amounts as Odoo writes them, in each language and currency that it ships."""

    def test_every_language_is_read_as_it_is_written(self):
        langs = self.env["res.lang"].with_context(active_test=False).search([])
        self.assertGreater(len(langs), 80)
        langs.active = True
        for lang in langs:
            for decimals in (0, 2, 3):
                for amount in (Decimal("7"), Decimal("1250"), Decimal("1234567.75")):
                    amount = round(amount, decimals)
                    text = lang.format(f"%.{decimals}f", float(amount), grouping=True)
                    with self.subTest(lang=lang.code, text=text, decimals=decimals):
                        read = parse_amount(
                            text, lang.decimal_point, lang.thousands_sep, decimals
                        )
                        self.assertEqual(read, amount)

    def test_every_currency_is_read_as_it_is_written(self):
        currencies = self.env["res.currency"].with_context(active_test=False).search([])
        self.assertGreater(len(currencies), 150)
        for currency in currencies:
            names = (currency.symbol, currency.name)
            for text in (
                currency.format(1250),
                f"{currency.symbol}1,250",
                f"1,250 {currency.name.lower()}",
            ):
                with self.subTest(currency=currency.name, text=text):
                    read = parse_amount(text, ".", ",", currency.decimal_places, names)
                    self.assertEqual(read, 1250)
