from psycopg2 import IntegrityError

from odoo.exceptions import UserError, ValidationError
from odoo.tools import mute_logger

from .common import CheckoutCommon


class TestGatewayAccounting(CheckoutCommon):
    """The gateway's own journal and accounts, and which journals it takes."""

    def test_offered_accounts_are_of_the_right_sort_and_all_of_one_company(self):
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

    def test_codes_follow_the_companys_chart(self):
        company = self.gateway.company_id
        exchange = company.expense_currency_exchange_account_id
        for name in ("fee_account_id", "dispute_loss_account_id"):
            code = self.gateway[name].code
            self.assertEqual(len(code), len(exchange.code))
            self.assertEqual(code[:3], exchange.code[:3])
        transfer = company.transfer_account_id
        self.assertEqual(self.gateway.review_account_id.code[:3], transfer.code[:3])

    def test_chart_without_anything_to_follow_still_gets_accounts(self):
        company = self.gateway.company_id
        company.expense_currency_exchange_account_id = False
        company.expense_account_id = False
        company.transfer_account_id = False
        gateway = self.create_gateway(name="Bare", secret_key="sk_test_at_bare")
        self.assertTrue(gateway.fee_account_id.code.startswith("65000"))
        self.assertTrue(gateway.review_account_id.code.startswith("1190"))

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
        self.gateway.invalidate_recordset()
        self.assertIn("didn't come from Stripe", self.gateway.journal_warning)

    def test_own_entries_are_no_reason_to_warn(self):
        self.pay(self.create_link())
        self.deliver()
        self.gateway.invalidate_recordset()
        self.assertFalse(self.gateway.journal_warning)

    def test_journal_and_company_stay_once_something_is_booked(self):
        self.gateway.journal_id = self.create_journal()
        self.pay(self.create_link())
        self.deliver()
        with self.assertRaisesRegex(UserError, "company and currency stay"):
            self.gateway.journal_id = self.create_journal(code="NEW")
        self.gateway.write({"journal_id": self.gateway.journal_id.id})

    def test_receivable_without_contacts_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "who owes it"):
            self.gateway.write({"credit_to": "receivable", "partner_policy": "none"})
