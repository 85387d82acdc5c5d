"""From what a merchant or an accountant looks at to what belongs to it, and back."""

import pytest
from playwright.sync_api import expect

from tests.kit import start_checkout, wait_for
from tools import payer

PAYMENTS = ("Invoicing", "Customers", "Checkout Payments")
MOVEMENTS = ("Invoicing", "Accounting", "Stripe Transactions")
DASHBOARD = "https://dashboard.stripe.com/"


@pytest.fixture
def paid_link(request, shop):
    """A link with a payment of Ada's that is posted, and no other."""
    link = shop.make_link(request.node.name)
    payer.enter_card(start_checkout(link))
    shop.wait_until_posted(link)
    return link


def test_link_leads_to_its_payments_and_entries(paid_link, log_in):
    mia = log_in("mia")
    mia.open_link(paid_link.name)
    mia.page.locator("button[name=action_view_payments]", has_text="Payments").click()
    (row,) = mia.table()
    assert "Ada Example" in row
    mia.open_link(paid_link.name)
    mia.open_entries()
    assert len(mia.table()) == 2


def test_journal_entry_leads_back_to_the_payment(paid_link, log_in):
    max_ = log_in("max")
    max_.open_menu(*PAYMENTS)
    max_.open_row(paid_link.name)
    max_.open_entries()
    max_.open_row("110.00")
    max_.follow_button("action_view_checkout_payments")
    expect(max_.page.locator("[name=link_id]")).to_contain_text(paid_link.name)


def test_payment_leads_to_its_contact_and_the_contact_to_its_payments(
    paid_link, log_in
):
    mia = log_in("mia")
    mia.open_menu(*PAYMENTS)
    mia.open_row(paid_link.name)
    mia.page.locator(".o_form_sheet [name=partner_id] a").click()
    mia.follow_button("action_view_checkout_payments")
    assert [row for row in mia.table() if paid_link.name in row]


def test_stripe_id_opens_the_payment_in_stripes_dashboard(paid_link, log_in):
    mia = log_in("mia")
    mia.page.context.route(f"{DASHBOARD}**", lambda route: route.fulfill(body="Stripe"))
    mia.open_menu(*PAYMENTS)
    mia.open_row(paid_link.name)
    shown = mia.page.locator("[name=stripe_charge_id] a")
    with mia.page.expect_popup() as dashboard:
        shown.click()
    dashboard.value.wait_for_url(f"{DASHBOARD}test/payments/pi_*")
    expect(shown).to_be_visible()  # Odoo is still there, in its own tab


def test_payments_are_summed_by_link_in_pivot_and_graph(paid_link, log_in):
    ben = log_in("ben")
    ben.open_menu(*PAYMENTS)
    ben.switch_view("pivot")
    row = ben.page.locator(".o_pivot tr", has_text=paid_link.name)
    expect(row).to_contain_text("110.00")
    expect(row).to_contain_text("106.51")
    ben.switch_view("graph")
    expect(ben.page.locator(".o_graph_renderer canvas")).to_be_visible()


# -- movements ------------------------------------------------------------------------


def test_movement_that_was_left_out_is_posted_from_its_link(shop, log_in):
    link = shop.make_link("Before the accounting")
    shop.admin.write("checkout.gateway", shop.gateway_id, post_entries=False)
    shop.pay_unnoticed(link)
    wait_for(lambda: _states(shop, link) == ["skipped"] * 2, "movements")
    shop.admin.write("checkout.gateway", shop.gateway_id, post_entries=True)
    mia = log_in("mia")
    mia.open_link(link.name)
    mia.page.get_by_role("button", name="View Transactions").click()
    for kind in ("Charge", "Fee"):
        row = mia.page.locator(".o_data_row", has_text=kind)
        row.get_by_role("button", name="Post Now").click()
        expect(row).to_have_count(0)
    assert _states(shop, link) == ["posted"] * 2


def test_movement_that_waits_is_found_by_a_filter_and_says_why(shop, log_in):
    account_id = shop.admin.create(
        "account.account", name="Old Sales", code="499901", account_type="income"
    )
    link = shop.make_link("Into an old account", income_account_id=account_id)
    shop.admin.write("account.account", account_id, active=False)
    shop.pay_unnoticed(link)
    wait_for(lambda: _states(shop, link) == ["to_post", "posted"], "movements")
    max_ = log_in("max")
    max_.open_menu(*MOVEMENTS)
    max_.filter_by("To Post")
    row = max_.page.locator(".o_data_row", has_text="Old Sales")
    row.get_by_role("button", name="Post Now").click()
    assert "Old Sales" in max_.dismiss()
    shop.admin.write("account.account", account_id, active=True)
    shop.run_cron("ir_cron_process_events")
    shop.wait_until_posted(link)


def _states(shop, link):
    return [state for _kind, state, _amount in shop.movements(link)]


@pytest.mark.usefixtures("paid_link")
def test_movement_leads_to_its_journal_entry(log_in):
    max_ = log_in("max")
    max_.open_menu(*MOVEMENTS)
    charge = max_.page.locator(".o_data_row", has_text="Charge").first
    charge.get_by_role("button", name="Journal Entry").click()
    expect(max_.page.locator("[name=line_ids]")).to_contain_text("Product Sales")


@pytest.mark.usefixtures("paid_link")
def test_reader_of_movements_is_offered_nothing(log_in):
    rea = log_in("rea")
    rea.open_menu(*MOVEMENTS)
    rea.page.locator(".o_data_row .o_list_record_selector input").first.check()
    for label in ("Post Now", "Reclassify"):
        button = rea.page.get_by_role("button", name=label, exact=True)
        expect(button).to_have_count(0)
