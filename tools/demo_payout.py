"""The demo's payout: what it is made of, and whether that adds up to the cent."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from tools.demo_books import money, wait_until
from tools.demo_shop import Shop
from tools.rpc import Client

_AMOUNT = Decimal("73.51")
_MADE_OF = {
    ("charge", Decimal("110.00")): 1,
    ("fee", Decimal("-3.49")): 1,
    ("refund", Decimal("-33.00")): 1,
}
_FIELDS = ["stripe_id", "state", "amount", "items_amount", "is_reconciled", "trace_id"]


@dataclass(frozen=True)
class Part:
    """A movement that a payout brought to the bank; what it adds to it."""

    kind: str
    amount: Decimal
    stripe_id: str


@dataclass(frozen=True)
class Payout:
    """A payout as Odoo shows it.

    :param listed: What Odoo says that its parts add up to.
    """

    stripe_id: str
    state: str
    amount: Decimal
    listed: Decimal
    parts: list[Part]


def wait_for_payout(odoo: Client, stripe_id: str) -> None:
    """Wait until a payout is booked, itemised and has arrived.

    :raise Problem: if that takes too long, with what is known of it.
    """
    domain = [("stripe_id", "=", stripe_id)]

    def look() -> list[dict]:
        return odoo.rows("checkout.payout", domain, [*_FIELDS, "move_ids"])

    wait_until(f"the payout {stripe_id}", look, _is_posted)


def _is_posted(rows: list[dict]) -> bool:
    return any(
        row["is_reconciled"] and row["state"] == "paid" and row["move_ids"]
        for row in rows
    )


def read_payouts(odoo: Client, shop: Shop) -> list[Payout]:
    """The payouts of the shop's gateway."""
    domain = [("gateway_id", "=", shop.gateway_id)]
    rows = odoo.rows("checkout.payout", domain, _FIELDS)
    return [_payout(odoo, row) for row in rows]


def _payout(odoo: Client, row: dict) -> Payout:
    parts = odoo.rows(
        "checkout.movement",
        [("payout_id", "=", row["id"])],
        ["kind", "amount", "stripe_source_id"],
        order="occurred_at, id",
    )
    return Payout(
        stripe_id=row["stripe_id"],
        state=row["state"],
        amount=money(row["amount"]),
        listed=money(row["items_amount"]),
        parts=[
            Part(part["kind"], money(part["amount"]), part["stripe_source_id"])
            for part in parts
        ],
    )


def find_problems(payouts: list[Payout]) -> list[str]:
    """What is wrong, if the demo's story is to end with its one payout."""
    if len(payouts) != 1:
        return [f"One payout should be there, not {len(payouts)}"]
    (payout,) = payouts
    return [*_own_problems(payout), *_part_problems(payout), *_sum_problems(payout)]


def _own_problems(payout: Payout) -> list[str]:
    if (payout.state, payout.amount) == ("paid", _AMOUNT):
        return []
    return [
        f"The payout should be paid with {_AMOUNT}, but it is {payout.state} with"
        f" {payout.amount}"
    ]


def _part_problems(payout: Payout) -> list[str]:
    found = Counter((part.kind, part.amount) for part in payout.parts)
    if found == _MADE_OF:
        return []
    return [
        f"The payout should be made of {_describe(_MADE_OF)}, but it is made of"
        f" {_describe(found)}"
    ]


def _describe(parts: dict[tuple[str, Decimal], int]) -> str:
    words = [
        f"{kind} {amount}"
        for (kind, amount), times in parts.items()
        for _ in range(times)
    ]
    return ", ".join(words) or "nothing"


def _sum_problems(payout: Payout) -> list[str]:
    total = _total(payout)
    if total == payout.listed == payout.amount:
        return []
    return [
        f"The payout's parts add up to {total}, Odoo lists {payout.listed}, and the"
        f" payout is {payout.amount}"
    ]


def _total(payout: Payout) -> Decimal:
    return sum((part.amount for part in payout.parts), Decimal("0.00"))


def statement(payout: Payout) -> str:
    """The payout and what it is made of, with the sum below."""
    rows = [(_title(part.kind), part.amount, part.stripe_id) for part in payout.parts]
    rows.append(("Sum", _total(payout), ""))
    lines = [
        f"  {title:15} {amount:>9,.2f}  {stripe_id}".rstrip()
        for title, amount, stripe_id in rows
    ]
    heading = f"Payout {payout.stripe_id} of {payout.amount:,.2f}, {payout.state}:"
    return "\n".join([heading, *lines])


def _title(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
