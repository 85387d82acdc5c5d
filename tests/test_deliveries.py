"""Deliveries that come twice, at once, late or never end in the same ledger."""

from concurrent.futures import ProcessPoolExecutor

from tests.kit import (
    assert_posted_once,
    post_event,
    session_id,
    start_checkout,
    wait_for,
)


def test_same_event_from_five_processes_after_a_later_one_post_once(shop):
    link = shop.make_link("Five at once")
    shop.standin.hold()
    shop.pay_unnoticed(link)
    wait_for(lambda: "charge.updated" in shop.events_of(link), "late event")
    events = shop.events_of(link)
    assert post_event(shop.webhook_url, events["charge.updated"]) == 200
    with ProcessPoolExecutor(5) as pool:
        completed = events["checkout.session.completed"]
        sent = [pool.submit(post_event, shop.webhook_url, completed) for _ in range(5)]
        assert [answer.result() for answer in sent] == [200] * 5
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_deliveries_that_come_five_times_and_shuffled_post_once(shop):
    link = shop.make_link("Doubled and shuffled")
    shop.standin.delivery_faults(duplicate=5, shuffle=0.5, seed=7)
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    assert shop.standin.idle(60)
    assert_posted_once(shop, link)


def test_payer_who_writes_to_the_payment_meanwhile_delays_nothing(shop):
    link = shop.make_link("Written to by two")
    hosted_page = start_checkout(link)
    others = ["charge.succeeded", "charge.updated"]
    shop.standin.delivery_faults(lose=-1, only=others)
    (payment,) = shop.payments(link)
    with shop.written_to("checkout_payment", payment["id"]) as is_waited_for:
        shop.standin.pay(session_id(hosted_page))
        wait_for(is_waited_for, "processor at the payment")
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_scheduled_sync_posts_what_no_webhook_reported(shop):
    link = shop.make_link("All deliveries lost")
    shop.standin.delivery_faults(lose=-1)
    shop.pay_unnoticed(link)
    wait_for(lambda: "charge.updated" in shop.events_of(link), "late event")
    assert shop.standin.idle(60)
    assert shop.movements(link) == []
    shop.run_cron("ir_cron_sync")
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_scheduled_sync_posts_where_stripe_has_no_webhook_address(shop):
    link = shop.make_link("No webhook at all")
    shop.standin.configure(webhook_url=None)
    shop.pay_unnoticed(link)
    wait_for(lambda: "charge.updated" in shop.events_of(link), "late event")
    shop.run_cron("ir_cron_sync")
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_sync_of_all_that_is_posted_changes_nothing(shop):
    link = shop.make_link("Synced again")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    shop.execute(
        "UPDATE checkout_gateway SET last_sync_at = NULL, transactions_read_to = NULL"
        " WHERE id = %s",
        shop.gateway_id,
    )
    for _ in range(2):
        shop.admin.call("checkout.gateway", "action_sync", [shop.gateway_id])
    assert_posted_once(shop, link)


def test_dashboard_card_of_the_journal_shows_the_balance_at_stripe(shop):
    for name in ("First of two", "Second of two"):
        link = shop.make_link(name)
        shop.pay_unnoticed(link)
        shop.wait_until_posted(link)
    shop.run_cron("ir_cron_sync")
    wait_for(lambda: shop.journal_balance() == shop.balance(), "agreement")


def test_movement_whose_trouble_is_resolved_is_posted_without_a_word_of_it(shop):
    fee_account = shop.admin.read("checkout.gateway", shop.gateway_id, "fee_account_id")
    shop.admin.write("checkout.gateway", shop.gateway_id, fee_account_id=False)
    link = shop.make_link("No fee account")
    shop.pay_unnoticed(link)
    waiting = [["state", "=", "to_post"], ["error", "!=", False]]
    wait_for(lambda: shop.admin.search("checkout.movement", waiting), "waiting fee")
    shop.admin.write("checkout.gateway", shop.gateway_id, fee_account_id=fee_account)
    (fee,) = shop.admin.search("checkout.movement", waiting)
    shop.admin.call("checkout.movement", "action_post", [fee])
    assert shop.admin.read("checkout.movement", fee, "state") == "posted"
    assert_posted_once(shop, link)


def test_sync_that_fails_halfway_says_so_on_the_gateway(shop):
    link = shop.make_link("Stripe fails halfway")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    shop.standin.api_fault("status", "/v1/balance", status=500, times=9)
    shop.run_cron("ir_cron_sync")
    wait_for(
        lambda: shop.admin.read("checkout.gateway", shop.gateway_id, "sync_error"),
        "word of the failure",
    )
    shop.standin.clear_faults()
    shop.run_cron("ir_cron_sync")
    wait_for(
        lambda: not shop.admin.read("checkout.gateway", shop.gateway_id, "sync_error"),
        "end of the trouble",
    )
    assert_posted_once(shop, link)
