from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

from freezegun import freeze_time
from psycopg2.errors import NotNullViolation

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import Form
from odoo.tools import mute_logger

from .. import stripe_client
from ..budget import Budget
from ..const import SYNC_OVERLAP_HOURS
from ..models.processing import sync
from ..stripe_client import StripeClient
from ..utils import to_timestamp
from .common import CLIENT_LOGGER, SYNC_LOGGER, CheckoutCommon


class TestSync(CheckoutCommon):
    """What the sync finds when no event arrived."""

    def find_movements(self, *kinds):
        return self.env["checkout.movement"].search(
            [("gateway_id", "=", self.gateway.id), ("kind", "in", kinds)]
        )

    def test_everything_is_found_without_a_single_webhook(self):
        payment = self.pay(self.create_link(110))
        other = self.pay(self.create_link(50))
        self.standin.release()
        self.sync()
        self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.dispute(other.stripe_charge_id)
        self.standin.payout()
        self.sync()
        self.assertEqual(payment.state, "partially_refunded")
        self.assertIn("1 × Refund", self.gateway.sync_note)
        self.assertEqual(other.state, "disputed")
        self.assertTrue(self.find_movements("payout"))
        self.assert_agrees()

    def test_sync_says_what_it_found(self):
        self.pay(self.create_link(110))
        found = self.gateway.action_sync()["params"]["message"]
        self.assertIn("1 × Charge, 1 × Fee", found)
        found = self.gateway.action_sync()["params"]["message"]
        self.assertIn("Nothing new", found)

    def test_syncing_again_changes_nothing(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        payment.action_refund(10)
        self.standin.payout()
        self.sync()
        movements = self.env["checkout.movement"].search([])
        moves = self.env["account.move"].search_count([])
        self.gateway.sudo().transactions_read_to = False
        self.gateway.sudo().last_sync_at = False
        self.sync()
        self.assertEqual(self.env["checkout.movement"].search([]), movements)
        self.assertEqual(self.env["account.move"].search_count([]), moves)

    def test_money_of_other_software_goes_to_review(self):
        self.standin.create_charge(5000)
        self.standin.release()
        self.sync()
        charge = self.find_movements("charge")
        self.assertEqual(charge.state, "to_review")
        self.assertTrue(charge.is_third_party)
        self.assertIn(
            self.gateway.review_account_id, charge.move_id.line_ids.account_id
        )
        self.assert_agrees()

    def test_money_of_other_software_can_be_left_out(self):
        self.gateway.foreign_movements = "skip"
        self.pay(self.create_link(110))
        self.standin.create_charge(5000)
        self.standin.release()
        self.sync()
        foreign = self.find_movements("charge", "fee").filtered("is_third_party")
        self.assertEqual(set(foreign.mapped("state")), {"skipped"})
        self.assertEqual(self.get_journal_balance(), 106.51)
        self.assertEqual(self.gateway.agreement_state, "grey")

    def test_stand_alone_fee_is_an_expense(self):
        self.standin.create_balance_transaction(-500)
        self.sync()
        self.assert_entry(
            self.find_movements("fee"),
            [
                (self.gateway.journal_id.default_account_id, 0, 5),
                (self.gateway.fee_account_id, 5, 0),
            ],
        )

    def test_unknown_movement_goes_to_review(self):
        self.standin.create_balance_transaction(
            -700, type="reserved_funds", category="risk_reserved_funds"
        )
        self.sync()
        self.assertEqual(self.find_movements("adjustment").state, "to_review")
        self.assert_agrees()

    def test_other_balances_of_the_account_are_not_in_the_journal(self):
        self.pay(self.create_link(110))
        self.standin.release()
        for balance_type in ("issuing", "risk_reserved"):
            self.standin.create_balance_transaction(
                7000,
                type="transfer",
                category="transfer",
                balance_type=balance_type,
            )
        self.sync()
        self.assertFalse(self.find_movements("adjustment", "opening"))
        self.assertEqual(self.get_journal_balance(), 106.51)
        self.assert_agrees()
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_reserve_is_for_review_until_it_is_released(self):
        self.pay(self.create_link(110))
        for amount in (-5000, 5000):
            self.standin.release()
            self.standin.create_balance_transaction(
                amount, type="reserve_transaction", category="risk_reserved_funds"
            )
            self.sync()
            self.assert_agrees()
        reserves = self.find_movements("adjustment")
        self.assertEqual(set(reserves.mapped("state")), {"to_review"})
        review = reserves.move_id.line_ids.filtered(
            lambda line: line.account_id == self.gateway.review_account_id
        )
        self.assertEqual(sum(review.mapped("balance")), 0)

    def test_balance_from_before_is_one_opening_entry(self):
        now = self.standin.clock()["now"]
        self.standin.set_clock(now=now - 3600)
        self.standin.create_charge(5000)
        self.standin.release()
        self.standin.payout()
        self.standin.create_charge(3000)
        self.standin.release()
        self.standin.set_clock(now=now)
        self.gateway.sync_from = fields.Datetime.now() - timedelta(minutes=30)
        payment = self.pay(self.create_link(110))
        self.standin.release()
        self.sync()
        self.assertEqual(self.find_movements("opening").amount, 28.83)
        self.assertEqual(self.find_movements("opening").state, "to_review")
        self.assertEqual(self.find_movements("charge", "payout").payment_id, payment)
        self.assert_agrees()

    @mute_logger(CLIENT_LOGGER)
    def test_payout_is_posted_though_the_key_may_not_read_payouts(self):
        self.standin.configure(keys={"rk_test_few": {"denied": ["rak_payout_read"]}})
        self.gateway.secret_key = "rk_test_few"
        self.pay(self.create_link(110))
        self.deliver()
        self.standin.payout()
        self.sync()
        self.assertEqual(self.find_movements("payout").amount, -106.51)
        self.assert_agrees()

    def test_start_stays_once_the_opening_balance_is_known(self):
        self.standin.create_balance_transaction(5000)
        begin = self.gateway.sync_from = fields.Datetime.now() + timedelta(minutes=1)
        self.sync()
        self.assertEqual(self.find_movements("opening").amount, 50)
        for other in (begin - timedelta(days=1), begin + timedelta(days=1), False):
            with self.assertRaisesRegex(UserError, "opening balance is posted"):
                self.gateway.sync_from = other
        self.gateway.write({"sync_from": fields.Datetime.to_string(begin)})
        self.assertEqual(self.gateway.sync_from, begin)

    def test_start_moves_back_if_there_was_nothing_before(self):
        self.pay(self.create_link(110))
        self.deliver()
        self.sync()
        moves = self.env["account.move"].search_count([])
        self.gateway.sync_from -= timedelta(days=30)
        self.sync()
        self.assertEqual(self.env["account.move"].search_count([]), moves)
        self.assert_agrees()
        with self.assertRaisesRegex(UserError, "opening balance is posted"):
            self.gateway.sync_from += timedelta(days=1)

    def test_money_that_came_and_went_before_the_begin_can_be_read_later(self):
        self.standin.create_balance_transaction(5000)
        self.standin.create_balance_transaction(-5000)
        begin = self.gateway.sync_from
        self.gateway.sync_from = fields.Datetime.now() + timedelta(minutes=1)
        self.sync()
        self.assertFalse(self.find_movements("fee"))
        self.gateway.sync_from = begin
        self.sync()
        self.assertCountEqual(self.find_movements("fee").mapped("amount"), [-50, 50])
        self.assert_agrees()

    def test_start_moved_to_the_past_opens_with_the_balance_at_that_time(self):
        now = fields.Datetime.now()
        for days, amount in ((3, 5000), (1, -5000)):
            self.set_clock(now - timedelta(days=days))
            self.standin.create_balance_transaction(amount)
        self.set_clock(now + timedelta(seconds=5))
        self.gateway.sync_from = now
        self.sync()
        self.gateway.sync_from = now - timedelta(days=2)
        self.sync()
        self.assertEqual(self.find_movements("opening").amount, 50)
        self.assertEqual(self.find_movements("fee").amount, -50)
        self.assert_agrees()

    def set_clock(self, moment):
        self.standin.set_clock(now=to_timestamp(moment))

    def test_one_that_is_busy_keeps_no_other_gateway_from_its_sync(self):
        other = self.create_gateway(secret_key="sk_test_at_other")
        work = type(other)._work_exclusively

        def work_where_free(gateway, task):
            """As where another process holds the first gateway's lock."""
            if gateway == self.gateway:
                raise UserError(gateway._describe_busy())
            return work(gateway, task)

        with (
            patch.object(type(other), "_work_exclusively", work_where_free),
            mute_logger(SYNC_LOGGER),
            mute_logger(
                "odoo.addons.kantivo_checkout_links.models.gateway.gateway_health"
            ),
        ):
            self.env["checkout.sync"]._cron_sync()
        self.assertTrue(other.last_sync_at)
        self.assertFalse(self.gateway.last_sync_at)

    def test_start_can_be_moved_back_after_a_sync_without_an_opening_balance(self):
        begin = fields.Datetime.now() - timedelta(days=2)
        with Form(self.gateway) as form:
            form.sync_from = begin
        self.assertEqual(self.gateway.sync_from, begin)
        self.sync()
        with Form(self.gateway) as form:
            form.sync_from = begin - timedelta(days=1)
        self.assertEqual(self.gateway.sync_from, begin - timedelta(days=1))
        self.sync()
        with self.assertRaisesRegex(UserError, "later"), Form(self.gateway) as form:
            form.sync_from = begin

    @mute_logger("odoo.sql_db")
    def test_gateway_always_has_a_start(self):
        for vals in ({}, {"sync_from": False}, {"sync_from": ""}):
            gateway = self.env["checkout.gateway"].create({"name": "New", **vals})
            self.assertTrue(gateway.sync_from)
        with self.assertRaises(NotNullViolation), self.env.cr.savepoint():
            self.gateway.sync_from = False
            self.gateway.flush_recordset()

    def test_late_fee_is_found(self):
        self.standin.settings(balance_transactions="held")
        self.pay(self.create_link(110))
        self.sync()
        self.assertFalse(self.find_movements("fee"))
        self.assertEqual(self.gateway.agreement_state, "amber")
        self.standin.release()
        self.sync()
        self.assertEqual(self.find_movements("fee").amount, -3.49)
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_debit_that_entered_the_balance_waits_for_its_bank(self):
        self.standin.settings(debit_balance_transaction="at_once")
        payment = self.pay(self.create_link(110), number="debit")
        self.sync()
        self.assertEqual(payment.state, "processing")
        self.assertEqual(self.find_movements("charge").state, "to_post")
        self.assertEqual(self.gateway.agreement_state, "amber")
        self.standin.settle_debit(payment.stripe_checkout_session_id)
        self.sync()
        self.assertEqual(self.find_movements("charge").state, "posted")
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_debit_that_failed_leaves_no_entry_of_a_sale(self):
        self.standin.settings(debit_balance_transaction="at_once")
        payment = self.pay(self.create_link(110), number="debit")
        self.sync()
        self.standin.fail_debit(payment.stripe_checkout_session_id)
        self.sync()
        self.assertEqual(payment.state, "failed")
        charges = self.find_movements("charge", "charge_failure")
        self.assertEqual(charges.mapped("state"), ["skipped", "skipped"])
        self.assert_agrees()
        self.assertEqual(self.gateway.agreement_state, "green")

    # === PROGRESS === #

    def test_interrupted_sync_continues_where_it_stopped(self):
        days_ago = [fields.Datetime.now() - timedelta(days=n) for n in (28, 14)]
        self.gateway.sync_from, half_way = days_ago
        self.break_off_after(calls=2)
        with mute_logger(CLIENT_LOGGER, SYNC_LOGGER):
            self.env["checkout.sync"]._cron_sync()
        self.assertEqual(self.gateway.transactions_read_to, half_way)
        self.assertTrue(self.gateway.sync_error)
        self.standin.clear_faults()
        self.standin.clear_requests()
        self.sync()
        first, *_later = self.standin.requests("GET /v1/balance_transactions")
        started = datetime.fromtimestamp(
            int(first["params"]["created"]["gte"]), timezone.utc
        )
        self.assertEqual(
            started.replace(tzinfo=None), half_way - timedelta(hours=SYNC_OVERLAP_HOURS)
        )
        self.assertFalse(self.gateway.sync_error)

    def break_off_after(self, calls):
        """Stripe answers some readings of its balance, and then no more."""
        path = "GET /v1/balance_transactions"
        self.standin.api_fault("slow", path, times=calls)  # by no second at all
        self.standin.api_fault("status", path, status=500, times=99)

    def test_scheduled_sync_and_check_do_the_same_as_the_buttons(self):
        payment = self.pay(self.create_link(110))
        self.standin.release()
        self.run_cron("ir_cron_sync")
        self.assertEqual(payment.state, "paid")
        self.gateway.sudo().agreement_state = "grey"
        self.run_cron("ir_cron_agreement")
        self.assertEqual(self.gateway.agreement_state, "green")

    def run_cron(self, name):
        cron = self.env.ref(f"kantivo_checkout_links.{name}")
        self.assertTrue(cron.active)
        cron.ir_actions_server_id.run()
        self.env.invalidate_all()

    # === COSTS === #

    def count_calls(self, work, match="GET /v1/checkout/sessions"):
        """How many calls of Stripe's some work makes."""
        self.standin.clear_requests()
        work()
        return len(self.standin.requests(match))

    def start_often(self, number):
        """Payments whose payers are on Stripe's page."""
        link = self.create_link(110)
        started = [self.start_payment(link) for _number in range(number)]
        return self.env["checkout.payment"].union(*started)

    def test_open_checkouts_are_not_asked_for(self):
        self.start_often(3)
        self.assertEqual(self.count_calls(self.sync), 0)

    def test_overdue_checkouts_are_read_by_lists_and_once_a_day(self):
        payments = self.start_often(20)
        for payment in payments:
            self.standin.expire(payment.stripe_checkout_session_id)
        self.gateway.sudo().events_read_to = fields.Datetime.now()
        overdue = fields.Datetime.now() - timedelta(minutes=16)
        payments.sudo().session_expires_at = overdue
        with patch.object(sync, "HANDLED_EVENTS", ["payout.paid"]):
            self.assertLessEqual(self.count_calls(self.sync), 0.3 * len(payments))
            self.assertEqual(set(payments.mapped("state")), {"expired"})
            payments.sudo().write(
                {"state": "processing", "session_expires_at": overdue}
            )
            self.assertEqual(self.count_calls(self.sync), 0)

    def test_no_one_waits_for_the_ledger_while_stripe_is_asked(self):
        self.sync()  # what is asked for only once
        self.pay(self.create_link(110))
        self.standin.release()
        self.standin.payout()
        held, asked = [], []
        exclusive, ask = type(self.gateway)._exclusive, StripeClient._call

        @contextmanager
        def hold(gateway):
            held.append(gateway)
            with exclusive(gateway) as gateway_sudo:
                yield gateway_sudo
            held.pop()

        def note(client, *args):
            asked.append(bool(held))
            return ask(client, *args)

        with (
            patch.object(type(self.gateway), "_exclusive", hold),
            patch.object(StripeClient, "_call", note),
        ):
            self.sync()
            self.gateway.action_check_agreement()
        self.assertEqual(set(asked), {False})
        self.assert_agrees()

    # === LONG SYNCS === #

    @contextmanager
    def in_short_runs(self):
        """Each run has time for one piece only, and pages are short."""
        with (
            patch.object(Budget, "is_spent", True),
            patch.object(sync, "STRIPE_PAGE", 5),
            patch.object(stripe_client, "STRIPE_PAGE", 5),
            patch.object(sync, "SYNC_PERIOD_ROWS", 5),
            patch.object(sync, "SYNC_PIECE_ROWS", 2),
        ):
            yield

    def live_long(self):
        """More than a run has time for."""
        link = self.create_link(110)
        for _number in range(8):
            self.pay(link)
        self.standin.release()
        self.standin.payout()

    def test_long_sync_goes_on_where_the_last_run_stopped(self):
        self.live_long()
        runs, done = 0, []
        with self.in_short_runs():
            while not self.gateway.last_sync_at:
                self.env["checkout.sync"]._sync(self.gateway.sudo(), Budget())
                done.append(self.gateway.sync_status)
                runs += 1
                self.assertLess(runs, 40)
        self.assertGreater(runs, 8)
        self.assertIn("5 of about", done[0])
        self.assertFalse(self.gateway.sync_status)
        self.assertFalse(self.gateway.sync_started_at)
        self.assertIn("8 × Charge, 8 × Fee, 1 × Payout", self.gateway.sync_note)
        self.assertEqual(self.gateway.recovered_last, 8)
        self.assertEqual(self.gateway.agreement_state, "green")
        self.assert_agrees()

    def test_long_sync_reads_no_page_of_events_twice(self):
        self.live_long()
        with self.in_short_runs():
            for _run in range(8):
                self.env["checkout.sync"]._sync(self.gateway.sudo(), Budget())
        pages = self.standin.requests("GET /v1/events")
        after = [page["params"].get("starting_after") for page in pages]
        self.assertEqual(len(set(after)), len(after))

    def test_many_transactions_are_read_in_periods_that_fit_into_memory(self):
        self.gateway.sync_from -= timedelta(days=20)
        now = self.standin.clock()["now"]
        moments = [int(now) - 3600 * hour for hour in range(400, 0, -13)]
        for moment in moments:
            self.standin.create_balance_transaction(-100, created=moment)
        periods = []
        iter_periods = type(self.env["checkout.sync"])._iter_periods

        def note(*args):
            for rows, end in iter_periods(*args):
                periods.append(len(rows))
                yield rows, end

        with (
            patch.object(type(self.env["checkout.sync"]), "_iter_periods", note),
            patch.object(sync, "SYNC_PERIOD_ROWS", 10),
            patch.object(sync, "STRIPE_PAGE", 5),
            patch.object(stripe_client, "STRIPE_PAGE", 5),
        ):
            self.sync()
        self.assertLess(max(periods), 10)
        fees = self.find_movements("fee").sorted("id")
        self.assertEqual(len(fees), len(moments))
        self.assertEqual(fees, fees.sorted("occurred_at"))
        self.assert_agrees()

    def test_sync_that_has_no_time_is_continued_by_another_run(self):
        cron = self.env.ref("kantivo_checkout_links.ir_cron_sync")
        triggers = self.env["ir.cron.trigger"].sudo()
        before = triggers.search_count([("cron_id", "=", cron.id)])
        with patch.object(Budget, "is_spent", True):
            message = self.gateway.action_sync()["params"]["message"]
        self.assertIn("continues in the background", message)
        after = triggers.search_count([("cron_id", "=", cron.id)])
        self.assertEqual(after, before + 1)
        self.run_cron("ir_cron_sync")
        self.assertTrue(self.gateway.last_sync_at)

    # === A MONTH === #

    def test_month_delivered_and_read_again_changes_nothing(self):
        self.live_a_month()
        before = self.describe_ledger()
        events = self.standin.events()
        self.receive(events)
        again = [{**event, "id": f"{event['id']}_again"} for event in events]
        self.receive(again)
        self.gateway.sudo().write(
            {"last_sync_at": False, "transactions_read_to": False}
        )
        moves = self.env["account.move"].search_count([])
        self.sync()
        self.assertEqual(self.describe_ledger(), before)
        self.assertEqual(self.env["account.move"].search_count([]), moves)
        self.assertIn("Nothing new", self.gateway.action_sync()["params"]["message"])

    def test_month_read_into_an_empty_database_is_the_same(self):
        self.live_a_month()
        before = self.describe_ledger()
        days = {row[3] for row in before}
        self.assertEqual(len(days), 8)
        self.forget_everything()
        self.assertEqual(self.describe_ledger(), [])
        self.sync()
        self.assertEqual(self.describe_ledger(), before)

    def live_a_month(self):
        """One thing on each of some days, received on that day but processed today."""
        self.gateway.sync_from = fields.Datetime.now() - timedelta(days=29)
        self.go_back(28)
        first = self.pay_then(28)
        self.go_back(25)
        second = self.pay_then(25)
        self.go_back(22)
        self.standin.refund(first.stripe_charge_id, 1000)
        self.go_back(19)
        dispute = self.standin.dispute(second.stripe_charge_id)["id"]
        self.go_back(16)
        payout = self.standin.payout()["id"]
        self.standin.change_payout(payout, "reconcile")
        self.go_back(12)
        self.standin.change_payout(payout, "fail")
        self.go_back(8)
        self.standin.change_dispute(dispute, "lose")
        self.go_back(4)
        self.standin.create_balance_transaction(-500)
        self.deliver()
        self.sync()
        self.assert_agrees()

    def go_back(self, days):
        """Have Stripe's clock stand still some days before now."""
        at = fields.Datetime.now() - timedelta(days=days)
        self.standin.set_clock(
            now=int(at.replace(tzinfo=timezone.utc).timestamp()), frozen=True
        )

    def pay_then(self, days):
        at = fields.Datetime.now() - timedelta(days=days)
        with freeze_time(at, tick=True):
            payment = self.pay(self.create_link(110))
        self.deliver()
        return payment

    def describe_ledger(self):
        movements = self.env["checkout.movement"].search(
            [("gateway_id", "=", self.gateway.id)]
        )
        return sorted(
            (
                movement.kind,
                movement.stripe_source_id,
                movement.balance_transaction_id,
                str(movement.move_id.date),
                movement.payment_id.state or "",
                movement.payout_id.stripe_id or "",
                sorted(
                    (line.account_id.code, line.balance)
                    for line in movement.move_id.line_ids
                ),
            )
            for movement in movements
        )

    def forget_everything(self):
        """An empty database: no movement, no entry, no payment."""
        movements = self.env["checkout.movement"].search([])
        moves = movements.move_id
        movements.sudo().unlink()
        moves.button_draft()
        moves.with_context(force_delete=True).unlink()
        for model in ("refund", "dispute", "payout", "event", "payment"):
            self.env[f"checkout.{model}"].sudo().search([]).unlink()
        self.gateway.sudo().write(
            {"last_sync_at": False, "transactions_read_to": False}
        )
