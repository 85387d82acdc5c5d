from odoo import Command
from odoo.tests import Form
from odoo.tools.safe_eval import safe_eval

from .common import CheckoutCommon


class TestLinkAccounts(CheckoutCommon):
    """Which accounts a link may credit, and for which tax they are meant."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.revenue = cls.gateway.income_account_id
        cls.revenue.tax_ids = False

    def get_offered(self, record):
        domain = record.fields_get(["income_account_id"])["income_account_id"]["domain"]
        company = self.env.company
        return self.env["account.account"].search(
            safe_eval(domain, {"company_id": company.id, "allowed_company_ids": []})
        )

    def assert_no_hint(self, link):
        self.assertNotIn("is meant for", link.posting_hint or "")

    def test_deposits_and_vouchers_can_be_chosen_as_for_products(self):
        deposits = self.revenue.copy(
            {"code": "219998", "account_type": "liability_current"}
        )
        receivable = self.company_data["default_account_receivable"]
        for record in (self.create_link(), self.gateway):
            offered = self.get_offered(record)
            self.assertIn(deposits, offered)
            self.assertIn(self.revenue, offered)
            self.assertNotIn(receivable, offered)
            self.assertNotIn(self.gateway.journal_id.default_account_id, offered)
        link = self.create_link()
        with Form(link) as form:
            form.income_account_id = deposits
        payment = self.pay(link)
        self.deliver()
        self.assertIn(deposits, payment.move_ids.line_ids.account_id)

    def test_tax_that_the_account_is_not_meant_for(self):
        self.revenue.tax_ids = self.tax
        link = self.create_link()
        self.assert_no_hint(link)
        link.tax_ids = self.create_tax(7)
        self.assertIn(
            "is meant for 10 % included, but this link has 7 %", link.posting_hint
        )
        link.tax_ids = False
        self.assertIn("this link has no tax", link.posting_hint)
        link.income_account_id = self.revenue.copy({"code": "499997", "tax_ids": False})
        self.assert_no_hint(link)

    def test_hint_before_the_link_is_saved(self):
        self.revenue.tax_ids = self.tax
        other = self.create_tax(7)
        with Form(self.env["checkout.link"]) as form:
            form.name, form.amount = "Course", 110
            self.assert_no_hint(form)
            form.tax_ids.set(other)
            self.assertIn("is meant for", form.posting_hint)

    def test_account_that_is_not_credited_has_no_hint(self):
        self.revenue.tax_ids = self.tax
        self.gateway.credit_to = "receivable"
        link = self.create_link(tax_ids=[Command.clear()])
        self.assert_no_hint(link)
