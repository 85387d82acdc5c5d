"""Companies of several countries whose ledgers the random histories are about."""

from decimal import Decimal

from odoo import Command

from .second_ledger import Tax

# What a unit of a currency is worth in US dollars, before and from TURN on.
DOLLARS = {
    "USD": ("1", "1"),
    "EUR": ("1.1", "1.2"),
    "GBP": ("1.3", "1.25"),
    "JPY": ("0.00667", "0.00625"),
}
# The chart of accounts of a merchant, with its country and currency.
CHARTS = {
    "generic_coa": ("base.us", "USD"),
    "de_skr03": ("base.de", "EUR"),
    "fr": ("base.fr", "EUR"),
    "uk": ("base.uk", "GBP"),
    "jp": ("base.jp", "JPY"),
}
# The currencies of an account's balances and of its links, by the company's.
ACCOUNTS = {
    "USD": [
        (["USD"], ["USD", "EUR"]),
        (["JPY"], ["JPY"]),
        (["EUR"], ["EUR", "USD", "JPY"]),
        (["USD", "EUR"], ["USD", "EUR", "JPY"]),
        (["USD", "JPY"], ["USD", "JPY", "EUR"]),
    ],
    "EUR": [
        (["EUR"], ["EUR"]),
        (["EUR"], ["EUR", "USD", "JPY"]),
        (["EUR", "USD"], ["EUR", "USD", "JPY"]),
        (["GBP"], ["GBP", "EUR"]),
    ],
    "GBP": [(["GBP"], ["GBP", "EUR"]), (["GBP", "EUR"], ["GBP", "EUR", "USD"])],
    "JPY": [(["JPY"], ["JPY", "USD"]), (["JPY", "USD"], ["JPY", "USD"])],
}
# Who pays: somebody of whom nothing is known, and two whose contact has a fiscal
# position that maps account and tax.
STRANGER, REDUCED, EXEMPT = (f"{name}@example.com" for name in ("kim", "rea", "exo"))
EMAILS = [STRANGER, STRANGER, REDUCED, EXEMPT]


