"""Links do what Odoo users expect of any record: by the merchant in the backend."""

import csv

import pytest
from playwright.sync_api import expect

from tests.kit import wait_for
from tools import payer

LINKS = ("Invoicing", "Customers", "Checkout Links")
PAYMENTS = ("Invoicing", "Customers", "Checkout Payments")


@pytest.fixture
def mia(log_in):
    """The merchant at her list of links."""
    mia = log_in("mia")
    mia.open_menu(*LINKS)
    return mia


def test_several_links_are_edited_at_once(shop, mia):
    links = [shop.make_link(f"Market stall {number}") for number in (1, 2)]
    mia.page.reload()
    mia.select_rows(*(link.name for link in links))
    first = mia.page.locator(".o_data_row", has_text=links[0].name)
    first.locator("[name=amount]").click()
    amount = mia.page.locator(".o_selected_row [name=amount] input")
    amount.fill("95.5")
    amount.press("Enter")
    mia.answer("Update")
    for link in links:
        row = mia.page.locator(".o_data_row", has_text=link.name)
        expect(row.locator("[name=amount]")).to_contain_text("95.50")
        assert "95.50" in payer.open_page(link.url).text


def test_several_links_are_deactivated_and_reactivated_at_once(shop, mia):
    links = [shop.make_link(f"Advent evening {number}") for number in (1, 2)]
    mia.page.reload()
    mia.select_rows(*(link.name for link in links))
    mia.choose_action("Deactivate")
    assert links[0].name in mia.answer("Deactivate")
    wait_for(lambda: _statuses(links) == {410}, "end of both links")
    mia.select_rows(*(link.name for link in links))
    mia.choose_action("Reactivate")
    wait_for(lambda: _statuses(links) == {200}, "return of both links")


def _statuses(links):
    return {payer.open_page(link.url).status for link in links}


def test_archived_link_is_out_of_the_list_until_it_is_taken_back(shop, mia):
    link = shop.make_link("Of last year")
    shop.admin.write("checkout.link", link.id, active=False)
    assert payer.open_page(link.url).status == 410
    mia.page.reload()
    expect(mia.page.locator(".o_data_row", has_text=link.name)).to_have_count(0)
    mia.filter_by("Archived")
    mia.open_row(link.name)
    expect(mia.page.locator(".ribbon", has_text="Archived")).to_be_visible()
    mia.press("Reactivate")
    expect(mia.page.locator(".ribbon", has_text="Archived")).to_have_count(0)
    assert payer.open_page(link.url).status == 200


def test_links_are_exported_with_their_addresses(shop, mia):
    link = shop.make_link("For the newsletter")
    mia.page.reload()
    mia.select_rows(link.name)
    mia.choose_action("Export")
    dialog = mia.page.locator(".modal")
    dialog.get_by_label("CSV").check()
    with mia.page.expect_download() as download:
        dialog.get_by_role("button", name="Export", exact=True).click()
    with open(download.value.path(), newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["Title"] == link.name
    assert link.url in row.values()


def test_search_is_kept_as_a_favorite(shop, mia):
    shop.make_link("Tips of the week", amount=0, amount_type="open")
    fixed = shop.make_link("No tips")
    mia.filter_by("Open Amount")
    mia.page.click(".o_searchview_dropdown_toggler")
    mia.page.get_by_text("Save current search").click()
    mia.page.fill(".o_favorite_menu input[type=text]", "What customers choose")
    mia.page.click(".o_save_favorite")
    mia.open_menu(*PAYMENTS)
    mia.open_menu(*LINKS)
    mia.see(fixed.name)
    mia.page.click(".o_searchview_dropdown_toggler")
    favorites = mia.page.locator(".o_favorite_menu")
    favorites.get_by_text("What customers choose").click()
    expect(mia.page.locator(".o_data_row", has_text=fixed.name)).to_have_count(0)
    mia.see("Tips of the week")


def test_chatter_keeps_what_changed_and_what_is_noted(shop, mia):
    link = shop.make_link("Garden party")
    mia.page.reload()
    mia.open_row(link.name)
    mia.fill("name", "Garden feast")
    mia.save()
    changes = mia.page.locator(".o-mail-Message", has_text="Garden feast")
    expect(changes.first).to_contain_text("Garden party")
    mia.page.locator(".o-mail-Chatter").get_by_role("button", name="Log note").click()
    mia.page.fill(".o-mail-Composer-input", "Rain date is Sunday")
    mia.page.click(".o-mail-Composer-send")
    expect(
        mia.page.locator(".o-mail-Message", has_text="Rain date is Sunday")
    ).to_contain_text("Mia Example")


def test_links_are_cards_as_well(shop, mia):
    link = shop.make_link("On a card")
    mia.page.reload()
    mia.switch_view("kanban")
    card = mia.page.locator(".o_kanban_record", has_text=link.name)
    expect(card).to_contain_text("110.00")
    expect(card).to_contain_text("No payments yet")
    card.get_by_role("button", name="Copy Link").click()
    assert mia.page.evaluate("navigator.clipboard.readText()") == link.url
