from datetime import timedelta
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tools import mute_logger

from .common import CheckoutCommon


class TestObstacles(CheckoutCommon):
    """What can't be posted waits and says why; once that is fixed, it is posted."""

    def pay_with_obstacle(self, link=None):
        """A payment whose entries meet an obstacle; its charge waits."""
        payment = self.pay(link or self.create_link(110))
        self.deliver()
        self.assertEqual(payment.state, "paid")
        return payment

    def assert_waits(self, movement, words):
        self.assertEqual(movement.state, "to_post")
        self.assertIn(words, movement.error)
        self.assertFalse(movement.move_id)

    def assert_posted_after_the_next_run(self, payment):
        self.process()
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assertFalse(any(payment.movement_ids.mapped("error")))
        self.assert_agrees()

    def test_archived_income_account(self):
        account = self.gateway.income_account_id.copy({"name": "Old sales"})
        link = self.create_link(110, income_account_id=account.id)
        account.active = False
        payment = self.pay_with_obstacle(link)
        self.assert_waits(self.get_movement(payment, "charge"), "Old sales")
        self.assertEqual(self.get_movement(payment, "fee").state, "posted")
        account.active = True
        self.assert_posted_after_the_next_run(payment)

    def test_income_account_that_is_gone(self):
        account = self.gateway.income_account_id.copy({"name": "Short-lived"})
        link = self.create_link(110, income_account_id=account.id)
        self.gateway.income_account_id = False
        payment = self.pay(link)
        account.unlink()
        self.deliver()
        self.assert_waits(self.get_movement(payment, "charge"), "income account")
        self.gateway.income_account_id = self.company_data["default_account_revenue"]
        self.assert_posted_after_the_next_run(payment)

    def test_archived_tax_of_a_payment_is_still_in_it(self):
        payment = self.pay(self.create_link(110))
        self.tax.active = False
        self.deliver()
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.move_id.line_ids.tax_ids, self.tax)
        self.assertEqual(len(charge.move_id.line_ids), 3)

    def test_archived_tax_of_a_link_is_no_silent_change_of_price(self):
        link = self.create_link(110)
        self.tax.active = False
        self.env.invalidate_all()
        self.assertEqual(link.tax_ids, self.tax)
        payment = self.pay_with_obstacle(link)
        self.assertEqual(len(self.get_movement(payment, "charge").move_id.line_ids), 3)

    def test_tax_in_use_is_not_deleted(self):
        tax = self.create_tax(7)
        link = self.create_link(107, tax_ids=tax.ids)
        with self.assertRaisesRegex(UserError, "Summer course"):
            tax.unlink()
        link.tax_ids = False
        tax.unlink()
        self.assertFalse(tax.exists())

    def test_tax_of_a_payment_under_way_is_not_deleted(self):
        tax = self.create_tax(7)
        link = self.create_link(107, tax_ids=tax.ids)
        self.start_payment(link)
        link.tax_ids = False
        with self.assertRaisesRegex(UserError, "Archive"):
            tax.unlink()

    def test_archived_journal(self):
        self.gateway.journal_id.active = False
        payment = self.pay_with_obstacle()
        self.assert_waits(self.get_movement(payment, "charge"), "archived")
        self.gateway.journal_id.active = True
        self.assert_posted_after_the_next_run(payment)

    def test_no_journal(self):
        journal = self.gateway.journal_id
        self.gateway.journal_id = False
        payment = self.pay_with_obstacle()
        self.assert_waits(self.get_movement(payment, "charge"), "no Stripe journal")
        self.gateway.journal_id = journal
        self.assert_posted_after_the_next_run(payment)

    def test_inactive_currency(self):
        euro = self.setup_other_currency("EUR")
        payment = self.pay(self.create_link(110, currency_id=euro.id))
        euro.active = False
        self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assert_waits(self.get_movement(payment, "charge"), "EUR")
        euro.active = True
        self.assert_posted_after_the_next_run(payment)

    def test_missing_accounts_are_named(self):
        cases = {
            "fee_account_id": ("fee", "fees"),
            "dispute_account_id": ("dispute", "disputes"),
        }
        for name, (kind, words) in cases.items():
            with self.subTest(name=name):
                account = self.gateway[name]
                self.gateway[name] = False
                payment = self.pay_with_obstacle()
                self.standin.dispute(payment.stripe_charge_id)
                self.deliver()
                self.assert_waits(self.get_movement(payment, kind), words)
                self.gateway[name] = account
                self.assert_posted_after_the_next_run(payment)

    def test_missing_transfer_account(self):
        account = self.gateway.transfer_account_id
        self.gateway.transfer_account_id = False
        payment = self.pay_with_obstacle()
        payout = self.standin.payout()
        self.deliver()
        movement = self.env["checkout.movement"].search(
            [("stripe_source_id", "=", payout["id"])]
        )
        self.assert_waits(movement, "transfer account")
        self.gateway.transfer_account_id = account
        self.assert_posted_after_the_next_run(payment)
        self.assertEqual(movement.state, "posted")

    def test_missing_review_account(self):
        account = self.gateway.review_account_id
        self.gateway.review_account_id = False
        self.standin.create_balance_transaction(
            -500, type="adjustment", category="other_adjustment"
        )
        self.sync()
        movement = self.env["checkout.movement"].search([("kind", "=", "adjustment")])
        self.assert_waits(movement, "review")
        self.gateway.review_account_id = account
        self.process()
        self.assertEqual(movement.state, "to_review")
        self.assert_agrees()

    def test_archived_contact_of_a_payer(self):
        payment = self.pay_with_obstacle()
        payment.partner_id.active = False
        payment.action_refund(33)
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assert_agrees()

    @mute_logger("odoo.addons.kantivo_checkout_links.models.ledger.poster")
    def test_program_error_in_one_entry_holds_up_no_other(self):
        account = self.gateway.income_account_id
        self.gateway.income_account_id = False
        broken, sound = (self.pay_with_obstacle() for _number in range(2))
        for payment in (broken, sound):
            self.standin.refund(payment.stripe_charge_id, 3300)
        self.deliver()
        refund = self.get_movement(broken, "refund").sudo()
        refund.source_currency_id = False  # as no code of ours would leave it
        self.gateway.income_account_id = account
        self.process()
        self.assertEqual(refund.state, "to_post")
        self.assertTrue(refund.error)
        self.assertEqual(self.get_movement(sound, "refund").state, "posted")

    def test_one_archived_account_holds_up_no_other(self):
        account = self.gateway.income_account_id.copy({"name": "Old sales"})
        link = self.create_link(20, income_account_id=account.id)
        others = [self.pay(self.create_link(20)) for _number in range(7)]
        payment = self.pay(link)
        account.active = False
        self.deliver()
        self.assert_waits(self.get_movement(payment, "charge"), "Old sales")
        for other in others:
            self.assertEqual(set(other.movement_ids.mapped("state")), {"posted"})

    # === OTHER ADDONS === #

    def test_entry_that_another_addon_unbalances_is_not_posted(self):
        entries = type(self.env["checkout.entry"])
        prepare = entries._prepare_items

        def prepare_too_much(entry, movement):
            first, *others = prepare(entry, movement)
            return [{**first, "balance": first["balance"] + 5}, *others]

        with patch.object(entries, "_prepare_items", prepare_too_much):
            payment = self.pay_with_obstacle()
        self.assert_waits(
            self.get_movement(payment, "charge"),
            "unbalanced by $\N{NO-BREAK SPACE}5.00",
        )
        self.assertEqual(self.get_journal_balance(), 0)
        self.assert_posted_after_the_next_run(payment)

    def test_entry_that_another_addon_changes_is_not_posted(self):
        moves = type(self.env["account.move"])
        post = moves._post

        def post_a_day_later(move, soft=True):
            move.date += timedelta(days=1)
            return post(move, soft)

        with patch.object(moves, "_post", post_a_day_later):
            payment = self.pay_with_obstacle()
        self.assert_waits(self.get_movement(payment, "charge"), "changed the entry")
        self.assertEqual(self.get_journal_balance(), 0)
        self.assert_posted_after_the_next_run(payment)
