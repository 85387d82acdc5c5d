"""The demo's verdict on its ledger: which entries came, and whether they are right."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
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
class Movement:
    """One change of the Stripe balance.

    :param amount: Negative if the balance shrinks.
    :param entry: Name of its journal entry; empty if there is none.
    """

    kind: str
    amount: Decimal
    state: str
    entry: str


@dataclass(frozen=True)
class Accounts:
    """Ids of the accounts that the demo's movements are booked on."""

    stripe: int
    sales: int
    tax: int
    fee: int
    transfer: int


@dataclass(frozen=True)
class Books:
    """The books of the shop's gateway, and what Stripe says.

    :param journal_balance: Of the Stripe journal, as its dashboard card shows it.
    :param stripe_balance: Sum of Stripe's balance transactions.
    """

    accounts: Accounts
    items: list[Item]
    movements: list[Movement]
    journal_balance: Decimal
    stripe_balance: Decimal


@dataclass(frozen=True)
class Booking:
    """A kind of movement, and what its entry does.

    :param lines: Accounts, as ``Accounts`` names them, with debits above zero and
        credits below it; sorted.
    """

    kind: str
    lines: tuple[tuple[str, Decimal], ...]

    def __str__(self) -> str:
        lines = ", ".join(f"{account} {amount:.2f}" for account, amount in self.lines)
        return f"{self.kind}: {lines}"


def _booking(kind: str, **lines: str) -> Booking:
    amounts = {account: Decimal(amount) for account, amount in lines.items()}
    return Booking(kind, tuple(sorted(amounts.items())))


# 110.00 with 10 % tax included, and Stripe's 2.9 % + 0.30.
ONE_PAYMENT = (
    _booking("charge", stripe="110.00", sales="-100.00", tax="-10.00"),
    _booking("fee", fee="3.49", stripe="-3.49"),
)
# Then 33.00 go back, what is left is paid out, and somebody gives 25.00.
WHOLE_STORY = (
    *ONE_PAYMENT,
    _booking("refund", sales="30.00", tax="3.00", stripe="-33.00"),
    _booking("payout", transfer="73.51", stripe="-73.51"),
    _booking("charge", stripe="25.00", sales="-22.73", tax="-2.27"),
    _booking("fee", fee="1.03", stripe="-1.03"),
)


# -- reading --------------------------------------------------------------------------


def wait_for_entries(
    odoo: Client, link_id: int, kinds: Iterable[str] = ("charge", "fee")
) -> None:
    """Wait until movements of these kinds of a link's one payment are booked.

    :raise Problem: if that takes too long, with what the movements say.
    """
    domain = [("payment_id.link_id", "=", link_id)]

    def look() -> list[dict]:
        return odoo.rows("checkout.movement", domain, ["kind", "state", "error"])

    wait_until(f"the payment's {' and '.join(kinds)}", look, _are_posted(set(kinds)))


def wait_until(
    what: str, look: Callable[[], list[dict]], is_booked: Callable[[list[dict]], bool]
) -> None:
    """Look again and again until something is in the books.

    :param what: Its name, for the failure.
    :raise Problem: if that takes too long, with the rows that were seen last.
    """
    deadline = time.monotonic() + PATIENCE
    while not is_booked(rows := look()):
        if time.monotonic() > deadline:
            raise Problem(
                f"After {PATIENCE} s {what} cannot be found in the books. What is"
                f" there: {rows or 'nothing, so no webhook was processed'}."
            )
        time.sleep(0.2)


def _are_posted(kinds: set[str]) -> Callable[[list[dict]], bool]:
    def are_posted(movements: list[dict]) -> bool:
        finished = all(row["state"] in _FINISHED for row in movements)
        return finished and kinds <= {row["kind"] for row in movements}

    return are_posted


def read_books(odoo: Client, shop: Shop, stripe_balance: dict[str, int]) -> Books:
    """The books as they are now.

    :param stripe_balance: By currency code, in minor units.
    """
    journal_id = odoo.read("checkout.gateway", shop.gateway_id, "journal_id")
    balance = odoo.read("account.journal", journal_id, "current_statement_balance")
    return Books(
        _read_accounts(odoo, shop, journal_id),
        _read_items(odoo, journal_id),
        _read_movements(odoo, shop),
        money(balance),
        Decimal(stripe_balance.get("usd", 0)) / 100,
    )


