from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user

from .common import CheckoutCommon


class TestSetContact(CheckoutCommon):
    """A contact found later, also where entries can't change any more."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.receivable = cls.company_data["default_account_receivable"]
        cls.rosa = cls.env["res.partner"].create({"name": "Rosa"})
        cls.gateway.write(
            {"partner_policy": "match", "receivable_account_id": cls.receivable.id}
        )

    def pay_hashed(self, credit_to="receivable"):
        self.gateway.credit_to = credit_to
        self.gateway.journal_id.restrict_mode_hash_table = True
        payment = self.pay_unknown()
        self.assertTrue(all(payment.move_ids.mapped("inalterable_hash")))
        return payment

    def pay_unknown(self):
        payment = self.pay(self.create_link(110), email="unknown@example.com")
        self.deliver()
        self.assertFalse(payment.partner_id)
        return payment

    def get_owed(self, payment):
        """The credit of the payment, as it is in force."""
        charge = self.get_movement(payment, "charge")
        return charge._get_posted_lines()

    def get_open(self, partner):
        """What the ledger says that a partner still owes, and no one else does."""
        self.env.flush_all()
        lines = self.env["account.move.line"].search(
            [
                ("account_type", "=", "asset_receivable"),
                ("parent_state", "=", "posted"),
                ("partner_id", "=", partner.id),
            ]
        )
        return round(sum(lines.mapped("amount_residual")), 2)

    def create_invoice(self, partner):
        return self.init_invoice(
            "out_invoice", partner=partner, amounts=[110], taxes=[], post=True
        )

    def assert_hashes_hold(self):
        self.env.flush_all()
        self.env.invalidate_all()
        result = self.env.company._check_hash_integrity()
        states = {row["status"] for row in result["results"]}
        self.assertLessEqual(states, {"verified", "no_data", "not_in_use"})
        self.assertIn("verified", states)

    def assert_reaches_invoice(self, payment, invoice):
        owed = invoice.line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        (self.get_owed(payment) | owed).reconcile()
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))

    def test_credit_of_a_hashed_entry_reaches_its_invoice(self):
        invoice = self.create_invoice(self.rosa)
        payment = self.pay_hashed()
        original = self.get_owed(payment)
        payment.action_set_contact(self.rosa)
        self.assertEqual(payment.partner_id, self.rosa)
        self.assertFalse(original.partner_id)
        moved = self.get_owed(payment)
        self.assertNotEqual(moved, original)
        self.assertEqual(moved.move_id.journal_id.type, "general")
        self.assertEqual(moved.move_id.date, fields.Date.context_today(payment))
        self.assertEqual(
            sorted(
                (line.account_id, line.partner_id, line.balance)
                for line in moved.move_id.line_ids
            ),
            sorted(
                [
                    (self.receivable, self.rosa, -110),
                    (self.receivable, self.rosa.browse(), 110),
                ]
            ),
        )
        self.assertTrue(original.reconciled)
        self.assertFalse(moved.reconciled)
        self.assert_reaches_invoice(payment, invoice)
        self.assert_hashes_hold()
        self.assert_agrees()

    def test_credit_that_moved_is_offered_by_the_name_of_its_payment(self):
        payment = self.pay_hashed()
        payment.action_set_contact(self.rosa)
        invoice = self.create_invoice(self.rosa)
        offers = invoice.invoice_outstanding_credits_debits_widget["content"]
        names = [offer["journal_name"] for offer in offers]
        self.assertEqual(names, [f"{payment.name} · Summer course"])

    def test_credit_moves_to_the_contacts_own_account(self):
        own = self.receivable.copy({"name": "Key accounts"})
        self.rosa.property_account_receivable_id = own
        invoice = self.create_invoice(self.rosa)
        payment = self.pay_hashed()
        payment.action_set_contact(self.rosa)
        self.assertEqual(self.get_owed(payment).account_id, own)
        self.assert_reaches_invoice(payment, invoice)

    def test_firm_of_the_contact_owes(self):
        firm = self.env["res.partner"].create({"name": "Firm", "is_company": True})
        self.rosa.parent_id = firm
        payment = self.pay_hashed()
        payment.action_set_contact(self.rosa)
        self.assertEqual(payment.partner_id, self.rosa)
        self.assertEqual(self.get_owed(payment).partner_id, firm)

    def test_hashed_sale_stays_and_the_payment_has_its_contact(self):
        payment = self.pay_hashed("revenue")
        payment.action_set_contact(self.rosa)
        charge = self.get_movement(payment, "charge")
        self.assertEqual(payment.partner_id, self.rosa)
        self.assertFalse(charge.reclassification_move_ids)
        self.assertFalse(charge.move_id.line_ids.partner_id)
        self.assert_hashes_hold()

    def test_entries_secured_afterwards_stay_as_well(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_unknown()
        payment.move_ids._hash_moves(force_hash=True, raise_if_gap=False)
        payment.action_set_contact(self.rosa)
        self.assertEqual(self.get_open(self.rosa), -110)
        self.assert_hashes_hold()

    def test_entries_of_a_closed_period_stay_as_well(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_unknown()
        original = self.get_owed(payment)
        self.env.company.fiscalyear_lock_date = original.date
        payment.action_set_contact(self.rosa)
        self.assertFalse(original.partner_id)
        moved = self.get_owed(payment)
        self.assertEqual(moved.partner_id, self.rosa)
        self.assertEqual(moved.date, original.date + timedelta(days=1))

    def test_refund_before_moves_along(self):
        payment = self.pay_hashed()
        payment.action_refund(40)
        payment.action_set_contact(self.rosa)
        self.assertEqual(self.get_open(self.rosa), -70)
        self.assertEqual(self.get_open(self.rosa.browse()), 0)
        payment.action_refund(70)
        self.assertEqual(self.get_open(self.rosa), 0)
        self.assertTrue(self.get_owed(payment).reconciled)
        self.assert_hashes_hold()
        self.assert_agrees()

    def test_refund_of_all_before_moves_along(self):
        payment = self.pay_hashed()
        refund = payment.action_refund()
        payment.action_set_contact(self.rosa)
        self.assertTrue(self.get_owed(payment).reconciled)
        self.assertEqual(self.get_open(self.rosa), 0)
        self.standin.change_refund(refund.stripe_id, "fail")
        self.deliver()
        self.assertEqual(self.get_open(self.rosa), -110)
        self.assertEqual(self.get_open(self.rosa.browse()), 0)

    def test_refund_after_is_the_contacts(self):
        payment = self.pay_hashed()
        payment.action_set_contact(self.rosa)
        payment.action_refund()
        refund = self.get_movement(payment, "refund")
        self.assertIn(self.rosa, refund.move_id.line_ids.partner_id)
        self.assertEqual(self.get_open(self.rosa), 0)
        self.assertTrue(self.get_owed(payment).reconciled)

    def test_credit_that_is_matched_stays_with_its_invoice(self):
        invoice = self.create_invoice(self.rosa)
        payment = self.pay_hashed()
        self.assert_reaches_invoice(payment, invoice)
        payment.action_set_contact(self.rosa)
        self.assertEqual(payment.partner_id, self.rosa)
        self.assertFalse(self.get_movement(payment, "charge").reclassification_move_ids)
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))

    def test_contact_set_again_moves_the_credit_on(self):
        payment = self.pay_hashed()
        payment.action_set_contact(self.rosa)
        ann = self.rosa.copy({"name": "Ann"})
        payment.action_set_contact(ann)
        self.assertEqual(self.get_open(self.rosa), 0)
        self.assertEqual(self.get_open(self.rosa.browse()), 0)
        self.assertEqual(self.get_open(ann), -110)

    def test_reclassified_items_are_taken_back_from_the_same_contact(self):
        payment = self.pay_unknown()
        charge = self.get_movement(payment, "charge")
        charge.action_reclassify(self.receivable)
        charge.action_reclassify(self.gateway.income_account_id)
        payment.action_set_contact(self.rosa)
        lines = (charge.move_id | charge.reclassification_move_ids).line_ids
        self.assertEqual(set(lines.mapped("partner_id")), {self.rosa})

    def test_chatters_say_who_did_it(self):
        user = new_test_user(
            self.env, "mia", "account.group_account_invoice", name="Mia Example"
        )
        for payment in (self.pay_hashed(), self.pay_hashed("revenue")):
            payment.with_user(user).action_set_contact(self.rosa)
            charge = self.get_movement(payment, "charge")
            for record in (payment, charge.move_id, *charge.reclassification_move_ids):
                notes = record.message_ids.filtered(
                    lambda note: note.author_id == user.partner_id
                )
                self.assertIn("Mia Example set the contact", notes[:1].body or "")
                self.assertIn("Rosa", notes[:1].body)
