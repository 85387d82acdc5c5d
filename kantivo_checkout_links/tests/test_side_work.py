from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..quiet import quiet_queries
from .common import CheckoutCommon

ADDON_LOGGER = "odoo.addons.kantivo_checkout_links"
ASIDE_LOGGER = "odoo.addons.kantivo_checkout_links.aside"


class TestSideWork(CheckoutCommon):
    """A contact, reminder, message or mail that can't be made undoes no money."""

    def setUp(self):
        super().setUp()
        self.link = self.create_link(110)

    @contextmanager
    def failing(self, model, method, error):
        """An override of another module's that raises."""

        def fail(*_args, **_kwargs):
            raise error

        with (
            patch.object(type(self.env[model]), method, fail),
            mute_logger(ASIDE_LOGGER),
        ):
            yield

    @contextmanager
    def unique_emails(self):
        """A rule in the database that no two contacts have the same address."""
        self.env.flush_all()
        self.cr.execute(
            "ALTER TABLE res_partner ADD CONSTRAINT one_address CHECK "
            "(email <> 'rosa@example.com')"
        )
        with mute_logger(ASIDE_LOGGER, "odoo.sql_db"):
            yield
        self.env.flush_all()
        self.cr.execute("ALTER TABLE res_partner DROP CONSTRAINT one_address")

    def assert_posted(self, payment):
        self.assertEqual(payment.state, "paid")
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assertFalse(
            self.env["checkout.event"].search([("state", "in", ("pending", "failed"))])
        )
        self.assert_agrees()

    # === CONTACTS === #

    def test_payment_is_posted_though_a_rule_refuses_the_contact(self):
        rule = ValidationError("This e-mail belongs to another contact.")
        for is_delivered in (True, False):
            with self.failing("res.partner", "create", rule):
                payment = self.pay(self.link, email="rosa@example.com")
                self.deliver() if is_delivered else self.sync()
            self.assert_posted(payment)
            self.assertFalse(payment.partner_id)
            self.assertIn("belongs to another contact", payment.contact_problem)
            self.assertIn("whose contact", self.gateway.health_message)

    def test_payment_is_posted_though_the_database_refuses_the_contact(self):
        with self.unique_emails():
            payment = self.pay(self.link, email="rosa@example.com")
            self.deliver()
            self.assert_posted(payment)
        self.assertIn("CheckViolation", payment.contact_problem)
        self.assertNotIn("rosa", payment.contact_problem)
        self.assertNotIn("row", payment.contact_problem)

    def pay_without_contact(self):
        with self.failing("res.partner", "create", ValidationError("No.")):
            payment = self.pay(self.link, email="rosa@example.com", name="Rosa")
            self.deliver()
        self.assertTrue(payment.contact_problem)
        return payment

    def test_next_sync_makes_the_contact(self):
        payment = self.pay_without_contact()
        with self.failing("res.partner", "create", ValidationError("Still no.")):
            self.sync()
        self.assertIn("Still no.", payment.contact_problem)
        self.sync()
        self.assertEqual(payment.partner_id.email, "rosa@example.com")
        self.assertEqual(payment.partner_id.name, "Rosa")
        self.assertFalse(payment.contact_problem)
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.move_id.line_ids.partner_id, payment.partner_id)
        self.assertNotIn("whose contact", self.gateway.health_message or "")

    def test_set_contact_is_a_way_out(self):
        payment = self.pay_without_contact()
        partner = self.env["res.partner"].create({"name": "Rosa"})
        payment.action_set_contact(partner)
        self.assertEqual(payment.partner_id, partner)
        self.assertFalse(payment.contact_problem)
        self.sync()
        self.assertEqual(payment.partner_id, partner)

    def test_receivable_waits_for_the_contact_and_is_posted_with_it(self):
        self.gateway.credit_to = "receivable"
        self.link = self.create_link(110)
        payment = self.pay_without_contact()
        self.assertEqual(payment.state, "paid")
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.state, "to_post")
        self.sync()
        self.assertEqual(charge.state, "posted")
        self.assert_agrees()

    def test_contact_that_is_no_longer_wanted_is_no_problem(self):
        payment = self.pay_without_contact()
        self.gateway.partner_policy = "none"
        self.sync()
        self.assertFalse(payment.partner_id)
        self.assertFalse(payment.contact_problem)

    def test_archived_contact_is_linked_and_not_doubled(self):
        partners = self.env["res.partner"]
        partner = partners.create(
            {"name": "Rosa", "email": "rosa@example.com", "active": False}
        )
        payment = self.pay(self.link, email="Rosa@example.com")
        self.deliver()
        self.assertEqual(payment.partner_id, partner)
        self.assertFalse(partner.active)
        self.assert_posted(payment)
        active = partners.create({"name": "Rosa", "email": "rosa@example.com"})
        again = self.pay(self.link, email="rosa@example.com")
        self.deliver()
        self.assertEqual(again.partner_id, active)

    # === REMINDERS AND MESSAGES === #

    def assert_noticed(self, reason):
        self.assertIn(reason, self.gateway.notice_problem)
        self.assertIn("activity, a message", self.gateway.health_message)
        self.assertIn(reason, self.gateway.health_message)

    def test_dispute_is_posted_though_its_reminder_fails(self):
        payment = self.pay(self.link)
        self.deliver()
        for model, method in (("mail.activity", "create"), ("mail.message", "create")):
            with self.failing(model, method, ValueError("secret")):
                self.standin.dispute(payment.stripe_charge_id, amount=1000)
                self.deliver()
            self.assertEqual(payment.state, "disputed")
            disputes = payment.movement_ids.filtered(lambda m: m.kind == "dispute")
            self.assertEqual(set(disputes.mapped("state")), {"posted"})
            self.assert_noticed("ValueError")
            self.assertNotIn("secret", self.gateway.health_message)
            self.assert_agrees()

    def test_reminder_that_works_again_takes_the_note_away(self):
        self.test_dispute_is_posted_though_its_reminder_fails()
        payment = self.pay(self.link)
        self.deliver()
        self.standin.dispute(payment.stripe_charge_id)
        self.deliver()
        self.assertFalse(self.gateway.notice_problem)

    def test_refund_is_made_once_though_its_message_fails(self):
        payment = self.pay(self.link)
        self.deliver()
        with self.failing("mail.message", "create", ValidationError("No messages.")):
            refund = payment.action_refund(10)
        self.assertEqual(refund.state, "succeeded")
        self.assertEqual(payment.state, "partially_refunded")
        self.assertEqual(self.standin.balance()["usd"], 9651)
        self.assert_noticed("No messages.")
        self.assert_agrees()

    def test_user_who_may_not_change_the_gateway_is_not_stopped_by_a_message(self):
        payment = self.pay(self.link)
        self.deliver()
        groups = "account.group_account_user,base.group_user"
        user = new_test_user(self.env, "accountant@example.com", groups)
        user.company_ids = user.company_id = self.gateway.company_id
        charge = payment.movement_ids.filtered(lambda m: m.kind == "charge")
        account = self.gateway.income_account_id.copy()
        with self.failing("account.move", "_message_log", ValueError("No log")):
            charge.with_user(user).action_reclassify(account)
        self.assertTrue(charge.reclassification_move_ids)
        self.assertTrue(self.gateway.notice_problem)

    def test_entry_of_a_closed_period_is_posted_though_its_message_fails(self):
        today = fields.Date.today()
        self.env.company.fiscalyear_lock_date = today
        with self.failing("mail.message", "create", ValidationError("No messages.")):
            payment = self.pay(self.link)
            self.deliver()
        self.assert_posted(payment)
        self.assertEqual(
            set(payment.movement_ids.move_id.mapped("date")),
            {today + timedelta(days=1)},
        )
        self.assert_noticed("No messages.")

    def test_sync_and_check_continue_although_their_reminders_fail(self):
        payment = self.pay(self.link)
        with self.failing("mail.activity", "create", ValidationError("No reminders.")):
            self.gateway.sudo().endpoint_problem = "The webhook is gone."
            self.gateway.sudo()._set_sync_error("x")
            self.sync()
            self.assert_posted(payment)
            self.assertFalse(self.gateway.sync_error)
            self.gateway.sudo().shared_account = "ask"
            self.standin.create_balance_transaction(-500)
            self.gateway.action_check_agreement()
        self.assertEqual(self.gateway.agreement_state, "red")
        self.assert_noticed("No reminders.")

    # === MAIL === #

    def test_money_is_posted_while_the_mail_server_fails(self):
        self.gateway.user_id = self.env["res.users"].create(
            {
                "name": "Mia Merchant",
                "login": "mia",
                "email": "mia@example.com",
                "group_ids": [
                    (4, self.env.ref("account.group_account_manager").id),
                ],
                "notification_type": "email",
            }
        )
        payment = self.pay(self.link)
        self.deliver()
        for error in (SMTPServerDisconnected("gone"), OSError("gone")):
            with (
                self.failing("ir.mail_server", "send_email", error),
                self.failing("ir.mail_server", "_connect__", error),
            ):
                self.standin.dispute(payment.stripe_charge_id, amount=1000)
                self.deliver()
                self.cr.postcommit.run()
            self.assertEqual(payment.state, "disputed")
            self.assert_agrees()
        mails = self.env["mail.mail"].search([("email_to", "ilike", "mia")])
        mails |= self.env["mail.mail"].search(
            [("recipient_ids", "=", self.gateway.user_id.partner_id.id)]
        )
        self.assertEqual(set(mails.mapped("state")), {"outgoing"})

    # === WHAT IS SAID OF ERRORS === #

    @contextmanager
    def failing_in_the_database(self, model, method):
        """As where the database refuses what a customer has typed."""

        def fail(records, *_args, **_kwargs):
            with records.env.cr.savepoint(flush=False):
                records.env.cr.execute(
                    "SELECT %s::integer", ["Rosa Payer"], log_exceptions=False
                )

        with patch.object(type(self.env[model]), method, fail):
            yield

    def test_query_that_fails_puts_no_customer_into_the_log(self):
        ours = "SELECT %s FROM checkout_nothing"
        others = "SELECT %s::integer FROM res_partner"
        for query, is_inside in ((ours, False), (others, True), (ours, True)):
            inside = quiet_queries() if is_inside else nullcontext()
            with (
                self.subTest(query=query, is_inside=is_inside),
                self.assertLogs("odoo.sql_db", "ERROR") as logs,
                suppress(psycopg2.Error),
                self.cr.savepoint(),
                inside,
            ):
                self.cr.execute(query, ["rosa@example.com"])
            [line] = logs.output
            self.assertIn("A query of Checkout Links failed", line)
            self.assertNotIn("rosa", line)
            self.assertNotIn("SELECT", line)

    def test_queries_of_others_are_logged_as_ever(self):
        with (
            self.assertLogs("odoo.sql_db", "ERROR") as logs,
            suppress(psycopg2.Error),
            self.cr.savepoint(),
        ):
            self.cr.execute("SELECT %s::integer FROM res_partner", ["x"])
        self.assertIn("res_partner", logs.output[0])

    def test_no_message_and_no_log_quotes_the_database(self):
        self.pay(self.link, name="Rosa Payer")
        with self.assertLogs(ADDON_LOGGER, "ERROR") as logs:
            with self.failing_in_the_database("checkout.payment", "_apply_session"):
                self.deliver()
            event = self.env["checkout.event"].search([("error", "!=", False)])[0]
            error = event.error
            with self.failing_in_the_database("checkout.entry", "_prepare_items"):
                event.action_process()
                self.sync()
                movements = self.env["checkout.movement"].search([])
                waiting = movements.filtered("error")[0].error
            with self.failing_in_the_database("checkout.sync", "_sync_events"):
                self.env["checkout.sync"]._cron_sync()
        for message in (
            error,
            waiting,
            self.gateway.sync_error,
            self.gateway.health_message,
            self.gateway.activity_ids.note,
        ):
            self.assertIn("InvalidTextRepresentation", message)
            self.assert_quotes_nothing(message)
        self.assert_quotes_nothing("".join(logs.output))

    def assert_quotes_nothing(self, text):
        for word in ("Rosa", "LINE 1", "integer", "SELECT"):
            self.assertNotIn(word, text)
