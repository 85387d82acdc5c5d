"""Stripe's lists: newest first, cut by cursors, filtered by time."""

import operator

from .errors import invalid, not_found
from .rendering import RESOURCE_URL, list_object, rendered

DEFAULT_LIMIT, MAX_LIMIT = 10, 100
COMPARE = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def page(merchant, kind, params, matches=lambda obj: True):
    """One page of the objects of a kind.

    :param params: may hold `limit`, `starting_after`, `ending_before`, `created`
    :param matches: says which objects belong to the list
    """
    newest_first = sorted(merchant.all(kind), key=lambda obj: obj["created"])[::-1]
    wanted = [obj for obj in newest_first if matches(obj) and _in_time(obj, params)]
    return cut(wanted, params, RESOURCE_URL[kind], kind)


def cut(items, params, url, kind):
    """The part of some objects, newest first, that the cursors ask for."""
    limit = _limit(params)
    if "ending_before" in params:
        before = items[: _position(items, params["ending_before"], kind)]
        return _list(url, before[-limit:], len(before) > limit)
    if "starting_after" in params:
        items = items[_position(items, params["starting_after"], kind) + 1 :]
    return _list(url, items[:limit], len(items) > limit)


def in_range(value, wanted):
    """Whether a time is within Stripe's `created` filter, an int or a range."""
    if isinstance(wanted, int):
        return value == wanted
    return all(COMPARE[name](value, bound) for name, bound in wanted.items())


def _in_time(obj, params):
    return "created" not in params or in_range(obj["created"], params["created"])


def _limit(params):
    limit = params.get("limit", DEFAULT_LIMIT)
    if limit < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            "limit",
            "parameter_invalid_integer",
        )
    if limit > MAX_LIMIT:
        raise invalid(
            f"This value must be less than or equal to {MAX_LIMIT}.",
            "limit",
            "parameter_invalid_integer",
        )
    return limit


def _position(items, object_id, kind):
    for index, item in enumerate(items):
        if item["id"] == object_id:
            return index
    raise not_found(kind, object_id, "starting_after")


def _list(url, items, has_more):
    return list_object(url, [rendered(item) for item in items], has_more)
