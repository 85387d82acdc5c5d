"""A merchant in the real backend and a payer in another browser."""

import pytest
from playwright.sync_api import expect

from tests.kit import CHARGE_ENTRY, assert_posted_once, start_checkout
from tests.pages import GOOD_CARD, Merchant, expect_paid, pay_with, start_paying
from tools import payer

ENTRY_ITEMS = ".o_field_widget[name=line_ids]"


@pytest.fixture
def merchant(log_in):
    """Mia at work."""
    return log_in("mia")


def test_link_made_in_the_backend_is_paid_and_posted(
    shop, merchant, log_in, bare_browser
):
    merchant.count_clicks()
    merchant.open_app("Checkout Links")
    url = merchant.new_link("Baking course", "110")
    assert merchant.get_clicks() <= 6
    assert url.startswith(f"{shop.url}/checkout/")

    payer_page = bare_browser.new_page()
    start_paying(payer_page, url)
    pay_with(payer_page, GOOD_CARD)
    expect_paid(payer_page)
    assert bare_browser.cookies() == []

    link = shop.find_link("Baking course")
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)
    see_payment(merchant)
    see_entries(merchant)
    accountant = log_in("max")
    see_payment(accountant)
    see_items(accountant)


def see_payment(person: Merchant) -> None:
    """The payment in the list, then its form."""
    person.open_menu("Invoicing", "Customers", "Checkout Payments")
    (row,) = [row for row in person.table() if "Baking course" in row]
    assert "Ada Example" in row and "110.00" in row and "Paid" in row
    person.open_row("Baking course")


def see_entries(person: Merchant) -> None:
    """From the payment to its two entries."""
    person.open_entries()
    charge, fee = sorted(person.table(), key=lambda row: "3.49" in row)
    assert "110.00" in charge and "Posted" in charge
    assert "3.49" in fee and "Posted" in fee


def see_items(person: Merchant) -> None:
    """From the payment to the charge's journal items, which accountants see."""
    person.open_entries()
    person.open_row("110.00")
    items = person.table(ENTRY_ITEMS)
    assert len(items) == len(CHARGE_ENTRY)
    for account, debit, credit in CHARGE_ENTRY:
        (item,) = [item for item in items if f" {account} " in item]
        assert f"{debit:.2f}" in item and f"{credit:.2f}" in item


def test_preview_shows_what_a_payment_then_posts_and_keeps_nothing(shop, merchant):
    link = shop.make_link("Preview course")
    sequence = shop.admin.search("ir.sequence", [("code", "=", "checkout.payment")])
    number = shop.admin.read("ir.sequence", sequence[0], "number_next_actual")
    merchant.open_link(link.name)
    merchant.press("Preview Journal Entries")
    dialog = merchant.page.locator(".modal")
    for account, debit, credit in CHARGE_ENTRY:
        row = dialog.locator("[data-entry=Charge] tr", has_text=f" {account}")
        expect(row).to_contain_text(f"{debit or credit:.2f}")
    expect(dialog.locator("[data-entry=Refund]")).to_contain_text("110.00")
    merchant.fill("refund_amount", "55")
    expect(dialog.locator("[data-entry=Refund]")).to_contain_text("55.00")
    dialog.locator("footer button").click()

    assert not shop.payments(link)
    sample = [("stripe_source_id", "=", "ch_sample")]
    assert not shop.admin.search("checkout.movement", sample)
    customer = [("email", "=", "sample.customer@example.com")]
    assert not shop.admin.search("res.partner", customer)
    assert shop.admin.read("ir.sequence", sequence[0], "number_next_actual") == number
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


@pytest.fixture
def all_options(shop, log_in):
    """All options of links, switched on in the settings."""
    sid = log_in("sid")
    sid.open_app("Settings")
    sid.page.locator(".settings_tab .tab", has_text="Checkout Links").click()
    sid.page.get_by_label("Products on Links").wait_for()
    boxes = sid.page.locator(".o_setting_left_pane input:visible").all()
    for box in boxes:
        box.check()
    with sid.page.expect_navigation():
        sid.page.click(".o_form_button_save")
    yield len(boxes)
    fields = shop.admin.call("res.config.settings", "fields_get")
    off = {name: False for name in fields if name.startswith("group_checkout_")}
    settings = shop.admin.create("res.config.settings", **off)
    shop.admin.call("res.config.settings", "execute", [settings])


SHOWN = ".o_form_sheet .o_inner_group .o_field_widget, .o_form_sheet .oe_title textarea"


def begin_link(person) -> None:
    """A new link on a small laptop."""
    person.page.set_viewport_size({"width": 1366, "height": 768})
    person.open_app("Checkout Links")
    person.start_record()
    person.see("Amount Type")


