"""Odoo's own servers: killed, with a wrong clock, and two at once."""

import time

import pytest

from tests.faults import injection
from tools import server


def test_odoo_killed_four_times(shop, payers):
    with payers.paying():
        for pause in (6, 5, 4, 7):
            time.sleep(pause)
            shop.crash()
            shop.start()
        time.sleep(4)


@pytest.mark.parametrize("seconds", [600, -600])
def test_clock_of_odoo_is_off(shop, payers, seconds):
    shop.crash()
    with shop.with_environment(injection.shifted_clock(seconds)):
        shop.start()
        with payers.paying():
            time.sleep(20)
        shop.crash()
    shop.start()


def test_two_servers_on_one_database(shop, payers):
    with shop.second_server(*server.multi_process(2)), payers.paying():
        time.sleep(25)
