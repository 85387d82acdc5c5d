"""Decoding of Stripe's bracketed forms: `a[b][0][c]=1`, `expand[]=x`."""

import re
from urllib.parse import parse_qsl

from .errors import invalid

KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
PART = re.compile(r"\[([^\[\]]*)\]")


def decode(text):
    """Nested dicts of strings; array items are keyed by their index as text.

    :raises StripeError: a key that is not well bracketed, or used in two ways
    """
    tree = {}
    for key, value in parse_qsl(text, keep_blank_values=True, encoding="utf-8"):
        _put(tree, _path(key), value, key)
    return tree


def _path(key):
    match = KEY.match(key)
    if not match:
        raise invalid(f"Invalid parameter name: {key}", key)
    return [match[1], *PART.findall(match[2])]


def _put(tree, path, value, key):
    *parents, last = path
    for part in parents:
        tree = tree.setdefault(_index(tree, part), {})
        if not isinstance(tree, dict):
            raise invalid(f"Invalid parameter: {key}", key)
    tree[_index(tree, last)] = value


def _index(tree, part):
    return part or str(len(tree))
