"""What is broken on purpose: the database, its connections, Stripe, a clock."""

import glob
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit import Shop
from tools import debian, postgres

DISK_FULL = "53100"
READ_ONLY = "25006"
SERIALIZATION_FAILURE = "40001"
# https://www.postgresql.org/docs/current/errcodes-appendix.html

_TABLES = (
    "checkout_event",
    "checkout_payment",
    "checkout_movement",
    "account_move",
    "account_move_line",
    "account_bank_statement_line",
    "res_partner",
)
_HEALTHY = "RETURN NEW;"
_FUNCTION = """
    CREATE OR REPLACE FUNCTION injected_fault() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN {} END $$
"""
_TROUBLES = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 500, "saved": True},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 503},
    {"kind": "half_body"},
    {"kind": "lost_answer"},
    {"kind": "hang", "seconds": 12},
    {"kind": "slow", "seconds": 2},
)


def prepare_writes(shop: Shop) -> None:
    """Let later faults reach each row that is written, without a lock by then."""
    shop.execute(_FUNCTION.format(_HEALTHY))
    for table in _TABLES:
        shop.execute(
            f"CREATE TRIGGER injected_fault BEFORE INSERT OR UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION injected_fault()"
        )


@contextmanager
def failing_writes(shop: Shop, code: str, share: float) -> Iterator[None]:
    """That share of all rows written meanwhile fails with that SQLSTATE."""
    fault = (
        f"IF random() < {share} THEN RAISE EXCEPTION 'injected fault'"
        f" USING ERRCODE = '{code}'; END IF; {_HEALTHY}"
    )
    shop.execute(_FUNCTION.format(fault))
    try:
        yield
    finally:
        shop.execute(_FUNCTION.format(_HEALTHY))


def cut_connections(shop: Shop) -> int:
    """End all connections to the shop's database; how many there were."""
    ended = postgres.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        f" WHERE datname = '{shop.database}'"
    )
    return int(ended)


@contextmanager
def unreachable_database(shop: Shop) -> Iterator[None]:
    """All connections are cut, and new ones refused, as while PostgreSQL restarts."""
    allow = f'ALTER DATABASE "{shop.database}" ALLOW_CONNECTIONS'
    postgres.query(f"{allow} false")
    cut_connections(shop)
    try:
        yield
    finally:
        postgres.query(f"{allow} true")


def trouble_stripe(shop: Shop, seconds: float) -> int:
    """Have Stripe fail in many ways for some time; how many calls met one."""
    chance = random.Random(7)
    deadline = time.monotonic() + seconds
    ordered = 0
    while time.monotonic() < deadline:
        shop.standin.api_fault(**chance.choice(_TROUBLES), match="/v1/")
        ordered += 1
        time.sleep(0.4)
    return ordered


def shifted_clock(seconds: int) -> dict[str, str]:
    """Environment for programs whose clock is that many seconds ahead.

    PostgreSQL's clock, and Stripe's, stay as they are.
    """
    if not (library := _find_faketime()):
        debian.install("libfaketime")
        library = _find_faketime()
    return {
        "LD_PRELOAD": library,
        "FAKETIME": f"{seconds:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _find_faketime() -> str | None:
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return found[0] if found else None
