from .common import CheckoutCommon


class TestChargeEntry(CheckoutCommon):
    """What a paid link does to the ledger."""

    def test_payment_of_110_at_10_percent_is_100_sales_and_10_tax(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        self.assertEqual(payment.state, "paid")
        journal = self.gateway.journal_id
        self.assert_entry(
            self.get_movement(payment, "charge"),
            [
                (journal.default_account_id, 110, 0),
                (self.gateway.income_account_id, 0, 100),
                (self.company_data["default_account_tax_sale"], 0, 10),
            ],
        )

    def test_fee_is_an_entry_of_its_own(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        self.assert_entry(
            self.get_movement(payment, "fee"),
            [
                (self.gateway.journal_id.default_account_id, 0, 3.49),
                (self.gateway.fee_account_id, 3.49, 0),
            ],
        )
        self.assertEqual(payment.fee_amount, 3.49)
        self.assertEqual(payment.net_amount, 106.51)

    def test_base_and_tax_carry_the_tags_of_a_sale(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        lines = self.get_movement(payment, "charge").move_id.line_ids
        tags = {tag.name: line.balance for line in lines for tag in line.tax_tag_ids}
        self.assertEqual(tags, {"SALES BASE 10": -100, "SALES TAX 10": -10})
        self.assertEqual(lines.filtered("tax_ids").tax_ids, self.tax)
        self.assertEqual(lines.filtered("tax_line_id").tax_line_id, self.tax)

    def test_dashboard_card_shows_the_balance_at_stripe(self):
        for amount in (110, 19.99, 0.5):
            self.pay(self.create_link(amount))
        self.deliver()
        at_stripe = self.standin.balance()["usd"] / 100
        self.assertIn(f"{at_stripe:,.2f}", self.get_card_balance())

    def test_every_journal_item_names_stripes_object(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        for line in payment.move_ids.line_ids.filtered(
            lambda item: not item.tax_line_id
        ):
            self.assertIn(payment.stripe_charge_id, line.name)

    def test_charge_is_posted_before_its_fee_is_known(self):
        self.standin.settings(balance_transactions="held")
        payment = self.pay(self.create_link(110))
        self.receive(self.take_events())
        self.assertEqual(payment.movement_ids.mapped("kind"), ["charge"])
        self.assertEqual(payment.movement_ids.state, "posted")
        self.deliver()
        self.assertCountEqual(payment.movement_ids.mapped("kind"), ["charge", "fee"])

    def test_receivable_mode_credits_the_customer(self):
        self.gateway.write({"credit_to": "receivable"})
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        account = self.company_data["default_account_receivable"]
        movement = self.get_movement(payment, "charge")
        self.assert_entry(
            movement,
            [
                (self.gateway.journal_id.default_account_id, 110, 0),
                (account, 0, 110),
            ],
        )
        item = movement.move_id.line_ids.filtered(
            lambda item: item.account_id == account
        )
        self.assertEqual(item.partner_id.email, "rosa@example.com")
        self.assertFalse(item.reconciled)

    def test_receivable_account_that_is_chosen_later_posts_what_waited(self):
        self.gateway.write({"credit_to": "receivable", "partner_policy": "match"})
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        self.assertIn("Choose a receivable account", charge.error)
        receivable = self.company_data["default_account_receivable"]
        self.gateway.receivable_account_id = receivable
        self.process()
        self.assertEqual(charge.state, "posted")
        self.assertIn(receivable, charge.move_id.line_ids.account_id)

    def test_distribution_models_of_the_company_reach_sales(self):
        plan = self.env["account.analytic.plan"].create({"name": "Seasons"})
        summer, own = self.env["account.analytic.account"].create(
            [{"name": name, "plan_id": plan.id} for name in ("Summer", "Own")]
        )
        self.env["account.analytic.distribution.model"].create(
            {
                "account_prefix": self.gateway.income_account_id.code,
                "analytic_distribution": {summer.id: 100},
                "company_id": self.env.company.id,
            }
        )
        for vals, expected in (
            ({}, {str(summer.id): 100}),
            ({"analytic_distribution": {own.id: 100}}, {str(own.id): 100}),
        ):
            payment = self.pay(self.create_link(110, **vals))
            self.deliver()
            payment.action_refund(11)
            bases = payment.move_ids.line_ids.filtered("tax_ids")
            self.assertEqual(bases.mapped("analytic_distribution"), [expected] * 2)
