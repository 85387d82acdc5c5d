from odoo import Command
from odoo.exceptions import UserError

from .test_taxes import TaxCommon


class FiscalPositionCommon(TaxCommon):
    """A German seller of exports: 8400 with 19 % at home is 8120 with 0 % abroad."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.income = cls.company_data["default_account_revenue"].copy(
            {"name": "Revenue 19 %", "code": "8400"}
        )
        cls.export_income = cls.income.copy({"name": "Exports", "code": "8120"})
        cls.receivable = cls.company_data["default_account_receivable"]
        cls.export_receivable = cls.receivable.copy({"name": "Owed from abroad"})
        cls.vat = cls.create_sales_tax("VAT", 19)
        cls.position = cls.create_position("Abroad", cls.env.ref("base.ch"))
        cls.zero = cls.create_sales_tax(
            "Export",
            0,
            fiscal_position_ids=[Command.set(cls.position.ids)],
            original_tax_ids=[Command.set(cls.vat.ids)],
        )
        cls.gateway.write(
            {"income_account_id": cls.income.id, "tax_ids": [Command.set(cls.vat.ids)]}
        )
        cls.swiss = cls.env["res.partner"].create(
            {
                "name": "Ruedi",
                "email": "ruedi@example.com",
                "country_id": cls.env.ref("base.ch").id,
            }
        )

    @classmethod
    def create_position(cls, name, country, **vals):
        accounts = {
            cls.income: cls.export_income,
            cls.receivable: cls.export_receivable,
        }
        return cls.env["account.fiscal.position"].create(
            {
                "name": name,
                "auto_apply": True,
                "country_id": country.id,
                "account_ids": [
                    Command.create(
                        {"account_src_id": source.id, "account_dest_id": target.id}
                    )
                    for source, target in accounts.items()
                ],
                **vals,
            }
        )

    def pay_from_abroad(self, amount=119, **link_vals):
        return self.pay_by(self.swiss.email, self.create_link(amount, **link_vals))

    def pay_by(self, email, link):
        payment = self.pay(link, email=email)
        self.deliver()
        return payment

    def get_sale(self, payment):
        """The journal items that a payment's charge is posted as."""
        charge = self.get_movement(payment, "charge")
        self.assertEqual((charge.error or "", charge.state), ("", "posted"))
        return charge._get_posted_lines()

    def create_invoice(self, partner):
        """What Odoo itself makes of the same sale."""
        product = self.env["product.product"].create(
            {
                "name": "Course",
                "property_account_income_id": self.income.id,
                "taxes_id": [Command.set(self.vat.ids)],
            }
        )
        line = Command.create({"product_id": product.id, "price_unit": 119})
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": partner.id,
                "invoice_line_ids": [line],
            }
        )
        invoice.action_post()
        return invoice


