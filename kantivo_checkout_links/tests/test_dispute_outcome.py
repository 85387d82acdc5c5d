from datetime import datetime

from .common import CheckoutCommon


class DisputeCommon(CheckoutCommon):
    """A disputed payment, and what becomes of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.liquidity = cls.gateway.journal_id.default_account_id
        cls.withheld = cls.gateway.dispute_account_id
        cls.income = cls.gateway.income_account_id
        cls.tax_account = cls.company_data["default_account_tax_sale"]
        cls.receivable = cls.company_data["default_account_receivable"]

    def pay_and_post(self, amount=110, gateway=None, **vals):
        gateway = gateway or self.gateway
        link = self.create_link(amount, gateway_id=gateway.id, **vals)
        payment = self.pay(link)
        self.hear(gateway)
        self.assertEqual(payment.state, "paid")
        return payment

    def hear(self, gateway=None):
        self.standin.release()
        self.receive(self.take_events(), gateway)

    def dispute(self, payment, **how):
        dispute = self.standin.dispute(payment.stripe_charge_id, **how)
        self.hear(payment.gateway_id)
        return payment.dispute_ids.filtered(lambda d: d.stripe_id == dispute["id"])

    def act(self, dispute, *actions, **how):
        """Things that the bank does, each of which is reported to us."""
        for action in actions:
            self.standin.change_dispute(dispute.stripe_id, action, **how)
            self.hear(dispute.gateway_id)

    def get_lines(self, payment, account):
        moves = payment.movement_ids.move_id
        return moves.line_ids.filtered(lambda line: line.account_id == account)

    def get_balance(self, payment, account):
        return round(sum(self.get_lines(payment, account).mapped("balance")), 2)

    def get_all_tags(self, payment):
        totals = {}
        for move in payment.movement_ids.move_id:
            for name, amount in self.get_tags(move).items():
                totals[name] = round(totals.get(name, 0) + amount, 2)
        return totals

    def assert_settled(self, payment, account=None):
        """Everything is posted, and nothing waits on an account any more."""
        self.assertEqual(payment.movement_ids.filtered("error").mapped("error"), [])
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        lines = self.get_lines(payment, account or self.withheld)
        self.assertTrue(lines)
        self.assertTrue(all(lines.mapped("reconciled")))
        self.assertEqual(sum(lines.mapped("balance")), 0)
        self.assert_agrees()


class TestDisputeOutcome(DisputeCommon):
    """What was lost may come back, and what was won be lost after all."""

    # === WON AFTER IT WAS LOST === #

    def test_won_after_it_was_lost_takes_the_loss_back(self):
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "lose", "win")
        self.assertEqual(payment.state, "paid")
        loss_account = self.gateway.dispute_loss_account_id
        self.assert_entry(
            self.get_movement(payment, "dispute_reversal"),
            [(self.liquidity, 110, 0), (loss_account, 0, 110)],
        )
        self.assertEqual(self.get_balance(payment, loss_account), 0)
        self.assert_settled(payment)

    def test_winning_after_losing_restores_the_sale(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "lose", "win")
        back = self.get_movement(payment, "dispute_reversal")
        self.assert_entry(
            back,
            [
                (self.liquidity, 110, 0),
                (self.income, 0, 100),
                (self.tax_account, 0, 10),
            ],
        )
        self.assertEqual(
            self.get_tags(back.move_id), {"REFUND BASE 10": -100, "REFUND TAX 10": -10}
        )
        self.assertEqual(self.get_balance(payment, self.income), -100)
        self.assert_settled(payment)

    def test_payment_can_be_refunded_once_its_dispute_was_won_after_all(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post(99.99)
        dispute = self.dispute(payment, amount=3333)
        self.act(dispute, "lose", "win")
        second = self.dispute(payment, amount=9999)
        self.act(second, "lose")
        for account in (self.income, self.tax_account):
            self.assertEqual(self.get_balance(payment, account), 0)
        self.assert_settled(payment)

    def test_lost_and_won_before_we_heard_of_either(self):
        payment = self.pay_and_post()
        made = self.standin.dispute(payment.stripe_charge_id)
        for action in ("lose", "win"):
            self.standin.change_dispute(made["id"], action)
        self.sync()
        self.assertEqual(payment.state, "paid")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))
        self.assert_settled(payment)

    def test_loss_that_could_not_be_posted_before_it_was_won_never_was(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post()
        payment.action_refund(50)
        dispute = self.dispute(payment, amount=11000)
        self.act(dispute, "lose")
        loss = self.get_movement(payment, "dispute_loss")
        self.assertIn("more than the remaining amount", loss.error)
        self.act(dispute, "win")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))
        self.assertEqual(payment.state, "partially_refunded")
        self.assert_settled(payment)

    def test_lost_again_after_it_had_been_won(self):
        for mode in ("loss", "sale"):
            with self.subTest(mode=mode):
                if mode == "sale":
                    self.gateway.dispute_loss_account_id = False
                payment = self.pay_and_post()
                dispute = self.dispute(payment)
                self.act(dispute, "lose", "reinstate", "withdraw_again", "lose")
                losses = payment.movement_ids.filtered(
                    lambda m: m.kind == "dispute_loss"
                )
                self.assertEqual(len(losses), 2)
                self.assertEqual(payment.state, "disputed")
                self.assert_settled(payment)
                if mode == "sale":
                    self.assertEqual(self.get_balance(payment, self.income), 0)

    # === A PART OF IT === #

    def test_part_that_came_back_is_no_loss(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "reinstate", amount=4400)
        self.act(dispute, "lose")
        self.assert_entry(
            self.get_movement(payment, "dispute_loss"),
            [(self.withheld, 0, 66), (self.income, 60, 0), (self.tax_account, 6, 0)],
        )
        self.assert_settled(payment)

    def test_part_returned_later_restores_part_of_the_sale(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.act(dispute, "reinstate", amount=4400)
        self.assert_entry(
            self.get_movement(payment, "dispute_reversal"),
            [(self.liquidity, 44, 0), (self.income, 0, 40), (self.tax_account, 0, 4)],
        )
        self.assert_settled(payment)

    def test_part_that_comes_back_later_lessens_the_loss(self):
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.act(dispute, "reinstate", amount=4400)
        loss_account = self.gateway.dispute_loss_account_id
        self.assertEqual(self.get_balance(payment, loss_account), 66)
        self.assert_settled(payment)

    # === PREVENTED === #

    def test_prevented_dispute_that_kept_the_money_is_a_loss(self):
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "prevent")
        self.assertEqual(payment.dispute_status, "prevented")
        self.assertEqual(payment.state, "disputed")
        self.assert_settled(payment)

    def test_prevented_dispute_that_took_nothing_leaves_nothing(self):
        payment = self.pay_and_post()
        dispute = self.dispute(payment, inquiry=True)
        self.act(dispute, "prevent")
        self.assertEqual(payment.state, "paid")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))

    # === SEVERAL === #

    def test_two_disputes_of_a_payment_do_not_close_each_other(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post()
        first = self.dispute(payment, amount=3300)
        self.dispute(payment, amount=7700)
        self.act(first, "lose")
        open_lines = self.get_lines(payment, self.withheld).filtered(
            lambda line: not line.reconciled
        )
        self.assertEqual(open_lines.mapped("balance"), [77])
        self.assertEqual(self.get_balance(payment, self.income), -70)
        self.act(payment.dispute_ids - first, "win")
        self.assertEqual(payment.state, "disputed")
        self.assert_settled(payment)

    # === OTHER ACCOUNTS === #

    def test_disputes_account_that_was_changed_meanwhile(self):
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.gateway.dispute_account_id = self.withheld.copy({"code": "119998"})
        self.act(dispute, "lose", "win")
        self.assert_settled(payment)

    # === RECEIVABLE === #

    def invoice(self, payment, amount, taxes=None):
        """A posted invoice of the payer's."""
        return self.init_invoice(
            "out_invoice",
            partner=payment.partner_id,
            amounts=[amount],
            post=True,
            taxes=taxes or self.env["account.tax"],
        )

    def match(self, payment, *invoices):
        """Pay invoices with what the payment credited, in this order."""
        for invoice in invoices:
            owed = invoice.line_ids.filtered(
                lambda line: line.account_id == self.receivable
            )
            (owed | self.get_lines(payment, self.receivable)).filtered(
                lambda line: not line.reconciled
            ).reconcile()

    def get_owed(self, partner):
        """What a customer owes, as the aged receivable adds it up."""
        lines = self.env["account.move.line"].search(
            [
                ("account_id", "=", self.receivable.id),
                ("partner_id", "=", partner.id),
                ("parent_state", "=", "posted"),
            ]
        )
        return round(sum(lines.mapped("amount_residual")), 2)

    def test_lost_dispute_leaves_no_credit_that_pays_the_next_invoice(self):
        self.gateway.credit_to = "receivable"
        self.assertTrue(self.gateway.dispute_loss_account_id)
        payment = self.pay_and_post(1190)
        self.act(self.dispute(payment), "lose")
        self.assert_entry(
            self.get_movement(payment, "dispute_loss"),
            [(self.withheld, 0, 1190), (self.receivable, 1190, 0)],
        )
        self.assert_settled(payment, self.receivable)
        invoice = self.invoice(payment, 1190)
        self.assertFalse(invoice.invoice_has_outstanding)
        self.assertEqual(self.get_owed(payment.partner_id), 1190)

    def test_lost_dispute_reopens_what_the_customer_owes(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.assert_settled(payment, self.receivable)
        self.act(dispute, "win")
        self.assertEqual(self.get_balance(payment, self.receivable), -110)
        self.assertEqual(self.get_balance(payment, self.withheld), 0)

    def test_lost_dispute_opens_the_invoice_that_it_had_paid(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post()
        invoice = self.invoice(payment, 110)
        self.match(payment, invoice)
        self.assertEqual(invoice.payment_state, "paid")
        dispute = self.dispute(payment)
        self.assertEqual(invoice.payment_state, "paid")
        self.act(dispute, "lose")
        self.assertEqual(invoice.payment_state, "not_paid")
        self.assertEqual(invoice.amount_residual, 110)
        self.assert_settled(payment, self.receivable)
        self.assertEqual(self.get_owed(payment.partner_id), 110)

    def test_invoice_is_paid_again_once_its_dispute_is_won_after_all(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post()
        invoice = self.invoice(payment, 110)
        self.match(payment, invoice)
        dispute = self.dispute(payment)
        for action, state in (
            ("lose", "not_paid"),
            ("reinstate", "paid"),
            ("withdraw_again", "paid"),
            ("lose", "not_paid"),
            ("win", "paid"),
        ):
            self.act(dispute, action)
            self.assertEqual(invoice.payment_state, state, action)
        self.assertEqual(self.get_owed(payment.partner_id), 0)
        self.assert_settled_but(payment, self.receivable, -110)

    def assert_settled_but(self, payment, account, left):
        """All items are matched, and together they are what invoices took."""
        lines = self.get_lines(payment, account)
        self.assertTrue(all(lines.mapped("reconciled")))
        self.assertEqual(sum(lines.mapped("balance")), left)

    def test_part_that_is_lost_opens_a_part_of_the_invoice(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post()
        invoice = self.invoice(payment, 110)
        self.match(payment, invoice)
        self.act(self.dispute(payment, amount=3300), "lose")
        self.assertEqual(invoice.payment_state, "partial")
        self.assertEqual(invoice.amount_residual, 33)
        self.assertEqual(self.get_owed(payment.partner_id), 33)

    def test_lost_dispute_opens_the_invoices_that_were_paid_last(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post()
        first, second = self.invoice(payment, 50), self.invoice(payment, 60)
        self.match(payment, first, second)
        self.act(self.dispute(payment, amount=4000), "lose")
        self.assertEqual(first.payment_state, "paid")
        self.assertEqual(second.amount_residual, 40)
        self.assertEqual(self.get_owed(payment.partner_id), 40)

    def test_more_is_lost_than_refunds_had_left(self):
        """Banks overlook refunds: the customer then owes what came back twice."""
        self.gateway.write(
            {"credit_to": "receivable", "dispute_loss_account_id": False}
        )
        payment = self.pay_and_post()
        payment.action_refund(50)
        self.hear()
        self.act(self.dispute(payment, amount=11000), "lose")
        self.assertEqual(payment.movement_ids.filtered("error").mapped("error"), [])
        self.assertEqual(self.get_owed(payment.partner_id), 50)

    def test_bank_debit_that_fails_after_all_opens_its_invoice(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post()
        invoice = self.invoice(payment, 110)
        self.match(payment, invoice)
        charge = self.get_movement(payment, "charge")
        failure = charge.sudo().create(  # what the sync makes of Stripe's list
            {
                **charge.copy_data()[0],
                "kind": "charge_failure",
                "amount": -110,
                "source_amount": -110,
                "balance_transaction_id": "txn_failed",
                "state": "to_post",
            }
        )
        failure.action_post()
        self.assertEqual(failure.state, "posted")
        self.assertEqual(invoice.payment_state, "not_paid")
        self.assertEqual(self.get_owed(payment.partner_id), 110)

    def test_payment_moved_to_a_receivable_is_owed_again_too(self):
        payment = self.pay_and_post()
        self.get_movement(payment, "charge").action_reclassify(self.receivable)
        self.act(self.dispute(payment), "lose")
        self.assert_entry(
            self.get_movement(payment, "dispute_loss"),
            [(self.withheld, 0, 110), (self.receivable, 110, 0)],
        )
        self.assertEqual(self.get_owed(payment.partner_id), 0)

    def test_tax_on_a_cash_basis_is_undone_on_the_day_of_the_loss(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post(120)
        invoice = self.invoice(payment, 100, self.create_cash_basis_tax())
        self.match(payment, invoice)
        dispute = self.dispute(payment)
        self.standin.advance(40 * 24 * 3600)
        self.act(dispute, "lose")
        self.assertEqual(invoice.amount_residual, 120)
        paid = self.env["account.move"].search(
            [("tax_cash_basis_origin_move_id", "=", invoice.id)]
        )
        undone = paid.filtered("reversed_entry_id")
        loss = self.get_movement(payment, "dispute_loss").move_id
        self.assertEqual(len(undone), 1)
        self.assertEqual(undone.date, loss.date)
        self.assertGreater(undone.date, undone.reversed_entry_id.date)

    def test_request_says_no_day_on_which_tax_is_undone(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post(120)
        invoice = self.invoice(payment, 100, self.create_cash_basis_tax())
        self.match(payment, invoice)
        paid = self.env["account.move"].search(
            [("tax_cash_basis_origin_move_id", "=", invoice.id)]
        )
        for day in ("2031-05-06", datetime(2031, 5, 6)):
            asked = paid.with_context(checkout_undo_date=day)
            self.assertEqual(
                asked._get_accounting_date(paid.date, has_tax=True),
                paid._get_accounting_date(paid.date, has_tax=True),
            )

    def create_cash_basis_tax(self):
        self.env.company.tax_exigibility = True
        accounts = self.tax_account.copy({"code": "251998", "reconcile": True})
        tax = self.create_tax(20)
        tax.write(
            {
                "price_include_override": "tax_excluded",
                "tax_exigibility": "on_payment",
                "cash_basis_transition_account_id": accounts.id,
            }
        )
        return tax

    # === WHOSE IT IS === #

    def test_items_of_a_dispute_are_the_customers(self):
        payment = self.pay_and_post()
        dispute = self.dispute(payment)
        self.act(dispute, "lose", "win")
        kinds = ("dispute", "dispute_loss", "dispute_reversal")
        movements = payment.movement_ids.filtered(lambda m: m.kind in kinds)
        self.assertEqual(len(movements), 3)
        self.assertTrue(payment.partner_id)
        for line in movements.move_id.line_ids:
            self.assertEqual(line.partner_id, payment.partner_id, line.name)


class TestForeignDispute(DisputeCommon):
    """Disputes of what was paid in another currency."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.eur = cls.setup_other_currency("EUR", rates=[("2016-01-01", 1 / 1.1)])
        exchange = cls.env.company.expense_currency_exchange_account_id
        cls.exchange = exchange | cls.env.company.income_currency_exchange_account_id

    def get_exchange(self, payment):
        lines = payment.movement_ids.move_id.line_ids
        gains = lines.filtered(lambda line: line.account_id in self.exchange)
        return round(sum(gains.mapped("balance")), 2)

    def pay_euros(self, rate="1.10"):
        self.standin.settings(rates={"eur": rate})
        return self.pay_and_post(110, currency_id=self.eur.id)

    def test_lost_dispute_takes_the_sale_back_at_the_charges_rate(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_euros("1.10")
        self.standin.settings(rates={"eur": "1.20"})
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        loss = self.get_movement(payment, "dispute_loss")
        self.assert_entry(
            loss,
            [
                (self.withheld, 0, 132),
                (self.income, 110, 0),
                (self.tax_account, 11, 0),
                (self.env.company.expense_currency_exchange_account_id, 11, 0),
            ],
        )
        self.assert_settled(payment)

    def test_part_of_a_sale_is_disputed(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_euros("1.10")
        payment.action_refund(33)
        dispute = self.dispute(payment, amount=7700)
        self.act(dispute, "lose")
        for account in (self.income, self.tax_account):
            lines = self.get_lines(payment, account)
            self.assertEqual(sum(lines.mapped("amount_currency")), 0)
            self.assertEqual(self.get_balance(payment, account), 0)
        self.assert_settled(payment)

    def test_money_reinstated_at_another_rate_leaves_nothing_withheld(self):
        payment = self.pay_euros("1.10")
        dispute = self.dispute(payment)
        self.act(dispute, "win", amount=12000)
        self.assertEqual(self.get_exchange(payment), 1)
        self.assert_settled(payment)

    def test_prevented_after_the_money_came_back_at_another_rate_is_no_loss(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_euros("1.10")
        dispute = self.dispute(payment)
        self.act(dispute, "reinstate", amount=12000)
        self.act(dispute, "prevent")
        self.assertEqual(payment.state, "paid")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))
        self.assertEqual(self.get_balance(payment, self.income), -110)
        self.assertEqual(self.get_exchange(payment), 1)
        self.assert_settled(payment)

    def test_money_taken_again_before_we_heard_that_it_came_back(self):
        payment = self.pay_euros("1.10")
        dispute = self.dispute(payment)
        self.standin.change_dispute(dispute.stripe_id, "win", amount=12000)
        self.standin.change_dispute(dispute.stripe_id, "withdraw_again")
        self.hear()
        self.assertEqual(self.get_balance(payment, self.withheld), 121)
        self.assertEqual(self.get_exchange(payment), 1)
        self.act(dispute, "win")
        self.assert_settled(payment)

    def test_won_after_it_was_lost_at_another_rate(self):
        for mode in ("loss", "sale"):
            with self.subTest(mode=mode):
                if mode == "sale":
                    self.gateway.dispute_loss_account_id = False
                payment = self.pay_euros("1.10")
                dispute = self.dispute(payment)
                self.act(dispute, "lose")
                self.act(dispute, "win", amount=12000)
                self.assertEqual(self.get_exchange(payment), 1)
                if mode == "sale":
                    self.assertEqual(self.get_balance(payment, self.income), -110)
                self.assert_settled(payment)

    def test_lost_dispute_of_a_sibling_s_money(self):
        self.standin.settings(currencies=["usd", "eur"])
        journal = self.env["account.journal"].create(
            {
                "name": "Stripe EUR",
                "type": "bank",
                "code": "STEU",
                "currency_id": self.eur.id,
            }
        )
        self.gateway.action_test_connection()
        euros = self.create_gateway(
            journal_id=journal.id, dispute_loss_account_id=False
        )
        euros.action_test_connection()
        payment = self.pay_and_post(110, currency_id=self.eur.id)
        self.process()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.process()
        self.assertEqual(payment.movement_ids.gateway_id, euros)
        loss = self.get_movement(payment, "dispute_loss")
        self.assertEqual(loss.error or "", "")
        self.assertEqual(loss.state, "posted")
        lines = self.get_lines(payment, euros.dispute_account_id)
        self.assertTrue(all(lines.mapped("reconciled")))
        self.assert_agrees(euros)

    def test_journal_in_another_currency_than_the_ledger(self):
        self.standin.settings(currencies=["eur"])
        journal = self.env["account.journal"].create(
            {
                "name": "Stripe EUR",
                "type": "bank",
                "code": "STEU",
                "currency_id": self.eur.id,
            }
        )
        euros = self.create_gateway(journal_id=journal.id)
        for actions in (("win",), ("lose",), ("lose", "win")):
            with self.subTest(actions=actions):
                payment = self.pay_and_post(110, euros, currency_id=self.eur.id)
                dispute = self.dispute(payment)
                self.env["res.currency.rate"].search(
                    [("currency_id", "=", self.eur.id)]
                ).rate = 1 / 1.2
                self.act(dispute, *actions)
                self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
                lines = self.get_lines(payment, euros.dispute_account_id)
                self.assertTrue(all(lines.mapped("reconciled")))
                self.assert_agrees(euros)
