"""Setting up a gateway in the backend, by those who may, from the keys to a link."""

from playwright.sync_api import expect

from tests.kit import WEBHOOK_SECRET

MENU = ("Invoicing", "Configuration", "Payment Gateways")


def test_manager_sets_up_a_gateway_step_by_step(log_in):
    ana = log_in("ana")
    ana.open_menu(*MENU)
    ana.start_record()
    ana.fill("name", "Second till")
    ana.fill("secret_key", "sk_test_mistyped_invalid")
    ana.press("Test Connection")
    expect(found(ana)).to_contain_text("Stripe doesn't accept the key")
    ana.expect_ticks(1)

    ana.fill("secret_key", "sk_test_at_second")
    ana.press("Test Connection")
    expect(found(ana)).to_contain_text("acct_second")
    ana.expect_ticks(2)

    ana.press("Create Journal and Accounts")
    ana.expect_ticks(3)
    ana.press("Create Webhook")
    ana.see("Stripe requires a URL that starts with https://")
    ana.fill("webhook_secret", WEBHOOK_SECRET)
    ana.save()
    ana.expect_ticks(4)

    ana.page.get_by_role("button", name="Create a Link").click()
    ana.see("Amount Type")
    ana.fill("name", "First of the second till")
    ana.fill("amount", "12")
    ana.save()
    ana.page.go_back()
    expect(ana.page.locator("[name=steps]")).to_have_count(0)


def found(person):
    """What the last test of the connection found, once the form shows it."""
    return person.page.locator("[name=connection_message]")


def test_keys_are_never_shown_again(log_in):
    ana = log_in("ana")
    ana.open_menu(*MENU)
    ana.open_row("Stripe")
    shown = ana.page.locator("[name=secret_key] input").first.input_value()
    assert "…" in shown
    assert "demo_of_checkout" not in ana.page.content()


def test_system_administrator_finds_the_gateways_in_the_settings(log_in):
    sid = log_in("sid")
    sid.open_settings("Payment Gateway Settings")
    sid.open_row("Stripe")
    sid.press("Test Connection")
    sid.see("Connected")


def test_system_administrator_adds_a_gateway_by_its_key_and_tests_it(log_in):
    sid = log_in("sid")
    sid.open_settings("Payment Gateway Settings")
    sid.start_record()
    sid.fill("name", "Market stall")
    sid.fill("secret_key", "sk_test_at_stall")
    sid.press("Test Connection")
    expect(found(sid)).to_contain_text("acct_stall")
    sid.expect_ticks(2)
    sid.see("Only accounting administrators can do this.")


def test_who_writes_invoices_configures_nothing(shop, log_in):
    mia = log_in("mia")
    assert not mia.offers_menu(*MENU)
    mia.page.goto(f"{shop.url}/odoo/checkout-gateways/{shop.gateway_id}")
    mia.expect_button("Sync Now")
    header = mia.page.locator(".o_form_statusbar")
    for label in ("Test Connection", "Create Webhook", "Create Journal and Accounts"):
        expect(header.get_by_role("button", name=label, exact=True)).to_have_count(0)


def test_other_company_starts_with_a_gateway_of_its_own(log_in):
    otto = log_in("otto")
    otto.open_menu("Invoicing", "Customers", "Checkout Links")
    otto.see("Connect Stripe first")
    expect(otto.page.locator(".o_data_row")).to_have_count(0)
    otto.open_menu(*MENU)
    otto.see("Connect your Stripe account")