class TestFiscalPosition(FiscalPositionCommon):
    """A fiscal position maps accounts and taxes, and stands on the entry."""

    def test_sale_is_posted_like_an_invoice(self):
        sale = self.get_sale(self.pay_from_abroad())
        invoice = self.create_invoice(self.swiss)
        line = invoice.invoice_line_ids
        self.assertEqual(sale.account_id, self.export_income)
        self.assertEqual(sale.account_id, line.account_id)
        self.assertEqual(sale.tax_ids, line.tax_ids)
        self.assertEqual(sale.move_id.fiscal_position_id, self.position)
        self.assertEqual(invoice.fiscal_position_id, self.position)

    def test_sale_at_home_keeps_account_and_tax(self):
        payment = self.pay(self.create_link(119), country="US", email="ann@example.com")
        self.deliver()
        sale = self.get_sale(payment)
        self.assertEqual(sale.account_id, self.income | self.tax_account)
        invoice = self.create_invoice(payment.partner_id)
        self.assertEqual(sale.move_id.fiscal_position_id, invoice.fiscal_position_id)

    def test_frozen_account_of_a_link_is_mapped(self):
        link = self.create_link(119, income_account_id=self.income.id)
        self.gateway.income_account_id = self.company_data["default_account_revenue"]
        payment = self.start_payment(link)
        link.income_account_id = self.gateway.income_account_id
        self.standin.pay(payment.stripe_checkout_session_id, email=self.swiss.email)
        self.deliver()
        self.assertEqual(self.get_sale(payment).account_id, self.export_income)

    def test_delivery_address_decides_like_on_an_invoice(self):
        firm = self.env["res.partner"].create(
            {
                "name": "Firm",
                "email": "firm@example.com",
                "country_id": self.env.ref("base.us").id,
                "child_ids": [
                    Command.create(
                        {
                            "name": "Warehouse",
                            "type": "delivery",
                            "country_id": self.env.ref("base.ch").id,
                        }
                    )
                ],
            }
        )
        sale = self.get_sale(self.pay_by(firm.email, self.create_link(119)))
        invoice = self.create_invoice(firm)
        self.assertEqual(invoice.fiscal_position_id, self.position)
        self.assertEqual(sale.account_id, invoice.invoice_line_ids.account_id)

    def test_credit_is_on_the_receivable_account_of_the_invoice(self):
        self.gateway.credit_to = "receivable"
        credit = self.get_sale(self.pay_from_abroad())
        invoice = self.create_invoice(self.swiss)
        owed = invoice.line_ids.filtered(
            lambda line: line.display_type == "payment_term"
        )
        self.assertEqual(credit.account_id, self.export_receivable)
        self.assertEqual(credit.account_id, owed.account_id)
        self.assertEqual(credit.move_id.fiscal_position_id, self.position)
        (credit | owed).reconcile()
        self.assertEqual(invoice.amount_residual, 0)

    def test_receivable_account_of_the_gateway_is_mapped(self):
        self.gateway.write(
            {"credit_to": "receivable", "receivable_account_id": self.receivable.id}
        )
        credit = self.get_sale(self.pay_from_abroad())
        self.assertEqual(credit.account_id, self.export_receivable)

    def test_refund_and_lost_dispute_carry_it(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_from_abroad()
        payment.action_refund(19)
        dispute = self.standin.dispute(payment.stripe_charge_id, amount=10000)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        for kind in ("refund", "dispute_loss"):
            movement = self.get_movement(payment, kind)
            self.assertEqual(movement.error or "", "")
            self.assertEqual(movement.move_id.fiscal_position_id, self.position)
            self.assertIn(self.export_income, movement.move_id.line_ids.account_id)
        lines = payment.move_ids.line_ids
        sold = lines.filtered(lambda line: line.account_id == self.export_income)
        self.assertEqual(sum(sold.mapped("balance")), 0)

    def test_fee_carries_none(self):
        payment = self.pay_from_abroad()
        fee = self.get_movement(payment, "fee")
        self.assertFalse(fee.move_id.fiscal_position_id)

    def test_contact_set_later_changes_nothing_that_is_posted(self):
        self.gateway.partner_policy = "match"
        payment = self.pay_by("unknown@example.com", self.create_link(119))
        sale = self.get_sale(payment)
        before = sale.move_id.fiscal_position_id
        self.assertNotEqual(before, self.position)
        payment.action_set_contact(self.swiss)
        self.env.flush_all()
        self.assertEqual(sale.partner_id, self.swiss)
        self.assertEqual(sale.move_id.fiscal_position_id, before)
        self.assertEqual(payment.fiscal_position_id, before)
        payment.action_refund(119)
        refund = self.get_movement(payment, "refund")
        self.assertIn(self.income, refund.move_id.line_ids.account_id)
        self.assertEqual(refund.move_id.fiscal_position_id, before)

    def test_new_country_of_the_contact_changes_nothing_that_is_posted(self):
        payment = self.pay_from_abroad()
        move = self.get_sale(payment).move_id
        self.swiss.country_id = self.env.ref("base.us")
        self.env.add_to_compute(move._fields["fiscal_position_id"], move)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(move.fiscal_position_id, self.position)
        self.assertEqual(payment.fiscal_position_id, self.position)
        with self.assertRaises(UserError):
            move.fiscal_position_id = False

    def test_contact_found_before_posting_decides(self):
        self.gateway.write({"credit_to": "receivable", "partner_policy": "match"})
        payment = self.pay_by("unknown@example.com", self.create_link(119))
        self.assertEqual(self.get_movement(payment, "charge").state, "to_post")
        payment.action_set_contact(self.swiss)
        self.assertEqual(self.get_sale(payment).account_id, self.export_receivable)
        self.assertEqual(payment.fiscal_position_id, self.position)

    def test_payment_shows_what_was_posted(self):
        payment = self.pay_from_abroad()
        self.assertEqual(payment.tax_ids, self.vat)
        self.assertEqual(payment.posted_tax_ids, self.zero)
        self.assertEqual(payment.posted_account_id, self.export_income)
        self.assertEqual(payment.fiscal_position_id, self.position)


class TestPositionThatOdooRefuses(FiscalPositionCommon):
    """Odoo takes the taxes of an entry with some positions only; the entry posts."""

    def create_registration(self, country, vat, **vals):
        self.env["account.tax.group"].create(
            {
                "name": country.name,
                "country_id": country.id,
                "company_id": self.env.company.id,
            }
        )
        return self.create_position(country.name, country, foreign_vat=vat, **vals)

    def test_registration_that_leaves_the_tax_as_it_is(self):
        denmark = self.env.ref("base.dk")
        position = self.create_registration(denmark, "DK12345674")
        self.create_sales_tax(
            "Moms",
            25,
            country_id=denmark.id,
            fiscal_position_ids=[Command.set(position.ids)],
        )
        self.swiss.country_id = denmark
        sale = self.get_sale(self.pay_from_abroad())
        self.assertEqual(sale.tax_ids, self.vat)
        self.assertFalse(sale.move_id.fiscal_position_id)
        self.assertEqual(
            sale.account_id - self.vat.repartition_line_ids.account_id,
            self.export_income,
        )

    def test_taxes_of_a_registration_by_another_position(self):
        denmark = self.env.ref("base.dk")
        registration = self.create_registration(denmark, "DK12345674", auto_apply=False)
        moms = self.create_sales_tax(
            "Moms",
            25,
            country_id=denmark.id,
            fiscal_position_ids=[Command.set(self.position.ids)],
            original_tax_ids=[Command.set(self.vat.ids)],
        )
        self.zero.fiscal_position_ids = False
        payment = self.pay_from_abroad(125)
        sale = self.get_sale(payment)
        self.assertEqual(sale.tax_ids, moms)
        self.assertEqual(sale.move_id.fiscal_position_id, registration)
        payment.action_refund(25)
        refund = self.get_movement(payment, "refund")
        self.assertEqual((refund.error or "", refund.state), ("", "posted"))
        self.assertEqual(refund.move_id.fiscal_position_id, registration)


class TestUnmappedTaxes(FiscalPositionCommon):
    """A course held at home is taxed at home, wherever its customer lives."""

    def test_foreign_customer_pays_the_tax_of_the_place(self):
        sale = self.get_sale(self.pay_from_abroad(map_taxes=False))
        self.assertEqual(sale.tax_ids, self.vat)
        self.assertEqual(sale.account_id, self.income | self.tax_account)
        self.assertFalse(sale.move_id.fiscal_position_id)
        self.assertEqual(sorted(sale.mapped("balance")), [-100, -19])

    def test_links_map_unless_they_say_otherwise(self):
        self.assertTrue(self.create_link().map_taxes)

    def test_choice_is_frozen_with_the_payment(self):
        link = self.create_link(119, map_taxes=False)
        payment = self.start_payment(link)
        link.map_taxes = True
        self.standin.pay(payment.stripe_checkout_session_id, email=self.swiss.email)
        self.deliver()
        self.assertFalse(payment.map_taxes)
        self.assertEqual(self.get_sale(payment).tax_ids, self.vat)

    def test_refund_takes_the_tax_of_the_place_back(self):
        payment = self.pay_from_abroad(map_taxes=False)
        payment.action_refund()
        for account in (self.income, self.tax_account):
            lines = payment.move_ids.line_ids.filtered(
                lambda line, a=account: line.account_id == a
            )
            self.assertEqual(sum(lines.mapped("balance")), 0)
