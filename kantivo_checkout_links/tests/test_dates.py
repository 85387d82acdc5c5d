from datetime import date, datetime, timedelta, timezone

from freezegun import freeze_time

from odoo import Command, fields

from .common import CheckoutCommon


class TestDates(CheckoutCommon):
    """An entry carries the day on which it happened, where the merchant is."""

    def at(self, *moment):
        """Have Stripe's clock stand still at a moment of UTC."""
        now = int(datetime(*moment, tzinfo=timezone.utc).timestamp())
        self.standin.reset(clock={"now": now, "frozen": True})
        self.gateway.sync_from = datetime(*moment) - timedelta(days=30)

    def go_to(self, *moment):
        now = int(datetime(*moment, tzinfo=timezone.utc).timestamp())
        self.standin.set_clock(now=now, frozen=True)

    def pay_at(self, *moment, **vals):
        self.at(*moment)
        payment = self.pay_then(*moment, **vals)
        self.deliver()
        return payment

    def pay_then(self, *moment, **vals):
        with freeze_time(datetime(*moment), tick=True):
            return self.pay(self.create_link(110, **vals), email="rosa@example.com")

    def get_dates(self, payment):
        return {movement.move_id.date for movement in payment.movement_ids}

    # === WHICH DAY === #

    def test_either_side_of_midnight_where_the_merchant_is(self):
        self.gateway.tz = "Asia/Tokyo"  # nine hours ahead of UTC
        before = self.pay_at(2026, 3, 10, 14, 59, 59)
        self.assertEqual(self.get_dates(before), {date(2026, 3, 10)})
        after = self.pay_at(2026, 3, 10, 15, 0, 0)
        self.assertEqual(self.get_dates(after), {date(2026, 3, 11)})

    def test_behind_utc_too(self):
        self.gateway.tz = "America/Los_Angeles"
        payment = self.pay_at(2026, 3, 11, 6, 30)
        self.assertEqual(self.get_dates(payment), {date(2026, 3, 10)})

    def test_night_in_which_the_clocks_change(self):
        self.gateway.tz = "Europe/Berlin"  # 29 March 2026: from +1 to +2 at 01:00 UTC
        self.assertEqual(
            self.get_dates(self.pay_at(2026, 3, 28, 22, 59)), {date(2026, 3, 28)}
        )
        self.assertEqual(
            self.get_dates(self.pay_at(2026, 3, 29, 22, 1)), {date(2026, 3, 30)}
        )

    def test_year_ends_where_the_merchant_is(self):
        self.gateway.tz = "Europe/Berlin"
        old = self.pay_at(2025, 12, 31, 22, 59)
        new = self.pay_at(2025, 12, 31, 23, 1)
        self.assertEqual(self.get_dates(old), {date(2025, 12, 31)})
        self.assertEqual(self.get_dates(new), {date(2026, 1, 1)})
        for payment, year in ((old, "2025"), (new, "2026")):
            for move in payment.move_ids:
                self.assertIn(year, move.name)

    def test_regardless_of_how_it_is_discovered(self):
        self.gateway.tz = "Asia/Tokyo"
        self.at(2026, 3, 10, 15, 0, 0)
        payment = self.pay_then(2026, 3, 10, 15, 0, 0)
        self.go_to(2026, 3, 14, 12)
        self.sync()
        self.assertEqual(self.get_dates(payment), {date(2026, 3, 11)})

    def test_refund_is_of_its_own_day(self):
        payment = self.pay_at(2026, 3, 10, 12)
        self.go_to(2026, 4, 2, 12)
        payment.action_refund(33)
        refund = self.get_movement(payment, "refund")
        self.assertEqual(refund.move_id.date, date(2026, 4, 2))

    def test_charge_of_other_software_is_of_the_day_it_was_made(self):
        self.at(2026, 3, 10, 12)
        self.standin.settings(balance_transactions="held")
        self.standin.create_charge(5000)
        self.go_to(2026, 3, 12, 12)
        self.standin.release()
        self.sync()
        movements = self.env["checkout.movement"].search(
            [("is_third_party", "=", True)]
        )
        dates = {movement.kind: movement.move_id.date for movement in movements}
        self.assertEqual(dates, {"charge": date(2026, 3, 10), "fee": date(2026, 3, 12)})

    # === CLOSED PERIODS === #

    def assert_shifted(self, movement, happened_on, posted_on):
        self.assertEqual(movement.state, "posted")
        self.assertEqual(movement._get_local_date(), happened_on)
        self.assertEqual(movement.move_id.date, posted_on)
        if movement.statement_line_id:
            self.assertEqual(movement.statement_line_id.date, posted_on)
        shown = movement.move_id.message_ids.mapped("body")
        self.assertTrue(any("that period is closed" in body for body in shown))

    def test_closed_periods_move_the_entry_to_the_first_open_day(self):
        locks = (
            "fiscalyear_lock_date",
            "tax_lock_date",
            "sale_lock_date",
            "hard_lock_date",
        )
        for lock in locks:
            with self.subTest(lock=lock), self.env.cr.savepoint() as savepoint:
                self.env.company[lock] = date(2026, 3, 31)
                payment = self.pay_at(2026, 3, 10, 12)
                charge = self.get_movement(payment, "charge")
                if lock == "sale_lock_date":  # of sales journals only
                    self.assertEqual(charge.move_id.date, date(2026, 3, 10))
                else:
                    self.assert_shifted(charge, date(2026, 3, 10), date(2026, 4, 1))
                savepoint.rollback()
                self.env.invalidate_all()

    def test_tax_lock_leaves_entries_without_taxes(self):
        self.env.company.tax_lock_date = date(2026, 3, 31)
        payment = self.pay_at(2026, 3, 10, 12)
        fee = self.get_movement(payment, "fee")
        self.assertEqual(fee.move_id.date, date(2026, 3, 10))

    def test_exception_of_one_user_opens_no_period_for_us(self):
        self.env.company.fiscalyear_lock_date = date(2026, 3, 31)
        self.env["account.lock_exception"].create(
            {
                "company_id": self.env.company.id,
                "user_id": self.env.user.id,
                "fiscalyear_lock_date": date(2026, 1, 31),
                "end_datetime": fields.Datetime.now() + timedelta(days=1),
            }
        )
        charge = self.get_movement(self.pay_at(2026, 3, 10, 12), "charge")
        self.assert_shifted(charge, date(2026, 3, 10), date(2026, 4, 1))

    def test_period_closed_between_charge_and_refund(self):
        payment = self.pay_at(2026, 3, 10, 12)
        self.go_to(2026, 3, 20, 12)
        self.env.company.fiscalyear_lock_date = date(2026, 3, 31)
        payment.action_refund(33)
        refund = self.get_movement(payment, "refund")
        self.assert_shifted(refund, date(2026, 3, 20), date(2026, 4, 1))
        self.assert_agrees()

    def test_lost_dispute_and_payout_in_a_closed_period(self):
        payment = self.pay_at(2026, 3, 10, 12)
        dispute = self.standin.dispute(payment.stripe_charge_id)
        self.deliver()
        self.env.company.hard_lock_date = date(2026, 3, 31)
        self.pay_then(2026, 3, 10, 12)
        self.standin.change_dispute(dispute["id"], "lose")
        payout = self.standin.payout("usd", pending_too=True)
        self.deliver()
        loss = self.get_movement(payment, "dispute_loss")
        self.assert_shifted(loss, date(2026, 3, 10), date(2026, 4, 1))
        movement = self.env["checkout.movement"].search(
            [("stripe_source_id", "=", payout["id"])]
        )
        self.assert_shifted(movement, date(2026, 3, 10), date(2026, 4, 1))
        self.assert_agrees()

    def test_closed_tax_period_moves_nothing_that_has_no_tax(self):
        self.env.company.tax_lock_date = date(2026, 3, 31)
        payment = self.pay_at(2026, 3, 10, 12, tax_ids=[Command.clear()])
        payment.action_refund(33)
        self.assertEqual(self.get_dates(payment), {date(2026, 3, 10)})

    def test_closed_tax_period_moves_no_receivable(self):
        self.env.company.tax_lock_date = date(2026, 3, 31)
        self.gateway.credit_to = "receivable"
        payment = self.pay_at(2026, 3, 10, 12)
        payment.action_refund(33)
        self.assertEqual(self.get_dates(payment), {date(2026, 3, 10)})
