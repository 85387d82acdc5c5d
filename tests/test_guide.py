"""What the guide promises, by the people of one company in the real backend."""

import re

from playwright.sync_api import expect

from tests.kit import session_id, start_checkout, wait_for
from tools import payer

LINKS = ("Invoicing", "Customers", "Checkout Links")
PAYMENTS = ("Invoicing", "Customers", "Checkout Payments")
MOVEMENTS = ("Invoicing", "Accounting", "Stripe Transactions")
REFUNDS = ("Checkout Links", "Stripe", "Refunds")
GATEWAYS = ("Invoicing", "Configuration", "Payment Gateways")


def test_title_and_description_are_what_the_customer_reads(shop, log_in):
    mia = log_in("mia")
    mia.open_menu(*LINKS)
    mia.start_record()
    mia.fill("name", "Deposit for the hall")
    mia.fill("description", "Given back after the feast.")
    mia.fill("amount", "300")
    mia.save()
    link = shop.find_link("Deposit for the hall")
    page = payer.open_page(link.url)
    assert link.name in page.text and "Given back after the feast." in page.text
    assert link.name in start_checkout(link).text


def test_list_copies_a_links_address_at_a_click(shop, log_in):
    link = shop.make_link("Sent by chat")
    mia = log_in("mia")
    mia.open_menu(*LINKS)
    row = mia.page.locator(".o_data_row", has_text=link.name)
    row.get_by_role("button", name="Copy Link").click()
    assert mia.page.evaluate("navigator.clipboard.readText()") == link.url


def test_open_amount_needs_no_minimum(shop):
    link = shop.make_link("Pay what you can", amount=0, amount_type="open")
    payer.enter_card(start_checkout(link, amount="0.50"))
    shop.wait_until_posted(link)
    assert [row["amount"] for row in shop.payments(link)] == [0.5]


def test_open_amount_is_the_payers_choice_from_the_minimum_on(shop, log_in):
    mia = log_in("mia")
    mia.open_menu(*LINKS)
    mia.start_record()
    mia.fill("name", "Tip jar")
    mia.choose("amount_type", "Open Amount")
    mia.fill("minimum_amount", "5")
    mia.save()
    link = shop.find_link("Tip jar")
    refused = payer.submit(payer.open_page(link.url), amount="4")
    assert "The minimum is" in refused.text and "5.00" in refused.text
    payer.enter_card(start_checkout(link, amount="25"))
    shop.wait_until_posted(link)
    assert [row["amount"] for row in shop.payments(link)] == [25.0]


def test_fixed_amount_is_not_the_payers_to_change(shop):
    link = shop.make_link("Set fee")
    page = start_checkout(link, amount="1", amount_type="open")
    assert "110.00" in page.text
    payer.enter_card(page)
    shop.wait_until_posted(link)
    assert [row["amount"] for row in shop.payments(link)] == [110.0]


def test_colleague_sees_what_many_customers_paid_through_one_link(shop, log_in):
    link = shop.make_link("Concert ticket")
    for name in ("Ida Example", "Jon Example"):
        payer.enter_card(start_checkout(link), name=name)
    shop.wait_until_posted(link, payments=2)
    ben = log_in("ben")
    ben.open_menu(*LINKS)
    (row,) = [row for row in ben.table() if link.name in row]
    assert "220.00" in row and " 2 " in row
    ben.open_row(link.name)
    rows = ben.table("[name=recent_payment_ids]")
    for name in ("Ida", "Jon"):
        (row,) = [row for row in rows if f"{name} Example" in row]
        assert f"{name.lower()}@example.com" in row and "110.00" in row
        assert re.search(r"\d{1,2}:\d\d", row)
        assert re.search(r"\bpi_\w+", row)
    ben.see("Ledger matches")


def test_payment_shows_stripes_ids_as_links_to_its_dashboard(shop, log_in):
    link = shop.make_link("Traceable")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    mia = log_in("mia")
    mia.open_menu(*PAYMENTS)
    mia.open_row(link.name)
    for prefix in ("cs_", "pi_", "ch_"):
        shown = mia.page.locator(".o_form_sheet a", has_text=prefix).first
        expect(shown).to_have_attribute(
            "href", re.compile(r"^https://dashboard\.stripe\.com/test/payments/pi_")
        )


