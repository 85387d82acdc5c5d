"""The table of API paths: each resource file registers its own here."""

import re
from collections.abc import Callable
from dataclasses import dataclass

ENDPOINTS = []


@dataclass(frozen=True)
class Endpoint:
    """One method and path of the API.

    :param params: the `stripe.params` class of its parameters
    :param permission: what a restricted key needs for it
    :param handler: (merchant, params, *ids of the path) -> stored object or list
    """

    method: str
    pattern: re.Pattern
    params: type
    permission: str
    handler: Callable


def endpoint(method, path, params, permission=None):
    """Register a function for a path such as `/v1/charges/{id}`."""
    pattern = re.compile("^" + re.sub(r"\{\w+\}", r"([\\w.-]+)", path) + "$")

    def register(handler):
        ENDPOINTS.append(Endpoint(method, pattern, params, permission, handler))
        return handler

    return register


def find(method, path):
    """The endpoint and the ids in the path, or (None, ())."""
    for candidate in ENDPOINTS:
        match = candidate.pattern.match(path)
        if match and candidate.method == method:
            return candidate, match.groups()
    return None, ()
