from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import Form

from .common import CheckoutCommon

OPTION = "kantivo_checkout_links.group_link_products"


class TestProduct(CheckoutCommon):
    """A link that sells a product asks and posts what an invoice for it would."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tax_on_top = cls.create_tax(19)
        cls.tax_on_top.price_include_override = "tax_excluded"
        cls.income = cls.gateway.income_account_id.copy({"name": "Courses"})
        cls.scrap_tag = cls.env["account.account.tag"].create(
            {"name": "PACKAGING", "applicability": "products"}
        )
        cls.product = cls.create_product()

    @classmethod
    def create_product(cls, **vals):
        return cls.env["product.product"].create(
            {
                "name": "Bread course",
                "default_code": "BC",
                "description_sale": "With lunch.",
                "list_price": 100,
                "taxes_id": [Command.set(cls.tax_on_top.ids)],
                "property_account_income_id": cls.income.id,
                **vals,
            }
        )

    def sell(self, product=None, **vals):
        """A link of the kit's gateway for a product."""
        product = product or self.product
        vals = {"product_id": product.id, "gateway_id": self.gateway.id, **vals}
        return self.env["checkout.link"].create(vals)

    def pay_for(self, link):
        payment = self.pay(link)
        self.deliver()
        return payment

    def get_items(self, moves):
        """Account, product, tags and balance of what isn't the money itself."""
        lines = moves.line_ids.filtered(
            lambda line: (
                line.account_id.account_type not in ("asset_receivable",)
                and line.account_id != self.gateway.journal_id.default_account_id
            )
        )
        return sorted(
            (
                line.account_id.id,
                line.product_id.id,
                sorted(line.tax_tag_ids.ids),
                round(line.balance, 2),
            )
            for line in lines
        )

    def get_sums(self, moves):
        """What is left by account, by tag and by product of the sales."""
        sums = {}
        for account, product, tags, balance in self.get_items(moves):
            for key in (account, *((tag, "tag") for tag in tags), (product, "product")):
                sums[key] = round(sums.get(key, 0) + balance, 2)
        return sums

    def create_invoice(self, product):
        partner = self.env["res.partner"].create({"name": "Invoiced"})
        line = Command.create({"product_id": product.id, "quantity": 1})
        return self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": partner.id,
                "invoice_line_ids": [line],
            }
        )

    # === WHAT IS COPIED === #

    def test_new_link_copies_the_product(self):
        link = self.sell()
        self.assertEqual(link.name, "Bread course")
        self.assertEqual(link.description, "With lunch.")
        self.assertEqual(link.amount, 119)
        self.assertEqual(link.tax_ids, self.tax_on_top)
        self.assertEqual(link.income_account_id, self.income)

    def test_included_tax_stays_in_the_price(self):
        product = self.create_product(taxes_id=[Command.set(self.tax.ids)])
        self.assertEqual(self.sell(product).amount, 100)

    def test_product_without_tax_has_none_even_if_the_gateway_has(self):
        product = self.create_product(taxes_id=[Command.clear()])
        link = self.sell(product)
        self.assertFalse(link.tax_ids)
        self.assertEqual(link.amount, 100)
        link.gateway_id = self.gateway.copy({"journal_id": False, "currency_id": False})
        self.assertFalse(link.tax_ids)

    def test_what_is_given_stays(self):
        link = self.sell(name="Summer", amount=90)
        self.assertEqual((link.name, link.amount), ("Summer", 90))
        link.write({"product_id": self.create_product(list_price=10).id, "amount": 8})
        self.assertEqual((link.name, link.amount), ("Bread course", 8))

    def test_price_is_converted_at_the_rate_of_the_day(self):
        currency = self.get_currency_without_rate()
        currency.rate_ids = [
            Command.create({"name": "2020-01-01", "rate": 2.5}),
            Command.create({"name": "2099-01-01", "rate": 9}),
        ]
        self.assertEqual(self.sell(currency_id=currency.id).amount, 297.5)

    def test_missing_rate_is_refused(self):
        currency = self.get_currency_without_rate()
        with self.assertRaisesRegex(UserError, "can't be converted from .* to NZD"):
            self.sell(currency_id=currency.id)

    def get_currency_without_rate(self):
        currencies = self.env["res.currency"].with_context(active_test=False)
        currency = currencies.search([("name", "=", "NZD")])
        currency.active = True
        currency.rate_ids.unlink()
        return currency

    def test_product_without_price_is_refused(self):
        with self.assertRaisesRegex(UserError, "no sales price"):
            self.sell(self.create_product(list_price=0))

    # === THE FORM === #

    def test_option_is_off_and_unseen_until_it_is_switched_on(self):
        links, payments = self.env["checkout.link"], self.env["checkout.payment"]
        for records, view in (
            (links, "form"),
            (links, "list"),
            (payments, "form"),
            (payments, "list"),
            (payments, "search"),
        ):
            arch = records.get_view(view_type=view)["arch"]
            self.assertNotIn('name="product_id"', arch)
            self.assertNotIn("by_product", arch)
        settings = self.env["res.config.settings"].with_user(
            self.env.ref("base.user_admin")
        )
        settings.create({"group_checkout_products": True}).execute()
        self.assertTrue(self.env.user.has_group(OPTION))
        with Form(links) as form:
            form.product_id = self.product
            self.assertEqual((form.name, form.amount), ("Bread course", 119))
            form.amount = 110
        self.assertEqual(form.record.amount, 110)
        self.assertEqual(form.record.tax_ids, self.tax_on_top)

    # === UPDATE === #

    def test_product_changes_reach_a_link_when_its_user_says_so(self):
        link = self.sell()
        self.assertEqual(
            link.action_view_product_update()["tag"], "display_notification"
        )
        self.product.write({"list_price": 200, "description_sale": "Without lunch."})
        self.assertEqual((link.amount, link.description), (119, "With lunch."))
        action = link.action_view_product_update()
        wizard = self.env[action["res_model"]].browse(action["res_id"])
        shown = wizard.line_ids.mapped(
            lambda line: (line.name, line.before, line.after)
        )
        description = ("description", "With lunch.", "Without lunch.")
        self.assertEqual(shown[0], description)
        self.assertEqual(shown[1][0], "amount")
        self.assertIn("238.00", shown[1][2])
        wizard.line_ids[0].is_chosen = False
        wizard.action_update()
        self.assertEqual((link.amount, link.description), (238, "With lunch."))

    def test_update_does_what_was_shown_or_nothing(self):
        link = self.sell()
        self.product.list_price = 200
        action = link.action_view_product_update()
        self.product.list_price = 300
        wizard = self.env[action["res_model"]].browse(action["res_id"])
        with self.assertRaisesRegex(UserError, "changed meanwhile"):
            wizard.action_update()
        self.assertEqual(link.amount, 119)

    def test_update_makes_an_open_link_one_of_the_product_s_price(self):
        link = self.create_open_link(name="Donation")
        link.write({"product_id": self.product.id})
        link.write({"amount_type": "open", "amount": 0})
        link._update_from_product(["amount"])
        self.assertEqual((link.amount_type, link.amount), ("fixed", 119))

    # === THE LEDGER === #

    def test_sale_is_posted_as_an_invoice_would_be(self):
        for price, tax in ((99.99, self.tax_on_top), (33.33, self.tax)):
            product = self.create_product(
                list_price=price,
                taxes_id=[Command.set(tax.ids)],
                account_tag_ids=[Command.set(self.scrap_tag.ids)],
            )
            with self.subTest(price=price):
                link = self.sell(product)
                payment = self.pay_for(link)
                invoice = self.create_invoice(product)
                self.assertEqual(payment.product_id, product)
                self.assertEqual(payment.amount, invoice.amount_total)
                charge = self.get_movement(payment, "charge")
                self.assertEqual(
                    self.get_items(charge.move_id), self.get_items(invoice)
                )

    def test_refunds_of_parts_leave_no_cent(self):
        self.product.write(
            {"list_price": 99.99, "account_tag_ids": [Command.set(self.scrap_tag.ids)]}
        )
        payment = self.pay_for(self.sell())
        for amount in (33.33, 33.33, None):
            payment.action_refund(amount)
        self.deliver()
        moves = payment.movement_ids.filtered(lambda m: m.kind != "fee").move_id
        sums = self.get_sums(moves)
        self.assertIn((self.product.id, "product"), sums)
        for key, balance in sums.items():
            if key != (False, "product") and not self.is_tag_of_one_side(key):
                self.assertEqual(balance, 0, key)

    def is_tag_of_one_side(self, key):
        """Sales and refunds have tags of their own, but for a product's."""
        return isinstance(key, tuple) and key not in (
            (self.scrap_tag.id, "tag"),
            (self.product.id, "product"),
        )

    def test_reclassification_keeps_product_and_cents(self):
        self.product.list_price = 99.99
        payment = self.pay_for(self.sell())
        payment.action_refund(40)
        self.deliver()
        charge = self.get_movement(payment, "charge")
        other = self.income.copy({"name": "Seminars"})
        charge.action_reclassify(other, self.tax_on_top)
        payment.action_refund()
        self.deliver()
        moves = payment.movement_ids.filtered(lambda m: m.kind != "fee").move_id
        moves |= payment.movement_ids.reclassification_move_ids
        sold = moves.line_ids.filtered(lambda line: line.account_id == other)
        self.assertEqual(sold.product_id, self.product)
        sums = self.get_sums(moves)
        for account in (
            self.income,
            other,
            self.company_data["default_account_tax_sale"],
        ):
            self.assertEqual(sums[account.id], 0, account.name)
        self.assertEqual(sums[self.product.id, "product"], 0)
        self.assert_agrees()

    def test_payments_are_grouped_by_product(self):
        payment = self.pay_for(self.sell())
        groups = self.env["checkout.payment"]._read_group(
            [("gateway_id", "=", self.gateway.id)], ["product_id"], ["amount:sum"]
        )
        self.assertIn((payment.product_id, 119), groups)
