"""``make check-stripe``: whether Stripe is what Checkout Links believes it to be.

The suite ``stripe_contract`` runs against the test mode of a Stripe account. It makes
sessions, charges, refunds, a dispute and webhook endpoints there, and ends or deletes
what can be. Its documentation lists what it proves.

    make check-stripe STRIPE_KEY=sk_test_…
    make check-stripe STRIPE_KEY=sk_test_… STRIPE_RESTRICTED_KEY=rk_test_… BY_HAND=1

STRIPE_RESTRICTED_KEY is a key of the same account without any permission; with
BY_HAND=1 somebody is asked to pay on Stripe's page. Keys are never printed.
"""

import os
import re

from stripe_contract import KEY, PAID_BY_HAND, RESTRICTED_KEY
from tools import suites
from tools.console import Problem
from tools.ground import Odoo

_HOW = "make check-stripe STRIPE_KEY=sk_test_…"
_ARRIVED = {
    "STRIPE_RESTRICTED_KEY": RESTRICTED_KEY,
    "BY_HAND": PAID_BY_HAND,
}


def check_keys() -> None:
    """Refuse to start without a secret key of test mode.

    :raise Problem: saying what to give instead, without the key.
    """
    _check_key(os.environ.get("STRIPE_KEY", ""), "STRIPE_KEY", "sk")
    restricted = os.environ.get("STRIPE_RESTRICTED_KEY")
    if restricted:
        _check_key(restricted, "STRIPE_RESTRICTED_KEY", "rk")


def _check_key(key: str, name: str, prefix: str) -> None:
    if not key:
        raise Problem(
            f"This asks Stripe itself, with a key of a Stripe account: {_HOW}. The"
            " key is in the Stripe Dashboard under Developers, API keys, in test mode."
        )
    if re.match("[a-z]k_live_", key):
        raise Problem(
            f"{name} is a key of live mode, which moves real money: nothing was sent"
            f" to Stripe. Take one of test mode: {_HOW}"
        )
    if not re.fullmatch(rf"{prefix}_test_\w+", key, re.ASCII):
        raise Problem(f"{name} must begin with {prefix}_test_ : {_HOW}")


def run(odoo: Odoo, arguments: list[str]) -> bool:
    """Run the suite against Stripe; the keys were checked.

    :param arguments: For pytest.
    :return: Whether Stripe is as believed.
    """
    given = {KEY: os.environ["STRIPE_KEY"]} | {
        inside: os.environ[name]
        for name, inside in _ARRIVED.items()
        if os.environ.get(name)
    }
    # Without "-s" no one would see the page that is to be paid.
    shown = ["-s"] if PAID_BY_HAND in given else []
    os.environ.pop("STRIPE_API_BASE", None)
    os.environ.update(given)
    options = ["-p", "no:odoo", "--timeout=1200", *shown, *arguments]
    result = suites.run_pytest(odoo, [*options, "stripe_contract"])
    suites.print_verdict(result)
    return result.good
