"""The one place that talks to Stripe. Nothing else in the addon imports `stripe`.

Calls return plain dictionaries with Stripe's own keys; failures are `StripeError`s that
carry a sentence for a person and the reason of the failure for code.
"""

import json
import logging
import os
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from itertools import islice
from operator import attrgetter

import requests
import stripe

from .const import (
    API_RETRIES,
    API_TIMEOUT,
    API_VERSION,
    IDLE_SECONDS,
    MAX_CONNECTIONS,
    REQUEST_TIMEOUT,
    SIGNATURE_TOLERANCE,
    SILENT_CALLS,
    SILENT_SECONDS,
    STRIPE_PAGE,
    THIN_EVENT,
    THIN_PREFIX,
)
from .texts import clean, to_line

_logger = logging.getLogger(__name__)
# The package logs whole requests at INFO; ours has what matters, without bodies.
logging.getLogger("stripe").setLevel(logging.WARNING)

# Everything of a payment in one call. Four levels are what Stripe expands.
# https://docs.stripe.com/expand
SESSION_EXPAND = [
    "payment_intent.latest_charge.balance_transaction",
    "payment_intent.latest_charge.failure_balance_transaction",
    "payment_intent.latest_charge.refunds",
]
MONEY_EXPAND = ["balance_transaction", "failure_balance_transaction"]
CHARGE_EXPAND = ["balance_transaction", "payment_intent"]

_ACCOUNT_ID = re.compile(r"\bacct_\w+")
# No call of Stripe's has a parameter of this name, so none with it is ever carried out.
_REFUSED_PARAMS = {"permission_check": "1"}


class StripeError(Exception):
    """A call that brought no result.

    `reason` is one of: `unreachable` (no answer, so Stripe may have acted), `broken`
    (Stripe answers that it failed, and repeats that for the same idempotency key),
    `clash` (409: a call with the same key is still being worked on), `busy` (429),
    `auth`, `permission`, `missing` (404), `refused` (Stripe says why); or we made no
    call: `crowded` (too many payers at once), `braked` (too many checkouts that no one
    pays), `silent` (Stripe answered none of the last ones), `blocked`. `code`, `param`
    and `limit` (which limit a `busy` call ran into) are Stripe's own, empty if it gave
    none; `clock_offset` is the client's after the call. `retry_after`, in seconds, is
    when another try is worth it; None if that isn't known.
    """

    def __init__(
        self,
        message,
        reason,
        code="",
        param="",
        clock_offset=None,
        retry_after=None,
        limit="",
    ):
        super().__init__(message)
        self.reason = reason
        self.code = code or ""
        self.param = param or ""
        self.clock_offset = clock_offset
        self.retry_after = retry_after
        self.limit = limit or ""

    @property
    def is_passing(self):
        """Whether the same call may succeed a little later, with nothing fixed."""
        answered = self.reason in ("unreachable", "clash", "broken", "busy")
        return answered or self.reason in ("crowded", "braked", "silent")


class SignatureError(Exception):
    """A delivery that isn't from Stripe, or isn't fresh."""


def is_live_key(key):
    """Whether a secret (`sk_`) or restricted (`rk_`) key moves real money."""
    return key.startswith(("sk_live_", "rk_live_"))


def is_restricted_key(key):
    """Whether the key has only the permissions that were chosen for it."""
    return key.startswith("rk_")


def is_key(key):
    """Whether the text looks like a key for the server side.

    https://docs.stripe.com/keys#obtain-api-keys
    """
    prefixes = ("sk_live_", "rk_live_", "sk_test_", "rk_test_")
    return key.startswith(prefixes) and key.isascii() and len(key) > len(prefixes[0])


class Connections:
    """The kept-alive connections of one process, shared by its threads and clients.

    Never by two processes: each would read the other's answers.
    """

    def __init__(self):
        self._session, self._process, self._used_at = None, None, 0.0

    def get_session(self) -> requests.Session:
        """That of this process; a new one after a rest."""
        now = time.monotonic()
        is_idle = now - self._used_at > IDLE_SECONDS
        if is_idle or self._process != os.getpid():
            self._session, self._process = self._open(), os.getpid()
        self._used_at = now
        return self._session

    @staticmethod
    def _open() -> requests.Session:
        session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=MAX_CONNECTIONS)
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        return session


