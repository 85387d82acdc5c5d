"""Posting alone, beside the least that Odoo and PostgreSQL need for the same rows."""

import io
import time
from collections.abc import Callable
from functools import partial

from benchmarks import fill
from benchmarks.kit import Bench, medians
from benchmarks.results import Section, milliseconds, ratio, verdict
from benchmarks.rows import entries
from benchmarks.specimen import Cloner

GOAL = 0.8  # of the bare create's time, with the audit trail off
_ITEM = (
    *("account_id", "currency_id", "partner_id", "tax_repartition_line_id"),
    *("name", "balance", "amount_currency", "tax_base_amount"),
)


def measure(bench: Bench) -> Section:
    """Ours, the bare create and COPY in turns; without and with the audit trail."""
    payments, rounds = (20, 1) if bench.quick else (200, 3)
    section = Section(
        "posting alone, an entry",
        ("audit trail", "ours", "bare create", "ours is", "goal", "reached", "COPY"),
        notes=(
            f"{2 * payments} entries at once: sales with tax, and fees. Bare create:"
            " `account.bank.statement.line.create` in one batch, with the same journal"
            " items and the same tracking setting (off).",
            "COPY: the same rows of the three tables, with indexes and foreign keys,"
            " without anything of Odoo's: what the database can do at best.",
        ),
    )
    with bench.database("posting") as name, bench.stripe() as stripe:
        for trail in (False, True):
            found = bench.inside(
                name, compare, stripe, payments=payments, rounds=rounds, trail=trail
            )
            share = found["ours"] / found["bare"]
            section.add(
                "on" if trail else "off",
                milliseconds(found["ours"]),
                milliseconds(found["bare"]),
                ratio(found["ours"], found["bare"]),
                "-" if trail else f"<= {GOAL}x",
                "-" if trail else verdict(share <= GOAL),
                f"{milliseconds(found['copy'])}, 1/{found['ours'] / found['copy']:.0f}",
            )
    return section


# -- inside Odoo ----------------------------------------------------------------------


def compare(env, payments: int, rounds: int, trail: bool) -> dict:
    """Seconds for each entry: medians over the rounds."""
    env.company.restrictive_audit_trail = trail
    env.cr.commit()
    lines = env["account.bank.statement.line"].with_context(tracking_disable=True)
    found = []
    for number in range(rounds + 1):
        movements = _make_waiting(env, payments if number else 2)
        ours = _time(env, movements.action_post, len(movements))
        _check(movements)
        values = [_get_values(line) for line in movements.statement_line_id]
        bare = _time(env, partial(lines.create, values), len(values))
        found.append({"ours": ours, "bare": bare, "copy": _copy(env, movements)})
    return medians(found[1:])  # in the first, Odoo loaded what it needs


def _make_waiting(env, payments: int):
    """Movements of paid payments that are not posted yet."""
    gateway = fill.get_link(env).gateway_id
    gateway.post_entries = False
    first = env["checkout.payment"].search_count([]) + 1
    fill.add_waiting(env, first, payments)
    entries.process(env)
    gateway.post_entries = True
    env.cr.commit()
    env.invalidate_all()
    movements = env["checkout.movement"].search([("state", "=", "skipped")])
    assert len(movements) == 2 * payments, len(movements)
    return movements


def _time(env, work: Callable, entries_made: int) -> float:
    """Seconds for each entry until it is committed."""
    started = time.perf_counter()
    work()
    env.cr.commit()
    env.invalidate_all()
    return (time.perf_counter() - started) / entries_made


def _check(movements) -> None:
    assert set(movements.mapped("state")) == {"posted"}, movements.mapped("error")
    assert set(movements.move_id.mapped("state")) == {"posted"}
    assert not round(sum(movements.move_id.line_ids.mapped("balance")), 2)


def _get_values(line) -> dict:
    """What makes the same entry as that of a statement line."""
    return {
        "journal_id": line.journal_id.id,
        "date": line.date,
        "payment_ref": line.payment_ref,
        "partner_id": line.partner_id.id,
        "amount": line.amount,
        "line_ids": [(0, 0, _get_item(item)) for item in line.line_ids],
    }


def _get_item(item) -> dict:
    values = item.read(_ITEM, load=None)[0]
    del values["id"]
    commands = {name: [(6, 0, item[name].ids)] for name in ("tax_ids", "tax_tag_ids")}
    return {**values, **commands}


def _copy(env, movements) -> float:
    """Seconds for each entry, if its rows are copied into the tables."""
    moves = movements.move_id
    tables = {
        "account_move": sorted(moves.ids),
        "account_bank_statement_line": sorted(movements.statement_line_id.ids),
        "account_move_line": sorted(moves.line_ids.ids),
    }
    env.flush_all()
    cloner = Cloner(env.cr, {}, tables, [])
    # The table of lines comes later, and its rows lead back anyway.
    changes = {"account_move": {"statement_line_id": "NULL"}}
    cloner.clone(10**6 + min(moves.ids), 1, changes=changes)
    texts = {}
    for table, ids in tables.items():
        start, text = cloner.starts[table], io.StringIO()
        own = f"SELECT * FROM {table} WHERE id >= {start} ORDER BY id"
        env.cr.copy_expert(f"COPY ({own}) TO STDOUT", text)
        text.seek(0)
        texts[table] = (text, len(ids))
    for table in reversed(tables):
        env.cr.execute(f"DELETE FROM {table} WHERE id >= {cloner.starts[table]}")
    env.cr.commit()
    started = time.perf_counter()
    for table, (text, rows) in texts.items():
        env.cr.copy_expert(f"COPY {table} FROM STDIN", text)
        assert env.cr.rowcount == rows, (table, env.cr.rowcount)
    env.cr.commit()
    return (time.perf_counter() - started) / len(moves)
