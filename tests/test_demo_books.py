"""The demo's verdict is one: wrong books are called wrong."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tools import demo_agreement, demo_payout
from tools.demo_agreement import Agreement
from tools.demo_books import (
    WHOLE_STORY,
    Accounts,
    Books,
    Item,
    Movement,
    find_problems,
)
from tools.demo_payout import Part, Payout
from tools.demo_table import table

STRIPE, SALES, TAX, FEE, TRANSFER = range(1, 6)


def item(number: int, account_id: int, debit: str, credit: str) -> Item:
    return Item(
        date="2026-01-02",
        entry=f"STRP/{number}",
        account_id=account_id,
        account=f"Account {account_id}",
        debit=Decimal(debit),
        credit=Decimal(credit),
        label=f"Label {number}",
    )


def movement(number: int, kind: str, amount: str) -> Movement:
    return Movement(kind, Decimal(amount), "posted", f"STRP/{number}")


ITEMS = [
    item(1, STRIPE, "110.00", "0"),
    item(1, SALES, "0", "100.00"),
    item(1, TAX, "0", "10.00"),
    item(2, STRIPE, "0", "3.49"),
    item(2, FEE, "3.49", "0"),
    item(3, STRIPE, "0", "33.00"),
    item(3, SALES, "30.00", "0"),
    item(3, TAX, "3.00", "0"),
    item(4, STRIPE, "0", "73.51"),
    item(4, TRANSFER, "73.51", "0"),
    item(5, STRIPE, "25.00", "0"),
    item(5, SALES, "0", "22.73"),
    item(5, TAX, "0", "2.27"),
    item(6, STRIPE, "0", "1.03"),
    item(6, FEE, "1.03", "0"),
]
MOVEMENTS = [
    movement(1, "charge", "110.00"),
    movement(2, "fee", "-3.49"),
    movement(3, "refund", "-33.00"),
    movement(4, "payout", "-73.51"),
    movement(5, "charge", "25.00"),
    movement(6, "fee", "-1.03"),
]
RIGHT = Books(
    accounts=Accounts(stripe=STRIPE, sales=SALES, tax=TAX, fee=FEE, transfer=TRANSFER),
    items=ITEMS,
    movements=MOVEMENTS,
    journal_balance=Decimal("23.97"),
    stripe_balance=Decimal("23.97"),
)
PARTS = [
    Part("charge", Decimal("110.00"), "ch_1"),
    Part("fee", Decimal("-3.49"), "ch_1"),
    Part("refund", Decimal("-33.00"), "re_1"),
]
PAYOUT = Payout("po_1", "paid", Decimal("73.51"), Decimal("73.51"), PARTS)
AGREEMENT = Agreement("green", Decimal("23.97"), Decimal("23.97"))


def changed(position: int, **values) -> list[Item]:
    """The right items with one that is different."""
    return [
        replace(line, **values) if number == position else line
        for number, line in enumerate(ITEMS)
    ]


def without(number: int) -> list[Item]:
    """The right items without one entry."""
    return [line for line in ITEMS if line.entry != f"STRP/{number}"]


def again(number: int) -> list[Item]:
    """The right items with one entry that is there twice."""
    entry = [line for line in ITEMS if line.entry == f"STRP/{number}"]
    return [*ITEMS, *(replace(line, entry="STRP/7") for line in entry)]


def one_of(problems: list[str], *words: str) -> bool:
    """Whether one of the problems says all of these words."""
    return any(all(word in problem for word in words) for problem in problems)


# -- entries --------------------------------------------------------------------------


def test_right_books_are_called_right():
    assert find_problems(RIGHT, WHOLE_STORY) == []


def test_one_payment_alone_is_judged_alone():
    books = replace(
        RIGHT,
        items=ITEMS[:5],
        movements=MOVEMENTS[:2],
        journal_balance=Decimal("106.51"),
        stripe_balance=Decimal("106.51"),
    )
    assert find_problems(books) == []
    assert one_of(find_problems(books, WHOLE_STORY), "missing", "refund")


@pytest.mark.parametrize("number", range(1, 7))
def test_missing_entry_is_named(number):
    problems = find_problems(replace(RIGHT, items=without(number)), WHOLE_STORY)
    assert one_of(problems, "An entry is missing", MOVEMENTS[number - 1].kind)


@pytest.mark.parametrize("number", range(1, 7))
def test_entry_that_is_there_twice_is_named(number):
    problems = find_problems(replace(RIGHT, items=again(number)), WHOLE_STORY)
    assert one_of(problems, "not expected", "STRP/7 without a movement")


@pytest.mark.parametrize("position", range(len(ITEMS)))
def test_cent_too_much_is_named_in_every_item(position):
    debit = ITEMS[position].debit + Decimal("0.01")
    books = replace(RIGHT, items=changed(position, debit=debit))
    problems = find_problems(books, WHOLE_STORY)
    assert one_of(problems, "An entry is missing")
    assert one_of(problems, "An entry is not expected")


@pytest.mark.parametrize("position", range(len(ITEMS)))
def test_wrong_account_is_named_in_every_item(position):
    books = replace(RIGHT, items=changed(position, account_id=9, account="Other"))
    problems = find_problems(books, WHOLE_STORY)
    assert one_of(problems, "An entry is not expected", "Other")


def test_refund_that_leaves_the_tax_alone_is_named():
    items = [*changed(6, debit=Decimal("33.00"))[:7], *ITEMS[8:]]
    problems = find_problems(replace(RIGHT, items=items), WHOLE_STORY)
    assert one_of(problems, "An entry is not expected", "refund", "sales 33.00")


def test_entries_that_are_one_are_named():
    items = [replace(line, entry="STRP/1") for line in ITEMS]
    problems = find_problems(replace(RIGHT, items=items), WHOLE_STORY)
    assert one_of(problems, "An entry is missing")


def test_empty_books_are_named():
    books = replace(RIGHT, items=[], movements=[])
    problems = find_problems(books, WHOLE_STORY)
    assert one_of(problems, "An entry is missing")
    assert one_of(problems, "A movement is missing")


# -- movements and balances -----------------------------------------------------------


@pytest.mark.parametrize("state", ["to_post", "to_review", "skipped"])
def test_movement_that_was_not_posted_is_named(state):
    movements = [replace(MOVEMENTS[0], state=state), *MOVEMENTS[1:]]
    problems = find_problems(replace(RIGHT, movements=movements), WHOLE_STORY)
    assert one_of(problems, "not expected", f"charge of 110.00, {state}")


def test_missing_movement_is_named():
    problems = find_problems(replace(RIGHT, movements=MOVEMENTS[:-1]), WHOLE_STORY)
    assert one_of(problems, "A movement is missing", "fee of -1.03")


def test_movement_that_is_there_twice_is_named():
    movements = [*MOVEMENTS, replace(MOVEMENTS[2], entry="")]
    problems = find_problems(replace(RIGHT, movements=movements), WHOLE_STORY)
    assert one_of(problems, "A movement is not expected", "refund of -33.00")


def test_entry_that_belongs_to_another_movement_is_named():
    movements = [replace(MOVEMENTS[0], entry="STRP/2"), *MOVEMENTS[2:]]
    movements.append(replace(MOVEMENTS[1], entry="STRP/1"))
    problems = find_problems(replace(RIGHT, movements=movements), WHOLE_STORY)
    assert one_of(problems, "An entry is not expected: fee: sales -100.00")


@pytest.mark.parametrize("balance", ["journal_balance", "stripe_balance"])
def test_balance_that_differs_is_named(balance):
    books = replace(RIGHT, **{balance: Decimal("23.96")})
    (problem,) = find_problems(books, WHOLE_STORY)
    assert "23.97" in problem and "23.96" in problem


# -- the payout -----------------------------------------------------------------------


def test_right_payout_is_called_right():
    assert demo_payout.find_problems([PAYOUT]) == []


@pytest.mark.parametrize("payouts", [[], [PAYOUT, PAYOUT]], ids=["none", "two"])
def test_other_number_of_payouts_than_one_is_named(payouts):
    assert demo_payout.find_problems(payouts)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state": "pending"}, "it is pending"),
        ({"amount": Decimal("73.50")}, "with 73.50"),
        ({"listed": Decimal("73.50")}, "Odoo lists 73.50"),
        ({"parts": PARTS[:2]}, "add up to 106.51"),
        ({"parts": []}, "made of nothing"),
        ({"parts": [*PARTS, PARTS[1]]}, "fee -3.49, fee -3.49"),
        ({"parts": [PARTS[0], PARTS[1], replace(PARTS[2], kind="dispute")]}, "dispute"),
    ],
    ids="state amount listed no_refund empty fee_twice kind".split(),
)
def test_wrong_payout_is_named(values, reason):
    problems = demo_payout.find_problems([replace(PAYOUT, **values)])
    assert one_of(problems, reason)


def test_statement_of_the_payout_ends_with_the_sum():
    heading, *_, last = demo_payout.statement(PAYOUT).splitlines()
    assert "po_1" in heading and "73.51" in heading
    assert last.split() == ["Sum", "73.51"]


# -- the agreement check --------------------------------------------------------------


def test_right_agreement_is_called_right():
    assert demo_agreement.find_problems(AGREEMENT, RIGHT) == []


@pytest.mark.parametrize("state", ["amber", "red", "grey"])
def test_agreement_that_is_not_green_is_named(state):
    agreement = replace(AGREEMENT, state=state)
    (problem,) = demo_agreement.find_problems(agreement, RIGHT)
    assert state in problem


@pytest.mark.parametrize("balance", ["stripe_balance", "journal_balance"])
def test_agreement_about_another_balance_is_named(balance):
    agreement = replace(AGREEMENT, **{balance: Decimal("23.98")})
    (problem,) = demo_agreement.find_problems(agreement, RIGHT)
    assert "23.98" in problem


def test_summary_says_both_balances():
    line = "agreement: green, Stripe 23.97 = journal 23.97"
    assert demo_agreement.summary(AGREEMENT) == line


# -- the table ------------------------------------------------------------------------


def test_table_names_every_entry_once():
    lines = table(ITEMS).splitlines()
    for number in range(1, 7):
        assert lines.count(f"2026-01-02  STRP/{number}  Label {number}") == 1


def test_table_shows_every_amount_under_its_heading():
    heading, *lines = table(ITEMS).splitlines()
    for name in ("debit", "credit"):
        end = heading.index(name.capitalize()) + len(name)
        shown = [_amount_that_ends_at(end, line) for line in lines if "Account" in line]
        assert shown == [f"{getattr(line, name) or ''}" for line in ITEMS]


def _amount_that_ends_at(end: int, line: str) -> str:
    return line[end - len("1234567.89") : end].strip()
