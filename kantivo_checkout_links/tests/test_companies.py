from contextlib import suppress

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .common import CheckoutCommon

MODELS = (
    "checkout.gateway",
    "checkout.link",
    "checkout.payment",
    "checkout.movement",
    "checkout.event",
    "checkout.refund",
    "checkout.dispute",
    "checkout.payout",
)


class TestCompanies(CheckoutCommon):
    """Two companies never meet; a branch works through its parent's gateway."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.gateway.company_id
        cls.other_data = cls.setup_other_company()
        cls.other_company = cls.other_data["company"]
        cls.other_gateway = cls.create_gateway(
            cls.other_company,
            secret_key="sk_test_at_other",
            income_account_id=cls.other_data["default_account_revenue"].id,
            tax_ids=False,
        )
        cls.branch = cls.env["res.company"].create(
            {"name": "Branch", "parent_id": cls.company.id}
        )
        cls.env.user.company_ids |= cls.branch
        cls.merchants = {
            company: cls.create_merchant(company.name, company)
            for company in (cls.company, cls.other_company, cls.branch)
        }

    @classmethod
    def create_merchant(cls, login, company):
        return new_test_user(
            cls.env,
            f"merchant {login}",
            groups="base.group_user,account.group_account_manager",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )

    def as_merchant(self, company, records):
        """Records as a merchant of one company only meets them."""
        model = self.env[records._name].with_user(self.merchants[company])
        return model.with_context(allowed_company_ids=company.ids).browse(records.ids)

    def create_link_of(self, company, **vals):
        return (
            self.env["checkout.link"]
            .with_user(self.merchants[company])
            .create({"name": "Course", "amount": 110, **vals})
        )

    def pay_and_post(self, link):
        payment = self.pay(link.with_user(self.env.user))
        self.standin.release()
        payment.gateway_id.action_sync()
        self.env.invalidate_all()
        return payment

    def pay_and_return(self):
        """A payment, partly refunded, disputed and paid out: a record of each model."""
        payment = self.pay_and_post(self.create_link_of(self.company))
        payment.action_refund(10)
        self.standin.dispute(payment.stripe_charge_id)
        self.standin.payout()
        self.deliver()
        return payment

    # === TWO COMPANIES === #

    def test_each_company_has_its_own_gateway_by_default(self):
        for company, gateway in (
            (self.company, self.gateway),
            (self.other_company, self.other_gateway),
        ):
            link = self.create_link_of(company)
            self.assertEqual(link.gateway_id, gateway)
            self.assertEqual(link.company_id, company)

    def test_companies_see_nothing_of_each_other(self):
        self.pay_and_return()
        records = [self.env[model].search([]) for model in MODELS]
        for model, found in zip(MODELS, records, strict=True):
            with self.subTest(model=model):
                own = found.filtered(lambda r: r.company_id == self.company)
                self.assertTrue(own)
                hidden = self.as_merchant(self.other_company, own)
                self.assertFalse(hidden.search([]) & hidden)
                with self.assertRaises(AccessError):
                    hidden.read(["display_name"])

    def test_nothing_of_another_company_can_be_started(self):
        payment = self.pay_and_return()
        before = self.standin.requests()
        arguments = {
            "action_set_contact": [self.env.user.partner_id],
            "action_reclassify": [self.other_data["default_account_revenue"]],
        }
        for record in (
            self.gateway,
            payment.link_id,
            payment,
            payment.movement_ids[0],
            self.env["checkout.event"].search([("gateway_id", "=", self.gateway.id)]),
        ):
            stranger = self.as_merchant(self.other_company, record).with_context(
                skip_account_move_synchronization=True
            )
            for name in self.get_own_actions(record):
                with (
                    self.subTest(model=record._name, action=name),
                    self.assertRaises(AccessError),
                ):
                    getattr(stranger, name)(*arguments.get(name, []))
        self.assertEqual(self.standin.requests(), before)

    def get_own_actions(self, record):
        """Our methods that anybody may call, but those that open another screen."""
        names = [
            name
            for name in dir(record)
            if name.startswith("action_")
            and not name.startswith(("action_view_", "action_confirm_"))
            and "kantivo" in getattr(type(record), name).__module__
        ]
        self.assertTrue(names)
        return names

    def test_company_cannot_be_chosen_by_a_forged_context(self):
        links = self.create_link_of(self.company)
        stranger = links.with_user(self.merchants[self.other_company])
        with self.assertRaises(AccessError):
            stranger.with_context(allowed_company_ids=self.company.ids).read()

    def test_dialogs_show_nothing_of_another_companys_payment(self):
        payment = self.pay_and_post(self.create_link_of(self.company))
        account = self.gateway.fee_account_id
        for model, vals in {
            "checkout.refund.wizard": {"payment_id": payment.id},
            "checkout.contact.wizard": {
                "payment_id": payment.id,
                "partner_id": self.env.user.partner_id.id,
            },
            "checkout.reclassify.wizard": {
                "movement_id": payment.movement_ids[0].id,
                "account_id": account.id,
            },
            "checkout.link.confirm": {"link_ids": payment.link_id.ids},
        }.items():
            dialogs = self.as_merchant(self.other_company, self.env[model])
            shown = [name for name in dialogs._fields if name not in vals]
            with self.subTest(model=model):
                with suppress(AccessError, ValueError):
                    answer = dialogs.onchange(
                        vals, list(vals), dict.fromkeys(shown, {})
                    )
                    self.assertFalse(any(answer["value"].values()))
                with self.assertRaises(AccessError):
                    dialogs.create(vals).read(shown)

    def test_contact_of_both_companies_shows_each_its_own_payments(self):
        contact = self.env["res.partner"].create(
            {"name": "Payer", "email": "payer@example.com", "company_id": False}
        )
        payments = {
            company: self.pay_and_post(self.create_link_of(company))
            for company in (self.company, self.other_company)
        }
        for company, payment in payments.items():
            self.assertEqual(payment.partner_id, contact)
            seen = self.as_merchant(company, contact)
            self.assertEqual(seen.checkout_payment_count, 1)
            action = seen.action_view_checkout_payments()
            found = self.as_merchant(company, payment).search(action["domain"])
            self.assertEqual(found, payment)

    def test_link_does_not_move_to_a_company_that_its_merchant_is_not_in(self):
        link = self.create_link_of(self.branch)
        with self.assertRaises(AccessError):
            link.company_id = self.company

    def test_gateway_does_not_move_to_a_company_that_its_manager_is_not_in(self):
        gateway = self.as_merchant(self.other_company, self.other_gateway)
        gateway.sudo().write(  # nothing of a company on it that would be in the way
            {
                name: False
                for name, field in gateway._fields.items()
                if field.relational and field.check_company
            }
        )
        with self.assertRaises(AccessError):
            gateway.company_id = self.company

    def test_other_companys_gateway_cannot_be_used_or_touched(self):
        gateway = self.as_merchant(self.other_company, self.gateway)
        for attempt in (
            lambda: gateway.write({"name": "Mine"}),
            gateway.action_sync,
            gateway.action_test_connection,
            gateway.action_create_webhook,
            gateway.unlink,
        ):
            with self.assertRaises(AccessError):
                attempt()
        with self.assertRaises(UserError):
            self.create_link_of(self.other_company, gateway_id=self.gateway.id)

    def test_payment_is_posted_in_the_links_company_only(self):
        payment = self.pay_and_post(self.create_link_of(self.other_company))
        self.assertEqual(payment.movement_ids[0].state, "posted")
        for records in (payment, payment.movement_ids, payment.move_ids):
            self.assertEqual(records.company_id, self.other_company)
        account = self.other_data["default_account_revenue"]
        self.assertIn(account, payment.move_ids.line_ids.account_id)

    def test_payer_is_a_contact_of_each_company_apart(self):
        first = self.pay_and_post(self.create_link_of(self.company))
        second = self.pay_and_post(self.create_link_of(self.other_company))
        self.assertEqual(first.customer_email, second.customer_email)
        self.assertNotEqual(first.partner_id, second.partner_id)

    def test_user_of_both_companies_sees_the_ones_that_are_switched_on(self):
        user = self.create_merchant("of both", self.company)
        user.company_ids |= self.other_company
        gateways = self.env["checkout.gateway"].with_user(user)
        for companies, expected in (
            (self.company, self.gateway),
            (self.other_company, self.other_gateway),
            (self.company | self.other_company, self.gateway | self.other_gateway),
        ):
            found = gateways.with_context(allowed_company_ids=companies.ids).search([])
            self.assertEqual(found, expected)

    def test_offered_journal_and_accounts_are_of_the_gateways_company(self):
        gateway = self.other_gateway
        self.assertEqual(gateway.journal_id.company_id, self.other_company)
        for name in ("fee_account_id", "dispute_account_id", "review_account_id"):
            self.assertEqual(gateway[name].company_ids, self.other_company)

    def test_other_companys_journal_or_account_is_refused(self):
        for name in ("fee_account_id", "income_account_id", "review_account_id"):
            with self.subTest(field=name), self.assertRaises(UserError):
                self.other_gateway[name] = self.gateway[name]
        with self.assertRaises(UserError):
            self.env["checkout.gateway"].with_company(self.other_company).create(
                {
                    "name": "Mixed",
                    "company_id": self.other_company.id,
                    "journal_id": self.company_data["default_journal_bank"].id,
                }
            )

    # === BRANCH === #

    def test_branch_sells_through_its_parents_gateway(self):
        link = self.create_link_of(self.branch)
        self.assertEqual(link.gateway_id, self.gateway)
        self.assertEqual(link.company_id, self.branch)
        payment = self.pay_and_post(link)
        self.assertEqual(payment.movement_ids.mapped("error"), [False, False])
        for records in (payment, payment.movement_ids, payment.move_ids):
            self.assertEqual(records.company_id, self.branch)
        self.assert_entry(
            self.get_movement(payment, "charge"),
            [
                (self.gateway.journal_id.default_account_id, 110, 0),
                (self.gateway.income_account_id, 0, 100),
                (self.company_data["default_account_tax_sale"], 0, 10),
            ],
        )

    def test_branch_and_parent_share_one_balance(self):
        self.pay_and_post(self.create_link_of(self.branch))
        self.pay_and_post(self.create_link_of(self.company))
        at_stripe = self.standin.balance()["usd"] / 100
        companies = (self.company | self.branch).ids
        self.gateway = self.gateway.with_context(allowed_company_ids=companies)
        self.assertIn(f"{at_stripe:,.2f}", self.get_card_balance())

    def test_merchant_of_a_branch_sees_its_own_payments_and_the_gateway(self):
        self.pay_and_post(self.create_link_of(self.company))
        own = self.pay_and_post(self.create_link_of(self.branch))
        payment = self.as_merchant(self.branch, own)
        self.assertEqual(payment.search([]), payment)
        payment.read()
        payment.movement_ids.read()
        gateway = self.as_merchant(self.branch, self.gateway)
        gateway.read(["name", "journal_id", "step_link"])
        gateway.action_sync()

    def test_parent_sees_its_branches_payments_when_they_are_switched_on(self):
        payment = self.pay_and_post(self.create_link_of(self.branch))
        user = self.merchants[self.company]
        user.company_ids |= self.branch
        payments = self.env["checkout.payment"].with_user(user)
        companies = (self.company | self.branch).ids
        found = payments.with_context(allowed_company_ids=companies).search([])
        self.assertEqual(found, payment)

    def test_branch_may_have_a_gateway_of_its_own(self):
        gateway = self.create_gateway(
            self.branch, name="Branch", secret_key="sk_test_at_branch"
        )
        self.assertEqual(gateway.journal_id.company_id, self.branch)
        self.assertNotEqual(gateway.journal_id.code, self.gateway.journal_id.code)
        link = self.create_link_of(self.branch, gateway_id=gateway.id)
        payment = self.pay_and_post(link)
        self.assertEqual(payment.movement_ids.mapped("error"), [False, False])
        self.assertEqual(payment.move_ids.company_id, self.branch)
