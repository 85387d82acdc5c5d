"""Stripe: calls that fail for minutes, and deliveries lost, doubled and shuffled."""

import random
import time

from tests.faults import injection

DELIVERIES = 10_000
BATCH = 100


def test_calls_fail_in_eight_ways_for_a_minute(shop, payers):
    with payers.paying():
        assert injection.trouble_stripe(shop, 60) > 100


def test_10000_deliveries_lost_doubled_and_shuffled(shop, payers):
    shop.standin.hold()
    with payers.paying():
        time.sleep(60)
    held = [row["id"] for row in shop.standin.deliveries(state="held")]
    chance = random.Random(7)
    kept = [delivery for delivery in held if chance.random() > 0.3]
    doubled = [delivery for delivery in kept if chance.random() < 0.3]
    for _ in range(0, DELIVERIES, BATCH):
        batch = chance.choices(kept + doubled, k=BATCH)
        assert set(shop.standin.deliver(batch)) == {200}
