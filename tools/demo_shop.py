"""The demo's shop: a company with accounting, a gateway and three links.

Made through a running server by its administrator, with nothing but what a person
could click together in the same order.
"""

from dataclasses import dataclass

from tools.rpc import Client

COMPANY = "Kantivo Bakery"
LOGIN = PASSWORD = "admin"
WEBHOOK_SECRET = "whsec_demo_of_checkout_links"
SECRET_KEY = "sk_test_demo_of_checkout_links"
_CHART = "generic_coa"
_ACCOUNTANT = "account.group_account_user"

_COURSE = {
    "name": "Sourdough weekend course",
    "description": "Two days in our bakery, with lunch and all ingredients.",
    "amount": 110,
}
_DONATION = {
    "name": "Support the school kitchen",
    "description": "Every loaf counts: choose the amount yourself.",
    "amount_type": "open",
    "minimum_amount": 5,
}
_BOX = {
    "name": "Tasting box, sent to Japan",
    "description": "Six small breads that travel well. Exempt from tax.",
    "amount": 5000,
    "tax_ids": [(5,)],
}


@dataclass(frozen=True)
class Link:
    """A link as its merchant knows it."""

    id: int
    name: str
    url: str


@dataclass(frozen=True)
class Shop:
    """What was made.

    :param links: The first one is the fixed one of 110.00.
    :param webhook_url: Where Stripe delivers to.
    """

    gateway_id: int
    links: list[Link]
    webhook_url: str


def open_shop(odoo: Client, url: str) -> Shop:
    """Make the shop.

    :param odoo: The administrator of a database without accounting yet.
    :param url: The address that links and the webhook begin with.
    """
    _set_address(odoo, url)
    company_id = _name_company(odoo)
    _show_all_accounting(odoo)
    odoo.call("account.chart.template", "try_loading", [], _CHART, company_id)
    gateway_id = _make_gateway(odoo, _make_tax(odoo))
    return Shop(
        gateway_id,
        _make_links(odoo, gateway_id),
        odoo.read("checkout.gateway", gateway_id, "webhook_url"),
    )


def _set_address(odoo: Client, url: str) -> None:
    for key, value in (("web.base.url", url), ("web.base.url.freeze", "True")):
        odoo.call("ir.config_parameter", "set_param", key, value)


def _name_company(odoo: Client) -> int:
    (company_id,) = odoo.search("res.company", [])
    odoo.write(
        "res.company",
        company_id,
        name=COMPANY,
        email="hello@bakery.example.com",
        website="https://bakery.example.com",
        country_id=odoo.xml_id("base.us"),
        primary_color="#9A3412",
    )
    return company_id


def _show_all_accounting(odoo: Client) -> None:
    """Let the user see journal entries, which Odoo hides from most users."""
    group_id = odoo.xml_id(_ACCOUNTANT)
    odoo.write("res.users", odoo.user_id, group_ids=[(4, group_id)])


def _make_tax(odoo: Client) -> int:
    """A sales tax of 10 %, included in prices, with tags for the tax report."""
    account_id = odoo.create(
        "account.account",
        name="Sales Tax",
        code="251500",
        account_type="liability_current",
    )
    return odoo.create(
        "account.tax",
        name="10% included",
        amount=10,
        type_tax_use="sale",
        price_include_override="tax_included",
        invoice_repartition_line_ids=_repartition(odoo, account_id, "Sales"),
        refund_repartition_line_ids=_repartition(odoo, account_id, "Refunds"),
    )


def _repartition(odoo: Client, account_id: int, what: str) -> list:
    base_tag, tax_tag = (
        odoo.create("account.account.tag", name=name, applicability="taxes")
        for name in (f"{what}: base", f"{what}: tax")
    )
    base = {"repartition_type": "base", "tag_ids": [(6, 0, [base_tag])]}
    tax = {
        "repartition_type": "tax",
        "tag_ids": [(6, 0, [tax_tag])],
        "account_id": account_id,
    }
    return [(0, 0, base), (0, 0, tax)]


def _make_gateway(odoo: Client, tax_id: int) -> int:
    """A connected gateway that posts, although its key is a test key."""
    gateway_id = odoo.create(
        "checkout.gateway",
        name="Stripe",
        secret_key=SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        post_entries=True,
        tax_ids=[(6, 0, [tax_id])],
    )
    odoo.call("checkout.gateway", "action_create_accounting", [gateway_id])
    odoo.call("checkout.gateway", "action_test_connection", [gateway_id])
    return gateway_id


def _make_links(odoo: Client, gateway_id: int) -> list[Link]:
    yen_id = odoo.xml_id("base.JPY")
    odoo.write("res.currency", yen_id, active=True)
    return [
        _make_link(odoo, gateway_id, values)
        for values in (_COURSE, _DONATION, {**_BOX, "currency_id": yen_id})
    ]


def _make_link(odoo: Client, gateway_id: int, values: dict) -> Link:
    link_id = odoo.create("checkout.link", gateway_id=gateway_id, **values)
    return Link(link_id, values["name"], odoo.read("checkout.link", link_id, "url"))
