from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import UserError

from .common import CheckoutCommon


class TestCurrency(CheckoutCommon):
    """What is paid in one currency and settles in another, or isn't the company's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.eur = cls.setup_other_currency("EUR", rates=[("2016-01-01", 1 / 1.1)])
        cls.gbp = cls.setup_other_currency("GBP", rates=[("2016-01-01", 1 / 1.25)])
        cls.jpy = cls.setup_other_currency("JPY", rates=[("2016-01-01", 150.0)])
        cls.kwd = cls.setup_other_currency("KWD", rates=[("2016-01-01", 0.3)])
        cls.income = cls.gateway.income_account_id
        cls.tax_account = cls.company_data["default_account_tax_sale"]

    @classmethod
    def create_gateway_in(cls, currency):
        """A gateway whose balance at Stripe is in another currency than the ledger."""
        journal = cls.env["account.journal"].create(
            {
                "name": f"Stripe {currency.name}",
                "type": "bank",
                "code": f"ST{currency.name[:2]}",
                "currency_id": currency.id,
            }
        )
        return cls.create_gateway(journal_id=journal.id)

    def pay_in(self, currency, amount, gateway=None):
        gateway = gateway or self.gateway
        link = self.create_link(amount, currency_id=currency.id, gateway_id=gateway.id)
        payment = self.pay(link)
        self.standin.release()
        self.receive(self.take_events(), gateway)
        return payment

    def test_events_are_processed_by_the_gateway_that_made_the_payment(self):
        euros = self.create_gateway_in(self.eur)
        (self.gateway | euros).sudo().stripe_account_id = "acct_of_both"
        payment = self.pay(self.create_link(110))
        self.standin.release()
        events = self.take_events()
        for _delivery in range(2):
            for gateway in (euros, self.gateway, euros):
                self.receive(events, gateway)
        self.assertEqual(payment.state, "paid")
        self.assertEqual(len(payment.movement_ids), 2)
        done = self.env["checkout.event"].search([("state", "=", "done")])
        self.assertEqual(done.gateway_id, self.gateway)
        waiting = [("state", "=", "pending")]
        self.assertFalse(self.env["checkout.event"].search(waiting))

    def test_charge_is_worth_what_stripe_settled(self):
        self.standin.settings(rates={"eur": "1.0823"})
        payment = self.pay_in(self.eur, 110)
        charge = self.get_movement(payment, "charge")
        self.assert_entry(
            charge,
            [
                (self.gateway.journal_id.default_account_id, 119.05, 0),
                (self.income, 0, 108.23),
                (self.tax_account, 0, 10.82),
            ],
        )
        items = charge.move_id.line_ids - charge.move_id.line_ids.filtered("debit")
        self.assertEqual(items.currency_id, self.eur)
        self.assertEqual(sorted(items.mapped("amount_currency")), [-100, -10])
        self.assert_agrees()

    def test_foreign_charge_waits_for_its_balance_transaction(self):
        self.standin.settings(balance_transactions="held")
        payment = self.pay(self.create_link(110, currency_id=self.eur.id))
        self.receive(self.take_events())
        self.assertEqual(payment.movement_ids.state, "to_post")
        self.assertIn("Waiting for Stripe", payment.movement_ids.error)
        self.deliver()
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})

    def test_balance_in_another_currency_than_the_ledger(self):
        self.standin.settings(currencies=["eur"])
        gateway = self.create_gateway_in(self.eur)
        payment = self.pay_in(self.eur, 110, gateway)
        self.assert_entry(
            self.get_movement(payment, "charge"),
            [
                (gateway.journal_id.default_account_id, 121, 0),
                (self.income, 0, 110),
                (self.tax_account, 0, 11),
            ],
        )
        self.assert_agrees(gateway)

    def test_three_currencies_in_one_charge(self):
        self.standin.settings(currencies=["gbp"], rates={"eur": "1.10", "gbp": "1.25"})
        gateway = self.create_gateway_in(self.gbp)
        payment = self.pay_in(self.eur, 110, gateway)
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.currency_id, self.gbp)
        self.assertEqual(charge.amount, 96.8)
        self.assert_entry(
            charge,
            [
                (gateway.journal_id.default_account_id, 121, 0),
                (self.income, 0, 110),
                (self.tax_account, 0, 11),
            ],
        )
        self.assert_agrees(gateway)

    def test_company_s_own_currency_keeps_its_price_in_a_foreign_balance(self):
        self.standin.settings(currencies=["eur"], rates={"eur": "1.25"})
        gateway = self.create_gateway_in(self.eur)
        payment = self.pay_in(self.env.company.currency_id, 110, gateway)
        liquidity = gateway.journal_id.default_account_id
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.amount, 88)
        self.assert_entry(
            charge,
            [
                (liquidity, 110, 0),
                (self.income, 0, 100),
                (self.tax_account, 0, 10),
            ],
        )
        self.standin.settings(rates={"eur": "1.30"})
        payment.action_refund(55)
        self.assert_entry(
            self.get_movement(payment, "refund"),
            [(liquidity, 0, 55), (self.income, 50, 0), (self.tax_account, 5, 0)],
        )
        self.assert_agrees(gateway)

    def test_company_s_own_currency_is_owed_at_its_price_in_a_foreign_balance(self):
        self.standin.settings(currencies=["eur"], rates={"eur": "1.25"})
        gateway = self.create_gateway_in(self.eur)
        gateway.credit_to = "receivable"
        payment = self.pay_in(self.env.company.currency_id, 110, gateway)
        self.assert_entry(
            self.get_movement(payment, "charge"),
            [
                (gateway.journal_id.default_account_id, 110, 0),
                (self.company_data["default_account_receivable"], 0, 110),
            ],
        )
        self.assert_agrees(gateway)

    def test_half_a_cent_of_a_fee_and_of_its_tax_are_one_cent_together(self):
        self.standin.settings(
            currencies=["gbp"],
            rates={"gbp": "1.25"},
            fee_rate="0",
            fee_fixed={"gbp": 74},
            fee_tax_rate="0.19",
        )
        gateway = self.create_gateway_in(self.gbp)
        gateway.fee_tax_ids = self.company_data["default_tax_purchase"]
        payment = self.pay_in(self.gbp, 110, gateway)
        fee = self.get_movement(payment, "fee")
        self.assertEqual((fee.amount, fee.tax_amount), (-0.88, 0.14))
        self.assert_entry(
            fee,
            [
                (gateway.journal_id.default_account_id, 0, 1.1),
                (gateway.fee_account_id, 0.92, 0),
                (self.company_data["default_account_tax_purchase"], 0.18, 0),
            ],
        )

    def test_stated_tax_of_a_cent_is_a_tax_in_both_currencies(self):
        self.standin.settings(currencies=["jpy"], rates={"jpy": "0.0067"})
        gateway = self.create_gateway_in(self.jpy)
        gateway.fee_tax_ids = self.company_data["default_tax_purchase"]
        self.standin.create_balance_transaction(-4, category="tax", currency="jpy")
        self.sync(gateway)
        fee = self.env["checkout.movement"].search([("gateway_id", "=", gateway.id)])
        tax = fee.move_id.line_ids.filtered("tax_line_id")
        self.assertEqual((tax.amount_currency, tax.balance), (4, 0.03))

    def test_yen_and_dinars(self):
        for currency, amount in ((self.jpy, 5000), (self.kwd, 12.34)):
            with self.subTest(currency=currency.name):
                self.standin.reset(settings={"currencies": [currency.name.lower()]})
                gateway = self.create_gateway_in(currency)
                payment = self.pay_in(currency, amount, gateway)
                self.assertEqual(self.get_movement(payment, "charge").amount, amount)
                self.assertEqual(payment.movement_ids.mapped("state"), ["posted"] * 2)
                self.assert_agrees(gateway)
                payment.action_refund()
                self.assertEqual(payment.state, "refunded")
                self.assert_agrees(gateway)

    def test_refund_at_another_rate_reverses_the_sale_at_its_own(self):
        self.standin.settings(rates={"eur": "1.10"})
        payment = self.pay_in(self.eur, 110)
        self.standin.settings(rates={"eur": "1.20"})
        payment.action_refund()
        self.assert_entry(
            self.get_movement(payment, "refund"),
            [
                (self.gateway.journal_id.default_account_id, 0, 132),
                (self.income, 110, 0),
                (self.tax_account, 11, 0),
                (self.env.company.expense_currency_exchange_account_id, 11, 0),
            ],
        )
        self.assert_agrees()

    def test_refund_failure_at_the_refunds_rate_leaves_nothing(self):
        self.standin.settings(rates={"eur": "1.10"})
        payment = self.pay_in(self.eur, 110)
        self.standin.settings(rates={"eur": "1.20"})
        refund = self.standin.refund(payment.stripe_charge_id, 3300)
        self.deliver()
        self.standin.change_refund(refund["id"], "fail")
        self.deliver()
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        exchange = self.env.company.expense_currency_exchange_account_id
        exchange |= self.env.company.income_currency_exchange_account_id
        lines = payment.move_ids.line_ids.filtered(
            lambda line: line.account_id in exchange
        )
        self.assertEqual(sum(lines.mapped("balance")), 0)
        self.assert_agrees()

    def test_refund_from_a_foreign_balance_at_another_day_s_rate(self):
        self.standin.settings(currencies=["eur"])
        gateway = self.create_gateway_in(self.eur)
        payment = self.pay_in(self.eur, 110, gateway)
        self.env["res.currency.rate"].create(
            {
                "currency_id": self.eur.id,
                "name": fields.Date.today(),
                "rate": 1 / 1.2,
                "company_id": self.env.company.id,
            }
        )
        payment.action_refund()
        self.assert_entry(
            self.get_movement(payment, "refund"),
            [
                (gateway.journal_id.default_account_id, 0, 132),
                (self.income, 110, 0),
                (self.tax_account, 11, 0),
                (self.env.company.expense_currency_exchange_account_id, 11, 0),
            ],
        )
        self.assert_agrees(gateway)

    def bill_euros(self, partner):
        return self.init_invoice(
            "out_invoice",
            partner=partner,
            amounts=[110],
            currency=self.eur,
            post=True,
            taxes=self.env["account.tax"],
        )

    def test_receivable_in_euros_meets_an_invoice_at_another_rate(self):
        self.gateway.credit_to = "receivable"
        self.standin.settings(rates={"eur": "1.0823"})
        payment = self.pay_in(self.eur, 110)
        invoice = self.bill_euros(payment.partner_id)
        account = self.company_data["default_account_receivable"]
        lines = (invoice | payment.move_ids).line_ids.filtered(
            lambda line: line.account_id == account
        )
        lines.reconcile()
        self.assertEqual(invoice.payment_state, "paid")
        self.assertTrue(all(lines.mapped("reconciled")))

    def test_receivable_in_dollars_meets_a_later_invoice_in_euros(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay(self.create_link(121))
        self.deliver()
        invoice = self.bill_euros(payment.partner_id)
        (credit,) = self.get_movement(payment, "charge").move_id.line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        invoice.js_assign_outstanding_line(credit.id)  # as the invoice's *Add* does
        self.assertEqual(invoice.payment_state, "paid")
        self.assertTrue(credit.reconciled)
        self.assertEqual(credit.balance, -121)
        self.assert_agrees()

    def test_yen_and_dinars_on_a_balance_in_dollars(self):
        self.standin.settings(rates={"jpy": "0.0067", "kwd": "3.2519"})
        cases = ((self.jpy, 5000, 33.5), (self.kwd, 12.34, 40.13))
        for currency, amount, settled in cases:
            with self.subTest(currency=currency.name):
                payment = self.pay_in(currency, amount)
                charge = self.get_movement(payment, "charge")
                self.assertEqual(charge.amount, settled)
                self.assertEqual(charge.source_amount, amount)
                sale = charge.move_id.line_ids.filtered("credit")
                self.assertEqual(sale.currency_id, currency)
                self.assertAlmostEqual(sum(sale.mapped("amount_currency")), -amount)
                self.assertAlmostEqual(sum(sale.mapped("balance")), -settled)
                payment.action_refund()
                self.assertEqual(payment.state, "refunded")
                self.assert_agrees()

    def test_a_course_in_rupiah_is_paid_and_posted(self):
        idr = self.setup_other_currency("IDR", rates=[("2016-01-01", 16000.0)])
        payment = self.pay_in(idr, 2_500_000)
        charge = self.get_movement(payment, "charge")
        self.assertEqual((charge.source_amount, charge.amount), (2_500_000, 152.5))
        self.assertEqual(charge.state, "posted")
        self.assert_agrees()

    def test_an_open_amount_in_rupiah_has_stripes_own_maximum(self):
        idr = self.setup_other_currency("IDR", rates=[("2016-01-01", 16000.0)])
        link = self.create_open_link(currency_id=idr.id)
        english = self.env["res.lang"]._lang_get("en_US")
        for typed, amount in (("2500000", 2_500_000), ("9999999999.99", 9999999999.99)):
            self.assertEqual(link._get_amount_to_pay(typed, english), amount)
        with self.assertRaisesRegex(UserError, "9,999,999,999.99"):
            link._get_amount_to_pay("10000000000", english)

    def test_two_gateways_of_one_account_share_the_money_by_currency(self):
        self.standin.settings(currencies=["usd", "eur"])
        self.gateway.action_test_connection()
        euros = self.create_gateway_in(self.eur)
        euros.action_test_connection()
        payment = self.pay_in(self.eur, 110)  # made with the dollar gateway
        self.process()
        self.assertEqual(payment.movement_ids.gateway_id, euros)
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assert_agrees()
        self.assert_agrees(euros)

    def test_archived_gateway_still_posts_its_currency_of_the_account(self):
        self.standin.settings(currencies=["usd", "eur"])
        self.gateway.action_test_connection()
        euros = self.create_gateway_in(self.eur)
        euros.action_test_connection()
        euros.action_archive()
        payment = self.pay_in(self.eur, 110)
        self.process()
        self.assertEqual(payment.movement_ids.gateway_id, euros)
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assert_agrees(euros)

    def test_currency_that_the_account_does_not_settle_in_is_not_posted_at_face(self):
        self.standin.settings(currencies=["eur"], balance_transactions="held")
        self.sync()
        payment = self.pay(self.create_link(110))
        self.receive(self.take_events())
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.state, "to_post")
        self.deliver()
        self.assertIn("EUR", charge.error)
        self.assertEqual(self.get_journal_balance(), 0)

    def test_settlement_in_a_currency_without_a_gateway_waits_visibly(self):
        self.standin.settings(currencies=["usd", "eur"])
        payment = self.pay_in(self.eur, 110)
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.state, "to_post")
        self.assertIn("EUR", charge.error)
        self.assertEqual(self.get_journal_balance(), 0)

    def test_gateway_added_later_posts_what_waited_for_it(self):
        self.standin.settings(currencies=["usd", "eur"])
        self.gateway.action_test_connection()
        now = self.standin.clock()["now"]
        self.standin.set_clock(now=now - 3600)
        self.gateway.sync_from = fields.Datetime.subtract(fields.Datetime.now(), days=1)
        payment = self.pay_in(self.eur, 110)
        self.assertEqual(payment.movement_ids.mapped("state"), ["to_post", "to_post"])
        self.standin.create_charge(5000, currency="eur")
        self.standin.release()
        self.standin.set_clock(now=now)
        euros = self.create_gateway_in(self.eur)
        euros.action_test_connection()
        self.sync(euros)
        self.assertEqual(payment.movement_ids.gateway_id, euros)
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        opening = self.env["checkout.movement"].search([("kind", "=", "opening")])
        self.assertEqual(opening.amount, 48.3)
        self.assert_agrees()
        self.assert_agrees(euros)
        self.assertEqual(euros.agreement_state, "green")

    def test_fee_on_what_another_gateway_has_not_read_yet_is_that_payments(self):
        self.standin.settings(currencies=["usd", "eur"])
        self.gateway.action_test_connection()
        euros = self.create_gateway_in(self.eur)
        euros.action_test_connection()
        payment = self.pay(self.create_link(110, gateway_id=euros.id))
        [event] = self.standin.events("charge.succeeded")
        dispute = self.standin.dispute(event["data"]["object"]["id"])
        self.standin.create_balance_transaction(
            -1500, source=dispute["id"], currency="usd"
        )
        for gateway in (self.gateway, euros, self.gateway):
            self.sync(gateway)
        fees = self.env["checkout.movement"].search([("kind", "=", "dispute_fee")])
        self.assertEqual(fees.mapped("amount"), [-15, -15])
        self.assertEqual(fees.payment_id, payment)
        self.assertEqual(set(fees.mapped("state")), {"posted"})
        self.assert_agrees()

    def test_gateways_of_an_untested_account_share_its_money(self):
        self.standin.settings(currencies=["usd", "eur"])
        euros = self.create_gateway_in(self.eur)
        payment = self.pay(self.create_link(110, currency_id=self.eur.id))
        self.standin.release()
        self.sync(euros)
        self.sync()
        self.sync(euros)
        self.assertEqual(payment.movement_ids.gateway_id, euros)
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assert_agrees(euros)
        self.assert_agrees()

    def test_opening_leaves_other_currencies_that_wait_alone(self):
        self.standin.settings(currencies=["usd", "eur"])
        self.pay_in(self.eur, 110)
        self.sync()
        self.assert_agrees()
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_first_charge_of_an_untested_gateway_is_not_posted_at_face(self):
        self.standin.settings(currencies=["eur"], balance_transactions="held")
        payment = self.pay(self.create_link(110))
        self.receive(self.take_events())
        self.assertEqual(self.get_movement(payment, "charge").state, "to_post")
        self.deliver()
        self.sync()
        self.assertEqual(self.get_journal_balance(), 0)

    def test_late_fee_on_what_another_gateway_has_not_read_yet_is_not_forgotten(self):
        self.standin.settings(currencies=["usd", "eur"])
        euros = self.create_gateway_in(self.eur)
        for gateway in (self.gateway, euros):
            gateway.action_test_connection()
        payment = self.pay(self.create_link(110, gateway_id=euros.id))
        self.standin.release()
        [charge] = self.standin.events("charge.succeeded")
        dispute = self.standin.dispute(charge["data"]["object"]["id"])
        self.standin.create_balance_transaction(-1500, source=dispute["id"])
        with freeze_time(fields.Datetime.now() + timedelta(hours=9)):
            self.sync()
        self.assertEqual(payment.state, "disputed")
        self.assert_agrees()

    def test_settlement_currencies_are_known_before_the_first_payment(self):
        self.standin.settings(currencies=["eur"], balance_transactions="held")
        self.gateway.action_test_connection()
        payment = self.pay(self.create_link(110))
        self.receive(self.take_events())
        self.assertEqual(self.get_movement(payment, "charge").state, "to_post")
        self.assertEqual(self.get_journal_balance(), 0)


class TestFeeTax(CheckoutCommon):
    """Tax on Stripe's fee."""

    def create_purchase_tax(self, amount, **vals):
        return self.env["account.tax"].create(
            {
                "name": f"Purchase {amount}",
                "amount": amount,
                "type_tax_use": "purchase",
                **vals,
            }
        )

    def get_fee_items(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        movement = self.get_movement(payment, "fee")
        self.assertEqual(movement.error or "", "")
        return {
            (line.account_id, bool(line.tax_line_id)): line.balance
            for line in movement.move_id.line_ids
        }

    def test_tax_that_stripe_states_goes_to_the_tax_account_to_the_cent(self):
        account = self.company_data["default_account_tax_purchase"]
        tax = self.company_data["default_tax_purchase"].copy(
            {"name": "VAT on fees", "amount": 19}
        )
        self.gateway.fee_tax_ids = tax
        self.standin.settings(fee_tax_rate="0.19")
        self.assertEqual(
            self.get_fee_items(),
            {
                (self.gateway.journal_id.default_account_id, False): -4.15,
                (self.gateway.fee_account_id, False): 3.49,
                (account, True): 0.66,
            },
        )

    def test_fee_names_the_vendor_that_the_gateway_names(self):
        vendor = self.env["res.partner"].create({"name": "Stripe Payments"})
        self.gateway.fee_partner_id = vendor
        self.gateway.fee_tax_ids = self.company_data["default_tax_purchase"]
        self.gateway.fee_tax_invoiced = True
        payment = self.pay(self.create_link(110))
        self.deliver()
        items = self.get_movement(payment, "fee").move_id.line_ids
        own = items.filtered(
            lambda i: i.account_id != self.gateway.journal_id.default_account_id
        )
        self.assertEqual(len(own), 2)  # the fee and its tax
        self.assertEqual(own.mapped("partner_id"), vendor)
        self.assertTrue(all(item.partner_id for item in own))

    def test_tax_without_a_configured_tax_is_expense(self):
        self.standin.settings(fee_tax_rate="0.19")
        items = self.get_fee_items()
        self.assertEqual(items[self.gateway.fee_account_id, False], 4.15)

    def test_reverse_charge_leaves_the_fee_as_it_is(self):
        account = self.company_data["default_account_tax_purchase"]
        shares = [
            (0, 0, {"repartition_type": "base"}),
            (0, 0, {"factor_percent": 100, "account_id": account.id}),
            (0, 0, {"factor_percent": -100, "account_id": account.id}),
        ]
        self.gateway.fee_tax_ids = self.create_purchase_tax(
            19,
            invoice_repartition_line_ids=shares,
            refund_repartition_line_ids=shares,
        )
        payment = self.pay(self.create_link(110))
        self.deliver()
        movement = self.get_movement(payment, "fee")
        self.assertEqual(movement.error or "", "")
        taxes = movement.move_id.line_ids.filtered("tax_line_id")
        self.assertEqual(sorted(taxes.mapped("balance")), [-0.66, 0.66])
        base = movement.move_id.line_ids.filtered("tax_ids")
        self.assertEqual(base.balance, 3.49)
