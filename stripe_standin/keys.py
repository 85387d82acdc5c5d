"""API keys: which account and mode a key opens, and what it may do there.

Any `sk_test_…` or `rk_test_…` opens the default account in test mode, `…_live_…` in
live mode. Endings give a key a character without any set-up:

* `…_invalid`: Stripe does not know it (401)
* `…_expired`: it was rolled (401, `api_key_expired`)
* `…_at_NAME`: it belongs to the account `acct_NAME`

`Keyring.rules` (control API, `keys`) says more about single keys:
`{"rk_test_1": {"account": "acct_2", "denied": ["rak_charge_read"], "invalid": true}}`
"""

import base64
import re
from dataclasses import dataclass

from . import errors

KEY = re.compile(r"^[sr]k_(test|live)_\w+$")
ACCOUNT_ENDING = re.compile(r"_at_(\w+)$")


@dataclass(frozen=True)
class Caller:
    """Who asks: the key, shortened as Stripe shows it, and what it opens."""

    masked: str
    account: str
    livemode: bool
    denied: frozenset

    def require(self, permission):
        """Refuse what a restricted key was not given.

        :param permission: e.g. `rak_charge_read`; None needs none
        :raises StripeError: 403
        """
        if permission in self.denied:
            raise errors.forbidden(self.masked, self.account, permission)


class Keyring:
    """Knows callers by their key."""

    def __init__(self, default_account):
        self.default_account = default_account
        self.rules = {}

    def caller(self, header):
        """The caller behind an Authorization header, bearer or basic.

        :raises StripeError: 401
        """
        key = _key_of(header)
        if not key:
            raise errors.no_key()
        rule = self.rules.get(key, {})
        match = KEY.match(key)
        if not match or rule.get("invalid") or key.endswith("_invalid"):
            raise errors.invalid_key(masked(key))
        if key.endswith("_expired"):
            raise errors.expired_key(masked(key))
        return Caller(
            masked(key),
            rule.get("account") or self._account_of(key),
            match[1] == "live",
            frozenset(rule.get("denied", ())),
        )

    def _account_of(self, key):
        ending = ACCOUNT_ENDING.search(key)
        return f"acct_{ending[1]}" if ending else self.default_account


def masked(key):
    """A key as Stripe's messages show it: the ends only."""
    return f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 12 else "********"


def _key_of(header):
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        return _basic_user(value)
    return ""


def _basic_user(value):
    try:
        return base64.b64decode(value).decode().partition(":")[0]
    except ValueError:
        return ""
