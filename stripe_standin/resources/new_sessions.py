"""How a Checkout Session is made: what Stripe refuses, and the object it answers."""

from .. import errors, methods, money
from ..checks import (
    check_email,
    check_length,
    check_statement,
    check_url,
    metadata,
)
from . import balance_transactions

KIND = "checkout.session"
SHORTEST, LONGEST = 30 * 60, 24 * 3600
# Seconds by which the clocks of client and Stripe may differ.
SLACK = 10
MAX_LINES = 100
MAX_TEXT = 5000

# Shown in the answer as they were sent.
ECHOED = (
    "allowed_payment_method_types",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "excluded_payment_method_types",
    "integration_identifier",
    "locale",
    "name_collection",
    "origin_context",
    "submit_type",
    "success_url",
)
MODELLED = {
    *ECHOED,
    "adaptive_pricing",
    "branding_settings",
    "custom_text",
    "customer_creation",
    "expand",
    "expires_at",
    "line_items",
    "managed_payments",
    "metadata",
    "mode",
    "payment_intent_data",
    "phone_number_collection",
    "ui_mode",
}
SESSION_NULLS = (
    "payment_method_configuration_details permissions after_expiration "
    "allow_promotion_codes client_secret collected_information consent "
    "consent_collection currency_conversion customer customer_account "
    "customer_details discounts invoice invoice_creation payment_intent payment_link "
    "recovered_from saved_payment_method_options setup_intent "
    "shipping_address_collection shipping_cost subscription wallet_options"
).split()


def build_session(merchant, params):
    """An open session, not yet kept.

    :param params: typed values of the create call
    :raises StripeError: what Stripe refuses, and what the stand-in does not model
    """
    _check_modeled(params)
    _check_texts(merchant, params)
    lines = _line_items(merchant, params.get("line_items"))
    total = _checked_total(merchant, lines)
    return _session(merchant, params, lines, total)


# -- checks of a new session ----------------------------------------------------------


def _check_modeled(params):
    if params.get("mode") is None:
        raise errors.missing_parameter("mode")
    if params["mode"] != "payment":
        raise errors.not_modeled("mode")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise errors.not_modeled("ui_mode")
    for name in params.keys() - MODELLED:
        raise errors.not_modeled(name)
    if params.get("managed_payments", {}).get("enabled"):
        raise errors.not_modeled("managed_payments")
    if params.get("customer_creation") == "always":
        raise errors.not_modeled("customer_creation")


