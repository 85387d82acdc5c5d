"""The two Stripes that the suite runs against, and what differs between them."""

import os
import time
from uuid import uuid4

import stripe

from stripe_standin.control_client import Standin

from . import KEY, PAID_BY_HAND, RESTRICTED_KEY
from .client import StripeClient, const

_UNKNOWN_KEY = "sk_test_51UnknownUnknownUnknown_invalid"
_HAND_PATIENCE = 600  # seconds for somebody to pay
_PATIENCE = 90  # seconds until something that Stripe does later is done


def eventually(read, seconds=_PATIENCE):
    """The first true value of `read()`, asked twice a second."""
    until = time.monotonic() + seconds
    while not (value := read()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.5)
    return value


class Side:
    """One Stripe account in test mode.

    :ivar client: The addon's client with the account's secret key.
    :ivar currency: One that the account settles in.
    """

    def __init__(self, key, restricted_key):
        self.client = StripeClient(key)
        self._package = stripe.StripeClient(
            key,
            stripe_version=const.API_VERSION,
            base_addresses=_base_addresses(),
            max_network_retries=2,
        ).v1
        self._restricted_key = restricted_key
        balance = self.client.retrieve_balance()
        self.currency = balance["available"][0]["currency"]

    def restricted_client(self):
        """The client of a key of this account that may do nothing."""
        return StripeClient(self._restricted_key)

    def stranger(self):
        """The client of a key that Stripe doesn't know."""
        return StripeClient(_UNKNOWN_KEY)

    def charge(self, amount, card="pm_card_visa"):
        """The id of a paid charge, made without a page."""
        methods = {"enabled": True, "allow_redirects": "never"}
        intent = self._package.payment_intents.create(
            {
                "amount": amount,
                "currency": self.currency,
                "confirm": True,
                "payment_method": card,
                "automatic_payment_methods": methods,
                "metadata": {"made_by": "checkout links contract suite"},
            }
        )
        return intent.latest_charge

    def session_params(self, **params):
        """A Checkout Session as the addon asks for it."""
        price = {
            "currency": self.currency,
            "unit_amount": 11000,
            "product_data": {"name": "Contract suite", "description": "Not a sale."},
        }
        metadata = {"checkout_payment": str(uuid4()), "checkout_link": "7"}
        url = "https://example.com/checkout/token"
        return {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "success_url": f"{url}/return?session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": url,
            "client_reference_id": metadata["checkout_payment"],
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata, "description": "Suite (1)"},
            "adaptive_pricing": {"enabled": False},
            "expires_at": int(time.time()) + 60 * const.SESSION_MINUTES,
            "locale": "auto",
            **params,
        }


class StandinSide(Side):
    """The stand-in, in a process of its own."""

    def __init__(self):
        self._standin = Standin.start()
        os.environ["STRIPE_API_BASE"] = self._standin.url
        denied = ["rak_" + name for name in _PERMISSIONS]
        self._standin.configure(keys={"rk_test_nothing": {"denied": denied}})
        super().__init__("sk_test_contract", "rk_test_nothing")

    def pay(self, session):
        """Somebody pays."""
        self._standin.pay(session["id"])

    def close(self):
        """End the process."""
        del os.environ["STRIPE_API_BASE"]
        self._standin.stop()


class Real(Side):
    """Stripe itself."""

    def __init__(self):
        super().__init__(os.environ[KEY], os.environ.get(RESTRICTED_KEY))

    def pay(self, session):
        """Ask whoever runs the suite to pay, and wait."""
        print(f"\nPlease pay with 4242 4242 4242 4242:\n{session['url']}", flush=True)
        read = self.client.retrieve_session
        eventually(lambda: read(session["id"])["status"] == "complete", _HAND_PATIENCE)

    def close(self):
        """Nothing is left open."""


def is_real():
    """Whether the suite was asked to go to Stripe itself."""
    return KEY in os.environ


def missing_fixtures():
    """Fixtures that are not available on this side, with what they would need."""
    if not is_real():
        return {}
    needs = {
        "restricted": ("STRIPE_RESTRICTED_KEY", RESTRICTED_KEY),
        "paid_session": ("BY_HAND=1", PAID_BY_HAND),
    }
    return {name: need for name, (need, var) in needs.items() if var not in os.environ}


def _base_addresses():
    base = os.environ.get("STRIPE_API_BASE")
    return {"api": base} if base else {}


# What the stand-in may deny a restricted key: all that the addon asks for.
_PERMISSIONS = (
    "accounts_kyc_basic_read balance_read balance_transaction_source_read charge_read "
    "charge_write checkout_session_read checkout_session_write dispute_read event_read "
    "payment_intent_read payout_read webhook_read webhook_write"
).split()
