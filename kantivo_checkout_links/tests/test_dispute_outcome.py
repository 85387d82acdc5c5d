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

    def pay_and_book(self, amount=110, gateway=None, **vals):
        gateway = gateway or self.gateway
        link = self.create_link(amount, gateway_id=gateway.id, **vals)
        payment = self.pay(link)
        self.hear(gateway)
        self.assertEqual(payment.state, "paid")
        return payment

    def hear(self, gateway=None):
        self.sandbox.release()
        self.receive(self.take_events(), gateway)

    def dispute(self, payment, **how):
        dispute = self.sandbox.dispute(payment.stripe_charge_id, **how)
        self.hear(payment.gateway_id)
        return payment.dispute_ids.filtered(lambda d: d.stripe_id == dispute["id"])

    def act(self, dispute, *actions, **how):
        """Things that the bank does, each of which we are told."""
        for action in actions:
            self.sandbox.change_dispute(dispute.stripe_id, action, **how)
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
        """Everything is booked, and nothing waits on an account any more."""
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
        payment = self.pay_and_book()
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

    def test_won_after_it_was_lost_makes_the_sale_good_again(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_book()
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
        payment = self.pay_and_book(99.99)
        dispute = self.dispute(payment, amount=3333)
        self.act(dispute, "lose", "win")
        second = self.dispute(payment, amount=9999)
        self.act(second, "lose")
        for account in (self.income, self.tax_account):
            self.assertEqual(self.get_balance(payment, account), 0)
        self.assert_settled(payment)

    def test_lost_and_won_before_we_heard_of_either(self):
        payment = self.pay_and_book()
        made = self.sandbox.dispute(payment.stripe_charge_id)
        for action in ("lose", "win"):
            self.sandbox.change_dispute(made["id"], action)
        self.sync()
        self.assertEqual(payment.state, "paid")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))
        self.assert_settled(payment)

    def test_loss_that_could_not_be_booked_before_it_was_won_never_was(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_book()
        payment.action_refund(50)
        dispute = self.dispute(payment, amount=11000)
        self.act(dispute, "lose")
        loss = self.get_movement(payment, "dispute_loss")
        self.assertIn("more than is left", loss.error)
        self.act(dispute, "win")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))
        self.assertEqual(payment.state, "partially_refunded")
        self.assert_settled(payment)

    def test_lost_again_after_it_had_been_won(self):
        for mode in ("loss", "sale"):
            with self.subTest(mode=mode):
                if mode == "sale":
                    self.gateway.dispute_loss_account_id = False
                payment = self.pay_and_book()
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
        payment = self.pay_and_book()
        dispute = self.dispute(payment)
        self.act(dispute, "reinstate", amount=4400)
        self.act(dispute, "lose")
        self.assert_entry(
            self.get_movement(payment, "dispute_loss"),
            [(self.withheld, 0, 66), (self.income, 60, 0), (self.tax_account, 6, 0)],
        )
        self.assert_settled(payment)

    def test_part_that_comes_back_later_makes_a_part_of_the_sale_good(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_book()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.act(dispute, "reinstate", amount=4400)
        self.assert_entry(
            self.get_movement(payment, "dispute_reversal"),
            [(self.liquidity, 44, 0), (self.income, 0, 40), (self.tax_account, 0, 4)],
        )
        self.assert_settled(payment)

    def test_part_that_comes_back_later_lessens_the_loss(self):
        payment = self.pay_and_book()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.act(dispute, "reinstate", amount=4400)
        loss_account = self.gateway.dispute_loss_account_id
        self.assertEqual(self.get_balance(payment, loss_account), 66)
        self.assert_settled(payment)

    # === PREVENTED === #

    def test_prevented_dispute_that_kept_the_money_is_a_loss(self):
        payment = self.pay_and_book()
        dispute = self.dispute(payment)
        self.act(dispute, "prevent")
        self.assertEqual(payment.dispute_status, "prevented")
        self.assertEqual(payment.state, "disputed")
        self.assert_settled(payment)

    def test_prevented_dispute_that_took_nothing_leaves_nothing(self):
        payment = self.pay_and_book()
        dispute = self.dispute(payment, inquiry=True)
        self.act(dispute, "prevent")
        self.assertEqual(payment.state, "paid")
        self.assertNotIn("dispute_loss", payment.movement_ids.mapped("kind"))

    # === SEVERAL === #

    def test_two_disputes_of_a_payment_do_not_close_each_other(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_book()
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
        payment = self.pay_and_book()
        dispute = self.dispute(payment)
        self.gateway.dispute_account_id = self.withheld.copy({"code": "119998"})
        self.act(dispute, "lose", "win")
        self.assert_settled(payment)

    # === RECEIVABLE === #

    def test_lost_dispute_reopens_what_the_customer_owes(self):
        self.gateway.write(
            {"credit_to": "receivable", "dispute_loss_account_id": False}
        )
        payment = self.pay_and_book()
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        self.assert_settled(payment, self.receivable)
        self.act(dispute, "win")
        self.assertEqual(self.get_balance(payment, self.receivable), -110)
        self.assertEqual(self.get_balance(payment, self.withheld), 0)

    def test_lost_dispute_of_a_matched_payment_is_owed_again(self):
        self.gateway.write(
            {"credit_to": "receivable", "dispute_loss_account_id": False}
        )
        payment = self.pay_and_book()
        invoice = self.init_invoice(
            "out_invoice",
            partner=payment.partner_id,
            amounts=[110],
            post=True,
            taxes=self.env["account.tax"],
        )
        owed = invoice.line_ids.filtered(
            lambda line: line.account_id == self.receivable
        )
        (owed | self.get_lines(payment, self.receivable)).reconcile()
        self.assertEqual(invoice.payment_state, "paid")
        dispute = self.dispute(payment)
        self.act(dispute, "lose")
        open_lines = self.get_lines(payment, self.receivable).filtered(
            lambda line: not line.reconciled
        )
        self.assertEqual(open_lines.mapped("balance"), [110])
        self.assertEqual(invoice.payment_state, "paid")


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
        self.sandbox.settings(rates={"eur": rate})
        return self.pay_and_book(110, currency_id=self.eur.id)

    def test_lost_dispute_takes_the_sale_back_at_the_charges_rate(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_euros("1.10")
        self.sandbox.settings(rates={"eur": "1.20"})
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
        self.sandbox.change_dispute(dispute.stripe_id, "win", amount=12000)
        self.sandbox.change_dispute(dispute.stripe_id, "withdraw_again")
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
        self.sandbox.settings(currencies=["usd", "eur"])
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
        payment = self.pay_and_book(110, currency_id=self.eur.id)
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

    def test_journal_in_another_currency_than_the_books(self):
        self.sandbox.settings(currencies=["eur"])
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
                payment = self.pay_and_book(110, euros, currency_id=self.eur.id)
                dispute = self.dispute(payment)
                self.env["res.currency.rate"].search(
                    [("currency_id", "=", self.eur.id)]
                ).rate = 1 / 1.2
                self.act(dispute, *actions)
                self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
                lines = self.get_lines(payment, euros.dispute_account_id)
                self.assertTrue(all(lines.mapped("reconciled")))
                self.assert_agrees(euros)
