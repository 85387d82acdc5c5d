import json
from datetime import timedelta

from freezegun import freeze_time

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user
from odoo.tools.misc import format_date

from .common import CheckoutCommon


class TestReclassification(CheckoutCommon):
    """A journal entry corrects account or tax; the Stripe journal stays as it is."""

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
        moves = (
            self.payment.move_ids | self.payment.movement_ids.reclassification_move_ids
        )
        return {
            account: round(sum(lines.mapped("balance")), 2)
            for account, lines in moves.line_ids.grouped("account_id").items()
        }

    def test_account_is_corrected_by_a_journal_entry(self):
        entry = self.charge.move_id
        move = self.charge.action_reclassify(self.other_income, self.tax)
        self.assertEqual(move.journal_id.type, "general")
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
        self.assertEqual(self.charge.reclassification_move_ids, move)
        self.assert_agrees()

    def test_tax_is_corrected_with_its_tags(self):
        tax = self.create_tax(25)
        move = self.charge.action_reclassify(self.income, tax)
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

    def test_second_reclassification_starts_where_the_first_ended(self):
        self.charge.action_reclassify(self.other_income, self.tax)
        move = self.charge.action_reclassify(self.income)
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
        self.charge.action_reclassify(self.other_income, self.tax)
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
        self.charge.action_reclassify(self.other_income, self.create_tax(25))
        self.payment.action_refund()
        result = self.get_result()
        for account in (self.income, self.other_income, self.tax_account):
            self.assertEqual(result[account], 0)
        movements = self.payment.movement_ids
        self.assertEqual(
            self.get_tags(movements.move_id | movements.reclassification_move_ids),
            {"SALES BASE 10": 0, "SALES TAX 10": 0}
            | {"REFUND BASE 10": 0, "REFUND TAX 10": 0}
            | {"SALES BASE 25": -88, "SALES TAX 25": -22}
            | {"REFUND BASE 25": 88, "REFUND TAX 25": 22},
        )
        self.assert_agrees()

    def test_earlier_refunds_follow_each_reclassification(self):
        self.payment.action_refund(33)
        wrong = self.income.copy({"name": "Wrong"})
        for account in (wrong, self.other_income):
            self.charge.action_reclassify(account, self.tax)
        result = self.get_result()
        self.assertEqual((result[wrong], result[self.other_income]), (0, -70))

    def test_refund_that_was_posted_elsewhere_on_purpose_stays_there(self):
        self.payment.action_refund(11)
        given_back = self.income.copy({"name": "Given back"})
        refund = self.get_movement(self.payment, "refund")
        refund.action_reclassify(given_back, self.tax)
        self.charge.action_reclassify(self.other_income, self.tax)
        result = self.get_result()
        self.assertEqual(result[given_back], 10)
        self.assertEqual(result[self.other_income], -100)

    def test_refunds_of_all_leave_no_cent_on_another_account(self):
        self.reclassify_what_is_refunded(self.tax)
        self.assertEqual(
            {name: total for name, total in self.get_tags(self.moves).items() if total},
            {
                "SALES BASE 10": -9.1,
                "SALES TAX 10": -0.91,
                "REFUND BASE 10": 9.1,
                "REFUND TAX 10": 0.91,
            },
        )

    def test_refunds_of_all_leave_no_cent_under_another_tax(self):
        self.reclassify_what_is_refunded(self.create_tax(27))
        self.assertEqual(
            {name: total for name, total in self.get_tags(self.moves).items() if total},
            {
                "SALES BASE 27": -7.88,
                "SALES TAX 27": -2.13,
                "REFUND BASE 27": 7.88,
                "REFUND TAX 27": 2.13,
            },
        )

    def reclassify_what_is_refunded(self, taxes):
        """A payment whose three refunds leave a cent if each is rounded by itself."""
        payment = self.pay(self.create_link(10.01))
        self.deliver()
        for part in (3.34, 3.34, 3.33):
            payment.action_refund(part)
        self.deliver()
        self.get_movement(payment, "charge").action_reclassify(self.other_income, taxes)
        movements = payment.movement_ids
        self.moves = movements.move_id | movements.reclassification_move_ids
        lines = self.moves.line_ids.filtered(
            lambda line: line.account_id == self.other_income
        )
        self.assertAlmostEqual(sum(lines.mapped("balance")), 0)

    def test_what_a_lost_dispute_took_before_isnt_taken_again(self):
        self.gateway.dispute_loss_account_id = False
        self.payment.action_refund(66)
        dispute = self.standin.dispute(self.payment.stripe_charge_id, amount=2200)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        self.charge.action_reclassify(self.other_income, self.tax)
        dispute = self.standin.dispute(self.payment.stripe_charge_id, amount=2200)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        result = self.get_result()
        self.assertEqual(result[self.tax_account], 0)
        self.assertEqual(result[self.income] + result[self.other_income], 0)

    def test_taxes_that_a_lost_dispute_took_back_stay(self):
        self.gateway.dispute_tax = "take_back"
        dispute = self.standin.dispute(self.payment.stripe_charge_id, amount=5500)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        receivable = self.company_data["default_account_receivable"]
        other_tax = self.create_tax(25)
        for account, taxes in ((self.income, other_tax), (receivable, None)):
            with self.assertRaisesRegex(UserError, "was lost in a dispute"):
                self.charge.action_reclassify(account, taxes)
        self.charge.action_reclassify(self.other_income, self.tax)
        result = self.get_result()
        self.assertEqual(result[self.other_income], -100)
        self.assertEqual(result[self.tax_account], -5)
        self.standin.change_dispute(dispute["id"], "win")
        self.deliver()
        self.charge.action_reclassify(self.income, other_tax)
        self.assertEqual(self.get_result()[self.tax_account], -22)
        self.assert_agrees()

    def test_taxes_that_a_lost_dispute_kept_can_still_change(self):
        self.gateway.dispute_tax = "keep"
        dispute = self.standin.dispute(self.payment.stripe_charge_id, amount=5500)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        self.charge.action_reclassify(self.income, self.create_tax(25))
        self.payment.dispute_ids.action_take_back_tax()
        self.assertEqual(self.get_result()[self.tax_account], -11)

    def test_refund_that_fails_returns_to_what_is_in_force(self):
        self.charge.action_reclassify(self.other_income, self.tax)
        refund = self.payment.action_refund(33)
        self.standin.change_refund(refund.stripe_id, "fail")
        self.deliver()
        result = self.get_result()
        self.assertEqual(result[self.other_income], -100)
        self.assertEqual(result[self.tax_account], -10)
        self.assert_agrees()

    def test_fee_gets_its_purchase_tax(self):
        fee = self.get_movement(self.payment, "fee")
        tax = self.company_data["default_tax_purchase"]
        move = fee.action_reclassify(self.gateway.fee_account_id, tax)
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)
        base = fee.reclassified_line_ids.filtered("tax_ids")
        self.assertEqual(base.tax_ids, tax)
        self.assertAlmostEqual(sum(fee.reclassified_line_ids.mapped("balance")), 3.49)

    def test_reviewed_movement_is_done_and_its_open_item_closed(self):
        self.standin.create_balance_transaction(
            -500, type="adjustment", category="other_adjustment"
        )
        self.sync()
        adjustment = self.env["checkout.movement"].search([("kind", "=", "adjustment")])
        self.assertEqual(adjustment.state, "to_review")
        adjustment.action_reclassify(self.company_data["default_account_expense"])
        self.assertEqual(adjustment.state, "posted")
        waiting = adjustment.move_id.line_ids.filtered(
            lambda line: line.account_id == self.gateway.review_account_id
        )
        self.assertTrue(waiting.reconciled)
        self.assert_agrees()

    def test_reclassification_entries_are_protected(self):
        move = self.charge.action_reclassify(self.other_income, self.tax)
        for attempt in (
            move.button_draft,
            move.button_cancel,
            move._reverse_moves,
            move.unlink,
        ):
            with self.assertRaisesRegex(UserError, "reclassify"):
                attempt()
        self.assertEqual(move.state, "posted")

    def test_closed_period_moves_the_entry_to_the_first_open_day(self):
        day = self.charge.move_id.date
        self.env.company.fiscalyear_lock_date = day
        move = self.charge.action_reclassify(self.other_income, self.tax, day)
        self.assertEqual(move.date, day + timedelta(days=1))

    def test_payout_is_not_for_reclassification(self):
        payout = self.standin.payout()
        self.deliver()
        movement = self.env["checkout.movement"].search(
            [("stripe_source_id", "=", payout["id"])]
        )
        with self.assertRaises(UserError):
            movement.action_reclassify(self.other_income)

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
        with self.assertRaisesRegex(UserError, "reconciled with"):
            charge.action_reclassify(self.income)

    def test_other_companys_account_is_refused(self):
        other = self.setup_other_company()["default_account_revenue"]
        with self.assertRaises(UserError):
            self.charge.action_reclassify(other)

    def test_who_only_handles_invoices_reclassifies_nothing(self):
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
            self.charge.with_user(user).action_reclassify(self.other_income)
        self.assertFalse(self.charge.reclassification_move_ids)

    def test_account_of_a_stripe_journal_is_refused(self):
        with self.assertRaisesRegex(UserError, "holds the Stripe balance"):
            self.charge.action_reclassify(self.gateway.journal_id.default_account_id)
        self.assertFalse(self.charge.reclassification_move_ids)

    def test_firm_of_the_payer_owes_what_is_reposted_as_a_receivable(self):
        firm = self.env["res.partner"].create({"name": "Firm", "is_company": True})
        self.env["res.partner"].create(
            {"name": "Ann", "email": "ann@example.com", "parent_id": firm.id}
        )
        payment = self.pay(self.create_link(110), email="ann@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        charge.action_reclassify(self.company_data["default_account_receivable"])
        self.assertEqual(charge._get_posted_lines().partner_id, firm)

    def test_contact_found_after_a_reclassification_is_on_what_is_in_force(self):
        self.gateway.partner_policy = "match"
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        charge.action_reclassify(self.company_data["default_account_receivable"])
        rosa = self.env["res.partner"].create({"name": "Rosa"})
        payment.action_set_contact(rosa)
        self.assertEqual(charge._get_posted_lines().partner_id, rosa)

    def test_tax_that_stripe_states_stays_when_only_the_account_changes(self):
        tax = self.company_data["default_tax_purchase"]
        self.gateway.fee_tax_ids = tax
        self.standin.create_balance_transaction(-66, type="tax_fee", category="tax")
        self.sync()
        fee = self.env["checkout.movement"].search([("amount", "=", -0.66)])
        before = fee._get_posted_lines().mapped("balance")
        other = self.gateway.fee_account_id.copy({"name": "Other fees"})
        fee.action_reclassify(other, tax)
        after = fee._get_posted_lines()
        self.assertCountEqual(after.mapped("balance"), before)
        self.assertIn(other, after.account_id)


class TestReclassifyDialog(CheckoutCommon):
    """The dialog starts with what was posted and shows what will be posted."""

    def setUp(self):
        super().setUp()
        self.income = self.company_data["default_account_revenue"]
        self.other_income = self.income.copy({"name": "Courses"})
        self.payment = self.pay(self.create_link(119))
        self.deliver()
        self.charge = self.get_movement(self.payment, "charge")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vat = cls.create_tax(19)
        cls.gateway.tax_ids = cls.vat

    def open_dialog(self, movement=None):
        action = (movement or self.charge).action_view_reclassify_wizard()
        self.assertEqual(action["name"], "Reclassify")
        wizard = self.env["checkout.reclassify.wizard"].with_context(
            **action["context"]
        )
        return Form(wizard)

    def read_preview(self, dialog):
        """Title and rows of each entry that is shown."""
        groups = json.loads(dialog.preview)["groups_vals"]
        return [
            (group["group_name"], [row for _command, _id, row in group["items_vals"]])
            for group in groups
        ]

    def describe(self, move):
        """The journal items of an entry as the dialog shows them."""
        return [
            {
                "account": line.account_id.display_name,
                "taxes": (line.tax_line_id or line.tax_ids).name or "",
                "debit": self.format(line.debit),
                "credit": self.format(line.credit),
            }
            for line in move.line_ids
        ]

    def format(self, amount):
        return self.env.company.currency_id.format(amount) if amount else ""

    def test_starts_with_what_was_posted(self):
        with self.open_dialog() as dialog:
            self.assertEqual(dialog.account_id, self.income)
            self.assertEqual(dialog.tax_ids.ids, self.vat.ids)
            self.assertEqual(dialog.date, fields.Date.context_today(self.payment))
            dialog.account_id = self.other_income

    def test_another_account_keeps_the_tax(self):
        with self.open_dialog() as dialog:
            dialog.account_id = self.other_income
        dialog.record.action_reclassify()
        lines = self.charge._get_posted_lines()
        self.assertEqual(sorted(lines.mapped("balance")), [-100, -19])
        self.assertEqual(self.payment.posted_account_id, self.other_income)
        self.assertEqual(self.payment.posted_tax_ids, self.vat)

    def test_mapped_tax_is_shown_and_kept(self):
        position = self.env["account.fiscal.position"].create(
            {
                "name": "Exports",
                "auto_apply": True,
                "country_id": self.env.ref("base.ch").id,
            }
        )
        zero = self.create_tax(0)
        zero.write(
            {
                "fiscal_position_ids": [Command.set(position.ids)],
                "original_tax_ids": [Command.set(self.vat.ids)],
            }
        )
        payment = self.pay(self.create_link(119), country="CH", email="r@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        with self.open_dialog(charge) as dialog:
            self.assertEqual(dialog.tax_ids.ids, zero.ids)
            dialog.account_id = self.other_income
        dialog.record.action_reclassify()
        lines = charge._get_posted_lines()
        self.assertEqual(lines.tax_ids, zero)
        self.assertEqual(sum(lines.mapped("balance")), -119)
        self.assertEqual(lines.move_id.fiscal_position_id, position)

    def test_shows_debit_and_credit_as_they_are_posted(self):
        self.payment.action_refund(11.9)
        with self.open_dialog() as dialog:
            dialog.account_id = self.other_income
            shown = self.read_preview(dialog)
        dialog.record.action_reclassify()
        moves = self.payment.movement_ids.reclassification_move_ids.sorted("id")
        self.assertEqual(len(moves), 2)
        for move, (title, rows) in zip(moves, shown, strict=True):
            self.assertIn(move.ref, title)
            self.assertCountEqual(rows, self.describe(move))
        self.assertIn(
            {
                "account": self.other_income.display_name,
                "taxes": self.vat.name,
                "debit": "",
                "credit": self.format(100),
            },
            shown[0][1],
        )

    def test_posts_today_not_when_it_was_paid(self):
        with freeze_time(fields.Datetime.now() + timedelta(days=50)):
            today = fields.Date.today()
            self.assertEqual(
                self.charge.action_reclassify(self.other_income, self.vat).date, today
            )
            with self.open_dialog() as dialog:
                self.assertEqual(dialog.date, today)
                dialog.account_id = self.income
                dialog.date = today - timedelta(days=20)
        dialog.record.action_reclassify()
        move = self.charge._get_posted_lines().move_id
        self.assertEqual(move.date, today - timedelta(days=20))

    def test_day_of_a_closed_period_shows_the_first_open_one(self):
        today = fields.Date.context_today(self.payment)
        self.env.company.fiscalyear_lock_date = today
        with self.open_dialog() as dialog:
            dialog.account_id = self.other_income
            shown = self.read_preview(dialog)
        dialog.record.action_reclassify()
        move = self.charge._get_posted_lines().move_id
        self.assertEqual(move.date, today + timedelta(days=1))
        self.assertIn(format_date(self.env, move.date), shown[0][0])

    def test_says_at_once_what_is_in_the_way(self):
        with self.open_dialog() as dialog:
            self.assertIn("already posted this way", dialog.obstacle)
            self.assertFalse(dialog.preview)
            dialog.account_id = self.other_income
            self.assertFalse(dialog.obstacle)
            dialog.account_id = self.gateway.journal_id.default_account_id
            self.assertIn("holds the Stripe balance", dialog.obstacle)

    def test_the_same_again_is_refused(self):
        with self.assertRaisesRegex(UserError, "already posted this way"):
            self.charge.action_reclassify(self.income, self.vat)
        self.assertFalse(self.charge.reclassification_move_ids)

    def test_chatter_says_who_did_it(self):
        user = new_test_user(
            self.env, "max", "account.group_account_manager", name="Max Example"
        )
        move = self.charge.with_user(user).action_reclassify(
            self.other_income, self.vat
        )
        note = move.message_ids[0]
        self.assertIn("Max Example reclassified", note.body)
        self.assertEqual(note.author_id, user.partner_id)


class TestAnalytics(CheckoutCommon):
    """Analytics count income and expenses, and the same money once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        plan = cls.env["account.analytic.plan"].create({"name": "Projects"})
        cls.project = cls.env["account.analytic.account"].create(
            {"name": "Summer", "plan_id": plan.id}
        )
        cls.distribution = {str(cls.project.id): 100}
        cls.vat = cls.create_tax(19)
        cls.gateway.write({"tax_ids": cls.vat.ids, "fee_analytics": False})
        cls.income = cls.company_data["default_account_revenue"]
        cls.receivable = cls.company_data["default_account_receivable"]

    def pay_for_project(self, **vals):
        link = self.create_link(119, analytic_distribution=self.distribution, **vals)
        payment = self.pay(link, email="rosa@example.com")
        self.deliver()
        return payment

    def count(self):
        """What analytics and the ledger say that the project earned."""
        self.env.flush_all()
        analytic = self.env["account.analytic.line"].search(
            [("auto_account_id", "=", self.project.id)]
        )
        ledger = self.env["account.move.line"].search(
            [("account_id", "=", self.income.id), ("parent_state", "=", "posted")]
        )
        return (
            round(sum(analytic.mapped("amount")), 2),
            round(-sum(ledger.mapped("balance")), 2),
        )

    def test_payment_that_gets_an_invoice_counts_once(self):
        payment = self.pay_for_project()
        charge = self.get_movement(payment, "charge")
        charge.action_reclassify(self.receivable)
        self.assertFalse(charge._get_posted_lines().analytic_distribution)
        self.assertEqual(self.count(), (0, 0))
        line = {
            "name": "Course",
            "price_unit": 119,
            "account_id": self.income.id,
            "tax_ids": [Command.set(self.vat.ids)],
            "analytic_distribution": self.distribution,
        }
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": payment.partner_id.id,
                "invoice_line_ids": [Command.create(line)],
            }
        )
        invoice.action_post()
        payment.action_refund(59.5)
        self.assertEqual(self.count(), (100, 100))

    def test_what_comes_back_to_income_counts_again(self):
        payment = self.pay_for_project()
        charge = self.get_movement(payment, "charge")
        charge.action_reclassify(self.receivable)
        charge.action_reclassify(self.income, self.vat)
        self.assertEqual(self.count(), (100, 100))

    def test_models_by_contact_are_for_income_and_expenses(self):
        rosa = self.env["res.partner"].create(
            {"name": "Rosa", "email": "rosa@example.com"}
        )
        self.env["account.analytic.distribution.model"].create(
            {"partner_id": rosa.id, "analytic_distribution": self.distribution}
        )
        payment = self.pay(self.create_link(119), email="rosa@example.com")
        self.deliver()
        self.assertEqual(self.count(), (100, 100))
        payment.action_refund(59.5)
        self.assertEqual(self.count(), (50, 50))

    def test_contact_set_later_changes_no_analytics(self):
        rosa = self.env["res.partner"].create({"name": "Rosa"})
        other = self.project.copy({"name": "Other"})
        self.env["account.analytic.distribution.model"].create(
            {"partner_id": rosa.id, "analytic_distribution": {str(other.id): 100}}
        )
        self.gateway.partner_policy = "match"
        payment = self.pay_for_project()
        payment.action_set_contact(rosa)
        self.assertEqual(self.count(), (100, 100))

    def test_sale_on_a_deposit_account_has_none(self):
        deposits = self.income.copy(
            {"name": "Deposits", "account_type": "liability_current"}
        )
        self.gateway.income_account_id = deposits
        self.pay_for_project()
        self.assertEqual(self.count(), (0, 0))
