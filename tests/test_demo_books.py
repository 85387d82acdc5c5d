"""The demo's verdict is one: wrong books are called wrong."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tools.demo_books import Accounts, Books, Item, find_problems, table

STRIPE, SALES, TAX, FEE = range(1, 5)


def item(entry: str, account_id: int, debit: str, credit: str) -> Item:
    return Item(
        date="2026-01-02",
        entry=entry,
        account_id=account_id,
        account=f"Account {account_id}",
        debit=Decimal(debit),
        credit=Decimal(credit),
        label="Label",
    )


ITEMS = [
    item("STRP/1", STRIPE, "110.00", "0"),
    item("STRP/1", SALES, "0", "100.00"),
    item("STRP/1", TAX, "0", "10.00"),
    item("STRP/2", FEE, "3.49", "0"),
    item("STRP/2", STRIPE, "0", "3.49"),
]
AGAIN = [replace(line, entry="STRP/3") for line in ITEMS[:3]]
RIGHT = Books(
    accounts=Accounts(stripe=STRIPE, sales=SALES, tax=TAX, fee=FEE),
    items=ITEMS,
    movement_states=["posted", "posted"],
    journal_balance=Decimal("106.51"),
    stripe_balance=Decimal("106.51"),
)


def test_right_books_are_called_right():
    assert find_problems(RIGHT) == []


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        (ITEMS[:3], "An entry is missing"),
        ([*ITEMS, *AGAIN], "An entry is not expected"),
        ([*ITEMS, item("STRP/3", STRIPE, "1", "0")], "An entry is not expected"),
        ([replace(ITEMS[0], debit=Decimal(100)), *ITEMS[1:]], "An entry is missing"),
        ([*ITEMS[:2], replace(ITEMS[2], account_id=SALES), *ITEMS[3:]], "is missing"),
        ([replace(line, entry="STRP/1") for line in ITEMS], "An entry is missing"),
        ([], "An entry is missing"),
    ],
    ids="no_fee charge_twice odd amount tax_account one_entry empty".split(),
)
def test_wrong_entries_are_named(items, reason):
    problems = find_problems(replace(RIGHT, items=items))
    assert any(reason in problem for problem in problems)


def test_movement_that_was_not_posted_is_named():
    books = replace(RIGHT, movement_states=["posted", "to_review"])
    assert any("to_review" in problem for problem in find_problems(books))


def test_balance_that_differs_from_stripes_is_named():
    books = replace(RIGHT, stripe_balance=Decimal("106.50"))
    (problem,) = find_problems(books)
    assert "106.51" in problem and "106.50" in problem


def test_table_shows_every_item_under_its_heading():
    heading, *lines = table(ITEMS).splitlines()
    assert heading.split() == "Date Entry Account Debit Credit Label".split()
    end_of_debit = heading.index("Debit") + len("Debit")
    assert [line[:end_of_debit].split()[-1] for line in lines if "Label" in line] == [
        *("110.00", "2", "3", "3.49", "1")
    ]
