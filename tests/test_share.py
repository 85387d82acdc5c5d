"""A merchant brings a link to customers with the share dialog."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from tools import payer

CAMPAIGN = {"utm_campaign": "summer"}


def test_link_is_shared_in_every_way_of_the_dialog(shop, log_in):
    link = shop.make_link("Shared course")
    for name in ("Kim", "Bo"):
        values = {"name": f"{name} Shared", "email": f"{name.lower()}@example.com"}
        shop.admin.create("res.partner", **values)
    merchant = log_in("mia")
    merchant.open_link(link.name)
    merchant.page.click("button[name=action_share]")
    dialog = merchant.page.locator(".modal")
    expect(dialog).to_contain_text(link.url)
    expect(dialog.get_by_role("alert")).to_contain_text("web.base.url")

    expect_on_phone(merchant, dialog)
    dialog.get_by_role("tab", name="Tracking").click()
    merchant.fill("utm_campaign", CAMPAIGN["utm_campaign"])
    url = f"{link.url}?utm_campaign=summer"
    expect(dialog.locator("[name=url]").first).to_contain_text(url)
    copy_and_open(merchant, dialog, url)
    download_codes(merchant, dialog)
    copy_button(merchant, dialog, url)
    send_to(merchant, dialog, "Kim", "Bo")
    see_in_chatter(merchant, url)


def expect_on_phone(merchant, dialog):
    """All of the dialog is as wide as a phone, and no wider."""
    desk = merchant.page.viewport_size
    merchant.page.set_viewport_size({"width": 390, "height": 844})
    expect(dialog.get_by_role("button", name="Copy Link")).to_be_in_viewport()
    width = dialog.locator(".modal-body").evaluate("body => body.scrollWidth")
    assert width <= 390
    merchant.page.set_viewport_size(desk)


def copy_and_open(merchant, dialog, url):
    """The address, whose page keeps where the payer comes from."""
    dialog.get_by_role("button", name="Copy Link").click()
    copied = read_clipboard(merchant)
    assert copied == url
    assert parse_qs(urlsplit(copied).query) == {"utm_campaign": ["summer"]}
    assert 'name="utm_campaign" value="summer"' in payer.open_page(copied).text


def download_codes(merchant, dialog):
    """The QR code as a drawing and as a picture, each under the link's title."""
    dialog.get_by_role("tab", name="QR Code").click()
    expect(dialog.locator("[name=qr_png] img")).to_be_visible()
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with merchant.page.expect_download() as download:
            dialog.get_by_role("button", name=f"Download {kind}").click()
        assert download.value.suggested_filename == f"Shared-course.{kind.lower()}"
        assert download.value.path().read_bytes().startswith(start)


def copy_button(merchant, dialog, url):
    """The button's HTML for a site of the merchant's own."""
    dialog.get_by_role("tab", name="Button").click()
    dialog.get_by_role("button", name="Copy HTML").click()
    copied = read_clipboard(merchant)
    assert copied.startswith(f'<a href="{url}"')
    assert "<script" not in copied


def send_to(merchant, dialog, *names):
    """An email to several contacts, as it is proposed."""
    dialog.get_by_role("button", name="Send by Email").click()
    recipients = dialog.locator("[name=partner_ids] input").first
    for name in names:
        recipients.fill(f"{name} Shared")
        merchant.page.locator(".dropdown-item", has_text=f"{name} Shared").first.click()
    dialog.get_by_role("button", name="Send", exact=True).click()
    expect(dialog).to_have_count(0)


def see_in_chatter(merchant, url):
    """What was sent, with the address that leads to the page."""
    message = merchant.page.locator(".o-mail-Message", has_text="Shared course").first
    expect(message.locator("a", has_text=url)).to_be_visible()


def read_clipboard(merchant):
    return merchant.page.evaluate("navigator.clipboard.readText()")