def _check_texts(merchant, params):
    if "success_url" not in params:
        raise errors.missing_parameter("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params:
            check_url(params[name], name, merchant.livemode)
    if "customer_email" in params:
        check_email(params["customer_email"], "customer_email")
    check_length(params.get("client_reference_id"), 200, "client_reference_id")
    _check_intent_data(merchant, params.get("payment_intent_data", {}))


def _check_intent_data(merchant, data):
    if data.get("capture_method") == "manual":
        raise errors.not_modeled("payment_intent_data[capture_method]")
    metadata(data.get("metadata"), "payment_intent_data[metadata]")
    check_length(data.get("description"), 1000, "payment_intent_data[description]")
    check_statement(
        merchant.settings.statement_prefix,
        data.get("statement_descriptor_suffix"),
        "payment_intent_data[statement_descriptor_suffix]",
    )
    if "receipt_email" in data:
        check_email(data["receipt_email"], "payment_intent_data[receipt_email]")


def _line_items(merchant, wanted):
    if not wanted:
        raise errors.missing_parameter("line_items")
    if len(wanted) > MAX_LINES:
        raise errors.invalid(f"At most {MAX_LINES} line items.", "line_items")
    return [
        _line_item(merchant, line, f"line_items[{index}]")
        for index, line in enumerate(wanted)
    ]


def _line_item(merchant, line, param):
    price_data = _price_data(line, param)
    currency = money.checked_currency(
        price_data["currency"], f"{param}[price_data][currency]"
    )
    unit = price_data["unit_amount"]
    money.check_granularity(unit, currency, f"{param}[price_data][unit_amount]")
    quantity = line.get("quantity", 1)
    if quantity < 1:
        raise errors.invalid(
            "This value must be greater than or equal to 1.",
            f"{param}[quantity]",
            "parameter_invalid_integer",
        )
    return {
        "id": merchant.new_id("li_1"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": unit * quantity,
        "amount_tax": 0,
        "amount_total": unit * quantity,
        "currency": currency,
        "description": price_data["product_data"]["name"],
        "metadata": metadata(line.get("metadata"), f"{param}[metadata]"),
        "price": _price(merchant, unit, currency, price_data),
        "quantity": quantity,
        "_text": price_data["product_data"].get("description"),
    }


def _price_data(line, param):
    if "price" in line:
        raise errors.not_found("price", line["price"], f"{param}[price]")
    if "price_data" not in line:
        raise errors.missing_parameter(f"{param}[price]")
    price_data = line["price_data"]
    for name in ("unit_amount", "product_data"):
        if name not in price_data:
            raise errors.missing_parameter(f"{param}[price_data][{name}]")
    if price_data["unit_amount"] < 0:
        raise errors.invalid(
            "This value must be greater than or equal to 0.",
            f"{param}[price_data][unit_amount]",
            "parameter_invalid_integer",
        )
    _check_product(price_data["product_data"], f"{param}[price_data][product_data]")
    return price_data


def _check_product(product, param):
    if not product["name"].strip():
        raise errors.invalid(
            "You passed an empty string. Empty values unset a parameter, but this one "
            "cannot be unset.",
            f"{param}[name]",
            "parameter_invalid_empty",
        )
    for name in ("name", "description"):
        check_length(product.get(name), MAX_TEXT, f"{param}[{name}]")


def _price(merchant, unit, currency, price_data):
    return {
        "id": merchant.new_id("price_1"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": merchant.now(),
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": merchant.livemode,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": merchant.new_id("prod_", 14),
        "recurring": None,
        "tax_behavior": price_data.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": unit,
        "unit_amount_decimal": str(unit),
    }


def _checked_total(merchant, lines):
    currency = lines[0]["currency"]
    if any(line["currency"] != currency for line in lines):
        raise errors.invalid(
            "All line items must have the same currency.", "line_items"
        )
    total = sum(line["amount_total"] for line in lines)
    money.check_limits(
        total,
        currency,
        balance_transactions.settlement_currency(merchant, currency),
        merchant.settings.rates,
        "line_items",
    )
    return total


# -- the object -----------------------------------------------------------------------


def _session(merchant, params, lines, total):
    mode = "live" if merchant.livemode else "test"
    session_id = merchant.new_id(f"cs_{mode}_a1", 56)
    intent_data = dict(params.get("payment_intent_data", {}))
    intent_data["metadata"] = metadata(intent_data.get("metadata"))
    currency = lines[0]["currency"]
    return {
        "id": session_id,
        "object": KIND,
        **dict.fromkeys(SESSION_NULLS),
        **{name: params.get(name) for name in ECHOED},
        "adaptive_pricing": params.get("adaptive_pricing", {"enabled": True}),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": _no_automatic_tax(),
        "branding_settings": _branding(merchant, params.get("branding_settings", {})),
        "created": merchant.now(),
        "currency": currency,
        "custom_fields": [],
        "custom_text": _custom_text(params.get("custom_text", {})),
        "customer_creation": params.get("customer_creation", "if_required"),
        "expires_at": _expires_at(merchant, params),
        "livemode": merchant.livemode,
        "managed_payments": {"enabled": False},
        "metadata": metadata(params.get("metadata")),
        "mode": "payment",
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": _method_types(params, currency),
        "payment_status": "unpaid",
        "phone_number_collection": params.get(
            "phone_number_collection", {"enabled": False}
        ),
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{merchant.world.base_url}/c/pay/{session_id}",
        "_line_items": lines,
        "_payment_intent_data": intent_data,
    }


def _no_automatic_tax():
    return {"enabled": False, "liability": None, "provider": None, "status": None}


def _expires_at(merchant, params):
    now = merchant.now()
    expires_at = params.get("expires_at", now + LONGEST)
    if expires_at > now + LONGEST + SLACK:
        raise errors.invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout "
            "Session creation.",
            "expires_at",
        )
    if expires_at < now + SHORTEST - SLACK:
        raise errors.invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout "
            "Session creation.",
            "expires_at",
        )
    return expires_at


def _method_types(params, currency):
    offered = [kind for kind in ("card", methods.debit_kind(currency)) if kind]
    allowed = params.get("allowed_payment_method_types", offered)
    excluded = params.get("excluded_payment_method_types", [])
    kept = [kind for kind in offered if kind in allowed and kind not in excluded]
    if not kept:
        raise errors.invalid(
            "No valid payment method types for this Checkout Session.",
            "allowed_payment_method_types",
        )
    return kept


def _custom_text(wanted):
    places = ("after_submit", "shipping_address", "submit")
    texts = dict.fromkeys((*places, "terms_of_service_acceptance"))
    return {**texts, **{name: text or None for name, text in wanted.items()}}


def _branding(merchant, wanted):
    return {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#0074d4",
        "display_name": merchant.settings.merchant_name,
        "font_family": "default",
        "icon": None,
        "logo": None,
        **{name: value for name, value in wanted.items() if value != ""},
    }
