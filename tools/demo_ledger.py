"""The demo's ledger: its entries as text, and whether they match Stripe."""

import time
from collections.abc import Callable, Iterable
from itertools import groupby

from tools.console import Problem
from tools.demo_shop import Shop
from tools.rpc import Client

PATIENCE = 60  # seconds until the webhook's entries must be there
_FINISHED = ("posted", "to_review", "skipped")
_ITEM_FIELDS = ["date", "move_name", "account_id", "debit", "credit", "name"]
_ROW = "{:50} {:>10} {:>10}"


def wait_for_entries(
    odoo: Client, link_id: int, kinds: Iterable[str] = ("charge", "fee")
) -> None:
    """Wait until transactions of these kinds of a link's one payment are posted.

    :raise Problem: if that takes too long, with what the transactions say.
    """
    domain = [("payment_id.link_id", "=", link_id)]

    def look() -> list[dict]:
        return odoo.rows("checkout.movement", domain, ["kind", "state", "error"])

    def are_posted(rows: list[dict]) -> bool:
        finished = all(row["state"] in _FINISHED for row in rows)
        return finished and set(kinds) <= {row["kind"] for row in rows}

    _wait_until(f"the payment's {' and '.join(kinds)}", look, are_posted)


def wait_for_payout(odoo: Client, stripe_id: str) -> None:
    """Wait until a payout is posted, its transactions are known, and it has arrived.

    :raise Problem: if that takes too long, with what is known of it.
    """
    domain = [("stripe_id", "=", stripe_id)]

    def look() -> list[dict]:
        fields = ["state", "is_reconciled", "move_ids"]
        return odoo.rows("checkout.payout", domain, fields)

    def is_posted(rows: list[dict]) -> bool:
        return any(
            row["is_reconciled"] and row["state"] == "paid" and row["move_ids"]
            for row in rows
        )

    _wait_until(f"the payout {stripe_id}", look, is_posted)


def _wait_until(
    what: str, look: Callable[[], list[dict]], is_posted: Callable[[list[dict]], bool]
) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_posted(rows := look()):
        if time.monotonic() > deadline:
            raise Problem(
                f"After {PATIENCE} s {what} cannot be found in the ledger. What is"
                f" there: {rows or 'nothing, so no webhook was processed'}."
            )
        time.sleep(0.2)


def read_items(odoo: Client, shop: Shop) -> list[dict]:
    """The posted journal items of the Stripe journal, entry by entry."""
    journal_id = odoo.read("checkout.gateway", shop.gateway_id, "journal_id")
    domain = [("journal_id", "=", journal_id), ("parent_state", "=", "posted")]
    order = "date, move_name, id"
    return odoo.rows("account.move.line", domain, _ITEM_FIELDS, order=order)


def table(items: list[dict]) -> str:
    """The entries of these items, which are sorted by entry: debits beside credits."""
    lines = [_ROW.format("Entries", "Debit", "Credit")]
    for name, group in groupby(items, key=lambda item: item["move_name"]):
        first, *others = group
        lines.append(f"{first['date']}  {name}  {first['name']}")
        lines += [_line(item) for item in (first, *others)]
    return "\n".join(lines)


def _line(item: dict) -> str:
    debit, credit = (
        f"{item[side]:,.2f}" if item[side] else "" for side in ("debit", "credit")
    )
    return _ROW.format(f"  {item['account_id'][1]}", debit, credit).rstrip()


def find_problems(odoo: Client, shop: Shop) -> list[str]:
    """Transactions that are not posted, and a balance that does not match Stripe's."""
    domain = [("gateway_id", "=", shop.gateway_id), ("state", "!=", "posted")]
    rows = odoo.rows("checkout.movement", domain, ["kind", "state", "error"])
    return [
        *(f"Not posted: {row['kind']}, {row['state']}: {row['error']}" for row in rows),
        *_balance_problems(odoo, shop.gateway_id),
    ]


def _balance_problems(odoo: Client, gateway_id: int) -> list[str]:
    odoo.call("checkout.gateway", "action_check_agreement", [gateway_id])
    state, at_stripe, in_journal = (
        odoo.read("checkout.gateway", gateway_id, f"agreement_{field}")
        for field in ("state", "stripe_balance", "journal_balance")
    )
    if state == "green":
        return []
    return [
        f"Balance check {state}: Stripe {at_stripe:,.2f}, journal {in_journal:,.2f}"
    ]
