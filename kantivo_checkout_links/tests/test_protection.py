from odoo.exceptions import UserError

from .common import CheckoutCommon


class TestProtection(CheckoutCommon):
    """What happened at Stripe can't be undone in the ledger, whichever way is tried."""

    def setUp(self):
        super().setUp()
        self.payment = self.pay(self.create_link())
        self.deliver()
        self.movement = self.get_movement(self.payment, "charge")
        self.move = self.movement.move_id
        self.line = self.movement.statement_line_id

    def assert_untouched(self):
        self.env.invalidate_all()
        self.assertEqual(self.move.state, "posted")
        self.assertEqual(self.line.amount, 110)
        self.assertEqual(len(self.move.line_ids), 3)

    def assert_refused(self, undo, *args):
        with self.assertRaises(UserError), self.env.cr.savepoint():
            undo(*args)
        self.assert_untouched()

    def test_reset_to_draft_is_refused_with_what_to_do_instead(self):
        with self.assertRaisesRegex(UserError, "refund the payment"):
            self.move.button_draft()
        self.assert_untouched()

    def test_no_button_offers_what_is_refused(self):
        invoice = self.init_invoice("out_invoice", amounts=[100], post=True)
        moves = self.move | invoice
        self.assertEqual(moves.mapped("show_reset_to_draft_button"), [False, True])

    def test_cancelling_is_refused(self):
        self.assert_refused(self.move.button_cancel)

    def test_deleting_the_entry_is_refused(self):
        self.assert_refused(self.move.with_context(force_delete=True).unlink)

    def test_deleting_the_statement_line_is_refused(self):
        self.assert_refused(self.line.unlink)

    def test_undoing_the_reconciliation_is_refused(self):
        self.assert_refused(self.line.action_undo_reconciliation)

    def test_reversing_the_entry_is_refused(self):
        with self.assertRaisesRegex(UserError, "refund the payment"):
            self.move._reverse_moves(cancel=True)
        self.assert_untouched()
        self.assertFalse(self.move.reversal_move_ids)

    def test_changing_the_statement_line_is_refused(self):
        for vals in (
            {"amount": 1},
            {"date": "2020-01-01"},
            {"payment_ref": "other"},
            {"foreign_currency_id": self.env.ref("base.EUR").id},
        ):
            with self.subTest(vals=vals):
                self.assert_refused(self.line.write, vals)
                unsynced = self.line.with_context(
                    skip_account_move_synchronization=True
                )
                self.assert_refused(unsynced.write, vals)

    def test_changing_the_entry_is_refused(self):
        item = self.move.line_ids.filtered("tax_ids")
        account = self.company_data["default_account_expense"]
        for record, vals in (
            (self.move, {"date": "2020-01-01"}),
            (self.move, {"journal_id": self.company_data["default_journal_misc"].id}),
            (self.move, {"line_ids": [(5,)]}),
            (self.move, {"state": "draft"}),
            (item, {"account_id": account.id}),
            (item, {"credit": 1}),
            (item, {"balance": -1}),
            (item, {"amount_currency": -1}),
            (item, {"tax_ids": [(5,)]}),
            (item, {"tax_tag_ids": [(5,)]}),
        ):
            with self.subTest(vals=vals):
                self.assert_refused(record.write, vals)
        self.assert_refused(item.unlink)

    def test_payer_may_get_a_company_afterwards(self):
        payer = self.payment.partner_id
        payer.parent_id = self.env["res.partner"].create(
            {"name": "Payer Ltd", "is_company": True}
        )
        self.assertEqual(payer.commercial_partner_id.name, "Payer Ltd")
        self.assert_untouched()

    def test_entries_of_others_are_as_free_as_before(self):
        invoice = self.init_invoice("out_invoice", amounts=[100], post=True)
        invoice.button_draft()
        self.assertEqual(invoice.state, "draft")
        invoice.button_cancel()
        self.assertEqual(invoice.state, "cancel")