class Merchant:
    """A company with its country's chart, and a gateway in each currency.

    :ivar gateways: By currency code.
    :ivar tax: The tax of its sales; customers may have another one.
    """

    def __init__(self, test, chart, turn):
        self.chart, self.turn = chart, turn
        country, self.code = CHARTS[chart]
        self.test = test
        self.company = self.make_company(country)
        self.env = test.env(context={"allowed_company_ids": self.company.ids})
        self.set_rates()
        self.tax = self.company.account_sale_tax_id
        if self.chart == "generic_coa":
            self.tax = self.make_tax(10, "sale")
        self.reduced = self.make_tax(5, "sale")
        self.fee_tax = self.make_tax(19, "purchase")
        self.income = self.env["account.account"].search(
            [*self.own, ("account_type", "=", "income")], limit=1
        )
        self.other_income = self.income.copy({"name": "Sales at another rate"})
        self.third_income = self.income.copy({"name": "Sales by an accountant's word"})
        self.make_product()
        self.make_customers()
        self.gateways = {code: self.make_gateway(code) for code in self.codes}

    @property
    def own(self):
        return [("company_ids", "in", self.company.ids)]

    @property
    def codes(self):
        return sorted({code for codes, _ in ACCOUNTS[self.code] for code in codes})

    # === THE COMPANY === #

    def make_company(self, country):
        """With a chart: the test's own company has the generic one."""
        test = self.test
        if self.chart == "generic_coa":
            return test.env.company
        currency = test._enable_currency(self.code)
        company = test.env["res.company"].create(
            {
                "name": f"Histories {self.chart}",
                "country_id": test.env.ref(country).id,
                "currency_id": currency.id,
            }
        )
        test.env.user.company_ids = [Command.link(company.id)]
        test.env["account.chart.template"].try_loading(
            self.chart, company=company, install_demo=False
        )
        return company

    def set_rates(self):
        """Odoo's rates say how much of a currency a unit of the company's is."""
        vals_list = []
        for code, dollars in DOLLARS.items():
            currency = self.test._enable_currency(code)
            if currency == self.company.currency_id:
                continue
            for day, step in (("2016-01-01", 0), (str(self.turn.date()), 1)):
                home = Decimal(DOLLARS[self.code][step])
                rate = float(home / Decimal(dollars[step]))
                vals_list.append(
                    {
                        "name": day,
                        "rate": rate,
                        "currency_id": currency.id,
                        "company_id": self.company.id,
                    }
                )
        self.rates = self.env["res.currency.rate"].create(vals_list)

    def get_rate(self, code, day):
        """What a unit of a currency is worth to the company on a day."""
        step = int(day >= self.turn.date())
        home, other = DOLLARS[self.code][step], DOLLARS[code.upper()][step]
        return Decimal(other) / Decimal(home)

    # === TAXES === #

    def make_tax(self, rate, use):
        """A tax that is included in prices, with four boxes of its own."""
        tags = self.env["account.account.tag"].create(
            [
                {"name": f"{self.chart} {use} {box} {rate}", "applicability": "taxes"}
                for box in ("sale base", "sale tax", "refund base", "refund tax")
            ]
        )
        account = self.env["account.account"].search(
            [*self.own, ("account_type", "=", "liability_current")], limit=1
        )
        prepare = self.test._prepare_repartition
        return self.env["account.tax"].create(
            {
                "name": f"{rate} % of histories",
                "amount": rate,
                "type_tax_use": use,
                "company_id": self.company.id,
                "price_include_override": "tax_included",
                "invoice_repartition_line_ids": prepare(tags[0], tags[1], account),
                "refund_repartition_line_ids": prepare(tags[2], tags[3], account),
            }
        )

    def get_tax(self, email):
        """The second ledger's tax of a customer."""
        taxes = {REDUCED: self.reduced, EXEMPT: None}
        tax = taxes.get(email, self.tax)
        return tax and Tax(Decimal(str(tax.amount)), self.get_boxes(tax))

    def get_boxes(self, tax):
        lists = {
            "sale": tax.invoice_repartition_line_ids,
            "refund": tax.refund_repartition_line_ids,
        }
        return {
            (direction, part): lines.filtered(
                lambda line, part=part: line.repartition_type == part
            ).tag_ids.ids
            for direction, lines in lists.items()
            for part in ("base", "tax")
        }

    def get_income_code(self, email):
        """The code of the account that a customer's sales are posted to."""
        mapped = email in (REDUCED, EXEMPT)
        return (self.other_income if mapped else self.income).code

    # === WHAT IS SOLD === #

    def make_product(self):
        """What all links sell, with a tag that is on bases and taxes of its sales."""
        self.product_tag = self.env["account.account.tag"].create(
            {"name": f"Product of {self.company.name}", "applicability": "products"}
        )
        self.product = self.env["product.product"].create(
            {
                "name": "Bread",
                "taxes_id": [Command.set(self.tax.ids)],
                "account_tag_ids": [Command.set(self.product_tag.ids)],
            }
        )

    # === CUSTOMERS === #

    def make_customers(self):
        """Two contacts, each with a fiscal position that maps account and tax."""
        for email, tax in ((REDUCED, self.reduced), (EXEMPT, self.env["account.tax"])):
            position = self.env["account.fiscal.position"].create(
                {
                    "name": f"Position of {email}",
                    "company_id": self.company.id,
                    "account_ids": [
                        Command.create(
                            {
                                "account_src_id": self.income.id,
                                "account_dest_id": self.other_income.id,
                            }
                        )
                    ],
                }
            )
            tax.write(  # a position without taxes removes all of them
                {
                    "fiscal_position_ids": [Command.link(position.id)],
                    "original_tax_ids": [Command.link(self.tax.id)],
                }
            )
            self.env["res.partner"].create(
                {
                    "name": email,
                    "email": email,
                    "company_id": self.company.id,
                    "property_account_position_id": position.id,
                }
            )

    # === GATEWAYS === #

    def make_gateway(self, code):
        """One that settles in a currency, with a journal of its own."""
        currency = self.test._enable_currency(code)
        is_cross_currency = currency != self.company.currency_id
        journal = self.env["account.journal"].create(
            {
                "name": f"Stripe {code}",
                "type": "bank",
                "code": f"S{code}",
                "company_id": self.company.id,
                "currency_id": is_cross_currency and currency.id,
            }
        )
        return self.test.create_gateway(
            company=self.company,
            journal_id=journal.id,
            income_account_id=self.income.id,
            tax_ids=[Command.set(self.tax.ids)],
        )
