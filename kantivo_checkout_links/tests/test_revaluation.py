from datetime import date, datetime, timezone

from freezegun import freeze_time

from odoo.tools.misc import format_date

from .test_statements import StatementsCommon


class TestRevaluation(StatementsCommon):
    """A balance in euros, in the ledger of a company in dollars, at each month's end.

    A euro is worth 1.10 dollars until January 24, then 1.20, from February 20 on 1.00.
    A payment of 110.00 leaves 106.56 euros: 117.22 dollars at 1.10.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.eur = cls.setup_other_currency(
            "EUR",
            rates=[("2026-01-01", 1 / 1.1), ("2026-01-25", 1 / 1.2), ("2026-02-20", 1)],
        )
        cls.dollars = cls.gateway
        cls.dollars.active = False
        cls.gateway = cls.create_gateway(
            name="Stripe EUR", currency_id=cls.eur.id, secret_key="sk_test_euros"
        )
        cls.liquidity = cls.gateway.journal_id.default_account_id
        cls.gains = cls.company.income_currency_exchange_account_id
        cls.losses = cls.company.expense_currency_exchange_account_id

    def setUp(self):
        super().setUp()
        self.standin.settings(currencies=["eur"])

    def pay_out_on(self, *day):
        """Everything that is at Stripe leaves for the bank."""
        moment = datetime(*day, 12, tzinfo=timezone.utc)
        self.standin.set_clock(now=int(moment.timestamp()), frozen=True)
        self.standin.payout(amount=self.standin.balance()["eur"])
        with freeze_time(moment.replace(tzinfo=None), tick=True):
            self.deliver()
            self.sync()

    def get_entries(self):
        entries = self.env["account.move"].search(
            [("journal_id", "=", self.company.currency_exchange_journal_id.id)]
        )
        own = entries.line_ids.filtered(lambda i: i.account_id == self.liquidity)
        return own.move_id.sorted("date")

    def assert_entries(self, *expected):
        """:param expected: Day, gain (a loss is negative) and account of each."""
        entries = self.get_entries()
        found = []
        for entry in entries:
            own = entry.line_ids.filtered(lambda i: i.account_id == self.liquidity)
            other = entry.line_ids - own
            self.assertEqual((own.currency_id, own.amount_currency), (self.eur, 0))
            self.assertEqual(other.balance, -own.balance)
            self.assertEqual(entry.state, "posted")
            found.append((entry.date, own.balance, other.account_id))
        self.assertEqual(found, list(expected))

    def get_value(self, until=None):
        """The account's value in dollars."""
        domain = [("account_id", "=", self.liquidity.id)]
        if until:
            domain.append(("date", "<=", until))
        lines = self.env["account.move.line"].search(domain)
        return round(sum(lines.mapped("balance")), 2)

    JANUARY = date(2026, 1, 31)
    FEBRUARY = date(2026, 2, 28)

    def test_month_s_end_has_the_balance_at_the_rate_of_its_last_day(self):
        self.pay_on(2026, 1, 20)
        self.assertEqual(self.get_value(), 117.22)
        self.check_on(2026, 2, 3)
        self.assertFalse(self.get_entries())
        self.check_on(2026, 2, 4)
        self.assert_entries((self.JANUARY, 10.65, self.gains))
        self.assertEqual(self.get_value(), 127.87)
        self.assert_statements((1, 0, 106.56))
        self.assert_in_step()

    def test_nothing_at_stripe_is_worth_nothing(self):
        self.pay_on(2026, 1, 20)
        self.pay_out_on(2026, 1, 27)
        self.assertEqual(self.get_journal_balance(), 0)
        self.assertEqual(self.get_value(), -10.65)
        self.check_on(2026, 2, 4)
        self.assert_entries((self.JANUARY, 10.65, self.gains))
        self.assertEqual(self.get_value(), 0)
        self.assert_in_step()

    def test_nothing_at_stripe_is_worth_nothing_without_a_rate(self):
        self.pay_on(2026, 1, 20)
        self.pay_out_on(2026, 1, 27)
        self.eur.rate_ids.unlink()
        self.check_on(2026, 2, 4)
        self.assertEqual(self.get_value(), 0)

    def test_what_came_after_the_month_s_end_is_not_in_its_value(self):
        self.pay_on(2026, 1, 20)
        self.pay_on(2026, 2, 2)
        self.check_on(2026, 2, 4)
        self.assert_entries((self.JANUARY, 10.65, self.gains))
        self.assertEqual(self.get_value(self.JANUARY), 127.87)
        self.assert_in_step()

    def test_each_month_has_one_entry_that_stays(self):
        self.pay_on(2026, 1, 20)
        self.pay_on(2026, 2, 10)  # at 1.20
        for day in (4, 5, 10):
            self.check_on(2026, 3, day)
        self.assert_entries(
            (self.JANUARY, 10.65, self.gains), (self.FEBRUARY, -42.62, self.losses)
        )
        self.assertEqual(self.get_value(self.JANUARY), 127.87)
        self.assertEqual(self.get_value(), 213.12)
        self.assert_in_step()

    def test_what_becomes_known_late_comes_with_the_next_month_s_entry(self):
        self.pay_on(2026, 1, 20)
        self.check_on(2026, 2, 4)
        self.pay_on(2026, 1, 10)
        self.check_on(2026, 2, 5)
        self.assert_entries((self.JANUARY, 10.65, self.gains))
        self.pay_on(2026, 2, 10)
        self.check_on(2026, 3, 4)
        self.assertEqual(len(self.get_entries()), 2)
        self.assertEqual(self.get_value(), 319.68)
        self.assert_in_step()

    def test_late_movement_of_a_month_without_a_statement_makes_no_entry(self):
        self.pay_on(2026, 2, 10)
        self.check_on(2026, 3, 4)
        self.assertEqual(self.get_entries().mapped("date"), [self.FEBRUARY])
        self.pay_on(2026, 1, 20)
        self.check_on(2026, 3, 5)
        self.assertEqual(self.get_entries().mapped("date"), [self.FEBRUARY])

    def test_without_a_rate_it_waits_and_the_later_months_with_it(self):
        self.pay_on(2026, 1, 20)
        self.pay_on(2026, 2, 10)
        self.eur.rate_ids.filtered(lambda r: r.name <= self.JANUARY).unlink()
        self.check_on(2026, 3, 4)
        self.assertFalse(self.get_entries())
        day = format_date(self.env, self.JANUARY)
        sentence = f"no exchange rate for EUR on or before {day}"
        self.assertIn(sentence, self.gateway.revaluation_error)
        self.assertIn(sentence, self.gateway.health_message)
        self.assert_in_step()
        self.env["res.currency.rate"].create(
            {
                "currency_id": self.eur.id,
                "name": "2026-01-30",
                "rate": 1 / 1.2,
                "company_id": self.company.id,
            }
        )
        self.check_on(2026, 3, 5)
        self.assert_entries(
            (self.JANUARY, 10.65, self.gains), (self.FEBRUARY, -42.62, self.losses)
        )
        self.assertFalse(self.gateway.revaluation_error)

    def test_it_waits_until_all_of_the_month_is_posted(self):
        fee_account = self.gateway.fee_account_id
        self.gateway.fee_account_id = False
        self.take_payment_on(2026, 1, 20)  # its fee waits
        self.check_on(2026, 2, 4)
        self.assertFalse(self.get_entries())
        self.assertIn("waits until all", self.gateway.revaluation_error)
        self.gateway.fee_account_id = fee_account
        self.process()
        self.check_on(2026, 2, 5)
        self.assert_entries((self.JANUARY, 10.65, self.gains))

    def test_what_waits_of_a_later_month_holds_nothing_up(self):
        self.pay_on(2026, 1, 20)
        self.gateway.fee_account_id = False
        self.take_payment_on(2026, 2, 2)  # its fee waits
        self.check_on(2026, 2, 4)
        self.assert_entries((self.JANUARY, 10.65, self.gains))

    def test_locked_month_stays_and_the_next_one_takes_it_along(self):
        self.pay_on(2026, 1, 20)
        self.company.fiscalyear_lock_date = self.JANUARY
        self.check_on(2026, 2, 4)
        self.assertFalse(self.get_entries())
        self.pay_on(2026, 2, 10)
        self.check_on(2026, 3, 4)
        self.assert_entries((self.FEBRUARY, -31.97, self.losses))
        self.assertEqual(self.get_value(), 213.12)
        self.assert_in_step()

    def test_without_exchange_accounts_it_waits_and_the_check_continues(self):
        self.pay_on(2026, 1, 20)
        self.company.income_currency_exchange_account_id = False
        self.check_on(2026, 2, 4)
        self.assertFalse(self.get_entries())
        self.assertIn("exchange differences", self.gateway.revaluation_error)
        self.assert_in_step()
        self.company.income_currency_exchange_account_id = self.gains
        self.check_on(2026, 2, 5)
        self.assert_entries((self.JANUARY, 10.65, self.gains))

    def test_value_that_is_right_already_needs_no_entry(self):
        self.pay_on(2026, 1, 27)
        self.check_on(2026, 2, 4)
        self.assertEqual(self.get_value(), 127.87)
        self.assertFalse(self.get_entries())
        self.assertEqual(self.gateway.revalued_until, self.JANUARY)

    def test_proposed_for_a_foreign_currency_only(self):
        self.assertTrue(self.gateway.revalue_month_end)
        self.assertFalse(self.dollars.revalue_month_end)

    def test_off_means_off_and_on_again_starts_with_the_next_statement(self):
        self.pay_on(2026, 1, 20)
        self.gateway.revalue_month_end = False
        self.check_on(2026, 2, 4)
        self.assertFalse(self.get_entries())
        self.gateway.revalue_month_end = True
        self.check_on(2026, 2, 5)
        self.assertFalse(self.get_entries())
        self.pay_on(2026, 2, 10)
        self.check_on(2026, 3, 4)
        self.assert_entries((self.FEBRUARY, -31.97, self.losses))

    def test_gateway_says_which_entry_it_was(self):
        self.pay_on(2026, 1, 20)
        self.check_on(2026, 2, 4)
        entry = self.get_entries()
        day = format_date(self.env, self.JANUARY)
        self.assertEqual(entry.ref, f"Revaluation of Stripe EUR on {day}")
        self.assertIn(f'data-oe-id="{entry.id}"', self.gateway.message_ids[:1].body)

    def test_name_of_the_entry_is_short(self):
        self.gateway.journal_id.name = "Stripe of the shop in the old town"
        self.pay_on(2026, 1, 20)
        self.check_on(2026, 2, 4)
        entry = self.get_entries()
        self.assertEqual(entry.ref, "Revaluation of Stripe of the shop in th…")
        self.assertEqual(len(entry.ref), 40)
        self.assertIn("the old town", entry.line_ids[0].name)
