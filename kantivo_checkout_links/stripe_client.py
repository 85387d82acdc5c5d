"""The one place that talks to Stripe. Nothing else in the addon imports `stripe`.

Calls return plain dictionaries with Stripe's own keys; failures are `StripeError`s that
carry a sentence for a person and the kind of failure for code.
"""

import json
import logging
import os
import time

import stripe

from .const import (
    API_RETRIES,
    API_TIMEOUT,
    API_VERSION,
    SIGNATURE_TOLERANCE,
    STRIPE_PAGE,
)

_logger = logging.getLogger(__name__)
# The package logs whole requests at INFO; ours tells what matters, without bodies.
logging.getLogger("stripe").setLevel(logging.WARNING)

# Everything of a payment in one call. Four levels are what Stripe expands.
# https://docs.stripe.com/expand
SESSION_EXPAND = ["payment_intent.latest_charge.balance_transaction"]
CHARGE_EXPAND = ["balance_transaction", "payment_intent"]


class StripeError(Exception):
    """A call that brought no result.

    `kind` is one of: `unreachable` (no answer, so Stripe may have acted), `broken` (an
    answer that Stripe itself failed, which it repeats for the same idempotency key),
    `busy` (429), `auth`, `permission`, `missing` (404), `refused` (Stripe says why),
    `blocked` (we made no call). `code` and `param` are Stripe's own, empty where it gave
    none.
    """

    def __init__(self, message, kind, code="", param=""):
        super().__init__(message)
        self.kind = kind
        self.code = code or ""
        self.param = param or ""

    @property
    def may_have_acted(self):
        """Whether Stripe may have done what was asked: the same key must be used again."""
        return self.kind == "unreachable"

    @property
    def is_passing(self):
        """Whether the same may go well a little later, with nobody mending anything."""
        return self.kind in ("unreachable", "broken", "busy")


class SignatureError(Exception):
    """A delivery that isn't from Stripe, or isn't fresh."""


def is_live_key(key):
    """Whether a secret (`sk_`) or restricted (`rk_`) key moves real money."""
    return key.startswith(("sk_live_", "rk_live_"))


def is_key(key):
    """Whether the text looks like a key for the server side.

    https://docs.stripe.com/keys#obtain-api-keys
    """
    prefixes = ("sk_live_", "rk_live_", "sk_test_", "rk_test_")
    return key.startswith(prefixes) and key.isascii() and len(key) > len(prefixes[0])


