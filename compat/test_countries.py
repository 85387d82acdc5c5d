"""Companies with the chart of accounts and the taxes of their own country."""

from decimal import Decimal
from uuid import uuid4

import pytest

from tools import demo_ledger, demo_shop, payer


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
    place.standin.configure(
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


# What *Create Journal and Accounts* gives: codes of the accounts for fees and losses,
# and how those of the accounts for disputes and reviews begin.
CHART_CODES = {
    ("us", "us"): ("650000", "690001", "101"),
    ("uk", "uk"): ("791000", "785000", "1102"),
    ("de", "de_skr03"): ("4970", "2400", "153"),
    ("de", "de_skr04"): ("6855", "6930", "135"),
    ("fr", "fr"): ("627800", "654100", "467"),
    ("be", "be_comp"): ("657200", "642000", "416"),
    ("nl", "nl"): ("463000", "455000", "129"),
    ("se", "se_K2"): ("6570", "6350", "16"),
    ("jp", "jp"): ("512400", "510301", "1210"),
}


@pytest.mark.parametrize(
    ("company", "codes"),
    CHART_CODES.items(),
    ids=[chart for _country, chart in CHART_CODES],
    indirect=["company"],
)
def test_accounts_are_those_of_the_chart(place, company, codes):
    admin, context = place.admin, {"allowed_company_ids": [company]}
    values = {"name": "Stripe", "company_id": company}
    (gateway_id,) = admin.call("checkout.gateway", "create", [values], context=context)
    answer = admin.call(
        "checkout.gateway", "action_create_accounting", [gateway_id], context=context
    )
    assert not answer
    *owned, start = codes
    fees, losses, disputes, reviews = (
        _read_account(admin, gateway_id, f"{name}_account_id", context)
        for name in ("fee", "dispute_loss", "dispute", "review")
    )
    assert [fees["code"], losses["code"]] == owned
    for account in (disputes, reviews):
        assert account["code"].startswith(start)
        assert account["account_type"] == "asset_current"
        assert account["reconcile"]
    assert {fees["account_type"], losses["account_type"]} == {"expense"}


@pytest.mark.parametrize("company", [("de", "de_skr03")], indirect=True)
def test_german_balance_sheet_shows_disputes_as_other_assets(place, company):
    admin, context = place.admin, {"allowed_company_ids": [company]}
    values = {"name": "Stripe", "company_id": company}
    (gateway_id,) = admin.call("checkout.gateway", "create", [values], context=context)
    admin.call(
        "checkout.gateway", "action_create_accounting", [gateway_id], context=context
    )
    for name in ("dispute_account_id", "review_account_id"):
        account = _read_account(admin, gateway_id, name, context)
        assert account["tag_ids"] == [admin.xml_id("l10n_de.tag_de_asset_bs_B_II_4")]


@pytest.mark.parametrize(
    ("company", "payer_country", "tax"),
    [
        (("de", "de_skr03"), "DE", "19.16"),
        (("fr", "fr"), "FR", "20.00"),
        (("fr", "fr"), "US", "0.00"),  # an export, by the country's fiscal positions
    ],
    indirect=["company"],
)
def test_a_sale_is_posted_with_the_tax_of_the_country(
    place, company, link, payer_country, tax
):
    _pay_from(payer_country, link)
    demo_ledger.wait_for_entries(place.admin, link.id)
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


@pytest.mark.parametrize("company", [("de", "de_skr03")], indirect=True)
@pytest.mark.parametrize(
    ("policy", "code", "loss", "tax"),
    [("take_back", "2406", "100.84", "19.16"), ("keep", "2400", "120.00", "0.00")],
)
def test_german_loss_is_on_the_account_of_the_tax_that_is_taken_back(
    place, company, link, policy, code, loss, tax
):
    admin = place.admin
    gateway_id = admin.read("checkout.link", link.id, "gateway_id")
    admin.write("checkout.gateway", gateway_id, dispute_tax=policy)
    _pay_from("DE", link)
    demo_ledger.wait_for_entries(admin, link.id)
    domain = [("payment_id.link_id", "=", link.id)]
    (charge,) = admin.rows(
        "checkout.movement", [*domain, ("kind", "=", "charge")], ["stripe_source_id"]
    )
    dispute = place.standin.dispute(charge["stripe_source_id"])
    place.standin.change_dispute(dispute["id"], "lose")
    admin.call("checkout.gateway", "action_sync", [gateway_id])
    (lost,) = admin.rows(
        "checkout.movement", [*domain, ("kind", "=", "dispute_loss")], ["move_id"]
    )
    items = admin.rows(
        "account.move.line",
        [("move_id", "=", lost["move_id"][0])],
        ["balance", "tax_line_id", "account_id"],
        context={"allowed_company_ids": [company]},  # whose codes are shown
    )
    assert _total(items) == 0
    assert _total(item for item in items if item["tax_line_id"]) == Decimal(tax)
    (item,) = [i for i in items if i["account_id"][1].startswith(code)]
    assert Decimal(f"{item['balance']:.2f}") == Decimal(loss)


def _read_account(admin, gateway_id, field_name, context):
    ((account_id, _name),) = [
        gateway[field_name]
        for gateway in admin.call(
            "checkout.gateway", "read", [gateway_id], [field_name], context=context
        )
    ]
    names = ["code", "account_type", "reconcile", "tag_ids"]
    (account,) = admin.call(
        "account.account", "read", [account_id], names, context=context
    )
    return account


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
