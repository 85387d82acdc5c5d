"""The merchant's account (`GET /v1/account`)."""

from stripe.params import AccountRetrieveCurrentParams

from ..rendering import list_object
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
        "external_accounts": _external_accounts(merchant),
        "metadata": {},
        "payouts_enabled": True,
        "settings": _settings(settings),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }


def _business_profile(name):
    empty = "mcc product_description support_address support_email support_phone"
    return {
        **dict.fromkeys([*empty.split(), "support_url", "url"]),
        "name": name,
    }


def bank_account_id(currency):
    """The bank account that payouts of a currency go to."""
    return "ba_1Standin" + currency


def _external_accounts(merchant):
    url = f"/v1/accounts/{merchant.account}/external_accounts"
    currencies = merchant.settings.currencies
    return list_object(url, [_bank_account(merchant, each) for each in currencies])


def _bank_account(merchant, currency):
    return {
        "id": bank_account_id(currency),
        "object": "bank_account",
        "account": merchant.account,
        "account_holder_name": None,
        "account_holder_type": None,
        "account_type": None,
        "available_payout_methods": ["standard", "instant"],
        "bank_name": "STRIPE TEST BANK",
        "country": merchant.settings.country,
        "currency": currency,
        "default_for_currency": True,
        "fingerprint": "StandinBank" + currency,
        "last4": "6789",
        "metadata": {},
        "routing_number": "110000000",
        "status": "new",
    }


def _settings(settings):
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_payments": {
            "statement_descriptor_prefix": settings.statement_prefix,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": settings.merchant_name, "timezone": "Etc/UTC"},
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {
                "delay_days": settings.available_after_days,
                "interval": "daily",
            },
            "statement_descriptor": None,
        },
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
        },
        "sepa_debit_payments": {},
    }
