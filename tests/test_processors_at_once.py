"""Several processors at once share the work and do nothing twice."""

from collections import Counter

import pytest

from tests.kit import assert_agrees

COUNT = 24


@pytest.fixture
def shop(worked_shop):
    """The shop whose inbox only processors empty that a test starts."""
    return worked_shop


def sell_often(shop, name):
    """Payments that Stripe has reported, with their fees, and nothing has processed."""
    link = shop.make_link(name)
    shop.pay_often(link, COUNT)
    shop.standin.release()
    assert shop.standin.idle(60)
    return link


def assert_posted_once_each(shop, link):
    once = {("charge", "posted", 110.0): COUNT, ("fee", "posted", -3.49): COUNT}
    assert Counter(shop.movements(link)) == once
    assert_agrees(shop)


def test_gateway_that_one_processes_is_left_alone_by_the_others(shop):
    link = sell_often(shop, "Processed by three")
    shop.standin.clear_requests()
    shop.workers.do_at_once("process", [{}, {}, {}])
    calls = len(shop.standin.requests("GET /v1/checkout/sessions"))
    assert_posted_once_each(shop, link)
    assert calls <= 0.5 * COUNT


def test_what_a_killed_processor_leaves_is_done_by_another(shop):
    link = sell_often(shop, "Left by a killed one")
    assert shop.workers.do("process", death=("after", 2)).killed
    shop.workers.do_at_once("process", [{}, {}])
    assert_posted_once_each(shop, link)
