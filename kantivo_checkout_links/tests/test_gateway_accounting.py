from psycopg2 import IntegrityError

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form
from odoo.tools import mute_logger

from ..charts import CHARTS
from .common import CheckoutCommon


class TestGatewayAccounting(CheckoutCommon):
    """The gateway's own journal and accounts, and which journals it takes."""

    def ref(self, xml_id, company=None):
        """An account by its id in the template of a company's chart."""
        return self.env.ref(f"account.{(company or self.env.company).id}_{xml_id}")

    def test_accounts_are_of_the_right_type_and_all_of_one_company(self):
        types = {
            "fee_account_id": ("expense", False),
            "dispute_account_id": ("asset_current", True),
            "dispute_loss_account_id": ("expense", False),
            "review_account_id": ("asset_current", True),
        }
        codes = set()
        for name, (account_type, reconcile) in types.items():
            account = self.gateway[name]
            self.assertEqual(account.account_type, account_type)
            self.assertEqual(account.reconcile, reconcile)
            self.assertEqual(account.company_ids, self.gateway.company_id)
            codes.add(account.code)
        self.assertEqual(len(codes), 4)

    def test_accounts_of_the_generic_chart(self):
        self.assertEqual(self.gateway.fee_account_id, self.ref("expense_finance"))
        for name, beside in (
            ("dispute_account_id", "current_assets"),
            ("review_account_id", "current_assets"),
            ("dispute_loss_account_id", "expense"),
        ):
            account, beside = self.gateway[name], self.ref(beside)
            self.assertEqual(account.code[:4], beside.code[:4], name)
            self.assertEqual(account.tag_ids, beside.tag_ids, name)

    def test_new_gateway_uses_the_chart_s_accounts_too(self):
        other = self.create_gateway(name="Other", secret_key="sk_test_at_other")
        self.assertEqual(other.fee_account_id, self.gateway.fee_account_id)

    def empty(self, *names):
        self.gateway.write(dict.fromkeys(names, False))
        self.assertFalse(self.gateway.step_accounts)

    def test_account_that_the_merchant_archived_is_not_chosen(self):
        self.ref("expense_finance").active = False
        self.empty("fee_account_id", "dispute_account_id")
        notice = self.gateway.action_create_accounting()
        self.assertFalse(self.gateway.fee_account_id)
        self.assertTrue(self.gateway.dispute_account_id)
        self.assertEqual(notice["params"]["type"], "warning")
        self.assertIn("Accounting tab: Fee Account.", notice["params"]["message"])
        self.gateway.fee_account_id = self.ref("expense")
        self.gateway.invalidate_recordset()
        self.assertTrue(self.gateway.step_accounts)

    def test_no_account_is_guessed_in_a_chart_that_is_not_known(self):
        self.gateway.company_id.chart_template = "it"
        names = ("fee_account_id", "dispute_account_id", "review_account_id")
        self.empty(*names, "dispute_loss_account_id")
        notice = self.gateway.action_create_accounting()
        self.assertFalse(any(self.gateway[name] for name in names))
        self.assertFalse(self.gateway.dispute_loss_account_id)
        self.assertIn(
            "Disputes Account, Fee Account, and Review Account",
            notice["params"]["message"],
        )

    def test_chart_that_extends_a_known_one_has_its_accounts(self):
        company = self.gateway.company_id
        for code, known in (("mc", "fr"), ("xi", "uk"), ("be_comp", "be")):
            company.chart_template = code
            self.assertEqual(self.gateway._find_chart(company), CHARTS[known])

    def test_company_without_a_chart_gets_one_message_and_nothing_partial(self):
        company = self.env["res.company"].create({"name": "Bare"})
        gateway = self.env["checkout.gateway"].create(
            {"name": "Bare", "company_id": company.id}
        )
        self.assertFalse(gateway.tax_ids)
        with self.assertRaisesRegex(UserError, "Bare has no chart of accounts yet"):
            gateway.action_create_accounting()
        self.assertFalse(gateway.journal_id)

    def test_chart_installed_later_is_completed_by_clicking_again(self):
        company = self.env["res.company"].create({"name": "Bare"})
        account = self.env["account.account"].with_company(company)
        own = account.create({"name": "Own", "code": "4", "account_type": "income"})
        gateway = self.env["checkout.gateway"].create(
            {"name": "Bare", "company_id": company.id, "income_account_id": own.id}
        )
        self.env["account.chart.template"].try_loading("generic_coa", company)
        gateway.invalidate_recordset()
        self.assertFalse(gateway.income_account_id)  # Odoo deleted it
        self.assertIsNone(gateway.action_create_accounting())
        self.assertTrue(gateway.step_accounts)
        self.assertEqual(gateway.income_account_id, self.ref("income", company))
        self.assertEqual(gateway.transfer_account_id, company.transfer_account_id)
        self.assertEqual(gateway.tax_ids, company.account_sale_tax_id)
        self.assertTrue(gateway.tax_ids)

    # === TAXES === #

    def test_new_gateway_takes_the_company_s_sales_tax(self):
        tax = self.env.company.account_sale_tax_id
        self.assertTrue(tax)
        with Form(self.env["checkout.gateway"]) as form:
            self.assertEqual(form.tax_ids.ids, tax.ids)
        self.assertEqual(form.record.tax_ids, tax)
        self.assertEqual(self.create_link(gateway_id=form.record.id).tax_ids, tax)

    def test_sales_tax_that_was_removed_stays_away(self):
        with Form(self.env["checkout.gateway"]) as form:
            form.tax_ids.clear()
        gateway = form.record
        gateway.action_create_accounting()
        self.assertTrue(gateway.step_accounts)
        self.assertFalse(gateway.tax_ids)

    def test_branch_takes_the_sales_tax_of_its_company(self):
        root = self.env.company
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": root.id}
        )
        gateway = self.env["checkout.gateway"].create(
            {"name": "Branch", "company_id": branch.id}
        )
        self.assertEqual(gateway.tax_ids, root.account_sale_tax_id)
        gateway.action_create_accounting()
        self.assertEqual(gateway.fee_account_id, self.ref("expense_finance"))

    # === JOURNAL === #

    def test_what_was_chosen_is_kept(self):
        account = self.gateway.fee_account_id
        journal = self.gateway.journal_id
        self.gateway.review_account_id = False
        self.gateway.action_create_accounting()
        self.assertEqual(self.gateway.fee_account_id, account)
        self.assertEqual(self.gateway.journal_id, journal)
        self.assertTrue(self.gateway.review_account_id)

    def test_journals_of_several_gateways_have_codes_of_their_own(self):
        others = [
            self.create_gateway(name=name, secret_key=f"sk_test_at_{name}")
            for name in ("one", "two")
        ]
        codes = {gateway.journal_id.code for gateway in [self.gateway, *others]}
        self.assertEqual(codes, {"STRP", "STR1", "STR2"})

    def test_journal_in_the_settlement_currency_that_was_chosen(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        gateway = self.create_gateway(name="Euro", currency_id=euro.id)
        self.assertEqual(gateway.journal_id.currency_id, euro)
        self.assertEqual(gateway.currency_id, euro)

    def test_journal_in_company_currency_names_none(self):
        self.assertFalse(self.gateway.journal_id.currency_id)
        self.assertEqual(self.gateway.currency_id, self.gateway.company_id.currency_id)

    def test_income_and_transfer_accounts_are_the_companys(self):
        gateway = self.env["checkout.gateway"].create({"name": "New"})
        company = gateway.company_id
        self.assertEqual(gateway.income_account_id, company.income_account_id)
        self.assertEqual(gateway.transfer_account_id, company.transfer_account_id)

    # === WHICH JOURNALS === #

    def create_journal(self, **vals):
        return self.env["account.journal"].create(
            {"name": "Mine", "code": "MINE", "type": "bank", **vals}
        )

    def test_journal_of_another_type_is_refused(self):
        for journal_type in ("cash", "general", "sale"):
            journal = self.create_journal(type=journal_type, code=journal_type[:4])
            with (
                self.subTest(type=journal_type),
                self.assertRaisesRegex(ValidationError, "must be a bank journal"),
            ):
                self.gateway.journal_id = journal

    def test_journal_of_a_bank_account_is_refused(self):
        journal = self.create_journal(bank_acc_number="DE89370400440532013000")
        with self.assertRaisesRegex(ValidationError, "the journal of a bank account"):
            self.gateway.journal_id = journal

    def test_journal_of_another_gateway_is_refused(self):
        other = self.env["checkout.gateway"].create({"name": "Other"})
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"):
            other.journal_id = self.gateway.journal_id
            other.flush_recordset()

    def test_journal_that_holds_entries_is_warned_about(self):
        journal = self.create_journal()
        self.gateway.journal_id = journal
        self.assertFalse(self.gateway.journal_warning)
        self.env["account.bank.statement.line"].create(
            {"journal_id": journal.id, "amount": 5, "payment_ref": "Of before"}
        )
        self.env["checkout.agreement"]._cron_check()
        self.assertIn("don't come from Stripe", self.gateway.journal_warning)
        self.gateway.journal_id = self.create_journal(code="NEW")
        self.assertFalse(self.gateway.journal_warning)
        self.gateway.journal_id = journal
        self.assertTrue(self.gateway.journal_warning)

    def test_own_entries_are_no_reason_to_warn(self):
        self.pay(self.create_link())
        self.deliver()
        self.gateway.invalidate_recordset()
        self.assertFalse(self.gateway.journal_warning)

    def test_journal_and_company_stay_once_something_is_posted(self):
        self.gateway.journal_id = self.create_journal()
        self.pay(self.create_link())
        self.deliver()
        with self.assertRaisesRegex(UserError, "company and currency can't be changed"):
            self.gateway.journal_id = self.create_journal(code="NEW")
        self.gateway.write({"journal_id": self.gateway.journal_id.id})

    def test_receivable_without_contacts_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "needs a contact"):
            self.gateway.write({"credit_to": "receivable", "partner_policy": "none"})
