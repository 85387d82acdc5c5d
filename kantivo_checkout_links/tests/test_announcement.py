from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.tests import new_test_user
from odoo.tools import html2plaintext, mute_logger

from .common import CheckoutCommon

LOGGER = "odoo.addons.kantivo_checkout_links.aside"


class TestAnnouncement(CheckoutCommon):
    """Money is announced on its link: once, to those who want to know, and later than
    it is posted.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.merchant = new_test_user(
            cls.env,
            "announcement_merchant",
            groups="base.group_user,account.group_account_invoice",
            notification_type="inbox",
        )
        links = cls.env(context={})["checkout.link"]  # with followers, unlike a test's
        vals = {"name": "Summer course", "amount": 110, "user_id": cls.merchant.id}
        cls.link = links.create({**vals, "gateway_id": cls.gateway.id})

    def pay_as_kim(self, link=None, **customer):
        return self.pay(link or self.link, name="Kim Lee", **customer)

    def get_lines(self, link=None):
        """What the chatter of a link says of money, in order."""
        messages = (link or self.link).message_ids.sorted("id")
        lines = "\n".join(html2plaintext(message.body) for message in messages)
        found = [line for line in lines.splitlines() if "test mode" in line]
        return [line.replace("\xa0", " ") for line in found]

    def get_notified(self, link=None):
        """Who is notified of the link's messages of money."""
        messages = (link or self.link).message_ids
        note = messages.filtered(lambda m: "test mode" in str(m.body))
        return note.notification_ids.res_partner_id

    # === WHAT IS SAID === #

    def test_payment_is_announced_once(self):
        self.pay_as_kim()
        self.deliver()
        self.sync()
        self.sync()
        self.assertEqual(self.get_lines(), ["Kim Lee paid $ 110.00 (test mode)"])
        self.assertFalse(self.env["checkout.announcement"].search([]))

    def test_live_payment_is_announced_without_a_note(self):
        payment = self.pay_as_kim()
        payment.sudo().livemode = True
        self.deliver()
        message = self.link.message_ids.filtered("subtype_id.res_model")[:1]
        self.assertEqual(html2plaintext(message.body), "Kim Lee paid $\xa0110.00")

    def test_payer_without_a_name_is_announced_by_the_address(self):
        self.pay(self.link, name=None, email="kim@example.com")
        self.deliver()
        [line] = self.get_lines()
        self.assertTrue(line.startswith("kim@example.com paid"))

    def test_name_of_a_payer_is_text(self):
        self.pay(self.link, name="Kim & Lee")
        self.deliver()
        self.assertIn("Kim &amp; Lee paid", str(self.link.message_ids[0].body))

    def test_debit_that_fails_days_later_is_announced(self):
        payment = self.pay_as_kim(number="debit")
        self.receive(self.take_events())
        self.assertEqual(self.get_lines(), [])
        with freeze_time(fields.Datetime.now() + timedelta(days=4)):
            self.standin.fail_debit(payment.stripe_checkout_session_id)
            self.deliver()
            self.sync()
        self.assertEqual(
            self.get_lines(), ["Kim Lee's payment of $ 110.00 failed (test mode)"]
        )
        self.assertIn(self.merchant.partner_id, self.get_notified())

    def test_each_refund_is_announced_once(self):
        payment = self.pay_as_kim()
        self.deliver()
        payment.action_refund(10)
        self.standin.refund(payment.stripe_charge_id, 500)
        self.deliver()
        self.sync()
        self.assertEqual(
            self.get_lines()[1:],
            [
                "Kim Lee was refunded $ 10.00 (test mode)",
                "Kim Lee was refunded $ 5.00 (test mode)",
            ],
        )

    def test_dispute_is_announced_once(self):
        payment = self.pay_as_kim()
        self.deliver()
        dispute = self.standin.dispute(payment.stripe_charge_id)
        self.deliver()
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        self.assertEqual(
            self.get_lines()[1:], ["Kim Lee disputed $ 110.00 (test mode)"]
        )

    def test_checkout_that_is_not_paid_is_not_announced(self):
        payment = self.start_payment(self.link)
        self.standin.expire(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(self.get_lines(), [])

    def test_payment_of_a_deleted_link_is_not_announced(self):
        link = self.create_link()
        payment = self.pay(link)
        link.unlink()
        self.deliver()
        self.assertEqual(payment.movement_ids[0].state, "posted")
        self.assertFalse(self.env["checkout.announcement"].search([]))

    def test_link_deleted_before_the_message_is_no_obstacle(self):
        payment = self.pay_as_kim()
        self.deliver()
        announcements = self.env["checkout.announcement"].sudo()
        announcements._add(payment, "paid", payment, payment.paid_at)
        self.link.unlink()
        self.process()
        self.assertFalse(announcements.search([]))

    def test_announcement_is_in_the_language_of_the_company(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.gateway.company_id.partner_id.lang = "fr_FR"
        self.pay_as_kim()
        self.deliver()
        [line] = self.get_lines()
        self.assertIn("110,00", line)

    # === WHO IS NOTIFIED === #

    def test_responsible_is_notified(self):
        self.pay_as_kim()
        self.deliver()
        self.assertIn(self.merchant.partner_id, self.get_notified())

    def test_follower_chooses_notifications(self):
        follower = self.link.message_follower_ids.filtered(
            lambda f: f.partner_id == self.merchant.partner_id
        )
        paid = self.env.ref("kantivo_checkout_links.mt_link_paid")
        self.assertIn(paid, follower.subtype_ids)
        follower.subtype_ids -= paid
        payment = self.pay_as_kim()
        self.deliver()
        self.assertNotIn(self.merchant.partner_id, self.get_notified())
        payment.action_refund(10)
        self.assertIn(self.merchant.partner_id, self.get_notified())

    def test_mail_waits_for_the_mail_queue(self):
        self.merchant.notification_type = "email"
        self.pay_as_kim()
        self.deliver()
        mails = self.env["mail.mail"].search(
            [("mail_message_id", "in", self.link.message_ids.ids)]
        )
        self.assertIn(self.merchant.partner_id, mails.recipient_ids)
        self.assertEqual(set(mails.mapped("state")), {"outgoing"})

    def test_what_a_sync_catches_up_with_is_dated_and_sends_no_notification(self):
        now = self.standin.clock()["now"]
        self.standin.set_clock(now=now - 3 * 86400)
        with freeze_time(fields.Datetime.now() - timedelta(days=3)):
            payment = self.pay_as_kim()
        self.standin.set_clock(now=now)
        self.deliver()
        day = payment.paid_at.strftime("%m/%d/%Y")
        self.assertEqual(
            self.get_lines(), [f"Kim Lee paid $ 110.00 ({day}, test mode)"]
        )
        self.assertFalse(self.get_notified())

    # === MANY AND BROKEN === #

    def test_batch_writes_one_message_for_a_link(self):
        for _number in range(5):
            self.pay_as_kim()
        other = self.create_link(name="Other")
        self.pay_as_kim(other)
        self.deliver()
        self.assertEqual(len(self.get_lines()), 5)
        self.assertEqual(len(self.get_lines(other)), 1)
        messages = self.link.message_ids.filtered(lambda m: "paid" in str(m.body))
        self.assertEqual(len(messages), 1)

    @mute_logger(LOGGER)
    def test_message_that_fails_undoes_no_money(self):
        payment = self.pay_as_kim()

        def fail(*_args, **_kwargs):
            raise ValueError("No mail today")

        with patch.object(type(self.link), "message_post", fail):
            self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        waiting = self.env["checkout.announcement"].search([])
        self.assertIn("ValueError", waiting.error)
        self.assertEqual(self.gateway.notice_problem, waiting.error)
        self.sync()
        self.assertFalse(self.gateway.notice_problem)
        self.assertEqual(self.get_lines(), ["Kim Lee paid $ 110.00 (test mode)"])

    def test_what_cannot_be_announced_is_forgotten_after_a_month(self):
        payment = self.pay_as_kim()
        self.deliver()
        announcements = self.env["checkout.announcement"].sudo()
        announcements._add(payment, "paid", payment, payment.paid_at)
        announcements._gc_undelivered()
        self.assertTrue(announcements.search([]))
        with freeze_time(fields.Datetime.now() + timedelta(days=31)):
            announcements._gc_undelivered()
        self.assertFalse(announcements.search([]))

    def test_queries_do_not_grow_with_payments(self):
        counts = []
        for number in (1, 6):
            payments = [self.pay_as_kim() for _number in range(number)]
            self.deliver()
            announcements = self.env["checkout.announcement"].sudo()
            for payment in payments:
                announcements._add(payment, "paid", payment, payment.paid_at)
            gateway = self.gateway._as_superuser(self.env)
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            announcements.with_env(gateway.env)._announce_waiting(gateway)
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[1], counts[0])