def test_new_link_has_nine_fields_and_no_scroll(shop, merchant):
    begin_link(merchant)
    page = merchant.page
    assert page.locator(SHOWN).locator("visible=true").count() <= 9
    sheet = page.locator(".o_content").first
    heights = sheet.evaluate("it => [it.scrollHeight, it.clientHeight]")
    assert heights[0] <= heights[1]


def test_link_with_all_options_has_few_tabs_of_few_fields(shop, all_options, log_in):
    assert all_options >= 5
    mia = log_in("mia")
    begin_link(mia)
    tabs = mia.page.locator(".o_notebook_headers .nav-link")
    assert 3 <= tabs.count() <= 5
    for tab in tabs.all():
        tab.click()
        pane = mia.page.locator(".tab-pane.active .o_field_widget")
        assert pane.locator("visible=true").count() <= 10


def test_product_is_chosen_paid_posted_and_updated(shop, all_options, log_in):
    product = shop.admin.create("product.product", name="Bread knife", list_price=100)
    tax = shop.admin.read("product.product", product, "taxes_id")  # 15 % on top
    mia = log_in("mia")
    mia.open_app("Checkout Links")
    mia.start_record()
    mia.page.locator("[name=product_id] input").fill("Bread knife")
    mia.page.get_by_role("option", name="Bread knife", exact=True).click()
    amount = mia.page.locator("[name=amount] input")
    expect(amount).to_have_value("115.00")
    mia.save()

    link = shop.find_link("Bread knife")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    sold = [("product_id", "=", product), ("parent_state", "=", "posted")]
    item = shop.find("account.move.line", sold, ["balance", "tax_ids"])
    assert (item["balance"], item["tax_ids"]) == (-100.0, tax)

    shop.admin.write("product.product", product, list_price=200)
    mia.page.get_by_role("button", name="Update from Product").click()
    assert "230.00" in mia.answer("Update")
    expect(amount).to_have_value("230.00")


def test_profile_of_the_bare_payer_takes_no_cookie(shop, bare_browser):
    bare_browser.new_page().goto(f"{shop.url}/web/login")
    assert bare_browser.cookies() == []


def test_deactivated_link_says_so_until_it_is_reactivated(shop, merchant):
    link = shop.make_link("Autumn fair")
    merchant.open_link(link.name)
    merchant.press("Deactivate")
    assert "no longer available" in merchant.answer("Deactivate")
    merchant.expect_button("Reactivate")
    closed = payer.open_page(link.url)
    assert closed.status == 410
    assert "no longer available" in closed.text
    merchant.press("Reactivate")
    merchant.expect_button("Deactivate")
    assert payer.open_page(link.url).status == 200


def test_deactivation_that_is_not_confirmed_changes_nothing(shop, merchant):
    link = shop.make_link("Still wanted")
    merchant.open_link(link.name)
    merchant.press("Deactivate")
    merchant.answer("Cancel")
    assert payer.open_page(link.url).status == 200


def test_deleted_link_leaves_payment_and_entries_under_its_title(shop, merchant):
    link = shop.make_link("Winter course")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    merchant.open_link(link.name)
    merchant.press("Delete")
    assert "stays in your payments" in merchant.answer("Delete")
    assert payer.open_page(link.url).status == 404
    merchant.open_menu("Invoicing", "Customers", "Checkout Links")
    # A list that was open before is shown as it was, until Odoo has answered.
    row = merchant.page.locator(".o_data_row", has_text=link.name)
    expect(row).to_have_count(0)
    merchant.open_menu("Invoicing", "Customers", "Checkout Payments")
    merchant.open_row(link.name)
    merchant.open_entries()
    assert len(merchant.table()) == 2


def test_dialog_of_deletion_prefers_deactivating(shop, merchant):
    link = shop.make_link("Spring course")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    merchant.open_link(link.name)
    merchant.press("Delete")
    assert "Consider deactivating it" in merchant.answer("Deactivate Instead")
    merchant.expect_button("Reactivate")
    assert payer.open_page(link.url).status == 410


def test_deactivated_link_keeps_its_payments(shop, merchant):
    link = shop.make_link("Summer fair")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    merchant.open_link(link.name)
    merchant.press("Deactivate")
    assert "history are kept" in merchant.answer("Deactivate")
    merchant.expect_button("Reactivate")
    (row,) = merchant.table("[name=recent_payment_ids]")
    assert "Ada Example" in row and "110.00" in row


def test_checkout_that_was_only_opened_is_a_number_until_it_is_asked_for(
    shop, merchant
):
    link = shop.make_link("Opened only")
    start_checkout(link)
    merchant.open_link(link.name)
    merchant.see("Opened, not paid: 1")
    merchant.open_menu("Invoicing", "Customers", "Checkout Payments")
    merchant.expect_rows(link.name, 0)
    merchant.page.get_by_text("Opened, not paid:").click()
    merchant.expect_rows(link.name, 1)
    expect(merchant.page.locator(".o_checkout_unpaid")).to_have_count(0)
