"""Odoo's ledger beside a second computation of them."""

from decimal import Decimal

from .history_payments import PaymentChecks
from .second_ledger import Facts, Policy, SecondLedger


class LedgerChecks(PaymentChecks):
    """Compares tax report, income and aged receivables with the second ledger."""

    def check_ledger(self):
        second = SecondLedger(self.get_facts(), self.get_policy())
        boxes = self.sum_by(second.tags, "tax_tag_ids", "balance")
        self.assert_same(second.tags, boxes, "tax report")
        self.assert_same(second.taxes, self.sum_taxes(), "taxes")
        self.assert_same(second.income, self.sum_income(), "income")
        self.assert_same(second.owed, self.sum_owed(second), "receivables")
        self.check_product()

    def check_product(self):
        """What was sold is on all of the income, and its tag on that and its taxes."""
        merchant = self.merchant
        without = self.search_lines(
            ("account_id", "in", self.get_income_accounts().ids),
            ("product_id", "!=", merchant.product.id),
        )
        self.test.assertFalse(without, "income without its product")
        tag = merchant.product_tag.id
        sold = sum((*self.sum_income().values(), *self.sum_taxes().values()), Decimal())
        tagged = self.sum_by([tag], "tax_tag_ids", "balance")
        self.assert_same({tag: sold}, tagged, "tag of the product")

    def get_income_accounts(self):
        merchant = self.merchant
        return merchant.income | merchant.other_income | merchant.third_income

    def get_facts(self):
        charges, refunds, disputes = (
            {stripe_id: row.to_dict() for stripe_id, row in rows.items()}
            for rows in (self.charges, self.refunds, self.disputes)
        )
        return Facts(charges, refunds, disputes)

    def get_policy(self):
        history, merchant = self.history, self.merchant
        return Policy(
            currency=self.company_currency.name.lower(),
            time_zone=history.tz,
            get_rate=merchant.get_rate,
            is_receivable=history.credit_to == "receivable",
            is_loss_apart=history.keeps_losses_apart,
            takes_tax_back=self.takes_tax_back,
            get_tax=merchant.get_tax,
            get_income_code=self.get_income_code,
        )

    def takes_tax_back(self, stripe_id):
        """By the gateway's setting, or because an accountant did so later."""
        by_hand = self.history.taxes_taken_back.mapped("stripe_id")
        return self.history.dispute_tax == "take_back" or stripe_id in by_hand

    def get_income_code(self, charge):
        """By the customer's fiscal position, unless an accountant has moved it."""
        by_hand = self.history.reclassified.get(charge["id"])
        email = charge["billing_details"]["email"]
        return by_hand or self.merchant.get_income_code(email)

    # === WHAT ODOO HAS === #

    def search_lines(self, *domain):
        """The posted items of the company's journals that move what links sold."""
        return self.env["account.move.line"].search(
            [
                ("company_id", "=", self.merchant.company.id),
                ("parent_state", "=", "posted"),
                *domain,
            ]
        )

    def sum_by(self, wanted, name, amount):
        totals = dict.fromkeys(wanted, Decimal())
        for line in self.search_lines((name, "in", list(wanted))):
            for record_id in line[name].ids:
                if record_id in totals:
                    totals[record_id] += decimal(line[amount])
        return totals

    def sum_taxes(self):
        taxes = self.merchant.tax | self.merchant.reduced
        totals = {}
        for line in self.search_lines(("tax_line_id", "in", taxes.ids)):
            add(totals, decimal(line.tax_line_id.amount), decimal(line.balance))
        return totals

    def sum_income(self):
        """By account; of a net loss, the customer says which sale it lessens."""
        accounts = self.get_income_accounts()
        losses = self.env["account.account"].union(
            *(gateway.dispute_loss_account_id for gateway in self.history.gateways)
        )
        totals = {}
        for line in self.search_lines(("account_id", "in", accounts.ids)):
            add(totals, line.account_id.code, decimal(line.balance))
        net_losses = ("account_id", "in", losses.ids), ("tax_ids", "!=", False)
        for line in self.search_lines(*net_losses):
            charge = self.find_charge(line.move_id)
            add(totals, self.get_income_code(charge.to_dict()), decimal(line.balance))
        return totals

    def find_charge(self, move):
        """What an entry is about, also one that was posted beside a transaction's."""
        beside = self.search_movements(("reclassification_move_ids", "in", move.ids))
        payment = (move.checkout_movement_ids | beside).payment_id
        return self.charges[payment.stripe_charge_id]

    def sum_owed(self, second):
        domain = ("account_type", "=", "asset_receivable")
        totals = {}
        for line in self.search_lines(domain, ("amount_residual_currency", "!=", 0)):
            charge = self.find_charge(line.move_id).to_dict()
            day = second.get_open_since(charge) and (line.date_maturity or line.date)
            key = line.partner_id.email, line.currency_id.name.lower(), day
            add(totals, key, decimal(line.amount_residual_currency))
        return totals

    def assert_same(self, expected, found, about):
        """Equal to the cent; what is nothing need not be there."""
        self.test.assertEqual(without_zeros(found), without_zeros(expected), about)


def add(totals, key, amount):
    """Add an amount to one of some totals."""
    totals[key] = totals.get(key, Decimal()) + amount


def decimal(amount):
    """A float of Odoo's as the amount that it stands for."""
    return Decimal(str(round(amount, 4)))


def without_zeros(totals):
    """Totals as text, to be read in a message."""
    return {key: f"{amount:.3f}" for key, amount in totals.items() if amount}
