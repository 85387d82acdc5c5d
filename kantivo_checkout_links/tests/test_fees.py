from .common import CheckoutCommon


class TestFeeAnalytics(CheckoutCommon):
    """A link's analytic distribution on what Stripe charges for its payments."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        plan = cls.env["account.analytic.plan"].create({"name": "Courses"})
        cls.course = cls.env["account.analytic.account"].create(
            {"name": "Summer", "plan_id": plan.id}
        )
        cls.distribution = {str(cls.course.id): 100}

    def pay_fee(self):
        link = self.create_link(110, analytic_distribution=self.distribution)
        payment = self.pay(link)
        self.deliver()
        return self.get_movement(payment, "fee")

    def get_result(self, payment):
        """What the course has earned, by its analytic items."""
        items = payment.move_ids.line_ids.analytic_line_ids
        return round(sum(items.mapped("amount")), 2)

    def get_distributions(self, movement):
        lines = movement.move_id.line_ids
        return {line.account_id: line.analytic_distribution for line in lines}

    def test_fee_carries_the_link_s_distribution(self):
        fee = self.pay_fee()
        self.assertEqual(self.get_result(fee.payment_id), 96.51)  # of 100 before tax
        self.assertEqual(
            self.get_distributions(fee),
            {
                self.gateway.fee_account_id: self.distribution,
                self.gateway.journal_id.default_account_id: False,
            },
        )

    def test_fee_carries_none_where_the_gateway_says_so(self):
        self.gateway.fee_analytics = False
        self.assertFalse(any(self.get_distributions(self.pay_fee()).values()))

    def test_fee_on_the_balance_sheet_carries_none(self):
        self.gateway.fee_account_id.account_type = "asset_current"
        self.assertFalse(any(self.get_distributions(self.pay_fee()).values()))

    def test_dispute_fee_carries_it_too(self):
        payment = self.pay_fee().payment_id
        self.standin.dispute(payment.stripe_charge_id)
        self.deliver()
        fee = self.get_movement(payment, "dispute_fee")
        found = self.get_distributions(fee)[self.gateway.fee_account_id]
        self.assertEqual(found, self.distribution)


class TestFeeVendor(CheckoutCommon):
    """Whose name is on a fee: Stripe's, not the payer's."""

    def pay_and_dispute(self):
        payment = self.pay(self.create_link(110), name="Ada", email="ada@example.com")
        self.deliver()
        self.standin.dispute(payment.stripe_charge_id)
        self.deliver()
        self.assertEqual(payment.partner_id.name, "Ada")
        return [self.get_movement(payment, kind) for kind in ("fee", "dispute_fee")]

    def test_vendor_is_on_the_bank_line_and_on_each_item(self):
        vendor = self.env["res.partner"].create({"name": "Stripe Payments"})
        self.gateway.fee_partner_id = vendor
        for fee in self.pay_and_dispute():
            line = fee.statement_line_id
            self.assertEqual(
                (line.partner_id, line.partner_name), (vendor, vendor.name)
            )
            for item in fee.move_id.line_ids:
                self.assertEqual(item.partner_id, vendor)

    def test_without_a_vendor_the_payer_is_on_none_of_it(self):
        for fee in self.pay_and_dispute():
            line = fee.statement_line_id
            self.assertFalse(line.partner_id)
            self.assertEqual(line.partner_name, "Stripe")
            self.assertFalse(fee.move_id.line_ids.partner_id)

    def test_default_tax_of_the_fee_account_is_not_added(self):
        tax = self.company_data["default_tax_purchase"]
        self.gateway.fee_account_id.tax_ids = tax
        for fee in self.pay_and_dispute():
            self.assertFalse(fee.move_id.line_ids.tax_ids)
            self.assertEqual(len(fee.move_id.line_ids), 2)


class TestReverseCharge(CheckoutCommon):
    """Companies in the EU owe tax on Stripe's fees, and read so at setup."""

    def move_to(self, code):
        country = self.env["res.country"].search([("code", "=", code)])
        self.env.company.account_fiscal_country_id = country
        self.gateway.invalidate_recordset()

    def test_company_in_the_union_reads_it_on_the_gateway_and_in_the_test(self):
        self.move_to("DE")
        hint = self.gateway.fee_tax_hint
        self.assertIn("A company in Germany usually owes that tax itself", hint)
        notice = self.gateway.action_test_connection()["params"]
        self.assertEqual(notice["type"], "warning")
        self.assertIn(hint, notice["message"])
        self.assertEqual(self.gateway.connection_state, "connected")

    def test_elsewhere_there_is_nothing_to_read(self):
        for code in ("US", "GB", "CH", "JP", "IE"):
            self.move_to(code)
            self.assertFalse(self.gateway.fee_tax_hint, code)

    def test_reverse_charge_ends_it_and_a_plain_percentage_does_not(self):
        self.move_to("FR")
        tax = self.company_data["default_tax_purchase"]
        self.gateway.fee_tax_ids = tax
        self.assertTrue(self.gateway.fee_tax_hint)
        shares = [
            (0, 0, {"repartition_type": "base"}),
            (0, 0, {"factor_percent": 100}),
            (0, 0, {"factor_percent": -100}),
        ]
        self.gateway.fee_tax_ids = tax.copy(
            {
                "name": "Reverse charge",
                "invoice_repartition_line_ids": shares,
                "refund_repartition_line_ids": shares,
            }
        )
        self.assertFalse(self.gateway.fee_tax_hint)
