"""Companies with the chart of accounts and the taxes of their own country."""

from decimal import Decimal
from uuid import uuid4

import pytest

from tools import demo_books, demo_shop, payer


@pytest.fixture
def company(request, place):
    """Id of a company with that country's chart of accounts."""
    country, chart = request.param
    admin = place.admin
    # Else Odoo would now install more modules of that country, and what they need.
    (company_id,) = admin.call(
        "res.company",
        "create",
        [
            {
                "name": f"{country} {uuid4()}",
                "country_id": admin.xml_id(f"base.{country}"),
            }
        ],
        context={"install_mode": True},
    )
    admin.write("res.users", admin.user_id, company_ids=[(4, company_id)])
    admin.call("account.chart.template", "try_loading", [], chart, company_id)
    return company_id


@pytest.fixture
def link(place, company):
    """A link of that company over 120 euros, with its usual tax."""
    admin, context = place.admin, {"allowed_company_ids": [company]}
    account = f"company{company}"
    place.sandbox.configure(
        account=f"acct_{account}", settings={"currencies": ["eur"], "country": "DE"}
    )
    gateway = {
        "name": "Stripe",
        "company_id": company,
        "secret_key": f"{demo_shop.SECRET_KEY}_at_{account}",
        "webhook_secret": demo_shop.WEBHOOK_SECRET,
        "post_entries": True,
        "tax_ids": [(4, admin.read("res.company", company, "account_sale_tax_id"))],
    }
    (gateway_id,) = admin.call("checkout.gateway", "create", [gateway], context=context)
    admin.call(
        "checkout.gateway", "action_create_accounting", [gateway_id], context=context
    )
    values = {"name": "Course", "amount": 120, "gateway_id": gateway_id}
    (link_id,) = admin.call("checkout.link", "create", [values], context=context)
    place.deliver_to(admin.read("checkout.gateway", gateway_id, "webhook_url"))
    yield demo_shop.Link(link_id, "Course", admin.read("checkout.link", link_id, "url"))
    place.deliver_to(place.shop.webhook_url)


@pytest.mark.parametrize(
    ("company", "payer_country", "tax"),
    [
        (("de", "de_skr03"), "DE", "19.16"),
        (("fr", "fr"), "FR", "20.00"),
        (("fr", "fr"), "US", "0.00"),  # an export, by the country's fiscal positions
    ],
    indirect=["company"],
)
def test_a_sale_is_booked_with_the_tax_of_the_country(
    place, company, link, payer_country, tax
):
    _pay_from(payer_country, link)
    demo_books.wait_for_entries(place.admin, link.id)
    domain = [("payment_id.link_id", "=", link.id), ("kind", "=", "charge")]
    (movement,) = place.admin.rows("checkout.movement", domain, ["state", "move_id"])
    assert movement["state"] == "posted"
    items = place.admin.rows(
        "account.move.line",
        [("move_id", "=", movement["move_id"][0])],
        ["balance", "tax_line_id"],
    )
    assert _total(items) == 0
    assert _total(item for item in items if item["tax_line_id"]) == -Decimal(tax)


def _pay_from(country, link):
    payer.submit(
        payer.submit(payer.open_page(link.url)),
        email="ada@example.com",
        name="Ada Example",
        number=payer.GOOD_CARD,
        expiry="12 / 34",
        cvc="123",
        country=country,
    )


def _total(items):
    return sum(Decimal(f"{item['balance']:.2f}") for item in items)
