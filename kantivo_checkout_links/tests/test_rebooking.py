from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form

from .common import CheckoutCommon


class TestRebooking(CheckoutCommon):
    """A general entry corrects account or tax; the Stripe journal stays as it is."""

    def setUp(self):
        super().setUp()
        self.income = self.company_data["default_account_revenue"]
        self.tax_account = self.company_data["default_account_tax_sale"]
        self.other_income = self.income.copy({"name": "Courses"})
        self.payment = self.pay(self.create_link(110))
        self.deliver()
        self.charge = self.get_movement(self.payment, "charge")

    def assert_items(self, move, expected):
        found = [(line.account_id, line.debit, line.credit) for line in move.line_ids]
        self.assertCountEqual(found, expected)

    def get_result(self):
        """The sum of each account over all entries of the payment."""
        moves = self.payment.move_ids | self.payment.movement_ids.rebooking_move_ids
        return {
            account: round(sum(lines.mapped("balance")), 2)
            for account, lines in moves.line_ids.grouped("account_id").items()
        }

    def test_account_is_corrected_by_a_general_entry(self):
        entry = self.charge.move_id
        move = self.charge.action_rebook(self.other_income, self.tax)
        self.assertEqual(move.journal_id.type, "general")
        self.assertEqual(move.date, entry.date)
        self.assert_items(
            move,
            [
                (self.income, 100, 0),
                (self.tax_account, 10, 0),
                (self.other_income, 0, 100),
                (self.tax_account, 0, 10),
            ],
        )
        self.assertEqual(self.charge.move_id, entry)
        self.assertEqual(self.charge.rebooking_move_ids, move)
        self.assert_agrees()

    def test_tax_is_corrected_with_its_tags(self):
        tax = self.create_tax(25)
        move = self.charge.action_rebook(self.income, tax)
        self.assert_items(
            move,
            [
                (self.income, 100, 0),
                (self.tax_account, 10, 0),
                (self.income, 0, 88),
                (self.tax_account, 0, 22),
            ],
        )
        self.assertEqual(
            self.get_tags(move),
            {"SALES BASE 10": 100, "SALES TAX 10": 10}
            | {"SALES BASE 25": -88, "SALES TAX 25": -22},
        )

    def test_second_rebooking_begins_where_the_first_ended(self):
        self.charge.action_rebook(self.other_income, self.tax)
        move = self.charge.action_rebook(self.income)
        self.assert_items(
            move,
            [
                (self.other_income, 100, 0),
                (self.tax_account, 10, 0),
                (self.income, 0, 110),
            ],
        )
        result = self.get_result()
        self.assertEqual(result[self.income], -110)
        self.assertEqual(result[self.other_income], 0)
        self.assertEqual(result[self.tax_account], 0)

    def test_refunds_take_back_what_is_in_force(self):
        self.charge.action_rebook(self.other_income, self.tax)
        self.payment.action_refund(33)
        refund = self.payment.movement_ids.filtered(lambda m: m.kind == "refund")
        self.assert_entry(
            refund,
            [
                (self.gateway.journal_id.default_account_id, 0, 33),
                (self.other_income, 30, 0),
                (self.tax_account, 3, 0),
            ],
        )
        self.payment.action_refund()
        result = self.get_result()
        for account in (self.income, self.other_income, self.tax_account):
            self.assertEqual(result[account], 0)
        self.assert_agrees()

    def test_earlier_refunds_go_where_the_charge_goes(self):
        self.payment.action_refund(11)
        self.charge.action_rebook(self.other_income, self.create_tax(25))
        self.payment.action_refund()
        result = self.get_result()
        for account in (self.income, self.other_income, self.tax_account):
            self.assertEqual(result[account], 0)
        movements = self.payment.movement_ids
        self.assertEqual(
            self.get_tags(movements.move_id | movements.rebooking_move_ids),
            {"SALES BASE 10": 0, "SALES TAX 10": 0}
            | {"REFUND BASE 10": 0, "REFUND TAX 10": 0}
            | {"SALES BASE 25": -88, "SALES TAX 25": -22}
            | {"REFUND BASE 25": 88, "REFUND TAX 25": 22},
        )
        self.assert_agrees()

    def test_earlier_refunds_follow_each_rebooking(self):
        self.payment.action_refund(33)
        wrong = self.income.copy({"name": "Wrong"})
        for account in (wrong, self.other_income):
            self.charge.action_rebook(account, self.tax)
        result = self.get_result()
        self.assertEqual((result[wrong], result[self.other_income]), (0, -70))

    def test_refund_that_was_booked_elsewhere_on_purpose_stays_there(self):
        self.payment.action_refund(11)
        given_back = self.income.copy({"name": "Given back"})
        refund = self.get_movement(self.payment, "refund")
        refund.action_rebook(given_back, self.tax)
        self.charge.action_rebook(self.other_income, self.tax)
        result = self.get_result()
        self.assertEqual(result[given_back], 10)
        self.assertEqual(result[self.other_income], -100)

    def test_what_a_lost_dispute_took_before_isnt_taken_again(self):
        self.gateway.dispute_loss_account_id = False
        self.payment.action_refund(66)
        dispute = self.sandbox.dispute(self.payment.stripe_charge_id, amount=2200)
        self.sandbox.change_dispute(dispute["id"], "lose")
        self.deliver()
        self.charge.action_rebook(self.other_income, self.tax)
        dispute = self.sandbox.dispute(self.payment.stripe_charge_id, amount=2200)
        self.sandbox.change_dispute(dispute["id"], "lose")
        self.deliver()
        result = self.get_result()
        self.assertEqual(result[self.tax_account], 0)
        self.assertEqual(result[self.income] + result[self.other_income], 0)

    def test_refund_that_fails_returns_to_what_is_in_force(self):
        self.charge.action_rebook(self.other_income, self.tax)
        refund = self.payment.action_refund(33)
        self.sandbox.change_refund(refund.stripe_id, "fail")
        self.deliver()
        result = self.get_result()
        self.assertEqual(result[self.other_income], -100)
        self.assertEqual(result[self.tax_account], -10)
        self.assert_agrees()

    def test_fee_gets_its_purchase_tax(self):
        fee = self.get_movement(self.payment, "fee")
        tax = self.company_data["default_tax_purchase"]
        move = fee.action_rebook(self.gateway.fee_account_id, tax)
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)
        base = fee.rebooked_line_ids.filtered("tax_ids")
        self.assertEqual(base.tax_ids, tax)
        self.assertAlmostEqual(sum(fee.rebooked_line_ids.mapped("balance")), 3.49)

    def test_reviewed_movement_is_done_and_its_open_item_closed(self):
        self.sandbox.create_balance_transaction(
            -500, type="adjustment", category="other_adjustment"
        )
        self.sync()
        adjustment = self.env["checkout.movement"].search([("kind", "=", "adjustment")])
        self.assertEqual(adjustment.state, "to_review")
        adjustment.action_rebook(self.company_data["default_account_expense"])
        self.assertEqual(adjustment.state, "posted")
        waiting = adjustment.move_id.line_ids.filtered(
            lambda line: line.account_id == self.gateway.review_account_id
        )
        self.assertTrue(waiting.reconciled)
        self.assert_agrees()

    def test_rebooking_entries_are_protected(self):
        move = self.charge.action_rebook(self.other_income, self.tax)
        for attempt in (
            move.button_draft,
            move.button_cancel,
            move._reverse_moves,
            move.unlink,
        ):
            with self.assertRaisesRegex(UserError, "re-book"):
                attempt()
        self.assertEqual(move.state, "posted")

    def test_closed_period_moves_the_entry_to_the_first_open_day(self):
        self.env.company.fiscalyear_lock_date = self.charge.move_id.date
        move = self.charge.action_rebook(self.other_income, self.tax)
        self.assertGreater(move.date, self.charge.move_id.date)

    def test_payout_is_not_for_rebooking(self):
        payout = self.sandbox.payout()
        self.deliver()
        movement = self.env["checkout.movement"].search(
            [("stripe_source_id", "=", payout["id"])]
        )
        with self.assertRaises(UserError):
            movement.action_rebook(self.other_income)

    def test_matched_receivable_says_what_to_undo(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        invoice = self.init_invoice(
            "out_invoice",
            partner=payment.partner_id,
            amounts=[110],
            taxes=[],
            post=True,
        )
        owed = (charge.move_id | invoice).line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        owed.reconcile()
        with self.assertRaisesRegex(UserError, "matched"):
            charge.action_rebook(self.income)

    def test_other_companys_account_is_refused(self):
        other = self.setup_other_company()["default_account_revenue"]
        with self.assertRaises(UserError):
            self.charge.action_rebook(other)

    def test_who_only_handles_invoices_rebooks_nothing(self):
        user = self.env["res.users"].create(
            {
                "name": "Inez",
                "login": "inez@example.com",
                "group_ids": [
                    Command.set(self.env.ref("account.group_account_invoice").ids)
                ],
            }
        )
        with self.assertRaises(AccessError):
            self.charge.with_user(user).action_rebook(self.other_income)
        self.assertFalse(self.charge.rebooking_move_ids)

    def test_dialog_books_anew(self):
        action = self.charge.action_view_rebook_wizard()
        with Form(
            self.env["checkout.rebook.wizard"].with_context(**action["context"])
        ) as form:
            self.assertIn(self.income.name, form.booked_on)
            form.account_id = self.other_income
        form.record.action_rebook()
        self.assertEqual(self.charge._get_booked_lines().account_id, self.other_income)

    def test_account_of_a_stripe_journal_is_refused(self):
        with self.assertRaisesRegex(UserError, "holds what is at Stripe"):
            self.charge.action_rebook(self.gateway.journal_id.default_account_id)
        self.assertFalse(self.charge.rebooking_move_ids)

    def test_firm_of_the_payer_owes_what_is_rebooked_as_a_receivable(self):
        firm = self.env["res.partner"].create({"name": "Firm", "is_company": True})
        self.env["res.partner"].create(
            {"name": "Ann", "email": "ann@example.com", "parent_id": firm.id}
        )
        payment = self.pay(self.create_link(110), email="ann@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        charge.action_rebook(self.company_data["default_account_receivable"])
        self.assertEqual(charge._get_booked_lines().partner_id, firm)

    def test_contact_found_after_a_rebooking_is_on_what_is_in_force(self):
        self.gateway.partner_policy = "match"
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        charge.action_rebook(self.company_data["default_account_receivable"])
        rosa = self.env["res.partner"].create({"name": "Rosa"})
        payment.action_set_contact(rosa)
        self.assertEqual(charge._get_booked_lines().partner_id, rosa)

    def test_tax_that_stripe_states_stays_when_only_the_account_changes(self):
        tax = self.company_data["default_tax_purchase"]
        self.gateway.fee_tax_ids = tax
        self.sandbox.create_balance_transaction(-66, type="tax_fee", category="tax")
        self.sync()
        fee = self.env["checkout.movement"].search([("amount", "=", -0.66)])
        before = fee._get_booked_lines().mapped("balance")
        other = self.gateway.fee_account_id.copy({"name": "Other fees"})
        fee.action_rebook(other, tax)
        after = fee._get_booked_lines()
        self.assertCountEqual(after.mapped("balance"), before)
        self.assertIn(other, after.account_id)
