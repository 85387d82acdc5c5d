"""PostgreSQL: connections cut, refused, writes that fail, and an old dump restored."""

import time

import pytest

from tests.faults import crowd, injection
from tests.kit import wait_for
from tools import database


def test_connections_are_cut_every_second(shop, payers):
    with payers.paying():
        for _ in range(20):
            time.sleep(1)
            injection.cut_connections(shop)


def test_database_is_unreachable_for_10_seconds(shop, payers):
    with payers.paying():
        time.sleep(5)
        with injection.unreachable_database(shop):
            time.sleep(10)
        time.sleep(10)


@pytest.mark.parametrize(
    ("code", "share"),
    [
        (injection.DISK_FULL, 1),
        (injection.READ_ONLY, 1),
        (injection.SERIALIZATION_FAILURE, 0.05),
    ],
    ids=["disk_full", "read_only", "serialization_failures"],
)
def test_writes_fail_for_15_seconds(shop, payers, code, share):
    with payers.paying():
        time.sleep(5)
        with injection.failing_writes(shop, code, share):
            time.sleep(15)
        time.sleep(5)


def test_dump_of_yesterday_is_restored(odoo, shop, payers):
    dump = f"{shop.database}_dump"
    with payers.paying():
        time.sleep(6)
    crowd.recover(shop)
    shop.crash()
    database.copy(odoo, shop.database, dump)
    shop.start()
    link = shop.make_link("Sold after the dump")
    later = crowd.Crowd(shop, link)
    with later.paying():
        time.sleep(6)
    wait_for(lambda: shop.movements(link), "entries that the dump lacks")
    shop.crash()
    database.copy(odoo, dump, shop.database)
    database.drop(odoo, dump)
    shop.start()
    payers.paid += later.paid