def test_part_of_a_payment_is_refunded_by_a_dialog(shop, log_in):
    link = shop.make_link("Canceled day")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    mia = log_in("mia")
    mia.open_menu(*PAYMENTS)
    mia.open_row(link.name)
    mia.press("Refund")
    dialog = mia.page.locator(".modal")
    expect(dialog).to_contain_text("Stripe keeps its fee")
    amount = dialog.locator("[name=amount] input")
    amount.fill("33")
    amount.press("Tab")
    mia.answer("Refund")
    mia.see("Partially Refunded")
    assert ("refund", "posted", -33.0) in shop.movements(link)


def test_refund_is_in_the_list_of_refunds_and_leads_to_its_payment(shop, log_in):
    link = shop.make_link("Rained off")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    (payment,) = shop.payments(link)
    shop.admin.call("checkout.payment", "action_refund", [payment["id"]], 44)
    mia = log_in("mia")
    mia.open_menu(*REFUNDS)
    mia.open_row("44.00")
    mia.page.locator(".o_form_sheet [name=payment_id] a").click()
    mia.see("Partially Refunded")


def test_money_above_a_limit_is_found_by_a_filter_and_accepted(shop, log_in):
    link = shop.make_link("Last seat")
    pay_above_the_limit(shop, link)
    mia = log_in("mia")
    mia.open_menu(*PAYMENTS)
    mia.filter_by("Needs Review")
    mia.expect_rows(link.name, 1)
    mia.open_row(link.name)
    mia.see("after the link reached its limit")
    mia.expect_button("Refund")
    mia.press("Accept")
    mia.see("accepted the payment")
    assert not any(row["flag"] for row in shop.payments(link))


def pay_above_the_limit(shop, link):
    """Two pay at once where one may, since Stripe can't end a checkout in time."""
    sessions = [session_id(start_checkout(link)) for _payer in range(2)]
    shop.standin.api_fault("status", "/expire", status=500, times=50)
    shop.admin.write("checkout.link", link.id, max_payments=1)
    for session in sessions:
        shop.standin.pay(session, name="Ada Example")
    shop.wait_until_posted(link, payments=2)


def test_gateway_decides_whether_revenue_or_receivable_is_credited(shop, log_in):
    link = shop.make_link("On account")
    ana = log_in("ana")
    ana.open_menu(*GATEWAYS)
    ana.open_row("Stripe")
    ana.choose("credit_to", "Receivable")
    ana.save()
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    ana.choose("credit_to", "Revenue")
    ana.save()
    assert shop.entry_of(link, "charge") == [
        ("Account Receivable", 0.0, 110.0),
        ("Stripe", 110.0, 0.0),
    ]


def test_duplicate_has_an_address_of_its_own(shop, log_in):
    link = shop.make_link("Every term")
    mia = log_in("mia")
    mia.open_link(link.name)
    mia.choose_action("Duplicate")
    copies = wait_for(lambda: find_others(shop, link), "copy")
    assert payer.open_page(copies[0]["url"]).status == 200


def find_others(shop, link):
    """The links of the same title at other addresses."""
    domain = [("name", "=", link.name), ("id", "!=", link.id)]
    rows = shop.admin.rows("checkout.link", domain, ["url"])
    return [row for row in rows if row["url"] != link.url]


def test_reader_sees_all_and_is_offered_nothing(shop, log_in):
    link = shop.make_link("Just looking")
    rea = log_in("rea")
    rea.open_link(link.name)
    for label in ("Deactivate", "Delete", "New"):
        button = rea.page.get_by_role("button", name=label, exact=True)
        expect(button).to_have_count(0)


def test_accountant_reclassifies_a_transaction_by_a_dialog(shop, log_in):
    link = shop.make_link("Wrong account")
    shop.pay_unnoticed(link)
    shop.wait_until_posted(link)
    max_ = log_in("max")
    max_.open_menu(*MOVEMENTS)
    max_.open_row("Charge")
    max_.press("Reclassify")
    account = max_.page.locator(".modal [name=account_id] input")
    account.fill("Other Income")
    max_.page.locator(".o-autocomplete--dropdown-item", has_text="Other Income").click()
    max_.answer("Reclassify")
    max_.see("Reclassification of")
    expect(max_.page.locator("[name=line_ids]")).to_contain_text("Other Income")
