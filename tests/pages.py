"""What people do in a browser: a merchant in Odoo's backend, a payer on the pages."""

import re

from playwright.sync_api import Page, expect

from tests.kit import PATIENCE
from tools import payer

LOADING = PATIENCE * 1000  # milliseconds; the first page builds Odoo's scripts
expect.set_options(timeout=LOADING)


class Merchant:
    """Somebody at work in Odoo's backend, by its menus and buttons.

    :ivar page: The browser's page.
    """

    def __init__(self, page: Page):
        self.page = page
        page.set_default_timeout(LOADING)

    def log_in(self, login: str, password: str) -> None:
        """Log in and wait for the backend."""
        self.page.goto("/web/login")
        self.page.fill("#login", login)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_selector(".o_navbar")

    def open_app(self, app: str) -> None:
        """Go to an app and wait for its menus: several have similar ones."""
        self.page.click(".o_navbar_apps_menu button")
        self.page.locator(".o_app", has_text=app).click()
        expect(self.page.locator(".o_menu_brand")).to_have_text(app)

    def open_menu(self, *path: str) -> None:
        """Go to a list by the names of its app and menus."""
        app, section, entry = path
        self.open_app(app)
        self.page.locator(".o_menu_sections button", has_text=section).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()
        self._expect_title(entry)

    def open_settings(self, entry: str) -> None:
        """Go to an entry of the Settings app that stands by itself."""
        self.open_app("Settings")
        self.page.locator(".o_menu_sections .o_nav_entry", has_text=entry).click()

    def offers_menu(self, *path: str) -> bool:
        """Whether an app's section has a menu of that name."""
        app, section, entry = path
        self.open_app(app)
        sections = self.page.locator(".o_menu_sections button", has_text=section)
        if not sections.count():
            return False
        sections.click()
        menu = self.page.get_by_role("menuitem", name=entry, exact=True)
        return bool(menu.count())

    def count_clicks(self) -> None:
        """Count from now on what the mouse clicks on this page."""
        self.page.evaluate(
            "window.clicks = 0, addEventListener('click', event => {"
            " window.clicks += event.isTrusted ? 1 : 0 }, true)"
        )

    def get_clicks(self) -> int:
        """How many clicks there were since then."""
        return self.page.evaluate("window.clicks")

    def start_record(self) -> None:
        """An empty form in place of the list."""
        self.page.click(".o_list_button_add")
        self.page.wait_for_selector(".o_form_view")

    def fill(self, field: str, value: str) -> None:
        """Type into a field of the form and leave it."""
        box = self.page.locator(f"[name={field}] :is(input, textarea)").first
        box.fill(value)
        box.press("Tab")

    def choose(self, field: str, label: str) -> None:
        """Choose one of the buttons of a field."""
        self.page.locator(f"[name={field}]").get_by_text(label, exact=True).click()

    def save(self) -> None:
        """Save the form, and wait until it is."""
        self.page.click(".o_form_button_save")
        expect(self.page.locator(".o_form_button_save")).not_to_be_visible()

    def see(self, text: str) -> None:
        """Wait until the page shows a text."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def expect_ticks(self, number: int) -> None:
        """Wait until so many steps of a gateway are ticked."""
        ticks = self.page.locator("[name=steps] .text-success:visible")
        expect(ticks).to_have_count(number)

    def dismiss(self) -> str:
        """Close what Odoo refuses with, and return what it said."""
        dialog = self.page.locator(".modal")
        text = dialog.locator(".modal-body").inner_text()
        dialog.locator(".modal-footer button").first.click()
        expect(dialog).to_have_count(0)
        return text

    def new_link(self, title: str, amount: str) -> str:
        """Make a fixed link and copy its address."""
        page = self.page
        page.click(".o_list_button_add")
        page.fill("[name=name] input, [name=name] textarea", title)
        page.fill("[name=amount] input", amount)
        page.click(".o_form_button_save")
        page.click("[name=url] .o_clipboard_button")
        return page.evaluate("navigator.clipboard.readText()")

    def open_link(self, title: str) -> None:
        """Open a link's form from the list of links."""
        self.open_menu("Invoicing", "Customers", "Checkout Links")
        self.open_row(title)

    def filter_by(self, label: str) -> None:
        """Switch on a filter of the list's search bar."""
        self.page.click(".o_searchview_dropdown_toggler")
        self.page.get_by_role("menuitemcheckbox", name=label, exact=True).click()
        self.page.keyboard.press("Escape")
        expect(self.page.locator(".o_facet_values", has_text=label)).to_be_visible()

    def expect_rows(self, text: str, count: int) -> None:
        """Wait until so many of the list's rows have that text."""
        rows = self.page.locator(".o_list_view .o_data_row", has_text=text)
        expect(rows).to_have_count(count)

    def switch_view(self, kind: str) -> None:
        """Show the list as another kind of view, such as a kanban."""
        self.page.click(f".o_cp_switch_buttons .o_{kind}")
        self.page.wait_for_selector(f".o_{kind}_view")

    def select_rows(self, *texts: str) -> None:
        """Tick the list's rows with those texts."""
        for text in texts:
            row = self.page.locator(".o_data_row", has_text=text)
            row.locator(".o_list_record_selector input").check()

    def choose_action(self, label: str) -> None:
        """Choose what to do with the record, or with the ticked rows."""
        self.page.click(".o_cp_action_menus button")
        # Its name may begin with a letter of the icon font.
        name = re.compile(rf"(^|\W){re.escape(label)}$")
        self.page.get_by_role("menuitem", name=name).click()

    def open_row(self, text: str) -> None:
        """Open the form behind the list's row with that text."""
        row = self.page.locator(".o_list_view .o_data_row", has_text=text)
        row.locator(".o_data_cell", has_text=text).first.click()
        self.page.wait_for_selector(".o_form_view")

    def press(self, label: str) -> None:
        """Press a button above the form."""
        header = self.page.locator(".o_form_statusbar")
        header.get_by_role("button", name=label, exact=True).click()

    def expect_button(self, label: str) -> None:
        """Wait until the form offers a button above it."""
        header = self.page.locator(".o_form_statusbar")
        expect(header.get_by_role("button", name=label, exact=True)).to_be_visible()

    def answer(self, label: str) -> str:
        """Press a dialog's button, and return what the dialog said."""
        dialog = self.page.locator(".modal")
        text = dialog.locator(".modal-body").inner_text()
        dialog.get_by_role("button", name=label, exact=True).click()
        expect(dialog).to_have_count(0)
        return text

    def open_entries(self) -> None:
        """Follow a payment's smart button to its journal entries."""
        self.follow_button("action_view_moves")
        self._expect_title("Journal Entries")

    def follow_button(self, name: str) -> None:
        """Press a smart button: what the form's record leads to."""
        self.page.click(f".o-form-buttonbox button[name={name}]")

    def _expect_title(self, title: str) -> None:
        """Wait for the view of that name: the one before may show similar rows."""
        breadcrumb = self.page.locator(".o_breadcrumb")
        expect(breadcrumb).to_contain_text(title)

    def table(self, selector: str = ".o_list_view") -> list[str]:
        """The rows of a list, as text."""
        rows = self.page.locator(f"{selector} .o_data_row")
        rows.first.wait_for()
        return [" ".join(text.split()) for text in rows.all_inner_texts()]


def pay_with(page: Page, number: str) -> None:
    """Fill in Stripe's hosted page and send it."""
    page.fill("#email", "ada@example.com")
    page.fill("#number", number)
    page.fill("#expiry", "12 / 34")
    page.fill("#cvc", "123")
    page.fill("#name", "Ada Example")
    page.click("#pay")


def start_paying(page: Page, url: str) -> None:
    """From the pay page to Stripe's hosted page."""
    page.goto(url)
    page.click("form button")
    page.wait_for_url("**/c/pay/**")


def expect_paid(page: Page) -> None:
    """The payer is back and reads that the money is there."""
    page.wait_for_url("**/return?session_id=*")
    expect(page.locator("h1")).to_have_text("Payment received")


GOOD_CARD, DECLINED_CARD = payer.GOOD_CARD, payer.DECLINED_CARD
