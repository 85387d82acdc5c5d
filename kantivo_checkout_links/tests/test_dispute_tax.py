from datetime import date

from freezegun import freeze_time

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from ..const import TAKE_BACK_LAWS
from .test_dispute_outcome import DisputeCommon

# The two ways to take back the tax in a loss: by itself, or with the button.
WAYS = ("take_back", "keep")


class DisputeTaxCommon(DisputeCommon):
    """A sale of 119, of which 19 is tax."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tax = cls.create_tax(19)
        cls.gateway.tax_ids = [Command.set(cls.tax.ids)]
        cls.loss_account = cls.gateway.dispute_loss_account_id

    def lose(self, payment, way="take_back", **how):
        """Lose a dispute, and take back its tax in one of the two ways."""
        self.gateway.dispute_tax = way
        dispute = self.dispute(payment, **how)
        self.act(dispute, "lose")
        self.take_back(dispute)
        return dispute

    def take_back(self, dispute):
        if dispute.tax_state == "kept":
            dispute.action_take_back_tax()

    def get_loss(self, payment):
        return payment.movement_ids.filtered(lambda m: m.kind == "dispute_loss")

    def get_lines(self, payment, account):
        movements = payment.movement_ids
        moves = movements.move_id | movements.reclassification_move_ids
        return moves.line_ids.filtered(lambda line: line.account_id == account)

    def get_report(self, payment):
        """What the tax report has of a payment, by tag."""
        movements, totals = payment.movement_ids, {}
        for move in movements.move_id | movements.reclassification_move_ids:
            for name, amount in self.get_tags(move).items():
                totals[name] = round(totals.get(name, 0) + amount, 2)
        return totals

    def assert_left(self, payment, loss, tax, income=-100):
        """What the accounts hold in the end."""
        found = [
            self.get_balance(payment, account)
            for account in (self.loss_account, self.tax_account, self.income)
        ]
        self.assertEqual(found, [loss, tax, income])
        self.assert_settled(payment)


class TestDisputeTax(DisputeTaxCommon):
    """The tax in what a dispute lost is kept or taken back."""

    # === WHAT IS PROPOSED === #

    def propose(self, code):
        country = self.env["res.country"].search([("code", "=", code)])
        company_sudo = (
            self.env["res.company"]
            .sudo()
            .create({"name": code, "account_fiscal_country_id": country.id})
        )
        gateways_sudo = self.env["checkout.gateway"].sudo()
        return gateways_sudo.create({"name": code, "company_id": company_sudo.id})

    def test_country_proposes_what_its_law_says(self):
        for code, law in TAKE_BACK_LAWS.items():
            gateway = self.propose(code)
            self.assertEqual(gateway.dispute_tax, "take_back", code)
            self.assertIn(law, gateway.dispute_tax_hint)

    def test_where_the_law_has_conditions_tax_is_kept(self):
        for code in ("GB", "FR", "US", "JP"):
            gateway = self.propose(code)
            self.assertEqual(gateway.dispute_tax, "keep", code)
            self.assertIn("Ask your tax advisor", gateway.dispute_tax_hint)

    def test_choice_stays(self):
        gateway = self.propose("DE")
        gateway.dispute_tax = "keep"
        gateway.name = "Other"
        self.env.flush_all()
        self.assertEqual(gateway.dispute_tax, "keep")

    # === BY ITSELF === #

    def test_tax_is_taken_back(self):
        payment = self.pay_and_post(119)
        dispute = self.lose(payment)
        loss = self.get_loss(payment)
        self.assert_entry(
            loss,
            [
                (self.withheld, 0, 119),
                (self.loss_account, 100, 0),
                (self.tax_account, 19, 0),
            ],
        )
        self.assertEqual(
            self.get_tags(loss.move_id), {"REFUND BASE 19": 100, "REFUND TAX 19": 19}
        )
        self.assertEqual(loss.move_id.line_ids.partner_id, payment.partner_id)
        self.assertFalse(loss.reclassification_move_ids)
        self.assertEqual(dispute.tax_state, "taken_back")
        self.assert_left(payment, loss=100, tax=0)

    def test_tax_is_kept(self):
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(119)
        dispute = self.dispute(payment)
        self.assertEqual(dispute.tax_state, "to_keep")
        self.act(dispute, "lose")
        self.assert_entry(
            self.get_loss(payment),
            [(self.withheld, 0, 119), (self.loss_account, 119, 0)],
        )
        self.assertEqual(dispute.tax_state, "kept")
        self.assert_left(payment, loss=119, tax=-19)

    def test_dispute_says_what_becomes_of_the_tax(self):
        for policy, state in (("take_back", "to_take_back"), ("keep", "to_keep")):
            self.gateway.dispute_tax = policy
            self.assertEqual(self.dispute(self.pay_and_post(119)).tax_state, state)
        untaxed = self.pay_and_post(119, tax_ids=[Command.clear()])
        dispute = self.dispute(untaxed)
        self.assertFalse(dispute.tax_state)
        self.act(dispute, "lose")
        self.assertFalse(dispute.tax_state)
        self.assertEqual(self.get_balance(untaxed, self.loss_account), 119)

    def test_without_a_loss_account_the_sale_is_taken_back(self):
        self.gateway.dispute_loss_account_id = False
        for way in WAYS:
            payment = self.pay_and_post(119)
            dispute = self.lose(payment, way)
            self.assertEqual(dispute.tax_state, "taken_back")
            self.assertFalse(self.get_loss(payment).reclassification_move_ids)
            self.assert_left(payment, loss=0, tax=0, income=0)

    def test_payment_that_is_not_posted_has_no_tax_to_take_back(self):
        self.gateway.post_entries = False
        payment = self.pay_and_post(119)
        self.gateway.post_entries = True
        dispute = self.lose(payment)
        self.assertFalse(dispute.tax_state)
        self.assert_entry(
            self.get_loss(payment),
            [(self.withheld, 0, 119), (self.loss_account, 119, 0)],
        )

    # === WITH THE BUTTON === #

    def test_button_takes_the_tax_back_on_its_day_and_once(self):
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(119)
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        loss = self.get_loss(payment)
        with freeze_time("2031-05-06 12:00:00"):
            action = dispute.action_take_back_tax()
        move = loss.reclassification_move_ids
        self.assertEqual(action["res_id"], move.id)
        self.assertEqual(move.date, date(2031, 5, 6))
        self.assertEqual(move.journal_id.type, "general")
        self.assertEqual(
            self.get_tags(move), {"REFUND BASE 19": 100, "REFUND TAX 19": 19}
        )
        self.assertEqual(move.line_ids.partner_id, payment.partner_id)
        self.assertEqual(dispute.tax_state, "taken_back")
        self.assertIn(move.name, payment.message_ids[0].body)
        self.assert_left(payment, loss=100, tax=0)
        again = dispute.action_take_back_tax()
        self.assertEqual(again["res_id"], move.id)
        self.assertEqual(loss.reclassification_move_ids, move)
        self.assert_left(payment, loss=100, tax=0)

    def test_entry_of_the_button_is_protected(self):
        payment = self.pay_and_post(119)
        self.lose(payment, "keep")
        with self.assertRaises(UserError):
            self.get_loss(payment).reclassification_move_ids.button_draft()

    def test_closed_period_moves_the_entry_of_the_button(self):
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(119)
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        with freeze_time("2031-05-06 12:00:00"):
            self.env.company.tax_lock_date = date(2031, 5, 31)
            dispute.action_take_back_tax()
        move = self.get_loss(payment).reclassification_move_ids
        self.assertEqual(move.date, date(2031, 6, 1))

    def test_only_accountants_take_tax_back(self):
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(119)
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        merchant = new_test_user(
            self.env, "merchant", groups="account.group_account_invoice"
        )
        with self.assertRaises(AccessError):
            dispute.with_user(merchant).action_take_back_tax()
        self.assertEqual(dispute.with_user(merchant).tax_state, "kept")
        accountant = new_test_user(
            self.env, "accountant", groups="account.group_account_user"
        )
        dispute.with_user(accountant).action_take_back_tax()
        self.assert_left(payment, loss=100, tax=0)

    # === THE CHART'S ACCOUNTS BY RATE === #

    def use_german_chart(self):
        """The accounts of SKR03 for losses: in general, with 19 % and with 7 %."""
        company = self.gateway.company_id
        company.chart_template = "de_skr03"
        codes = ("2400", "2406", "2401")
        accounts = [self.loss_account.copy({"code": code}) for code in codes]
        self.env["ir.model.data"]._update_xmlids(
            [
                {"xml_id": f"account.{company.id}_account_{code}", "record": account}
                for code, account in zip(codes, accounts, strict=True)
            ]
        )
        self.gateway.dispute_loss_account_id = accounts[0]
        return accounts

    def test_loss_is_on_the_account_of_the_rate_whose_tax_is_taken_back(self):
        general, at_19, at_7 = self.use_german_chart()
        for way in WAYS:
            payment = self.pay_and_post(119)
            payment.action_refund(59.5)
            dispute = self.lose(payment, way)  # also what was refunded
            found = [
                self.get_balance(payment, account)
                for account in (general, at_19, at_7, self.tax_account)
            ]
            self.assertEqual(found, [59.5, 50, 0, 0])
            self.act(dispute, "win")
            self.assertEqual(self.get_balance(payment, general), 0)
            self.assertEqual(self.get_balance(payment, at_19), 0)
            self.assertEqual(self.get_balance(payment, self.tax_account), -9.5)
            self.assert_settled(payment)

    def test_other_rate_has_its_own_account(self):
        general, at_19, at_7 = self.use_german_chart()
        for rate, account in ((7, at_7), (16, general)):
            tax = self.create_tax(rate)
            payment = self.pay_and_post(100 + rate, tax_ids=[Command.set(tax.ids)])
            self.lose(payment)
            self.assertEqual(self.get_balance(payment, account), 100)
            self.assertEqual(self.get_balance(payment, at_19), 0)

    def test_account_of_the_rate_is_for_the_chart_s_own_account_only(self):
        _general, at_19, _at_7 = self.use_german_chart()
        self.gateway.dispute_loss_account_id = self.loss_account
        payment = self.pay_and_post(119)
        self.lose(payment)
        self.assertEqual(self.get_balance(payment, at_19), 0)
        self.assert_left(payment, loss=100, tax=0)

    def test_kept_tax_keeps_the_loss_on_the_general_account(self):
        general, at_19, _at_7 = self.use_german_chart()
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(119)
        self.act(self.dispute(payment), "lose")
        self.assertEqual(self.get_balance(payment, general), 119)
        self.assertEqual(self.get_balance(payment, at_19), 0)

    def test_no_tax_to_take_back(self):
        payment = self.pay_and_post(119)
        dispute = self.dispute(payment)
        with self.assertRaisesRegex(UserError, "no tax to reclaim"):
            dispute.action_take_back_tax()

    # === A PART === #

    def test_part_of_a_sale_is_lost(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                self.lose(payment, way, amount=5950)
                self.assert_left(payment, loss=50, tax=-9.5)
                report = self.get_report(payment)
                self.assertEqual(report["REFUND BASE 19"], 50)
                self.assertEqual(report["REFUND TAX 19"], 9.5)

    def test_refund_reported_after_the_rest_was_lost(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(99.99)
                self.standin.refund(payment.stripe_charge_id, 6666)
                refunded = self.take_events()
                self.lose(payment, way, amount=3333)
                self.assertFalse(payment.refund_ids)
                self.receive(refunded)
                self.assertEqual(payment.refund_ids.state, "succeeded")
                self.assertEqual(self.get_balance(payment, self.tax_account), 0)
                report = self.get_report(payment)
                self.assertEqual(report["REFUND BASE 19"], -report["SALES BASE 19"])
                self.assertEqual(report["REFUND TAX 19"], -report["SALES TAX 19"])
                self.assert_settled(payment)

    def test_two_disputes_of_a_sale(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                self.lose(payment, way, amount=3333)
                self.lose(payment, way, amount=8567)
                self.assert_left(payment, loss=100, tax=0)

    def test_bank_that_overlooks_a_refund(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                payment.action_refund(59.5)
                self.hear()
                dispute = self.lose(payment, way, amount=11900)
                # 50 of the sale, and 59.50 that the customer has twice.
                self.assert_left(payment, loss=109.5, tax=0, income=-50)
                report = self.get_report(payment)
                self.assertEqual(report["REFUND BASE 19"], 100)
                self.assertEqual(dispute.tax_state, "taken_back")
                self.act(dispute, "win")
                self.assert_left(payment, loss=0, tax=-9.5, income=-50)

    def test_all_is_refunded_before_it_is_lost(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                payment.action_refund(119)
                self.hear()
                self.lose(payment, way, amount=11900)
                self.assert_left(payment, loss=119, tax=0, income=0)

    # === MONEY THAT COMES BACK === #

    def test_won_after_it_was_lost(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                dispute = self.lose(payment, way)
                self.act(dispute, "win")
                self.assert_left(payment, loss=0, tax=-19)
                report = self.get_report(payment)
                self.assertEqual(report["REFUND BASE 19"], 0)
                self.assertEqual(report["REFUND TAX 19"], 0)
                self.assertFalse(dispute.tax_state)

    def test_comes_back_in_parts_whose_tax_is_rounded(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(0.99)
                dispute = self.lose(payment, way)
                for cents in (33, 33, 33):
                    self.act(dispute, "reinstate", amount=cents)
                self.assert_left(payment, loss=0, tax=-0.16, income=-0.83)

    def test_part_comes_back_before_the_button(self):
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(119)
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.act(dispute, "reinstate", amount=5950)
        dispute.action_take_back_tax()
        self.assert_left(payment, loss=50, tax=-9.5)
        self.act(dispute, "win")
        self.assert_left(payment, loss=0, tax=-19)

    def test_lost_again_after_it_was_won(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                dispute = self.lose(payment, way)
                self.act(dispute, "win", "withdraw_again", "lose")
                self.take_back(dispute)
                self.assertEqual(dispute.tax_state, "taken_back")
                self.assert_left(payment, loss=100, tax=0)

    # === OTHER CURRENCIES === #

    def pay_euros(self):
        self.eur = self.setup_other_currency("EUR", rates=[("2016-01-01", 1 / 1.1)])
        self.standin.settings(rates={"eur": "1.10"})
        payment = self.pay_and_post(119, currency_id=self.eur.id)
        self.standin.settings(rates={"eur": "1.20"})
        return payment

    def get_exchange(self, payment):
        company = self.env.company
        accounts = (
            company.expense_currency_exchange_account_id,
            company.income_currency_exchange_account_id,
        )
        return round(sum(self.get_balance(payment, a) for a in accounts), 2)

    def test_charge_in_another_currency_than_the_balance(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_euros()
                dispute = self.lose(payment, way)
                self.assert_left(payment, loss=110, tax=0, income=-110)
                self.assertEqual(self.get_exchange(payment), 11.9)
                self.act(dispute, "win", amount=14000)
                self.assert_left(payment, loss=0, tax=-20.9, income=-110)

    def test_overlooked_refund_in_another_currency(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_euros()
                payment.action_refund(59.5)
                self.hear()
                dispute = self.lose(payment, way, amount=11900)
                # 59.50 EUR at 1.20 that the customer has twice.
                self.assert_left(payment, loss=55 + 71.4, tax=0, income=-55)
                self.assertEqual(dispute.tax_state, "taken_back")
                self.act(dispute, "win", amount=14000)
                self.assert_left(payment, loss=0, tax=-10.45, income=-55)

    def test_balance_in_another_currency_than_the_ledger(self):
        self.standin.settings(currencies=["eur"])
        eur = self.setup_other_currency("EUR", rates=[("2016-01-01", 1 / 1.1)])
        journal = self.env["account.journal"].create(
            {"name": "EUR", "type": "bank", "code": "STEU", "currency_id": eur.id}
        )
        euros = self.create_gateway(journal_id=journal.id, dispute_tax="take_back")
        payment = self.pay_and_post(119, euros, currency_id=eur.id)
        dispute = self.dispute(payment)
        self.env["res.currency.rate"].search([("currency_id", "=", eur.id)]).rate = (
            1 / 1.2
        )
        self.act(dispute, "lose")
        self.assertEqual(self.get_balance(payment, self.tax_account), 0)
        lost = self.get_balance(payment, euros.dispute_loss_account_id)
        self.assertEqual(lost, 110)
        self.act(dispute, "win")
        self.assertEqual(self.get_balance(payment, self.tax_account), -20.9)
        self.assert_agrees(euros)


class TestWonInPart(DisputeTaxCommon):
    """What a dispute that was won leaves withheld is lost."""

    def win_in_part(self, payment, cents=7000):
        dispute = self.dispute(payment)
        self.act(dispute, "win", amount=cents)
        self.assertEqual(dispute.state, "won")
        return dispute

    def test_rest_is_a_loss(self):
        self.gateway.dispute_tax = "keep"
        payment = self.pay_and_post(110)
        dispute = self.win_in_part(payment)
        self.assertEqual(self.get_balance(payment, self.withheld), 0)
        self.assertEqual(self.get_balance(payment, self.loss_account), 40)
        self.assertEqual(dispute.lost_amount, 40)
        self.assertEqual(dispute.tax_state, "kept")
        self.assertEqual(payment.state, "disputed")
        self.assert_settled(payment)

    def test_person_is_notified_once(self):
        payment = self.pay_and_post(110)
        dispute = self.win_in_part(payment)
        self.sync()
        notes = payment.message_ids.filtered(lambda m: "partially won" in m.body)
        self.assertEqual(len(notes), 1)
        self.assertIn("40.00 of", notes.body)
        self.assertIn("110.00", notes.body)
        self.assertIn(dispute, dispute.search([("lost_amount", "!=", 0)]))

    def test_tax_in_the_rest(self):
        for way in WAYS:
            with self.subTest(way=way):
                self.gateway.dispute_tax = way
                payment = self.pay_and_post(119)
                dispute = self.win_in_part(payment, 5950)
                self.take_back(dispute)
                self.assert_left(payment, loss=50, tax=-9.5)

    def test_without_a_loss_account(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post(119)
        self.win_in_part(payment, 5950)
        self.assert_left(payment, loss=0, tax=-9.5, income=-50)

    def test_customer_owes_the_rest(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post(110)
        self.win_in_part(payment)
        self.assertEqual(self.get_balance(payment, self.receivable), -70)
        self.assertEqual(self.get_balance(payment, self.withheld), 0)

    def test_rest_that_comes_back_after_all(self):
        for way in WAYS:
            with self.subTest(way=way):
                self.gateway.dispute_tax = way
                payment = self.pay_and_post(119)
                dispute = self.win_in_part(payment, 5950)
                self.take_back(dispute)
                self.act(dispute, "reinstate")
                self.assert_left(payment, loss=0, tax=-19)
                self.assertEqual(dispute.lost_amount, 0)
                self.assertEqual(payment.state, "paid")

    def test_won_before_any_money_is_back_is_no_loss_yet(self):
        payment = self.pay_and_post(110)
        dispute = self.dispute(payment)
        self.standin.change_dispute(dispute.stripe_id, "close_as_won")
        self.hear()
        self.assertEqual(dispute.state, "won")
        self.assertFalse(self.get_loss(payment))
        self.assertEqual(self.get_balance(payment, self.withheld), 110)
        self.act(dispute, "reinstate", amount=7000)
        self.assertEqual(dispute.lost_amount, 40)
        self.assert_settled(payment)

    def test_all_that_came_back_in_parts_is_not_lost_by_a_rounding(self):
        payment = self.pay_and_post(148.55)
        dispute = self.dispute(payment)
        self.act(dispute, "reinstate", amount=3779)
        self.act(dispute, "win")
        self.assertEqual(payment.state, "paid")
        self.assertFalse(self.get_loss(payment))
        self.assert_settled(payment)

    def test_lost_then_won_in_part(self):
        for way in WAYS:
            with self.subTest(way=way):
                payment = self.pay_and_post(119)
                dispute = self.lose(payment, way)
                self.act(dispute, "win", amount=5950)
                self.assertEqual(dispute.lost_amount, 59.5)
                self.assertEqual(len(self.get_loss(payment)), 1)
                self.assert_left(payment, loss=50, tax=-9.5)
