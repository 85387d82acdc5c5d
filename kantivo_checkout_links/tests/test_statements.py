from datetime import date, datetime, timezone

from freezegun import freeze_time

from odoo import Command

from .common import CheckoutCommon
from .many import copy_payments


class StatementsCommon(CheckoutCommon):
    """Payments and checks on days of one's own choice."""

    def setUp(self):
        super().setUp()
        self.gateway.sync_from = datetime(2026, 1, 1)

    def pay_on(self, *day):
        """A payment of that day, posted with its fee: 106.51 in all."""
        payment = self.take_payment_on(*day)
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        return payment

    def take_payment_on(self, *day):
        moment = datetime(*day, 12)
        now = int(moment.replace(tzinfo=timezone.utc).timestamp())
        self.standin.set_clock(now=now, frozen=True)
        with freeze_time(moment, tick=True):
            payment = self.pay(self.create_link(110))
        self.deliver()
        return payment

    def check_on(self, *day):
        """The daily comparison with Stripe, on that day."""
        with freeze_time(datetime(*day, 6), tick=True):
            self.env["checkout.agreement"]._cron_check()
        self.env.invalidate_all()

    def get_statements(self):
        return (
            self.env["account.bank.statement"]
            .search([("journal_id", "=", self.gateway.journal_id.id)])
            .sorted("first_line_index")
        )

    def assert_statements(self, *expected):
        """:param expected: Month, first and last balance of each."""
        statements = self.get_statements()
        self.assertEqual(
            [(s.date.month, s.balance_start, s.balance_end_real) for s in statements],
            list(expected),
        )
        self.assertTrue(all(statements.mapped("is_complete")))
        self.assertTrue(all(statements.mapped("is_valid")))

    def assert_in_step(self):
        """Ledger, dashboard card, comparison and Stripe say the same."""
        self.assert_agrees()
        self.assertEqual(self.gateway.agreement_state, "green")
        balance = self.gateway.agreement_journal_balance
        self.assertEqual(balance, self.get_journal_balance())
        self.assertEqual(
            self.get_card_balance(), self.gateway.currency_id.format(balance)
        )

    def post_by_hand(self, amount, day):
        account = self.gateway.journal_id.default_account_id
        other = self.company_data["default_account_expense"]
        move = self.env["account.move"].create(
            {
                "date": day,
                "line_ids": [
                    Command.create({"account_id": account.id, "balance": amount}),
                    Command.create({"account_id": other.id, "balance": -amount}),
                ],
            }
        )
        move.action_post()


class TestStatements(StatementsCommon):
    """Months that are over are closed by statements, and stay right all the same."""

    def setUp(self):
        super().setUp()
        self.pay_on(2026, 1, 20)

    def test_month_is_closed_some_days_after_its_end(self):
        self.check_on(2026, 2, 3)
        self.assertFalse(self.get_statements())
        self.check_on(2026, 2, 4)
        self.assert_statements((1, 0, 106.51))
        self.assertEqual(self.get_statements().name, "STRP 2026-01")
        self.assert_in_step()

    def test_each_month_starts_with_the_previous_closing_balance(self):
        self.pay_on(2026, 2, 10)
        self.pay_on(2026, 4, 10)
        self.check_on(2026, 5, 10)
        self.assert_statements((1, 0, 106.51), (2, 106.51, 213.02), (4, 213.02, 319.53))
        self.assert_in_step()

    def test_what_came_after_the_last_statement_is_in_no_statement(self):
        self.check_on(2026, 2, 10)
        payment = self.pay_on(2026, 2, 10)
        self.check_on(2026, 2, 11)
        self.assertFalse(payment.movement_ids.statement_line_id.statement_id)
        self.assertEqual(self.gateway.closed_until, date(2026, 1, 20))
        self.assertEqual(self.gateway.closed_balance, 106.51)
        self.assert_in_step()

    def test_closing_again_changes_nothing(self):
        self.check_on(2026, 2, 10)
        before = self.get_statements()
        self.check_on(2026, 2, 11)
        self.assertEqual(self.get_statements(), before)
        self.assert_statements((1, 0, 106.51))

    def test_late_movement_goes_into_its_month_and_is_carried_on(self):
        self.pay_on(2026, 2, 10)
        self.check_on(2026, 3, 10)
        payment = self.pay_on(2026, 1, 15)
        self.assert_statements((1, 0, 213.02), (2, 213.02, 319.53))
        self.check_on(2026, 3, 11)
        self.assert_statements((1, 0, 213.02), (2, 213.02, 319.53))
        self.assertEqual(len(payment.movement_ids.statement_line_id.statement_id), 1)
        self.assert_in_step()

    def test_late_movement_of_a_month_without_any_makes_its_statement(self):
        self.pay_on(2026, 3, 10)
        self.check_on(2026, 4, 10)
        self.pay_on(2026, 2, 15)
        self.assert_statements((1, 0, 106.51), (2, 106.51, 213.02), (3, 213.02, 319.53))
        self.check_on(2026, 4, 11)
        self.assert_in_step()

    def test_sync_compares_from_the_last_statement_on(self):
        self.check_on(2026, 2, 10)
        self.pay_on(2026, 2, 10)
        with freeze_time(datetime(2026, 2, 11), tick=True):
            self.sync()
        self.assert_in_step()

    def test_manual_entry_in_a_closed_month_is_noticed_by_the_daily_check(self):
        self.check_on(2026, 2, 10)
        self.post_by_hand(5, date(2026, 1, 15))
        self.check_on(2026, 2, 11)
        self.assertEqual(self.gateway.agreement_state, "red")
        self.assertEqual(self.gateway.agreement_difference, -5)

    def test_nothing_is_closed_while_nothing_is_posted(self):
        self.gateway.post_entries = False
        self.check_on(2026, 2, 10)
        self.assertFalse(self.get_statements())

    def test_month_is_closed_with_as_many_queries_as_it_has_lines_or_fewer(self):
        payment = self.pay_on(2026, 2, 10)
        self.check_on(2026, 2, 11)
        copy_payments(payment, 300)
        self.gateway._count_payments()
        before = self.cr.sql_log_count
        with freeze_time(datetime(2026, 3, 10, 6), tick=True):
            self.gateway.sudo()._close_months()
        self.assertLess(self.cr.sql_log_count - before, 60)
        self.assert_statements((1, 0, 106.51), (2, 106.51, 32166.02))
        lines = payment.movement_ids.statement_line_id
        self.assertEqual(lines.move_id.line_ids.statement_id, self.get_statements()[1])
        loaded = lines._fields["statement_id"]._get_all_cache_ids(self.env)
        self.assertLess(len(loaded), 20)

    def test_late_line_of_the_first_month_loads_no_other_month(self):
        payment = self.pay_on(2026, 2, 10)
        copy_payments(payment, 300)
        with freeze_time(datetime(2026, 3, 10, 6), tick=True):
            self.gateway.sudo()._close_months()
        self.env.invalidate_all()
        late = self.take_payment_on(2026, 1, 15)
        self.assertEqual(len(late.movement_ids.statement_line_id.statement_id), 1)
        loaded = self.env["account.bank.statement.line"]._fields["amount"]
        self.assertLess(len(loaded._get_all_cache_ids(self.env)), 20)
        self.assert_statements((1, 0, 213.02), (2, 213.02, 32272.53))
        self.assertEqual(self.gateway.closed_balance, 32272.53)
