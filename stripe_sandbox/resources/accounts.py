"""The merchant's account (`GET /v1/account`)."""

from stripe.params import AccountRetrieveCurrentParams

from ..routing import endpoint


@endpoint(
    "GET",
    "/v1/account",
    AccountRetrieveCurrentParams,
    "rak_accounts_kyc_basic_read",
)
def retrieve(merchant, params):
    """The account behind the key."""
    settings = merchant.settings
    return {
        "id": merchant.account,
        "object": "account",
        "business_profile": _business_profile(settings.merchant_name),
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": settings.country,
        "created": merchant.created,
        "default_currency": settings.currencies[0],
        "details_submitted": True,
        "email": "merchant@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": _settings(settings.merchant_name),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }


def _business_profile(name):
    empty = "mcc product_description support_address support_email support_phone"
    return {
        **dict.fromkeys([*empty.split(), "support_url", "url"]),
        "name": name,
    }


def _settings(name):
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_payments": {
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
        },
        "sepa_debit_payments": {},
    }