class Silence:
    """Which keys get no answers from Stripe, as far as this process knows."""

    def __init__(self):
        self._seen = {}  # by key: calls in a row without an answer, and the last's time

    def is_lasting(self, key) -> bool:
        """Whether it is too early for another call."""
        calls, since = self._seen.get(key, (0, 0.0))
        return calls >= SILENT_CALLS and time.monotonic() < since + SILENT_SECONDS

    def note(self, key):
        """One more call had no answer."""
        calls, _since = self._seen.get(key, (0, 0.0))
        self._seen[key] = (calls + 1, time.monotonic())

    def end(self, key):
        """There was an answer."""
        self._seen.pop(key, None)


CONNECTIONS = Connections()
SILENCE = Silence()


class StripeClient:
    """Calls with one account's key.

    Every method raises `StripeError`. Times are Unix seconds, amounts integers in minor
    units, as in Stripe's API.

    :ivar int clock_offset: Seconds by which Stripe's clock was ahead of this server's
        at the last answer; None before the first one.
    """

    timeout = API_TIMEOUT
    retries = API_RETRIES

    def __init__(self, secret_key):
        """:raise StripeError: if a live key would be sent elsewhere than to Stripe."""
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
            max_network_retries=self.retries,
            http_client=stripe.RequestsClient(
                timeout=self.timeout, session=CONNECTIONS.get_session()
            ),
        ).v1
        self.clock_offset = None

    # === ACCOUNT === #

    def retrieve_account(self) -> dict:
        """The account the key belongs to.

        Just its `id` for a restricted key that may not read it: the refusal names it.
        """
        try:
            return self._call(self._v1.accounts.retrieve_current)
        except StripeError as error:
            named = error.reason == "permission" and _ACCOUNT_ID.search(str(error))
            if not named:
                raise
            return {"id": named[0]}

    def ask_permission(self, resource, operation):
        """Whether the key may do something.

        A `list` or `retrieve` asks for one row. A `create` is sent with a parameter
        that Stripe refuses, which it does only to those who may create: nothing is
        made.

        :param str resource: Its path in the package, such as `checkout.sessions`.
        :param str operation: `list`, `retrieve` or `create`.
        """
        method = getattr(attrgetter(resource)(self._v1), operation)
        params = {"list": {"limit": 1}, "retrieve": {}, "create": _REFUSED_PARAMS}
        try:
            self._call(method, params[operation])
        except StripeError as error:
            if error.reason not in ("permission", "refused"):
                raise
            return error.reason != "permission"
        return True

    def retrieve_balance(self) -> dict:
        """`available` and `pending` amounts by currency."""
        return self._call(self._v1.balance.retrieve)

    # === CHECKOUT === #

    def create_session(self, params: dict, idempotency_key) -> dict:
        """Make a Checkout Session; the same key and params give the same session."""
        return self._call(
            self._v1.checkout.sessions.create,
            params,
            {"idempotency_key": idempotency_key},
        )

    def retrieve_session(self, session_id) -> dict:
        """A session with its intent, charge and balance transaction."""
        return self._call(
            self._v1.checkout.sessions.retrieve, session_id, {"expand": SESSION_EXPAND}
        )

    def list_sessions_of_intent(self, payment_intent_id) -> list[dict]:
        """The sessions of an intent (one, or none if it isn't Checkout's)."""
        params = {
            "payment_intent": payment_intent_id,
            "expand": [f"data.{path}" for path in SESSION_EXPAND[:1]],
        }
        return self._call(self._v1.checkout.sessions.list, params)["data"]

    def list_sessions_before(self, session_id, pages) -> list[dict]:
        """The sessions made before one, newest first, as retrieved, up to so many pages
        of a hundred.
        """
        params = {
            "starting_after": session_id,
            "limit": STRIPE_PAGE,
            "expand": [f"data.{path}" for path in SESSION_EXPAND],
        }
        listed = self._iterate(self._v1.checkout.sessions.list, params)
        return list(islice(listed, pages * STRIPE_PAGE))

    def expire_session(self, session_id) -> dict:
        """Close an open session, so that it can't be paid; as retrieved."""
        return self._call(
            self._v1.checkout.sessions.expire, session_id, {"expand": SESSION_EXPAND}
        )

    def end_session(self, session_id) -> dict:
        """Close a session; one that is over already is just retrieved.

        :raise StripeError: `missing` if Stripe doesn't have it any more.
        """
        try:
            return self.expire_session(session_id)
        except StripeError as error:
            if error.reason not in ("refused", "missing"):
                raise
        return self.retrieve_session(session_id)

    # === MONEY === #

    def retrieve_charge(self, charge_id) -> dict:
        """A charge with its intent and balance transaction."""
        return self._call(
            self._v1.charges.retrieve, charge_id, {"expand": CHARGE_EXPAND}
        )

    def create_refund(self, params: dict, idempotency_key) -> dict:
        """Give money back; the same key and params are one and the same refund."""
        return self._call(
            self._v1.refunds.create,
            {"expand": MONEY_EXPAND, **params},
            {"idempotency_key": idempotency_key},
        )

    def retrieve_refund(self, refund_id) -> dict:
        """A refund with its balance transactions."""
        return self._call(
            self._v1.refunds.retrieve, refund_id, {"expand": MONEY_EXPAND}
        )

    def list_refunds(self, charge_id) -> list[dict]:
        """All refunds of a charge, with their balance transactions."""
        expand = [f"data.{path}" for path in MONEY_EXPAND]
        params = {"charge": charge_id, "limit": STRIPE_PAGE, "expand": expand}
        return list(self._iterate(self._v1.refunds.list, params))

    def retrieve_dispute(self, dispute_id) -> dict:
        """A dispute; its balance transactions are part of it."""
        return self._call(self._v1.disputes.retrieve, dispute_id)

    def list_disputes(self, charge_id) -> list[dict]:
        """All disputes about a charge."""
        params = {"charge": charge_id, "limit": STRIPE_PAGE}
        return list(self._iterate(self._v1.disputes.list, params))

    def retrieve_payout(self, payout_id) -> dict:
        """A payout with its balance transactions."""
        return self._call(
            self._v1.payouts.retrieve, payout_id, {"expand": MONEY_EXPAND}
        )

    def iter_balance_transactions(self, **params) -> Iterator[dict]:
        """Balance transactions, newest first, page by page, with their sources."""
        params = {"limit": STRIPE_PAGE, "expand": ["data.source"], **params}
        return self._iterate(self._v1.balance_transactions.list, params)

    def list_payout_transactions(self, payout_id) -> list[str]:
        """The ids of the balance transactions in a payout, its own among them."""
        params = {"payout": payout_id, "limit": STRIPE_PAGE}
        listed = self._iterate(self._v1.balance_transactions.list, params)
        return [row["id"] for row in listed]

    # === EVENTS === #

    def iter_events(self, types, created_from, after=None) -> Iterator[dict]:
        """Events of some types since a time, newest first, page by page.

        :param str after: The id of an event to go on after, as read before.
        """
        params = {
            "limit": STRIPE_PAGE,
            "types": list(types),
            "created": {"gte": created_from},
        }
        if after:
            params["starting_after"] = after
        return self._iterate(self._v1.events.list, params)

    # === WEBHOOK ENDPOINTS === #

    def iter_webhook_endpoints(self) -> Iterator[dict]:
        """The addresses that this account's events are delivered to, page by page."""
        return self._iterate(self._v1.webhook_endpoints.list, {"limit": STRIPE_PAGE})

    def create_webhook_endpoint(self, params: dict) -> dict:
        """A new endpoint in our API version. Only this answer has its `secret`."""
        return self._call(
            self._v1.webhook_endpoints.create, {"api_version": API_VERSION, **params}
        )

    def delete_webhook_endpoint(self, endpoint_id) -> dict:
        """Have Stripe stop delivering to an endpoint."""
        return self._call(self._v1.webhook_endpoints.delete, endpoint_id)

    # === HELPERS === #

    def _iterate(self, method, params: dict) -> Iterator[dict]:
        while True:
            page = self._call(method, params)
            yield from page["data"]
            if not page["has_more"]:
                return
            params = {**params, "starting_after": page["data"][-1]["id"]}

    def _call(self, method, *args) -> dict:
        """Call a method of the package, and log how long it took.

        :return: Stripe's answer as plain dictionaries with clean text.
        :raise StripeError: if it failed.
        """
        started = time.monotonic()
        try:
            answer = method(*args)
        except stripe.StripeError as error:
            self._read_clock(error.headers)
            raise self._translate(error, method.__qualname__) from None
        self._read_clock(answer.last_response.headers)
        _logger.info(
            "Stripe: %s in %d ms",
            method.__qualname__,
            (time.monotonic() - started) * 1000,
        )
        return clean(answer.to_dict(for_json=True))

    def _read_clock(self, headers):
        """Stripe dates each answer by its own clock.

        https://www.rfc-editor.org/rfc/rfc9110#field.date
        """
        try:
            date = parsedate_to_datetime(headers.get("Date"))
        except (TypeError, ValueError):
            return  # an answer without a date, such as a proxy's
        self.clock_offset = round(date.timestamp() - time.time())

    def _translate(self, error, call) -> StripeError:
        """One of Stripe's errors as ours; the log gets what its support asks for.

        Stripe's own trouble is a warning. A refusal is an answer, and shown to the user
        who asked for it.
        """
        translated = StripeError(
            to_line(error.user_message or str(error)) or type(error).__name__,
            self._get_reason(error),
            error.code,
            getattr(error, "param", ""),
            self.clock_offset,
            limit=(error.headers or {}).get("Stripe-Rate-Limited-Reason"),
        )
        _logger.log(
            logging.WARNING if translated.is_passing else logging.INFO,
            "Stripe: %s failed: %s, HTTP %s, code %s, request %s",
            call,
            type(error).__name__,
            error.http_status,
            error.code,
            error.request_id,
        )
        return translated

    @staticmethod
    def _get_reason(error) -> str:
        """The `reason` of a :class:`StripeError`, by Stripe's error."""
        reasons = [
            (stripe.AuthenticationError, "auth"),
            (stripe.PermissionError, "permission"),
            (stripe.RateLimitError, "busy"),
            (stripe.APIConnectionError, "unreachable"),
        ]
        for error_class, reason in reasons:
            if isinstance(error, error_class):
                return reason
        if error.http_status == 404:
            return "missing"
        if error.http_status == 409:
            return "clash"
        if not error.http_status:
            return "unreachable"
        return "broken" if error.http_status >= 500 else "refused"


