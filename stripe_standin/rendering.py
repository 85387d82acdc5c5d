"""What leaves the stand-in: copies without private members, expanded where asked."""

import json

from . import contract
from .errors import invalid

MAX_DEPTH = 4
# Lists that an object only shows when they are expanded.
HIDDEN_LISTS = {("checkout.session", "line_items"), ("charge", "refunds")}


def rendered(obj):
    """A deep copy of an object as Stripe shows it."""
    return {
        name: _copied(value) for name, value in obj.items() if not name.startswith("_")
    }


def _copied(value):
    """A copy of JSON; several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def reworded(value, said):
    """A rendered answer with what `World.say` changed, all the way down."""
    if isinstance(value, list):
        return [reworded(item, said) for item in value]
    if not isinstance(value, dict):
        return value
    object_id = value.get("id")
    changes = said.get(object_id, {}) if isinstance(object_id, str) else {}
    return {name: reworded(item, said) for name, item in {**value, **changes}.items()}


def json_text(value):
    """JSON as Stripe prints it. Half a surrogate pair can only be an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text.encode(errors="backslashreplace").decode()


def list_object(url, items, has_more=False):
    """Stripe's list around some objects."""
    return {"object": "list", "data": items, "has_more": has_more, "url": url}


def expanded(answer, paths, merchant):
    """The answer with objects in place of the ids that `paths` names.

    :param answer: a rendered object or list
    :param paths: e.g. `["payment_intent.latest_charge", "data.source"]`
    :raises StripeError: too deep, or nothing that can be expanded
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_DEPTH:
            raise invalid(
                f"You cannot expand more than {MAX_DEPTH} levels of a property "
                f"({path}).",
                "expand",
            )
        _expand(answer, parts, path, merchant)
    return answer


def _expand(value, parts, path, merchant):
    if isinstance(value, list):
        for item in value:
            _expand(item, parts, path, merchant)
        return
    if not parts or value is None:
        return
    name, *rest = parts
    if value["object"] != "list" or name != "data":
        _expand_member(value, name, path, merchant)
    _expand(value.get(name), rest, path, merchant)


def _expand_member(value, name, path, merchant):
    if not contract.expandable(value["object"], name):
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    if (value["object"], name) in HIDDEN_LISTS:
        value.setdefault(name, _hidden_list(value, name, merchant))
        return
    if isinstance(value.get(name), str):
        value[name] = rendered(_object(merchant, value[name], path))


def _object(merchant, object_id, path):
    found = merchant.find(object_id)
    if not found:
        raise invalid(f"The stand-in has no object to expand ({path}).", "expand")
    return found


def _hidden_list(value, name, merchant):
    source = merchant.find(value["id"])
    items = [rendered(item) for item in source["_" + name]]
    url = f"{RESOURCE_URL[value['object']]}/{value['id']}/{name}"
    return list_object(url, items)


RESOURCE_URL = {
    "account": "/v1/accounts",
    "balance": "/v1/balance",
    "balance_transaction": "/v1/balance_transactions",
    "charge": "/v1/charges",
    "checkout.session": "/v1/checkout/sessions",
    "dispute": "/v1/disputes",
    "event": "/v1/events",
    "payment_intent": "/v1/payment_intents",
    "payout": "/v1/payouts",
    "refund": "/v1/refunds",
    "webhook_endpoint": "/v1/webhook_endpoints",
}
