from odoo.exceptions import UserError
from odoo.tests import Form

from .common import CheckoutCommon


class TestPartner(CheckoutCommon):
    """Which contact a payer becomes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.gateway.company_id
        cls.other_company = cls.env["res.company"].create({"name": "Elsewhere"})

    def match(self, email="rosa@example.com", name="Rosa Diaz", company=None, **vals):
        customer = {
            "customer_name": name,
            "customer_email": email,
            "customer_phone": False,
            "customer_country_id": False,
            **vals,
        }
        return self.env["res.partner"]._match_checkout_payer(
            self.gateway, customer, company or self.company
        )

    def create_contact(self, email="rosa@example.com", **vals):
        return self.env["res.partner"].create({"name": "Rosa", "email": email, **vals})

    def count(self):
        return self.env["res.partner"].with_context(active_test=False).search_count([])

    def test_new_payer_becomes_a_contact_of_the_company(self):
        country = self.env.ref("base.es")
        partner = self.match(
            customer_phone="+34 600 000 000", customer_country_id=country.id
        )
        self.assertEqual(partner.name, "Rosa Diaz")
        self.assertEqual(partner.email, "rosa@example.com")
        self.assertEqual(partner.phone, "+34 600 000 000")
        self.assertEqual(partner.country_id, country)
        self.assertEqual(partner.company_id, self.company)

    def test_payer_who_pays_again_is_the_same_contact(self):
        first = self.match()
        self.assertEqual(self.match(), first)
        self.assertEqual(self.match("ROSA@Example.COM ", name="R. Diaz"), first)

    def test_known_contact_is_found_however_its_address_is_written(self):
        partner = self.create_contact("  Rosa Diaz <Rosa@EXAMPLE.com> ")
        self.assertEqual(self.match(), partner)

    def test_known_contact_is_left_as_it_is(self):
        partner = self.create_contact()
        self.match(
            customer_phone="+34 600 000 000",
            customer_country_id=self.env.ref("base.es").id,
        )
        self.assertEqual(partner.name, "Rosa")
        self.assertFalse(partner.phone)
        self.assertFalse(partner.country_id)

    def test_own_contact_comes_before_a_shared_one(self):
        self.create_contact()
        own = self.create_contact(company_id=self.company.id)
        self.assertEqual(self.match(), own)

    def test_person_comes_before_an_address(self):
        firm = self.create_contact("firm@example.com", is_company=True)
        self.create_contact(parent_id=firm.id, type="invoice", name="Invoices")
        self.create_contact(parent_id=firm.id, type="delivery", name="Warehouse")
        person = self.create_contact(parent_id=firm.id, type="contact")
        self.assertEqual(self.match(), person)

    def test_oldest_of_equals_is_taken(self):
        first, _second = self.create_contact(), self.create_contact()
        self.assertEqual(self.match(), first)

    def test_contact_of_another_company_is_not_taken(self):
        foreign = self.create_contact(company_id=self.other_company.id)
        self.assertNotEqual(self.match(), foreign)
        self.assertEqual(self.match().company_id, self.company)

    def test_contact_of_the_parent_company_serves_its_branch(self):
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.company.id}
        )
        partner = self.create_contact(company_id=self.company.id)
        self.assertEqual(self.match(company=branch), partner)
        own = self.create_contact(company_id=branch.id)
        self.assertEqual(self.match(company=branch), own)
        self.assertEqual(self.match(), partner)

    def test_archived_contact_is_used_where_there_is_no_other(self):
        archived = self.create_contact(active=False)
        self.assertEqual(self.match(), archived)
        self.assertFalse(archived.active)
        partner = self.create_contact()
        self.assertEqual(self.match(), partner)

    def test_garbage_makes_no_contact(self):
        before = self.count()
        for email in (
            False,
            "",
            " ",
            "rosa",
            "rosa@",
            "@example.com",
            "rosa example.com",
            "rosa@example.com, eve@example.com",
            "rosa@exa mple.com",
            f"{'r' * 300}@example.com",
        ):
            with self.subTest(email=email):
                self.assertFalse(self.match(email))
        self.assertEqual(self.count(), before)

    def test_unusual_addresses_are_no_garbage(self):
        for email in (
            "o'brien@example.com",
            "a+b@mail.example.co.uk",
            "ñandú@example.es",
        ):
            with self.subTest(email=email):
                self.assertEqual(self.match(email).email_normalized, email)

    def test_odd_names_make_no_odd_contacts(self):
        cases = [
            ("  Rosa \n\t Diaz ", "Rosa Diaz"),
            (False, "a@example.com"),
            ("   ", "a@example.com"),
            ("\u200b", "a@example.com"),
            ("someone@example.com", "a@example.com"),
            ("WIN NOW https://example.com/prize", "a@example.com"),
            ("www.example.com", "a@example.com"),
            ("12345", "a@example.com"),
            ("李小龍", "李小龍"),
            ("O'Brien-Núñez, Ana", "O'Brien-Núñez, Ana"),
        ]
        for number, (name, expected) in enumerate(cases):
            with self.subTest(name=name):
                email = f"a{number}@example.com"
                wanted = expected.replace("a@example.com", email)
                self.assertEqual(self.match(email, name=name).name, wanted)

    def test_endless_name_is_cut(self):
        partner = self.match(name="Rosa " * 200)
        self.assertLessEqual(len(partner.name), 120)
        self.assertTrue(partner.name.startswith("Rosa Rosa"))

    def test_policy_match_makes_no_contact(self):
        self.gateway.partner_policy = "match"
        before = self.count()
        self.assertFalse(self.match())
        self.assertEqual(self.count(), before)
        partner = self.create_contact()
        self.assertEqual(self.match(), partner)

    def test_policy_none_looks_for_no_contact(self):
        self.gateway.partner_policy = "none"
        self.create_contact()
        self.assertFalse(self.match())

    def pay_unknown(self):
        self.gateway.partner_policy = "match"
        payment = self.pay(self.create_link(), email="rosa@example.com")
        self.deliver()
        return payment

    def test_contact_found_later_is_written_on_the_journal_items(self):
        payment = self.pay_unknown()
        self.assertFalse(payment.partner_id)
        partner = self.create_contact("other@example.com")
        payment.action_set_contact(partner)
        self.assertEqual(payment.partner_id, partner)
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.move_id.line_ids.partner_id, partner)
        self.assertEqual(charge.statement_line_id.partner_id, partner)
        self.assertEqual(len(charge.move_id.line_ids), 3)
        fee = self.get_movement(payment, "fee")
        self.assertFalse(fee.move_id.line_ids.partner_id - self.gateway.fee_partner_id)
        self.assert_agrees()

    def test_receivable_without_a_customer_is_posted_once_the_payer_is_known(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_unknown()
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.state, "to_post")
        company = self.create_contact("office@example.com", is_company=True)
        partner = self.create_contact("other@example.com", parent_id=company.id)
        payment.action_set_contact(partner)
        self.assertEqual(charge.state, "posted")
        owed = charge.move_id.line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        self.assertEqual(owed.partner_id, company)

    def test_contact_of_another_company_is_refused(self):
        payment = self.pay_unknown()
        stranger = self.create_contact(company_id=self.other_company.id)
        with self.assertRaises(UserError):
            payment.action_set_contact(stranger)
        self.assertFalse(payment.partner_id)

    def test_dialog_sets_the_contact(self):
        payment = self.pay_unknown()
        partner = self.create_contact("other@example.com")
        action = payment.action_view_contact_wizard()
        with Form(
            self.env["checkout.contact.wizard"].with_context(**action["context"])
        ) as form:
            form.partner_id = partner
        form.record.action_set_contact()
        self.assertEqual(payment.partner_id, partner)

    def test_two_payments_of_a_payer_share_a_contact(self):
        link = self.create_link()
        payments = self.pay(link, email="rosa@example.com", name="Rosa")
        payments |= self.pay(link, email="Rosa@Example.com", name="Rosa D.")
        self.deliver()
        self.assertEqual(len(payments.partner_id), 1)
        self.assertEqual(set(payments.mapped("partner_id.company_id")), {self.company})