class RequestClient(StripeClient):
    """Calls that a web request waits for: short, tried once, and none for some seconds
    where Stripe stays silent. What is asked again gets the same answer.
    """

    timeout = REQUEST_TIMEOUT
    retries = 0

    def __init__(self, secret_key):
        super().__init__(secret_key)
        self._key = secret_key

    def _call(self, method, *args) -> dict:
        if SILENCE.is_lasting(self._key):
            raise StripeError("Stripe didn't respond.", "silent")
        try:
            answer = super()._call(method, *args)
        except StripeError as error:
            if error.reason == "unreachable":
                SILENCE.note(self._key)
            else:
                SILENCE.end(self._key)
            raise
        SILENCE.end(self._key)
        return answer


def verify_event(body, header, secrets, now=None, clock_offset=0) -> dict:
    """The event in a signed delivery, as Stripe sent it.

    :param bytes body: The request's raw body.
    :param str header: The `Stripe-Signature` header.
    :param list secrets: Signing secrets, each tried against every `v1` signature, so
        that a secret can be rolled without losing a delivery.
    :param int now: Unix seconds; the present by default.
    :param int clock_offset: Seconds by which Stripe's clock is ahead, as last seen.
    :return: A snapshot event; a thin one in the same shape, with a mere reference.
    :raise SignatureError: if no secret matches, the time is more than five minutes away
        in either direction, or the body is no JSON object.
    """
    now = time.time() if now is None else now
    _check_freshness(header, now, now + clock_offset)
    for secret in filter(None, secrets):
        try:
            stripe.WebhookSignature.verify_header(body.decode(), header, secret, None)
            return _parse_event(body)
        except stripe.SignatureVerificationError:
            continue
        except (ValueError, TypeError) as error:
            raise SignatureError("unreadable") from error
    raise SignatureError("no secret matches")


