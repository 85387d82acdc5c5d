import random

from odoo import Command
from odoo.exceptions import UserError

from .common import CheckoutCommon


class TaxCommon(CheckoutCommon):
    """Taxes of many sorts, each with tags of its own for sales and for refunds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tax_account = cls.company_data["default_account_tax_sale"]
        cls.other_tax_account = cls.tax_account.copy({"name": "City tax"})

    @classmethod
    def create_shares(cls, word, factors):
        """The repartition of a tax: a base, and a share for each account and factor."""
        tags = cls.env["account.account.tag"].create(
            [
                {"name": f"{word} {number}", "applicability": "taxes"}
                for number in range(len(factors) + 1)
            ]
        )
        base = {"repartition_type": "base", "tag_ids": [Command.set(tags[0].ids)]}
        shares = [
            {
                "repartition_type": "tax",
                "factor_percent": factor,
                "account_id": account.id,
                "tag_ids": [Command.set(tag.ids)],
            }
            for tag, (account, factor) in zip(tags[1:], factors, strict=True)
        ]
        return [Command.create(vals) for vals in (base, *shares)]

    @classmethod
    def create_sales_tax(cls, name, amount, factors=None, **vals):
        factors = factors or [(cls.tax_account, 100)]
        return cls.env["account.tax"].create(
            {
                "name": name,
                "amount": amount,
                "type_tax_use": "sale",
                "price_include_override": "tax_included",
                "invoice_repartition_line_ids": cls.create_shares(
                    f"{name} sale", factors
                ),
                "refund_repartition_line_ids": cls.create_shares(
                    f"{name} refund", factors
                ),
                **vals,
            }
        )


class TestReversalOfTaxes(TaxCommon):
    """Refunds of parts that add up to all leave nothing: on no account, in no tag."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.eur = cls.setup_other_currency("EUR", rates=[("2016-01-01", 1 / 1.1)])

    def create_cases(self):
        half = [(self.tax_account, 60), (self.other_tax_account, 40)]
        transition = self.tax_account.copy({"name": "Not yet due", "reconcile": True})
        reverse = [(self.tax_account, 100), (self.other_tax_account, -100)]
        first = self.create_sales_tax("First", 5, include_base_amount=True, sequence=1)
        second = self.create_sales_tax("Second", 9.975, sequence=2)
        group = self.env["account.tax"].create(
            {
                "name": "Group",
                "amount_type": "group",
                "type_tax_use": "sale",
                "children_tax_ids": [
                    Command.set(
                        (
                            self.create_sales_tax("State", 6.25)
                            | self.create_sales_tax("County", 1.875)
                        ).ids
                    )
                ],
            }
        )
        return {
            "none": self.env["account.tax"],
            "plain": self.create_sales_tax("Plain", 19),
            "zero": self.create_sales_tax("Zero", 0),
            "two accounts": self.create_sales_tax("Halves", 7.7, half),
            "reverse charge": self.create_sales_tax("Reverse", 21, reverse),
            "negative": self.create_sales_tax("Plus", 16)
            | self.create_sales_tax("Withheld", -10),
            "one on the other": first | second,
            "group": group,
            "fixed": self.create_sales_tax("Bag", 0.37, amount_type="fixed")
            | self.create_sales_tax("With bag", 8),
            "on payment": self.create_sales_tax(
                "Later",
                20,
                tax_exigibility="on_payment",
                cash_basis_transition_account_id=transition.id,
            ),
        }

    def test_parts_leave_nothing(self):
        self.standin.settings(rates={"eur": "1.0823"})
        plans = self.env["account.analytic.plan"].create({"name": "Project"})
        analytic = self.env["account.analytic.account"].create(
            {"name": "Summer", "plan_id": plans.id}
        )
        for seed, (name, taxes) in enumerate(self.create_cases().items()):
            for currency in (self.env.company.currency_id, self.eur):
                with self.subTest(taxes=name, currency=currency.name):
                    link = self.create_open_link(
                        tax_ids=[Command.set(taxes.ids)],
                        currency_id=currency.id,
                        analytic_distribution={analytic.id: 100},
                    )
                    self.check_parts(link, random.Random(seed))

    def check_parts(self, link, chance):
        minor = chance.randint(600, 99999)
        payment = self.pay(link, minor / 100)
        self.deliver()
        sale = self.get_movement(payment, "charge").move_id
        for part in self.cut(minor, chance):
            refund = self.standin.refund(payment.stripe_charge_id, part)
            if chance.random() < 0.3:
                self.standin.change_refund(refund["id"], "fail")
                self.standin.refund(payment.stripe_charge_id, part)
            self.deliver()
            self.assert_in_proportion(payment, sale)
        self.assertEqual(payment.state, "refunded")
        self.assert_nothing_left(payment, sale)
        self.assert_agrees()

    def cut(self, minor, chance):
        cuts = sorted(chance.sample(range(1, minor), chance.randint(1, 4)))
        return [
            end - start for start, end in zip([0, *cuts], [*cuts, minor], strict=True)
        ]

    def get_items(self, payment):
        """Journal items of what was paid, without fees and differences of rates."""
        movements = payment.movement_ids
        self.assertEqual(set(movements.mapped("state")), {"posted"})
        money = movements.filtered(lambda m: m.kind != "fee")
        company = self.env.company
        others = (
            self.gateway.journal_id.default_account_id
            | company.expense_currency_exchange_account_id
            | company.income_currency_exchange_account_id
        )
        return money.move_id.line_ids.filtered(
            lambda line: line.account_id not in others
        )

    def get_key(self, line):
        """What an item is of; the shares of a refund stand for those of a sale."""
        share = line.tax_repartition_line_id
        tax = share.tax_id
        shares = tax.invoice_repartition_line_ids + tax.refund_repartition_line_ids
        place = shares.ids.index(share.id) % (len(shares) // 2) if share else None
        return line.account_id.id, tax.id, place

    def assert_in_proportion(self, payment, sale):
        left = 1 - payment.amount_refunded / payment.amount
        items = self.get_items(payment)
        for key, lines in items.grouped(self.get_key).items():
            sold = sum((lines & sale.line_ids).mapped("amount_currency"))
            self.assertAlmostEqual(
                sum(lines.mapped("amount_currency")), sold * left, delta=0.021, msg=key
            )

    def assert_nothing_left(self, payment, sale):
        items = self.get_items(payment)
        for key, lines in items.grouped(self.get_key).items():
            for name in ("balance", "amount_currency"):
                self.assertAlmostEqual(sum(lines.mapped(name)), 0, places=6, msg=key)
        self.assertEqual(
            self.count_tags(items, "sale"), self.count_tags(sale.line_ids, "sale")
        )
        refunded = {
            name.replace(" refund", " sale"): -amount
            for name, amount in self.count_tags(items, "refund").items()
        }
        self.assertEqual(refunded, self.count_tags(sale.line_ids, "sale"))
        analytic = items.analytic_line_ids
        self.assertTrue(analytic)
        self.assertAlmostEqual(sum(analytic.mapped("amount")), 0, places=6)

    def count_tags(self, lines, word):
        totals = {}
        for line in lines:
            for tag in line.tax_tag_ids.filtered(lambda tag: f" {word} " in tag.name):
                totals[tag.name] = round(totals.get(tag.name, 0) + line.balance, 2)
        return totals


class TestTaxesOfPayer(TaxCommon):
    """Which taxes a payer pays, by where the payer is."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.abroad = cls.create_sales_tax("Abroad", 25)
        cls.position = cls.env["account.fiscal.position"].create(
            {
                "name": "Denmark",
                "auto_apply": True,
                "country_id": cls.env.ref("base.dk").id,
            }
        )
        cls.abroad.write(
            {
                "fiscal_position_ids": [Command.set(cls.position.ids)],
                "original_tax_ids": [Command.set(cls.tax.ids)],
            }
        )

    def get_taxes(self, **customer):
        payment = self.pay(self.create_link(110), **customer)
        self.deliver()
        return self.get_movement(payment, "charge").move_id.line_ids.tax_ids

    def test_contact_s_country_decides(self):
        taxes = self.get_taxes(country="DK", email="new@example.com")
        self.assertEqual(taxes, self.abroad)

    def test_payer_at_home_pays_the_link_s_taxes(self):
        self.assertEqual(self.get_taxes(country="US"), self.tax)

    def test_country_that_stripe_knows_decides_without_a_contact(self):
        self.gateway.partner_policy = "none"
        self.assertEqual(self.get_taxes(country="DK"), self.abroad)

    def test_country_that_stripe_knows_decides_for_a_contact_without_one(self):
        self.env["res.partner"].create({"name": "Old", "email": "old@example.com"})
        taxes = self.get_taxes(country="DK", email="old@example.com")
        self.assertEqual(taxes, self.abroad)

    def test_position_of_a_contact_decides_without_a_country(self):
        self.env["res.partner"].create(
            {
                "name": "Old",
                "email": "old@example.com",
                "property_account_position_id": self.position.id,
            }
        )
        taxes = self.get_taxes(country="US", email="old@example.com")
        self.assertEqual(taxes, self.abroad)


class TestTaxesOnFees(TaxCommon):
    """The merchant's input tax on what Stripe charges."""

    def create_purchase_tax(self, amount, factors=None, **vals):
        account = self.company_data["default_account_tax_purchase"]
        factors = factors or [(account, 100)]
        return self.create_sales_tax(
            f"Purchase {amount}", amount, factors, type_tax_use="purchase", **vals
        )

    def get_fee_items(self, fee):
        """Balance and taxes of each item but the liquidity item."""
        self.assertEqual(fee.error or "", "")
        return sorted(
            (line.balance, line.tax_line_id.amount) for line in fee._get_posted_lines()
        )

    def pay_fee(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        return self.get_movement(payment, "fee")

    def find_fee(self):
        return self.env["checkout.movement"].search([("kind", "=", "fee")])

    def test_two_taxes_together_are_what_stripe_states(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            5
        ) | self.create_purchase_tax(9.975)
        self.standin.settings(fee_tax_rate="0.14975")
        self.assertEqual(
            self.get_fee_items(self.pay_fee()),
            [(0.17, 5.0), (0.35, 9.975), (3.49, 0)],
        )

    def test_two_shares_of_a_tax_together_are_what_stripe_states(self):
        account = self.company_data["default_account_tax_purchase"]
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            19, [(account, 50), (self.other_tax_account, 50)]
        )
        self.standin.settings(fee_tax_rate="0.19")
        items = self.get_fee_items(self.pay_fee())
        self.assertEqual(items[-1], (3.49, 0))
        self.assertEqual(sum(balance for balance, _tax in items[:2]), 0.66)
        self.assertEqual([balance for balance, _tax in items[:2]], [0.33, 0.33])

    def test_reverse_charge_is_left_alone_where_stripe_states_a_tax(self):
        account = self.company_data["default_account_tax_purchase"]
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            19, [(account, 100), (self.other_tax_account, -100)]
        )
        self.standin.settings(fee_tax_rate="0.19")
        items = self.get_fee_items(self.pay_fee())
        self.assertEqual(items, [(-0.79, 19.0), (0.79, 19.0), (4.15, 0)])

    def test_reverse_charge_that_is_deductible_in_part_is_left_alone(self):
        account = self.company_data["default_account_tax_purchase"]
        expense = self.company_data["default_account_expense"]
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            21, [(account, 10), (expense, 90), (self.other_tax_account, -100)]
        )
        self.standin.settings(fee_tax_rate="0.21")
        items = self.pay_fee()._get_posted_lines()
        taxes = items.filtered("tax_line_id")
        self.assertEqual(len(taxes), 3)
        self.assertAlmostEqual(sum(taxes.mapped("balance")), 0)

    def test_tax_by_itself_is_all_tax(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(19)
        self.standin.create_balance_transaction(-66, type="tax_fee", category="tax")
        self.sync()
        fee = self.find_fee()
        self.assertEqual(self.get_fee_items(fee), [(0, 0), (0.66, 19.0)])
        self.assert_agrees()

    def test_tax_that_is_given_back_by_itself(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(19)
        self.standin.create_balance_transaction(66, type="tax_fee", category="tax")
        self.sync()
        self.assertEqual(self.get_fee_items(self.find_fee()), [(-0.66, 19.0), (0, 0)])
        self.assertEqual(
            self.get_tags(self.find_fee().move_id)["Purchase 19 refund 1"], -0.66
        )

    def test_percentage_is_no_part_of_a_fee_without_a_stated_tax(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(20)
        self.assertTrue(self.gateway.fee_tax_is_added)
        fee = self.pay_fee()
        self.assertEqual(self.get_fee_items(fee), [(3.49, 0)])
        self.assertEqual(self.get_tags(fee.move_id), {})

    def test_percentage_is_part_of_a_fee_where_stripe_s_invoice_has_it(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(20)
        self.gateway.fee_tax_invoiced = True
        self.assertEqual(self.get_fee_items(self.pay_fee()), [(0.58, 20.0), (2.91, 0)])

    def test_reverse_charge_is_on_each_fee_and_needs_no_setting(self):
        account = self.company_data["default_account_tax_purchase"]
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            19, [(account, 100), (self.other_tax_account, -100)]
        )
        self.assertFalse(self.gateway.fee_tax_is_added)
        items = self.get_fee_items(self.pay_fee())
        self.assertEqual(items, [(-0.66, 19.0), (0.66, 19.0), (3.49, 0)])

    def test_stated_tax_of_one_cent_is_posted(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(19)
        self.standin.settings(fee_rate="0", fee_fixed={"usd": 1}, fee_tax_rate="1")
        fee = self.pay_fee()
        self.assertEqual((fee.amount, fee.tax_amount), (-0.02, 0.01))
        self.assertEqual(self.get_fee_items(fee), [(0.01, 0), (0.01, 19.0)])
        tax_item = fee._get_posted_lines().filtered("tax_line_id")
        self.assertEqual(tax_item.tax_base_amount, 0.01)
        self.assert_agrees()

    def test_base_of_a_stated_tax_is_what_is_left_of_the_fee(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(25)
        self.standin.settings(fee_tax_rate="0.19")  # another rate than the tax's
        items = self.pay_fee()._get_posted_lines()
        tax_item = items.filtered("tax_line_id")
        self.assertEqual((tax_item.balance, tax_item.tax_base_amount), (0.66, 3.49))

    def test_fee_that_is_given_back_takes_its_tax_back(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(25)
        self.gateway.fee_tax_invoiced = True
        self.standin.create_balance_transaction(500)
        self.sync()
        self.assertEqual(self.get_fee_items(self.find_fee()), [(-4, 0), (-1, 25.0)])

    def test_input_tax_on_the_sales_tax_s_account_is_no_part_of_a_refund(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            19, [(self.tax_account, 100)]
        )
        payment = self.pay(self.create_link(110))
        self.deliver()
        payment.action_refund(33)
        self.assert_entry(
            self.get_movement(payment, "refund"),
            [
                (self.gateway.journal_id.default_account_id, 0, 33),
                (self.gateway.income_account_id, 30, 0),
                (self.tax_account, 3, 0),
            ],
        )

    def test_tiny_fees_stop_nothing(self):
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            19
        ) | self.create_purchase_tax(-50)
        for amount in (-1, 1, -2):
            self.standin.create_balance_transaction(amount)
        self.sync()
        self.assertEqual(set(self.find_fee().mapped("state")), {"posted"})
        self.assert_agrees()


class TestSmallTaxes(TaxCommon):
    """Where a tax is nothing, Odoo would compute it again and mean something else."""

    def test_failed_refund_of_an_untaxed_sale_is_no_sale(self):
        tax = self.create_sales_tax("Export", 0)
        payment = self.pay(self.create_link(110, tax_ids=tax.ids))
        self.deliver()
        refund = self.standin.refund(payment.stripe_charge_id, 3300)
        self.deliver()
        self.standin.change_refund(refund["id"], "fail")
        self.deliver()
        failure = self.get_movement(payment, "refund_failure")
        self.assertEqual(self.get_tags(failure.move_id), {"Export refund 0": -33})

    def test_refunds_too_small_for_a_tax(self):
        payment = self.pay(self.create_link(0.55))
        self.deliver()
        for _time in range(11):
            self.standin.refund(payment.stripe_charge_id, 5)
        self.deliver()
        self.assertFalse(any(payment.movement_ids.mapped("error")))
        self.assertEqual(payment.state, "refunded")
        lines = payment.move_ids.line_ids
        for account in (self.gateway.income_account_id, self.tax_account):
            own = lines.filtered(lambda line, a=account: line.account_id == a)
            self.assertAlmostEqual(sum(own.mapped("balance")), 0, places=6)
        self.assert_agrees()

    def test_dispute_fee_given_back_without_a_tax_in_it(self):
        account = self.company_data["default_account_tax_purchase"]
        self.gateway.fee_tax_ids = self.create_sales_tax(
            "Untaxed fee", 0, [(account, 100)], type_tax_use="purchase"
        )
        self.standin.create_balance_transaction(500)
        self.sync()
        fee = self.env["checkout.movement"].search([("kind", "=", "fee")])
        self.assertEqual(self.get_tags(fee.move_id), {"Untaxed fee refund 0": -5})


class TestRegistrationAbroad(TaxCommon):
    """Taxes of another country, where the company is registered too."""

    def setUp(self):
        super().setUp()
        denmark = self.env.ref("base.dk")
        self.env["account.tax.group"].create(
            {
                "name": "Moms",
                "country_id": denmark.id,
                "company_id": self.env.company.id,
            }
        )
        self.moms = self.create_sales_tax("Moms", 25, country_id=denmark.id)
        position = self.env["account.fiscal.position"].create(
            {
                "name": "Denmark",
                "auto_apply": True,
                "country_id": denmark.id,
                "foreign_vat": "DK12345674",
            }
        )
        self.moms.write(
            {
                "fiscal_position_ids": [Command.set(position.ids)],
                "original_tax_ids": [Command.set(self.tax.ids)],
            }
        )

    def pay_from_denmark(self):
        payment = self.pay(self.create_link(110), country="DK", email="ada@example.com")
        self.deliver()
        charge = self.get_movement(payment, "charge")
        self.assertEqual((charge.error or "", charge.state), ("", "posted"))
        self.assertEqual(charge._get_posted_lines().tax_ids, self.moms)
        return payment

    def test_sale_to_a_contact_and_its_refund_are_posted(self):
        payment = self.pay_from_denmark()
        payment.partner_id.country_id = self.env.ref("base.us")
        payment.action_refund(33)
        self.assertEqual(self.get_movement(payment, "refund").state, "posted")

    def test_sale_to_a_stranger_is_posted(self):
        self.gateway.partner_policy = "none"
        self.pay_from_denmark()

    def test_taxes_of_two_countries_need_two_reclassifications(self):
        payment = self.pay_from_denmark()
        charge = self.get_movement(payment, "charge")
        income = self.gateway.income_account_id
        with self.assertRaisesRegex(UserError, "without taxes first"):
            charge.action_reclassify(income, self.tax)
        charge.action_reclassify(income)
        charge.action_reclassify(income, self.tax)
        self.assertEqual(charge._get_posted_lines().tax_ids, self.tax)
        self.assertFalse(payment.fiscal_position_id)
        moves = charge.move_id | charge.reclassification_move_ids
        owed = moves.line_ids.filtered(lambda line: line.tax_line_id == self.moms)
        self.assertEqual(sum(owed.mapped("balance")), 0)

    def test_lost_dispute_and_reclassification_are_posted(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_from_denmark()
        income = self.gateway.income_account_id.copy({"name": "Abroad"})
        self.get_movement(payment, "charge").action_reclassify(income, self.moms)
        dispute = self.standin.dispute(payment.stripe_charge_id)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        loss = self.get_movement(payment, "dispute_loss")
        self.assertEqual((loss.error or "", loss.state), ("", "posted"))


class TestBaseOfTaxItems(TaxCommon):
    """What a tax item says its base is, for reports that read it there."""

    def setUp(self):
        super().setUp()
        self.payment = self.pay(self.create_link(110))
        self.deliver()

    def get_base(self):
        movements = self.payment.movement_ids
        moves = movements.move_id | movements.reclassification_move_ids
        return round(sum(moves.line_ids.mapped("tax_base_amount")), 2)

    def test_refunds_leave_none(self):
        self.assertEqual(self.get_base(), -100)
        self.payment.action_refund(33)
        self.assertEqual(self.get_base(), -70)
        self.payment.action_refund()
        self.assertEqual(self.get_base(), 0)

    def test_reclassification_takes_the_old_one_back(self):
        self.payment.action_refund(33)
        other = self.gateway.income_account_id.copy({"name": "Courses"})
        self.get_movement(self.payment, "charge").action_reclassify(other, self.tax)
        self.assertEqual(self.get_base(), -70)
        self.payment.action_refund()
        self.assertEqual(self.get_base(), 0)

    def test_failed_refund_restores_it(self):
        refund = self.payment.action_refund(33)
        self.standin.change_refund(refund.stripe_id, "fail")
        self.deliver()
        self.assertEqual(self.get_base(), -100)