class StripeClient:
    """Calls with one account's key.

    Every method raises `StripeError`. Times are Unix seconds, amounts integers in minor
    units, as in Stripe's API.
    """

    def __init__(self, secret_key):
        base = os.environ.get("STRIPE_API_BASE")
        if base and is_live_key(secret_key):
            raise StripeError(
                "STRIPE_API_BASE points away from Stripe: a live key isn't sent there.",
                "blocked",
            )
        self._v1 = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base.rstrip("/")} if base else {},
            max_network_retries=API_RETRIES,
            http_client=stripe.RequestsClient(timeout=API_TIMEOUT),
        ).v1

    # === ACCOUNT === #

    def retrieve_account(self):
        """The account the key belongs to. A restricted key may lack the permission."""
        return self._call(self._v1.accounts.retrieve_current)

    def retrieve_balance(self):
        """`available` and `pending` amounts by currency."""
        return self._call(self._v1.balance.retrieve)

    # === CHECKOUT === #

    def create_session(self, params, idempotency_key):
        """Make a Checkout Session; the same key and params give the same session."""
        return self._call(
            self._v1.checkout.sessions.create,
            params,
            {"idempotency_key": idempotency_key},
        )

    def retrieve_session(self, session_id):
        """A session with its intent, charge and balance transaction."""
        return self._call(
            self._v1.checkout.sessions.retrieve, session_id, {"expand": SESSION_EXPAND}
        )

    def list_sessions_of_intent(self, payment_intent_id):
        """The sessions of an intent (one, or none if it isn't Checkout's)."""
        params = {
            "payment_intent": payment_intent_id,
            "expand": [f"data.{path}" for path in SESSION_EXPAND[:1]],
        }
        return self._call(self._v1.checkout.sessions.list, params)["data"]

    def expire_session(self, session_id):
        """Close an open session, so that nobody can pay it any more."""
        return self._call(self._v1.checkout.sessions.expire, session_id)

    # === MONEY === #

    def retrieve_charge(self, charge_id):
        """A charge with its intent and balance transaction."""
        return self._call(
            self._v1.charges.retrieve, charge_id, {"expand": CHARGE_EXPAND}
        )

    def iter_balance_transactions(self, **params):
        """Balance transactions, newest first, page by page, with their sources."""
        params = {"limit": STRIPE_PAGE, "expand": ["data.source"], **params}
        return self._iterate(self._v1.balance_transactions.list, params)

    # === EVENTS === #

    def iter_events(self, types, created_from):
        """Events of some types since a time, newest first, page by page."""
        params = {
            "limit": STRIPE_PAGE,
            "types": list(types),
            "created": {"gte": created_from},
        }
        return self._iterate(self._v1.events.list, params)

    # === HELPERS === #

    def _iterate(self, method, params):
        last = None
        while True:
            page = self._call(method, {**params, "starting_after": last} if last else params)
            yield from page["data"]
            if not page["has_more"]:
                return
            last = page["data"][-1]["id"]

    def _call(self, method, *args):
        started = time.monotonic()
        try:
            answer = method(*args)
        except stripe.StripeError as error:
            raise self._translate(error, method.__qualname__) from None
        _logger.info(
            "Stripe: %s in %d ms",
            method.__qualname__,
            (time.monotonic() - started) * 1000,
        )
        return answer.to_dict(for_json=True)

    def _translate(self, error, call):
        """One of Stripe's errors as ours; the log gets what Stripe's support asks for."""
        _logger.warning(
            "Stripe: %s failed: %s, HTTP %s, code %s, request %s",
            call,
            type(error).__name__,
            error.http_status,
            error.code,
            error.request_id,
        )
        return StripeError(
            error.user_message or str(error),
            self._kind(error),
            error.code,
            getattr(error, "param", ""),
        )

    @staticmethod
    def _kind(error):
        kinds = [
            (stripe.AuthenticationError, "auth"),
            (stripe.PermissionError, "permission"),
            (stripe.RateLimitError, "busy"),
            (stripe.APIConnectionError, "unreachable"),
        ]
        for error_class, kind in kinds:
            if isinstance(error, error_class):
                return kind
        if error.http_status == 404:
            return "missing"
        if not error.http_status:
            return "unreachable"
        return "broken" if error.http_status >= 500 else "refused"


def verify_event(body, header, secrets, now=None):
    """The event in a signed delivery, as Stripe sent it.

    :param bytes body: The request's raw body.
    :param str header: The `Stripe-Signature` header.
    :param list secrets: Signing secrets, each tried against every `v1` signature, so that
        a secret can be rolled without losing a delivery.
    :param int now: Unix seconds; the present by default.
    :raise SignatureError: if no secret matches, the time is more than five minutes away
        in either direction, or the body is no JSON object.
    """
    _check_freshness(header, time.time() if now is None else now)
    for secret in filter(None, secrets):
        try:
            stripe.WebhookSignature.verify_header(body.decode(), header, secret, None)
            return _parse_event(body)
        except stripe.SignatureVerificationError:
            continue
        except (ValueError, TypeError) as error:
            raise SignatureError("unreadable") from error
    raise SignatureError("no secret matches")


def _check_freshness(header, now):
    """The package takes timestamps from the future, which would make a delivery eternal."""
    parts = dict(part.partition("=")[::2] for part in (header or "").split(","))
    try:
        age = now - int(parts.get("t", ""))
    except ValueError as error:
        raise SignatureError("no timestamp") from error
    if abs(age) > SIGNATURE_TOLERANCE:
        raise SignatureError("stale")


def _parse_event(body):
    event = json.loads(body)
    if not isinstance(event, dict):
        raise SignatureError("no object")
    return event
