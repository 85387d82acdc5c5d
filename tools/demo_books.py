"""The demo's verdict: the journal entries of a payment, and whether they are right."""

import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from tools.console import Problem
from tools.demo_shop import Shop
from tools.rpc import Client

PATIENCE = 60  # seconds until the webhook's entries must be there
_FIELDS = ["date", "move_name", "account_id", "debit", "credit", "name"]
_FINISHED = ("posted", "to_review", "skipped")


@dataclass(frozen=True)
class Item:
    """One journal item; money in company currency."""

    date: str
    entry: str
    account_id: int
    account: str
    debit: Decimal
    credit: Decimal
    label: str


@dataclass(frozen=True)
class Accounts:
    """Ids of the accounts that a charge and its fee are booked on."""

    stripe: int
    sales: int
    tax: int
    fee: int


@dataclass(frozen=True)
class Books:
    """The books after one payment, and what Stripe says.

    :param movement_states: States of the payment's movements.
    :param journal_balance: Of the Stripe journal, as its dashboard card shows it.
    :param stripe_balance: Sum of Stripe's balance transactions.
    """

    accounts: Accounts
    items: list[Item]
    movement_states: list[str]
    journal_balance: Decimal
    stripe_balance: Decimal


def wait_for_entries(odoo: Client, link_id: int) -> None:
    """Wait until a link's one payment is booked, fee included.

    :raise Problem: if that takes too long, with what the movements say.
    """
    deadline = time.monotonic() + PATIENCE
    while not _is_booked(movements := _movements(odoo, link_id)):
        if time.monotonic() > deadline:
            raise Problem(
                f"After {PATIENCE} s the payment is not booked. Its movements:"
                f" {movements or 'none, so no webhook was processed'}."
            )
        time.sleep(0.2)


def _movements(odoo: Client, link_id: int) -> list[dict]:
    domain = [("payment_id.link_id", "=", link_id)]
    return odoo.rows("checkout.movement", domain, ["kind", "state", "error"])


def _is_booked(movements: list[dict]) -> bool:
    kinds = {row["kind"] for row in movements}
    finished = all(row["state"] in _FINISHED for row in movements)
    return finished and {"charge", "fee"} <= kinds


def read_books(odoo: Client, shop: Shop, stripe_balance: dict[str, int]) -> Books:
    """The books as they are now.

    :param stripe_balance: By currency code, in minor units.
    """
    journal_id = odoo.read("checkout.gateway", shop.gateway_id, "journal_id")
    rows = odoo.rows(
        "account.move.line",
        [("journal_id", "=", journal_id), ("parent_state", "=", "posted")],
        _FIELDS,
        order="date, move_name, id",
    )
    balance = odoo.read("account.journal", journal_id, "current_statement_balance")
    movements = _movements(odoo, shop.links[0].id)
    return Books(
        _accounts(odoo, shop, journal_id),
        [_item(row) for row in rows],
        [row["state"] for row in movements],
        _money(balance),
        Decimal(stripe_balance.get("usd", 0)) / 100,
    )


def _accounts(odoo: Client, shop: Shop, journal_id: int) -> Accounts:
    gateway_id = shop.gateway_id
    return Accounts(
        stripe=odoo.read("account.journal", journal_id, "default_account_id"),
        sales=odoo.read("checkout.gateway", gateway_id, "income_account_id"),
        tax=shop.tax_account_id,
        fee=odoo.read("checkout.gateway", gateway_id, "fee_account_id"),
    )


def _item(row: dict) -> Item:
    account_id, account = row["account_id"]
    return Item(
        date=row["date"],
        entry=row["move_name"],
        account_id=account_id,
        account=account,
        debit=_money(row["debit"]),
        credit=_money(row["credit"]),
        label=row["name"] or "",
    )


def _money(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")


def find_problems(books: Books) -> list[str]:
    """What is wrong with the books of one payment of 110.00 with 10 % tax included."""
    return [*_entry_problems(books), *_state_problems(books), *_balance_problems(books)]


def _entry_problems(books: Books) -> list[str]:
    found, expected = _entries(books.items), _expected(books.accounts)
    return [
        *(f"An entry is missing: {_describe(e)}" for e in expected - found),
        *(f"An entry is not expected: {_describe(e)}" for e in found - expected),
    ]


def _entries(items: list[Item]) -> Counter:
    """How often there is an entry of just these items."""
    by_entry: dict[str, list] = {}
    for item in items:
        line = (item.account_id, item.debit, item.credit)
        by_entry.setdefault(item.entry, []).append(line)
    return Counter(tuple(sorted(lines)) for lines in by_entry.values())


def _expected(accounts: Accounts) -> Counter:
    charge = [
        (accounts.stripe, Decimal(110), Decimal(0)),
        (accounts.sales, Decimal(0), Decimal(100)),
        (accounts.tax, Decimal(0), Decimal(10)),
    ]
    fee = [
        (accounts.fee, Decimal("3.49"), Decimal(0)),
        (accounts.stripe, Decimal(0), Decimal("3.49")),
    ]
    return Counter(tuple(sorted(lines)) for lines in (charge, fee))


def _describe(entry: tuple) -> str:
    return ", ".join(
        f"account {account_id} debit {debit} credit {credit}"
        for account_id, debit, credit in entry
    )


def _state_problems(books: Books) -> list[str]:
    states = Counter(books.movement_states)
    if states == {"posted": 2}:
        return []
    return [f"Two movements should be posted, but they are: {dict(states)}"]


def _balance_problems(books: Books) -> list[str]:
    if books.journal_balance == books.stripe_balance:
        return []
    return [
        f"The Stripe journal says {books.journal_balance}, Stripe says"
        f" {books.stripe_balance}"
    ]


def summary(books: Books) -> str:
    """That the journal and Stripe agree, in one sentence."""
    return (
        f"The entries are posted and right. Stripe journal {books.journal_balance}"
        f" = balance at Stripe {books.stripe_balance}"
    )


def table(items: list[Item]) -> str:
    """The journal items as a table, with a line between entries."""
    rows = [("Date", "Entry", "Account", "Debit", "Credit", "Label")]
    rows += [_row(item) for item in items]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    rule = "-" * max(map(len, lines))
    body = []
    for number, item in enumerate(items):
        is_new_entry = number == 0 or item.entry != items[number - 1].entry
        body += [rule, lines[number + 1]] if is_new_entry else [lines[number + 1]]
    return "\n".join([lines[0], *body, rule])


def _row(item: Item) -> tuple[str, ...]:
    return (
        item.date,
        item.entry,
        item.account,
        _shown(item.debit),
        _shown(item.credit),
        item.label,
    )


def _shown(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount else ""


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    date, entry, account, debit, credit, label = (
        cell.rjust(width) if column in (3, 4) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"{date}  {entry}  {account}  {debit}  {credit}  {label}".rstrip()
