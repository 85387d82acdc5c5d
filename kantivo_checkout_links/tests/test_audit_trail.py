from odoo import SUPERUSER_ID
from odoo.tests import new_test_user

from .common import CheckoutCommon


class AuditTrailCommon(CheckoutCommon):
    """A company that keeps an audit trail, and somebody who writes its invoices."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.company.restrictive_audit_trail = True
        cls.clerk = new_test_user(
            cls.env, "clerk", "base.group_user,account.group_account_invoice"
        )
        cls.bot = cls.env.ref("base.user_root").partner_id

    def process(self):
        """What the scheduled processor does, as Odoo runs it."""
        self.env["checkout.event"].with_user(SUPERUSER_ID)._cron_process()
        self.env.invalidate_all()

    def read_trail(self, moves):
        """What Odoo's audit trail shows of entries: author and text, oldest first."""
        self.env.flush_all()
        self.env.cr.precommit.run()
        messages = self.env["mail.message"].search(
            [
                ("account_audit_log_move_id", "in", moves.ids),
                ("account_audit_log_restricted", "=", True),
            ],
            order="id",
        )
        return [(m.author_id, m.account_audit_log_preview.strip()) for m in messages]


class TestAuditTrail(AuditTrailCommon):
    """The audit trail has our entries as it has any, with who asked for them."""

    def test_entry_is_logged_when_it_is_made(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        created = (self.bot, "Journal Entry created")
        for movement in payment.movement_ids:
            self.assertEqual(self.read_trail(movement.move_id), [created])

    def test_company_without_audit_trail_logs_nothing(self):
        self.env.company.restrictive_audit_trail = False
        payment = self.pay(self.create_link(110))
        self.deliver()
        payment.action_refund(33)
        self.env.company.restrictive_audit_trail = True  # so that all would be found
        self.assertEqual(self.read_trail(payment.move_ids), [])

    def test_log_is_in_the_companys_language_whoever_acts(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env.company.partner_id.lang = "fr_FR"
        payment = self.pay(self.create_link(110))
        self.deliver()
        trail = self.read_trail(payment.move_ids)
        self.assertTrue(trail)
        for _author, text in trail:
            self.assertTrue(text.endswith(" créé"), text)

    def test_user_who_posts_manually_is_named(self):
        self.gateway.post_entries = False
        payment = self.pay(self.create_link(110))
        self.deliver()
        self.gateway.post_entries = True
        payment.movement_ids.with_user(self.clerk).action_post()
        authors = {author for author, _text in self.read_trail(payment.move_ids)}
        self.assertEqual(authors, {self.clerk.partner_id})

    def test_who_refunds_is_named_on_the_refund_alone(self):
        paid, other = (self.pay(self.create_link(110)) for _payment in range(2))
        self.deliver()
        waiting = self.pay(self.create_link(110))
        self.standin.release()
        for event in self.take_events():  # not processed until the refund is
            self.env["checkout.event"].sudo()._receive(self.gateway.sudo(), event)
        paid.with_user(self.clerk).action_refund(33)
        refund = self.get_movement(paid, "refund").move_id
        [(author, _text), *_rest] = self.read_trail(refund)
        self.assertEqual(author, self.clerk.partner_id)
        self.assertEqual(waiting.state, "paid")
        others = (waiting | other).move_ids
        self.assertEqual({who for who, _text in self.read_trail(others)}, {self.bot})

    def test_matching_is_logged_on_both_entries(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        payment.with_user(self.clerk).action_refund(33)
        charge = self.get_movement(payment, "charge").move_id
        refund = self.get_movement(payment, "refund").move_id
        for move, other in ((charge, refund), (refund, charge)):
            matching = (self.clerk.partner_id, f"Reconciled with {other.name}.")
            self.assertIn(matching, self.read_trail(move))

    def test_reclassification_names_the_accountant(self):
        accountant = new_test_user(
            self.env, "accountant", "base.group_user,account.group_account_user"
        )
        payment = self.pay(self.create_link(110))
        self.deliver()
        charge = self.get_movement(payment, "charge")
        other = self.gateway.income_account_id.copy({"code": "400777"})
        move = charge.with_user(accountant).action_reclassify(other, self.tax)
        authors = {author for author, _text in self.read_trail(move)}
        self.assertEqual(authors, {accountant.partner_id})

    def test_caller_can_not_switch_the_log_off_or_sign_for_others(self):
        self.gateway.post_entries = False
        payment = self.pay(self.create_link(110))
        self.deliver()
        self.gateway.post_entries = True
        context = {
            "tracking_disable": True,
            "mail_create_nolog": True,
            "mail_notrack": True,
            "checkout_requester": self.bot.id,
        }
        movements = payment.movement_ids.with_user(self.clerk).with_context(**context)
        movements.action_post()
        trail = self.read_trail(payment.move_ids)
        self.assertEqual(
            trail, [(self.clerk.partner_id, "Journal Entry created")] * len(trail)
        )
        self.assertEqual(len(trail), 2)

    def test_message_that_a_person_posts_is_signed_by_that_person(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        move = payment.move_ids[0].with_user(self.clerk)
        spoofed = move.with_context(checkout_requester=self.bot.id)
        message = spoofed.message_post(body="Hello")
        self.assertEqual(message.author_id, self.clerk.partner_id)

    def test_logged_entries_can_not_lose_their_log(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        self.read_trail(payment.move_ids)
        messages = payment.move_ids.sudo().message_ids
        self.assertTrue(messages)
        with self.assertRaisesRegex(Exception, "audit trail"):
            messages.unlink()


class TestAuditTrailQueries(AuditTrailCommon):
    """The log of many entries is written together."""

    def test_log_of_many_entries_takes_few_queries_more(self):
        self.count_posting(2)  # what is read once is then known
        logged = self.count_posting(20) - self.count_posting(10)
        self.env.company.restrictive_audit_trail = False
        silent = self.count_posting(20) - self.count_posting(10)
        self.assertLessEqual(logged - silent, 10)  # for 20 entries more

    def count_posting(self, number):
        self.gateway.post_entries = False
        payments = [self.pay(self.create_link(110)) for _payment in range(number)]
        self.deliver()
        self.gateway.post_entries = True
        movements = self.env["checkout.payment"].union(*payments).movement_ids
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.cr.sql_log_count
        movements.action_post()
        self.env.flush_all()
        count = self.cr.sql_log_count - before
        self.assertEqual(set(movements.mapped("state")), {"posted"})
        return count
