"""Journal entries as text: each with its items below it, debits beside credits."""

from decimal import Decimal
from itertools import groupby

from tools.demo_books import Item


def table(items: list[Item]) -> str:
    """The entries of these items, which are sorted by entry."""
    width = max(len(item.account) for item in items) if items else 0
    lines = [_line("Entries", "Debit", "Credit", width)]
    for _, group in groupby(items, key=lambda item: item.entry):
        lines += _entry(list(group), width)
    return "\n".join(lines)


def _entry(items: list[Item], width: int) -> list[str]:
    first = items[0]
    rows = [(item.account, _shown(item.debit), _shown(item.credit)) for item in items]
    return [
        f"{first.date}  {first.entry}  {first.label}",
        *(_line(f"  {account}", *amounts, width) for account, *amounts in rows),
    ]


def _shown(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount else ""


def _line(words: str, debit: str, credit: str, width: int) -> str:
    return f"{words:{width + 2}}  {debit:>10}  {credit:>10}".rstrip()
