"""Two hundred payments at once are posted one after the other, and none is left out."""

from collections import Counter
from itertools import groupby

import pytest

COUNT = 200
PROCESSES = 4


@pytest.fixture
def shop(worked_shop):
    """The shop, where Stripe reports each payment once and takes no fee yet."""
    later = ["charge.succeeded", "charge.updated"]
    worked_shop.standin.delivery_faults(lose=-1, only=later)
    worked_shop.standin.settings(balance_transactions="held")
    yield worked_shop
    worked_shop.standin.settings(balance_transactions="auto")


def test_one_archived_account_among_200_payments_holds_up_itself_alone(shop):
    account_id = shop.admin.create(
        "account.account", name="Old Sales", code="400999", account_type="income"
    )
    many = shop.make_link("Most of two hundred")
    odd = shop.make_link("One of two hundred", income_account_id=account_id)
    for link, count in ((many, COUNT - 1), (odd, 1)):
        shop.pay_often(link, count)
    assert shop.standin.idle(60)
    shop.admin.write("account.account", account_id, active=False)
    shop.workers.do("process")
    assert Counter(shop.movements(many)) == {("charge", "posted", 110.0): COUNT - 1}
    assert shop.movements(odd) == [("charge", "to_post", 110.0)]
    assert "Old Sales" in charge_of(shop, odd)["error"]
    shop.admin.write("account.account", account_id, active=True)
    shop.workers.do("process")
    assert shop.movements(odd) == [("charge", "posted", 110.0)]
    assert not charge_of(shop, odd)["error"]


def charge_of(shop, link) -> dict:
    """The movement of a link's only payment."""
    return shop.find("checkout.movement", of_link(link), ["error"])


def of_link(link) -> list:
    return [("payment_id.link_id", "=", link.id)]


def test_four_processes_post_200_of_200_into_a_hashed_journal_without_gaps(shop):
    journal_id = shop.gateway("journal_id")
    shop.admin.write("account.journal", journal_id, restrict_mode_hash_table=True)
    link = shop.make_link("Two hundred")
    leave_unposted(shop, link)
    shares = share_out(shop, link)
    shop.workers.do_at_once("post", [{"batches": few(share)} for share in shares])
    assert Counter(shop.movements(link)) == {("charge", "posted", 110.0): COUNT}
    assert count_turns(shop, link, shares) > PROCESSES
    assert_chain_is_whole(shop, journal_id)


def leave_unposted(shop, link) -> None:
    """Two hundred payments, and no entry of any."""
    shop.admin.write("checkout.gateway", shop.gateway_id, post_entries=False)
    shop.pay_often(link, COUNT)
    assert shop.standin.idle(60)
    shop.workers.do("process")
    shop.admin.write("checkout.gateway", shop.gateway_id, post_entries=True)
    assert Counter(shop.movements(link)) == {("charge", "skipped", 110.0): COUNT}


def share_out(shop, link) -> list[list[int]]:
    """The movements of a link, so that neighbours fall to different processes."""
    ids = shop.admin.search("checkout.movement", of_link(link), order="id")
    return [ids[number::PROCESSES] for number in range(PROCESSES)]


def count_turns(shop, link, shares: list[list[int]]) -> int:
    """How often another process went on with the journal; each once if in a row."""
    poster = {movement_id: n for n, share in enumerate(shares) for movement_id in share}
    rows = shop.admin.rows("checkout.movement", of_link(link), ["move_id"])
    rows.sort(key=lambda row: row["move_id"][0])
    return len(list(groupby(poster[row["id"]] for row in rows)))


def few(ids: list[int], size: int = 5) -> list[list[int]]:
    """The same ids in lists of that size."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def assert_chain_is_whole(shop, journal_id: int) -> None:
    """Numbers without a gap or double, each entry hashed, and Odoo finds no fault."""
    entries = shop.admin.rows(
        "account.move",
        [("journal_id", "=", journal_id), ("state", "=", "posted")],
        ["sequence_prefix", "sequence_number", "inalterable_hash", "made_sequence_gap"],
        order="sequence_prefix, sequence_number",
    )
    for _prefix, rows in groupby(entries, lambda entry: entry["sequence_prefix"]):
        numbers = [row["sequence_number"] for row in rows]
        assert numbers == list(range(1, len(numbers) + 1))
    assert all(entry["inalterable_hash"] for entry in entries)
    assert not any(entry["made_sequence_gap"] for entry in entries)
    name = shop.admin.read("account.journal", journal_id, "name")
    verdicts = shop.workers.do("verify_hashes", journal=name).answer
    assert set(verdicts) == {"verified"}
