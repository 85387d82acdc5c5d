"""The demo's agreement check: both balances, as the gateway shows them."""

from dataclasses import dataclass
from decimal import Decimal

from tools.demo_books import Books, money
from tools.demo_shop import Shop
from tools.rpc import Client


@dataclass(frozen=True)
class Agreement:
    """What the gateway says after a check.

    :param stripe_balance: The balance at Stripe.
    :param journal_balance: The balance of the Stripe journal.
    """

    state: str
    stripe_balance: Decimal
    journal_balance: Decimal


def check(odoo: Client, shop: Shop) -> Agreement:
    """Have the gateway compare its journal with Stripe, and read the result.

    :raise OdooError: if it can't.
    """
    gateway_id = shop.gateway_id
    odoo.call("checkout.gateway", "action_check_agreement", [gateway_id])
    at_stripe = odoo.read("checkout.gateway", gateway_id, "agreement_stripe_balance")
    in_journal = odoo.read("checkout.gateway", gateway_id, "agreement_journal_balance")
    return Agreement(
        odoo.read("checkout.gateway", gateway_id, "agreement_state"),
        money(at_stripe),
        money(in_journal),
    )


def find_problems(agreement: Agreement, books: Books) -> list[str]:
    """What is wrong with a check of these books, if they are right."""
    right = Agreement("green", books.stripe_balance, books.journal_balance)
    if agreement == right:
        return []
    return [f"The gateway says “{summary(agreement)}” instead of “{summary(right)}”"]


def summary(agreement: Agreement) -> str:
    """The result in one line."""
    at_stripe, in_journal = agreement.stripe_balance, agreement.journal_balance
    sign = "=" if at_stripe == in_journal else "≠"
    return (
        f"agreement: {agreement.state}, Stripe {at_stripe:,.2f} {sign}"
        f" journal {in_journal:,.2f}"
    )
