"""The ledger computed a second time, from what Stripe lists and the merchant chose.

It imports nothing of the addon and reads none of its records: what it says follows from
the rules of accounting alone. All amounts are decimals in major units, a debit being
positive.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

# https://docs.stripe.com/currencies#zero-decimal, of those that histories use
WITHOUT_DECIMALS = {"jpy"}
# A refund that ended like this took nothing from the merchant.
# https://docs.stripe.com/api/refunds/object#refund_object-status
UNDONE_REFUNDS = {"failed", "canceled"}
# https://docs.stripe.com/api/disputes/object#dispute_object-status
LOST_DISPUTES = {"lost", "prevented"}


@dataclass(frozen=True)
class Tax:
    """A tax that is included in what is paid.

    :param rate: In percent.
    :param tags: The tax report's boxes, by ``(direction, part)``: ``sale`` or
        ``refund``, and ``base`` or ``tax``.
    """

    rate: Decimal
    tags: dict


@dataclass(frozen=True)
class Policy:
    """What the merchant chose.

    :param currency: The company's, such as ``eur``.
    :param time_zone: Decides which day a charge is of.
    :param get_rate: What a unit of a currency is worth to the company on a day.
    :param is_receivable: Whether payments are to the customers' credit.
    :param is_loss_apart: Whether lost disputes have an account of their own.
    :param takes_tax_back: Whether the loss of a dispute, by its id, is net of its tax,
        which is taken back.
    :param get_tax: A customer's tax, by email address; None if there is none.
    :param get_income_code: The code of the account that a charge's sale is on.
    """

    currency: str
    time_zone: str
    get_rate: Callable[[str, date], Decimal]
    is_receivable: bool
    is_loss_apart: bool
    takes_tax_back: Callable[[str], bool]
    get_tax: Callable[[str], Tax | None]
    get_income_code: Callable[[dict], str]


@dataclass(frozen=True)
class Facts:
    """All that Stripe lists of an account, as plain objects by id."""

    charges: dict
    refunds: dict
    disputes: dict


class SecondLedger:
    """What the ledger must show once everything is known.

    :ivar tags: The tax report: balance by box, company currency.
    :ivar taxes: Balance of the items that are a tax, by its rate, company currency.
    :ivar income: Balance by income account, company currency, less net losses.
    :ivar owed: Open amount by customer's email address, currency and the day since
        when it is open, as an aged receivable report needs it (`get_open_since`).
    """

    def __init__(self, facts: Facts, policy: Policy):
        self.facts, self.policy = facts, policy
        self.tags, self.taxes, self.income = Counter(), Counter(), Counter()
        self.owed = Counter()
        for charge in facts.charges.values():
            if charge["paid"] and charge["payment_intent"]:
                self.add(charge)

    def add(self, charge):
        """Add one payment, less what went back of it."""
        email = charge["billing_details"]["email"]
        if self.policy.is_receivable:
            back = self.get_refunded(charge) + self.get_lost(charge)
            left = charge["amount"] - back
            code, day = charge["currency"], self.get_open_since(charge)
            self.owed[email, code, day] -= major(left, code)
        else:
            self.add_sale(charge, email)

    def add_sale(self, charge, email):
        """Income and tax of a sale; what went back has boxes of its own."""
        tax = self.policy.get_tax(email)
        value = self.get_value(charge)
        sold = self.round(value * tax.rate / (100 + tax.rate)) if tax else Decimal()
        back = self.get_back(charge, bool(tax))
        tax_back = self.part(sold, back, charge)
        base_back = self.part(value, back, charge) - tax_back
        code = self.policy.get_income_code(charge)
        self.income[code] += base_back - (value - sold)
        if tax:
            self.add_tax(tax, value - sold, sold, base_back, tax_back)

    def add_tax(self, tax, base, amount, base_back, amount_back):
        """The boxes of a tax, and the tax itself."""
        boxes = {
            ("sale", "base"): -base,
            ("sale", "tax"): -amount,
            ("refund", "base"): base_back,
            ("refund", "tax"): amount_back,
        }
        for box, balance in boxes.items():
            for tag in tax.tags[box]:
                self.tags[tag] += balance
        self.taxes[tax.rate] += amount_back - amount

    def get_open_since(self, charge):
        """The day of a customer's credit in an aged report: the charge's. None where
        money went back and returned: what returned is open since another day.
        """
        refunds = self.facts.refunds.values()
        returned = any(
            refund["status"] in UNDONE_REFUNDS
            for refund in refunds
            if refund["charge"] == charge["id"]
        ) or any(
            len(dispute["balance_transactions"]) > 1
            for dispute in self.get_disputes(charge)
        )
        return None if returned else self.get_day(charge["created"])

    # -- what went back ---------------------------------------------------------------

    def get_back(self, charge, is_taxed):
        """Minor units of a sale that are taken back: refunds, and losses that reverse
        the sale or are net of its tax. Beyond the sale there is no tax.
        """
        back = self.get_refunded(charge) + sum(
            self.get_lost_by(dispute)
            for dispute in self.get_disputes(charge)
            if not self.policy.is_loss_apart
            or (is_taxed and self.policy.takes_tax_back(dispute["id"]))
        )
        return min(back, charge["amount"])

    def get_refunded(self, charge):
        """Minor units of what was paid that customers have back."""
        return sum(
            refund["amount"]
            for refund in self.facts.refunds.values()
            if refund["charge"] == charge["id"]
            and refund["balance_transaction"]
            and refund["status"] not in UNDONE_REFUNDS
        )

    def get_lost(self, charge):
        """Minor units of what was paid that banks have taken permanently."""
        return sum(map(self.get_lost_by, self.get_disputes(charge)))

    def get_disputes(self, charge):
        disputes = self.facts.disputes.values()
        return [row for row in disputes if row["charge"] == charge["id"]]

    def get_lost_by(self, dispute):
        """What a closed dispute has taken; in another currency it is all or nothing.
        One that was won and withdrawn again isn't decided.
        """
        rows = dispute["balance_transactions"]
        if not rows or dispute["status"] not in {*LOST_DISPUTES, "won"}:
            return 0
        is_taken = rows[-1]["amount"] < 0
        if is_taken and dispute["status"] == "won":
            return 0
        if any(row["currency"] != dispute["currency"] for row in rows):
            return dispute["amount"] if is_taken else 0
        return -sum(row["amount"] for row in rows)

    # -- money ------------------------------------------------------------------------

    def get_value(self, charge):
        """What a charge is worth in company currency: its price where that is in it,
        else what Stripe settled it for, at the day's rate.
        """
        if charge["currency"] == self.policy.currency:
            return major(charge["amount"], charge["currency"])
        settled = charge["balance_transaction"]
        amount = major(settled["amount"], settled["currency"])
        if settled["currency"] == self.policy.currency:
            return amount
        day = self.get_day(charge["created"])
        return self.round(amount * self.policy.get_rate(settled["currency"], day))

    def get_day(self, moment):
        """The merchant's day of Stripe's seconds."""
        zone = ZoneInfo(self.policy.time_zone)
        return datetime.fromtimestamp(moment, timezone.utc).astimezone(zone).date()

    def part(self, amount, back, charge):
        """The share of an amount that went back of a charge, rounded in all."""
        return self.round(amount * back / charge["amount"])

    def round(self, amount):
        """To the company currency's unit, halves away from zero."""
        unit = Decimal(1).scaleb(-decimals(self.policy.currency))
        return amount.quantize(unit, ROUND_HALF_UP)


def decimals(code):
    """Of a currency's minor unit."""
    return 0 if code in WITHOUT_DECIMALS else 2


def major(minor, code):
    """Stripe's integer in major units."""
    return Decimal(minor).scaleb(-decimals(code))
