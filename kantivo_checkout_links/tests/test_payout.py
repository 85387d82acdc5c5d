from datetime import datetime, timezone

from lxml import etree

from odoo.exceptions import UserError

from .common import CheckoutCommon


class TestPayout(CheckoutCommon):
    """Money that Stripe sends to the bank."""

    def setUp(self):
        super().setUp()
        self.liquidity = self.gateway.journal_id.default_account_id
        self.transfer = self.gateway.transfer_account_id

    def pay_and_post(self, *amounts):
        payments = [self.pay(self.create_link(amount)) for amount in amounts]
        self.deliver()
        return payments

    def pay_out(self, **how):
        payout = self.standin.payout(**how)
        self.deliver()
        return self.find_payout(payout["id"])

    def find_payout(self, payout_id):
        return self.env["checkout.payout"].search([("stripe_id", "=", payout_id)])

    def act(self, payout, *actions):
        for action in actions:
            self.standin.change_payout(payout.stripe_id, action)
        self.deliver()

    def find_movement(self, payout, kind):
        return self.env["checkout.movement"].search(
            [("stripe_source_id", "=", payout.stripe_id), ("kind", "=", kind)]
        )

    def test_payout_is_one_entry_for_what_arrives(self):
        self.pay_and_post(110, 20)
        payout = self.pay_out()
        amount = round(130 - 3.49 - 0.88, 2)
        self.assertEqual(payout.amount, amount)
        self.assert_entry(
            self.find_movement(payout, "payout"),
            [(self.liquidity, 0, amount), (self.transfer, amount, 0)],
        )
        self.assertEqual(self.get_journal_balance(), 0)
        self.assert_agrees()

    def test_payout_lists_what_is_in_it_to_the_cent(self):
        first, second = self.pay_and_post(110, 20)
        first.action_refund(10)
        self.standin.dispute(second.stripe_charge_id)
        payout = self.pay_out()
        self.act(payout, "reconcile")
        self.assertTrue(payout.is_reconciled)
        self.assertCountEqual(
            payout.movement_ids.mapped("kind"),
            ["charge", "charge", "fee", "fee", "refund", "dispute", "dispute_fee"],
        )
        listed = sum(payout.movement_ids.mapped("amount"))
        self.assertAlmostEqual(listed, 130 - 3.49 - 0.88 - 10 - 20 - 15)
        self.assertAlmostEqual(listed, payout.amount)
        self.assertEqual(payout.missing_amount, 0)

    def test_refund_and_its_failure_are_listed_though_they_are_nothing_together(self):
        [payment] = self.pay_and_post(110)
        refund = self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.change_refund(refund["id"], "fail")
        payout = self.pay_out_unnoticed()
        self.assertEqual(len(payout.movement_ids), 2)
        self.sync()
        self.assertCountEqual(
            payout.movement_ids.mapped("kind"),
            ["charge", "fee", "refund", "refund_failure"],
        )

    def pay_out_unnoticed(self):
        """A payout that Stripe reports, but nothing else that is in it."""
        payout_id = self.standin.payout()["id"]
        for action in ("reconcile", "pay"):
            self.standin.change_payout(payout_id, action)
        self.standin.release()
        events = [event for event in self.take_events() if "payout" in event["type"]]
        self.receive(events)
        return self.find_payout(payout_id)

    def test_payout_leads_to_stripes_dashboard(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        self.assertEqual(
            payout.stripe_url,
            f"https://dashboard.stripe.com/test/payouts/{payout.stripe_id}",
        )

    def test_bank_line_matches_the_payout_one_to_one(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        bank = self.company_data["default_journal_bank"]
        bank_line = self.env["account.bank.statement.line"].create(
            {
                "journal_id": bank.id,
                "amount": payout.amount,
                "payment_ref": payout.stripe_id,
                "counterpart_account_id": self.transfer.id,
            }
        )
        lines = (bank_line.move_id | payout.move_ids).line_ids.filtered(
            lambda line: line.account_id == self.transfer
        )
        lines.reconcile()
        self.assertEqual(len(lines), 2)
        self.assertTrue(all(lines.mapped("reconciled")))

    def test_arrival_brings_date_and_trace_id(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        self.act(payout, "send", "pay")
        self.assertEqual(payout.state, "paid")
        reported = self.standin.events("payout.paid")[-1]["data"]["object"]
        self.assertEqual(payout.trace_id, reported["trace_id"]["value"])
        arrival = datetime.fromtimestamp(reported["arrival_date"], timezone.utc).date()
        self.assertEqual(payout.arrival_date, arrival)

    def test_payout_that_fails_after_it_was_paid_comes_back(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        self.act(payout, "send", "pay")
        self.act(payout, "fail")
        self.assertEqual(payout.state, "failed")
        self.assertTrue(payout.failure_message)
        lines = payout.move_ids.line_ids.filtered(
            lambda line: line.account_id == self.transfer
        )
        self.assertEqual(len(lines), 2)
        self.assertTrue(all(lines.mapped("reconciled")))
        self.assertEqual(self.get_journal_balance(), 106.51)
        self.assert_agrees()

    def test_payout_comes_back_from_the_account_it_went_to(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        account = self.gateway.transfer_account_id
        self.gateway.transfer_account_id = account.copy({"name": "Other transfers"})
        self.act(payout, "fail")
        lines = payout.move_ids.line_ids.filtered(
            lambda line: line.account_id == account
        )
        self.assertCountEqual(lines.mapped("balance"), [106.51, -106.51])
        self.assertTrue(all(lines.mapped("reconciled")))

    def test_next_payout_lists_the_money_that_came_back(self):
        self.pay_and_post(110)
        failed = self.pay_out()
        self.act(failed, "reconcile", "fail")
        payout = self.pay_out()
        self.act(payout, "reconcile")
        self.assertEqual(payout.movement_ids.mapped("kind"), ["payout_failure"])
        self.assertEqual(payout.missing_amount, 0)
        self.assertEqual(failed.missing_amount, 0)

    def test_canceled_payout_comes_back(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        self.act(payout, "cancel")
        self.assertEqual(payout.state, "canceled")
        self.assert_entry(
            self.find_movement(payout, "payout_failure"),
            [(self.liquidity, 106.51, 0), (self.transfer, 0, 106.51)],
        )
        lines = payout.move_ids.line_ids
        waiting = lines.filtered(lambda line: line.account_id == self.transfer)
        self.assertTrue(all(waiting.mapped("reconciled")))
        self.assert_agrees()

    def test_manual_payout_is_posted_and_says_that_it_cannot_be_itemized(self):
        self.standin.settings(available_after_days=0)
        self.pay_and_post(110)
        client = self.gateway.sudo()._get_client()
        order = {"amount": 5000, "currency": "usd"}
        by_hand = client._call(client._v1.payouts.create, order)
        self.deliver()
        payout = self.find_payout(by_hand["id"])
        self.act(payout, "send", "pay")
        self.assert_entry(
            self.find_movement(payout, "payout"),
            [(self.liquidity, 0, 50), (self.transfer, 50, 0)],
        )
        self.assert_agrees()
        self.assertFalse(payout.is_automatic)
        self.assertFalse(payout.movement_ids)
        self.assertFalse(payout._get_unfinished(self.gateway))
        form = etree.fromstring(payout.get_view(view_type="form")["arch"])
        (notice,) = form.xpath("//div[@invisible='is_automatic']")
        self.assertIn("Stripe doesn't list", " ".join(notice.text.split()))

    def test_events_in_reverse_order_lead_to_the_same(self):
        self.pay_and_post(110)
        payout_id = self.standin.payout()["id"]
        for action in ("reconcile", "send", "pay", "fail"):
            self.standin.change_payout(payout_id, action)
        for event in reversed(self.take_events()):
            self.receive([event])
        payout = self.find_payout(payout_id)
        self.assertEqual(payout.state, "failed")
        self.assertEqual(payout.missing_amount, 0)
        self.assert_agrees()

    def test_payout_known_before_its_charges_is_itemized_later(self):
        self.pay(self.create_link(110))
        self.standin.release()
        charges = self.take_events()
        payout_id = self.standin.payout()["id"]
        self.standin.change_payout(payout_id, "reconcile")
        self.deliver()
        payout = self.find_payout(payout_id)
        self.assertFalse(payout.movement_ids)
        self.receive(charges)
        self.process()
        self.assertEqual(payout.missing_amount, 0)

    def test_sync_finds_an_unreported_payout(self):
        self.pay_and_post(110)
        payout_id = self.standin.payout()["id"]
        self.standin.change_payout(payout_id, "reconcile")
        self.sync()
        payout = self.find_payout(payout_id)
        self.assertEqual(payout.missing_amount, 0)
        self.standin.change_payout(payout_id, "pay")
        self.sync()
        self.assertEqual(payout.state, "paid")

    def test_fee_on_a_payout_by_itself_is_an_expense(self):
        self.pay_and_post(110)
        payout_id = self.pay_out().stripe_id
        self.standin.create_balance_transaction(
            -25, type="stripe_fee", category="fee", source=payout_id
        )
        self.sync()
        fee = self.env["checkout.movement"].search(
            [("kind", "=", "fee"), ("stripe_source_id", "=", payout_id)]
        )
        self.assertEqual(fee.amount, -0.25)
        self.assertEqual(fee.state, "posted")
        self.assert_agrees()

    def test_money_of_other_software_is_named(self):
        self.pay_and_post(110)
        self.standin.create_charge(5000)
        self.standin.release()
        payout_id = self.standin.payout()["id"]
        self.standin.change_payout(payout_id, "reconcile")
        self.sync()
        payout = self.find_payout(payout_id)
        self.assertEqual(payout.third_party_amount, 48.25)
        self.assertEqual(payout.missing_amount, 0)

    def test_entry_of_a_payout_is_protected(self):
        self.pay_and_post(110)
        payout = self.pay_out()
        with self.assertRaises(UserError):
            payout.move_ids.button_draft()