def _read_accounts(odoo: Client, shop: Shop, journal_id: int) -> Accounts:
    gateway_id = shop.gateway_id
    return Accounts(
        stripe=odoo.read("account.journal", journal_id, "default_account_id"),
        sales=odoo.read("checkout.gateway", gateway_id, "income_account_id"),
        tax=shop.tax_account_id,
        fee=odoo.read("checkout.gateway", gateway_id, "fee_account_id"),
        transfer=odoo.read("checkout.gateway", gateway_id, "transfer_account_id"),
    )


def _read_items(odoo: Client, journal_id: int) -> list[Item]:
    rows = odoo.rows(
        "account.move.line",
        [("journal_id", "=", journal_id), ("parent_state", "=", "posted")],
        _FIELDS,
        order="date, move_name, id",
    )
    return [_item(row) for row in rows]


def _item(row: dict) -> Item:
    account_id, account = row["account_id"]
    return Item(
        date=row["date"],
        entry=row["move_name"],
        account_id=account_id,
        account=account,
        debit=money(row["debit"]),
        credit=money(row["credit"]),
        label=row["name"] or "",
    )


def _read_movements(odoo: Client, shop: Shop) -> list[Movement]:
    domain = [("gateway_id", "=", shop.gateway_id)]
    fields = ["kind", "amount", "state", "move_id"]
    rows = odoo.rows("checkout.movement", domain, fields, order="id")
    entry_ids = [row["move_id"][0] for row in rows if row["move_id"]]
    entries = odoo.rows("account.move", [("id", "in", entry_ids)], ["name"])
    names = {entry["id"]: entry["name"] for entry in entries}
    return [
        Movement(
            kind=row["kind"],
            amount=money(row["amount"]),
            state=row["state"],
            entry=names[row["move_id"][0]] if row["move_id"] else "",
        )
        for row in rows
    ]


def money(amount: float) -> Decimal:
    """An amount that came as a number with decimals, to the cent."""
    return Decimal(f"{amount:.2f}")


# -- judging --------------------------------------------------------------------------


def find_problems(books: Books, expected: Iterable[Booking] = ONE_PAYMENT) -> list[str]:
    """What is wrong with the books, if just these things happened."""
    expected = list(expected)
    return [
        *_entry_problems(books, expected),
        *_movement_problems(books, expected),
        *_balance_problems(books),
    ]


def _entry_problems(books: Books, expected: list[Booking]) -> list[str]:
    found = Counter(_bookings(books))
    missing, strange = Counter(expected) - found, found - Counter(expected)
    return [
        *(f"An entry is missing: {booking}" for booking in missing.elements()),
        *(f"An entry is not expected: {booking}" for booking in strange.elements()),
    ]


def _bookings(books: Books) -> list[Booking]:
    """What was booked, entry by entry."""
    names = {account_id: name for name, account_id in asdict(books.accounts).items()}
    kinds = {movement.entry: movement.kind for movement in books.movements}
    lines: dict[str, list] = {}
    for item in books.items:
        account = names.get(item.account_id, item.account)
        lines.setdefault(item.entry, []).append((account, item.debit - item.credit))
    return [
        Booking(kinds.get(entry, f"{entry} without a movement"), tuple(sorted(found)))
        for entry, found in lines.items()
    ]


def _movement_problems(books: Books, expected: list[Booking]) -> list[str]:
    found = Counter((row.kind, row.amount, row.state) for row in books.movements)
    right = Counter((row.kind, dict(row.lines)["stripe"], "posted") for row in expected)
    missing, strange = right - found, found - right
    return [
        *(f"A movement is missing: {_describe(*row)}" for row in missing.elements()),
        *(
            f"A movement is not expected: {_describe(*row)}"
            for row in strange.elements()
        ),
    ]


def _describe(kind: str, amount: Decimal, state: str) -> str:
    return f"{kind} of {amount:.2f}, {state}"


def _balance_problems(books: Books) -> list[str]:
    items = [item for item in books.items if item.account_id == books.accounts.stripe]
    ledger = sum((item.debit - item.credit for item in items), Decimal(0))
    if ledger == books.journal_balance == books.stripe_balance:
        return []
    return [
        f"These should be equal: the Stripe account {ledger:.2f}, the Stripe journal"
        f" {books.journal_balance:.2f}, the balance at Stripe"
        f" {books.stripe_balance:.2f}"
    ]