def _check_freshness(header, *moments):
    """The package takes times to come, which would make a delivery eternal.

    Now is by this clock or by Stripe's: the offset is old where a clock was just set.
    """
    parts = [part.partition("=")[::2] for part in (header or "").split(",")]
    times = [value for name, value in parts if name == "t"]
    try:
        [moment] = times  # of two, one would be checked and the other one signed
        age = min(abs(now - int(moment)) for now in moments)
    except ValueError as error:
        raise SignatureError("no timestamp") from error
    if age > SIGNATURE_TOLERANCE:
        raise SignatureError("stale")


def _parse_event(body) -> dict:
    """A signed event may still hold anything: numbers that are none, or more levels
    than can be read. Its text is as it was sent; what is kept of it is checked there.
    """
    try:
        event = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise SignatureError("too deep") from error
    if not isinstance(event, dict):
        raise SignatureError("no object")
    return _widen(event) if event.get("object") == THIN_EVENT else event


def _refuse_constant(name):
    raise ValueError(f"{name} is no number")


def _widen(event: dict) -> dict:
    """A thin event in the shape of a snapshot event; its object is just a reference.

    https://docs.stripe.com/event-destinations#thin-events
    """
    related = event.get("related_object")
    related = related if isinstance(related, dict) else {}
    reference = {"id": related.get("id"), "object": related.get("type")}
    event_type = event.get("type")
    if isinstance(event_type, str):
        event_type = event_type.removeprefix(THIN_PREFIX)
    return {**event, "type": event_type, "data": {"object": reference}}
