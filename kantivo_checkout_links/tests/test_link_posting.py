from odoo import Command

from .common import CheckoutCommon


class TestMissingTax(CheckoutCommon):
    """A link without tax, in a company that has one, says so."""

    def get_hint(self, **vals):
        return self.create_link(**vals).posting_hint or ""

    def test_link_without_tax_says_so(self):
        self.gateway.company_id.account_sale_tax_id = self.tax
        hint = self.get_hint(tax_ids=[Command.clear()])
        self.assertIn("posted without tax", hint)
        self.assertIn("is 10 % included.", hint)
        self.assertIn(self.gateway.company_id.name, hint)

    def test_link_with_a_tax_says_nothing(self):
        self.assertFalse(self.create_link().posting_hint)

    def test_company_without_a_tax_is_not_asked(self):
        self.gateway.company_id.account_sale_tax_id = False
        self.assertEqual(self.get_hint(tax_ids=[Command.clear()]), "")

    def test_receivable_has_its_tax_on_the_invoice(self):
        self.gateway.credit_to = "receivable"
        self.assertEqual(self.get_hint(tax_ids=[Command.clear()]), "")


class TestMandatoryPlans(CheckoutCommon):
    """A link that misses a mandatory analytic plan says so."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plan = cls.create_plan("Courses")
        cls.account = cls.create_account(cls.plan)

    @classmethod
    def create_plan(cls, name, domain="general", applicability="mandatory"):
        rule = {"business_domain": domain, "applicability": applicability}
        return cls.env["account.analytic.plan"].create(
            {"name": name, "applicability_ids": [Command.create(rule)]}
        )

    @classmethod
    def create_account(cls, plan):
        return cls.env["account.analytic.account"].create(
            {"name": plan.name, "plan_id": plan.id}
        )

    def get_hint(self, distribution=None, **vals):
        link = self.create_link(analytic_distribution=distribution, **vals)
        return link.posting_hint or ""

    def test_link_without_a_distribution_names_the_plan(self):
        self.assertIn(
            "“Courses” requires a full analytic distribution", self.get_hint()
        )

    def test_link_that_covers_the_plan_says_nothing(self):
        self.assertEqual(self.get_hint({str(self.account.id): 100}), "")

    def test_link_that_covers_the_plan_in_part_names_it(self):
        self.assertIn("“Courses”", self.get_hint({str(self.account.id): 60}))

    def test_several_accounts_may_cover_a_plan_together(self):
        other = self.create_account(self.plan)
        shares = {str(self.account.id): 60, str(other.id): 40}
        self.assertEqual(self.get_hint(shares), "")

    def test_every_plan_that_is_missing_is_named(self):
        other = self.create_plan("Regions", domain="invoice")
        region = self.create_account(other)
        hint = self.get_hint({str(region.id): 100})
        self.assertIn("“Courses”", hint)
        self.assertNotIn("“Regions”", hint)
        both = {f"{self.account.id},{region.id}": 100}
        self.assertEqual(self.get_hint(both), "")
        self.assertEqual(
            self.get_hint().count("requires a full analytic distribution"), 2
        )

    def test_optional_plans_and_those_of_bills_are_not_asked_for(self):
        self.plan.applicability_ids.applicability = "optional"
        self.create_account(self.create_plan("Bills", domain="bill"))
        self.assertEqual(self.get_hint(), "")

    def test_distribution_model_of_the_account_covers_it(self):
        self.env["account.analytic.distribution.model"].create(
            {
                "account_prefix": self.gateway.income_account_id.code,
                "analytic_distribution": {str(self.account.id): 100},
            }
        )
        self.assertEqual(self.get_hint(), "")

    def test_deposit_has_no_analytics(self):
        deposit = self.gateway.income_account_id.copy(
            {"name": "Deposits", "account_type": "liability_current"}
        )
        self.assertEqual(self.get_hint(income_account_id=deposit.id), "")

    def test_merchant_without_analytics_reads_it_too(self):
        link = self.create_link()
        merchant = self.env["res.users"].create(
            {
                "name": "Merchant",
                "login": "merchant",
                "company_id": self.env.company.id,
                "company_ids": [Command.set(self.env.company.ids)],
                "group_ids": [
                    Command.set(self.env.ref("account.group_account_invoice").ids)
                ],
            }
        )
        self.assertIn("“Courses”", link.with_user(merchant).posting_hint)

    def test_receivable_has_its_analytics_on_the_invoice(self):
        self.gateway.credit_to = "receivable"
        self.assertEqual(self.get_hint(), "")
