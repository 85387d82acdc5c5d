from contextlib import suppress

import psycopg2
from lxml import etree

from odoo.exceptions import UserError
from odoo.tools import SQL, mute_logger

from .common import CheckoutCommon

# Of fields whose other values don't follow from their present ones.
VALUES = {
    "char": "Other",
    "text": "Other",
    "html": "Other",
    "date": "2020-01-15",
    "datetime": "2020-01-15 12:00:00",
    "one2many": [(5,)],
}
# Odoo keeps these with an item, but works them out from what it is matched with.
WORKED_OUT = ("reconciled", "amount_residual", "amount_residual_currency")
LEDGER = (
    "SELECT state, date, journal_id, company_id, currency_id, move_type, "
    "statement_line_id FROM account_move WHERE id = %s",
    "SELECT id, amount, currency_id, journal_id, company_id, foreign_currency_id, "
    "amount_currency FROM account_bank_statement_line WHERE move_id = %s",
    "SELECT id, account_id, debit, credit, balance, amount_currency, currency_id, "
    "date, journal_id, company_id, parent_state, display_type, tax_line_id, "
    "tax_repartition_line_id, tax_base_amount FROM account_move_line "
    "WHERE move_id = %s ORDER BY id",
    "SELECT item.id, tax.account_tax_id FROM account_move_line item JOIN "
    "account_move_line_account_tax_rel tax ON tax.account_move_line_id = item.id "
    "WHERE item.move_id = %s ORDER BY 1, 2",
    "SELECT item.id, tag.account_account_tag_id FROM account_move_line item JOIN "
    "account_account_tag_account_move_line_rel tag "
    "ON tag.account_move_line_id = item.id WHERE item.move_id = %s ORDER BY 1, 2",
)


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

    def test_reverse_entry_is_offered_on_other_entries_only(self):
        other = self.env["account.move"].create({"move_type": "entry"})
        moves = self.move | self.reclassify() | other
        self.assertEqual(moves.mapped("is_checkout_entry"), [True, True, False])
        action_id = self.env.ref("account.action_view_account_move_reversal").id
        arch = etree.fromstring(other.get_view(view_type="form")["arch"])
        [button] = arch.xpath(f"//button[@name='{action_id}']")
        self.assertIn("is_checkout_entry", button.get("invisible"))

    def reclassify(self):
        account = self.company_data["default_account_revenue"].copy({"code": "499998"})
        return self.movement.action_reclassify(account)

    def test_canceling_is_refused(self):
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

    def test_no_field_written_alone_changes_what_is_posted(self):
        """Some fields are worked out from others, which would be another way in."""
        tax = self.create_tax(20)
        self.env["product.product"].create({"name": "Novel", "taxes_id": tax.ids})
        before = self.read_ledger()
        for record in (self.move, self.line, *self.move.line_ids):
            for field in record._fields.values():
                value = self.get_other_value(record, field)
                if not value or field.name in WORKED_OUT:
                    continue
                with self.subTest(field=str(field)):
                    self.assertEqual(self.try_writing(record, field, value), before)

    def get_other_value(self, record, field):
        """Some value that a field doesn't have now; nothing if it can't be written."""
        if not (field.store or field.inverse) or field.name == "id":
            return None
        now = record[field.name]
        if field.type in ("many2one", "many2many"):
            others = self.env[field.comodel_name].search([("id", "not in", now.ids)])
            return others[:1].id if field.type == "many2one" else [(6, 0, others.ids)]
        if field.type == "selection":
            return next((v for v in field.get_values(self.env) if v != now), None)
        if field.type in ("integer", "float", "monetary"):
            return now + 7
        return VALUES.get(field.type) or (field.type == "boolean" and [not now])

    def try_writing(self, record, field, value):
        """The ledger after a write, which is then taken back."""
        value = value[0] if field.type == "boolean" else value
        found = self.read_ledger()
        with suppress(UserError, psycopg2.Error), mute_logger("odoo.sql_db"):
            savepoint = self.env.cr.savepoint()
            try:
                record.write({field.name: value})
                found = self.read_ledger()
            finally:
                self.env.invalidate_all(flush=False)
                savepoint.close(rollback=True)
        return found

    def read_ledger(self):
        """What the database says of the entry, its items and its statement line."""
        self.env.flush_all()
        return [self.env.execute_query(SQL(query, self.move.id)) for query in LEDGER]

    def test_nothing_is_added_to_the_entry(self):
        accounts = self.gateway.fee_account_id, self.gateway.income_account_id
        items = [
            {"move_id": self.move.id, "account_id": account.id, "balance": balance}
            for account, balance in zip(accounts, (50, -50), strict=True)
        ]
        self.assert_refused(self.env["account.move.line"].create, items)

    def test_statement_line_stays_with_its_entry(self):
        other = self.get_movement(self.payment, "fee").move_id
        self.assert_refused(self.line.write, {"move_id": other.id})

    def test_journal_that_posts_keeps_account_currency_and_type(self):
        journal = self.gateway.journal_id
        account = journal.default_account_id.copy()
        euro = self.setup_other_currency("EUR")
        for vals in (
            {"default_account_id": account.id},
            {"currency_id": euro.id},
            {"type": "cash"},
        ):
            with (
                self.subTest(vals=vals),
                self.assertRaisesRegex(UserError, "create a new gateway"),
                self.env.cr.savepoint(),
            ):
                journal.write(vals)
        with self.assertRaisesRegex(UserError, "create a new gateway"):
            journal.unlink()
        self.assert_untouched()

    def test_journal_may_be_renamed_and_saved_as_it_is(self):
        journal = self.gateway.journal_id
        journal.write(
            {
                "name": "Money at Stripe",
                "type": "bank",
                "default_account_id": journal.default_account_id.id,
                "currency_id": journal.currency_id.id,
            }
        )
        self.assertEqual(journal.name, "Money at Stripe")

    def test_journal_of_nothing_posted_may_change(self):
        gateway = self.create_gateway(name="Second", secret_key="sk_test_at_second")
        gateway.journal_id.default_account_id = gateway.fee_account_id.copy()
        gateway.journal_id.unlink()
        self.assertFalse(gateway.journal_id)

    def test_gateway_that_posts_keeps_its_currency(self):
        euro = self.setup_other_currency("EUR")
        with self.assertRaisesRegex(UserError, "currency can't be changed"):
            self.gateway.currency_id = euro

    def test_statement_leaves_its_lines(self):
        statement = self.env["account.bank.statement"].create(
            {"name": "November", "line_ids": [(6, 0, self.line.ids)]}
        )
        statement.unlink()
        self.assert_untouched()

    def test_new_numbers_change_nothing_else(self):
        wizard = self.env["account.resequence.wizard"].with_context(
            active_model="account.move", active_ids=self.move.ids
        )
        wizard.create({"first_name": "STRIPE/2026/0001"}).resequence()
        self.assertEqual(self.move.name, "STRIPE/2026/0001")
        self.assert_untouched()

    def test_mark_for_a_second_look_changes_nothing(self):
        self.move.set_moves_checked(False)
        self.assert_untouched()
        self.assertTrue(self.line.is_reconciled)

    def test_merged_contacts_take_the_payment_along(self):
        payer = self.payment.partner_id
        other = self.env["res.partner"].create({"name": "Rosa", "email": payer.email})
        merge = self.env["base.partner.merge.automatic.wizard"].create({})
        merge._merge((payer | other).ids, other)
        self.env.invalidate_all()
        self.assertEqual(self.payment.partner_id, other)
        self.assertEqual(self.move.line_ids.partner_id, other)
        self.assert_untouched()

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
