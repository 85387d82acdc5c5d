import logging
from collections.abc import Generator
from typing import NamedTuple

from odoo.fields import Domain

from ...aside import log_error
from ...calls import Answer, Call, call_together
from ...const import (
    CALLS_AT_ONCE,
    CLOSED_STATES,
    LOST_STATES,
    PAID_EVENTS,
    STRIPE_PAGE,
)
from ...stripe_client import StripeClient, StripeError
from ...utils import to_timestamp
from ..payment.payment_origin import PAYMENT_IDS

_logger = logging.getLogger(__name__)

# By what an object is found, the surest first.
FINDING_MEMBERS = ("id", "charge", "payment_intent")


class Found(NamedTuple):
    """What Stripe has for an event: the objects to apply, those first that others need;
    or none, and the exception that came instead.
    """

    objects: list[dict]
    error: Exception | None = None
    is_known: bool = False  # it says nothing that isn't applied already


class Reading:
    """Asks Stripe for the objects that events are about, as they are now: each once.

    What has to be asked for an event is a generator: it yields calls, and gets their
    answers. So all events advance together, and what they ask for at the same time is
    asked at once, or read from a list.
    """

    def __init__(self, env, gateway):
        self.env = env
        self.gateway = gateway
        self.client = gateway._get_client()
        self.payments = env["checkout.payment"]
        self.payments_by = {}
        self.answers = {}

    def read_all(self, events) -> dict:
        """What Stripe has for some events.

        :return: A `Found` by event. Events are left out, to be tried again, if Stripe
            turns out to be away or to refuse the key.
        """
        self.payments_by = self._find_payments(events)
        found, calls = {}, {}
        readings = {event: self._read(event) for event in events}
        while readings:
            for event, reading in readings.items():
                step = self._advance(event, reading, calls.pop(event, None))
                (calls if isinstance(step, Call) else found)[event] = step
            self._ask(dict.fromkeys(calls.values()))
            calls = {e: call for e, call in calls.items() if call in self.answers}
            readings = {event: readings[event] for event in calls}
        return found

    def _find_payments(self, events) -> dict:
        """The payments that events may be about, by each id that Stripe gave them and
        by the number that they name: one look-up for all.
        """
        objects = [self._get_object(event) for event in events]
        named = [self.env["checkout.event"]._get_metadata(each) for each in objects]
        ids = {each.get(name) for each in objects for name in FINDING_MEMBERS}
        ids |= {metadata.get("checkout_payment") for metadata in named}
        found = self.payments._find_by_ids(
            self.gateway, [value for value in ids if isinstance(value, str)]
        )
        return {payment[name]: payment for payment in found for name in PAYMENT_IDS}

    @staticmethod
    def _get_object(event):
        """The object in an event; a signed event may still hold anything."""
        payload = event.payload or {}
        stripe_object = payload.get("data", {}).get("object")
        return stripe_object if isinstance(stripe_object, dict) else {}

    def _find_payment(self, stripe_object: dict):
        """As `_find_by_object`, of the look-up for all where it found one."""
        for name in FINDING_MEMBERS:
            value = stripe_object.get(name)
            if isinstance(value, str) and value in self.payments_by:
                return self.payments_by[value]
        return self.payments._find_by_object(self.gateway, stripe_object)

    def _advance(self, event, reading, call: Call | None) -> Call | Found:
        """Go on with an event as far as answers are there."""
        try:
            while not call or call in self.answers:
                call = self._resume(reading, call)
            return call
        except StopIteration as end:
            return end.value
        except StripeError as error:
            return Found([], error)
        except Exception as error:
            # A signed event may still hold anything; it must not stop the others.
            log_error(_logger, f"{event.stripe_event_id} can't be read", error)
            return Found([], error)

    def _resume(self, reading, call: Call | None) -> Call:
        if not call:
            return next(reading)
        answer = self.answers[call]
        if answer.error:
            return reading.throw(answer.error)
        return reading.send(answer.value)

    # === ASKING === #

    def _ask(self, calls):
        """Make calls, in no transaction."""
        calls = [call for call in calls if call not in self.answers]
        if not calls:
            return
        listing = self._plan_listing(calls)
        self.gateway._commit()
        if listing:
            self._keep_listed(call_together(self.client, [listing]).get(listing))
        calls = [call for call in calls if call not in self.answers]
        self.answers.update(call_together(self.client, calls))

    def _plan_listing(self, calls) -> Call | None:
        """The list of sessions that has most of those that are asked for, if it takes
        less time and fewer calls than asking for each.
        """
        ids = [c.args[0] for c in calls if c.function == StripeClient.retrieve_session]
        if len(ids) < CALLS_AT_ONCE:
            return None
        made = self.payments._get_readable(self.gateway)
        payments = self.payments.search(
            made & Domain("stripe_checkout_session_id", "in", ids), order="id desc"
        )
        pages = len(payments) // CALLS_AT_ONCE
        span = Domain("id", ">=", min(payments.ids, default=0))
        span &= Domain("id", "<=", max(payments.ids, default=0))
        between = self.payments.search_count(made & span, limit=pages * STRIPE_PAGE + 1)
        if not pages or between > pages * STRIPE_PAGE:
            return None
        newest = payments[0].stripe_checkout_session_id
        pages = -(-between // STRIPE_PAGE)
        return Call(StripeClient.list_sessions_before, (newest, pages))

    def _keep_listed(self, answer: Answer | None):
        """Not open ones: a list may be behind the event that says more."""
        for session in (answer and answer.value) or ():
            if session["status"] != "open":
                call = Call(StripeClient.retrieve_session, (session["id"],))
                self.answers.setdefault(call, Answer(session))

    # === BY TYPE OF OBJECT === #

    def _read(self, event) -> Generator[Call, object, Found]:
        stripe_object = event.payload["data"]["object"]
        if event.type in PAID_EVENTS and self._is_paid_by(stripe_object):
            return Found([], is_known=True)
        # One of `_read_checkout_session`, `_read_charge`, `_read_refund`,
        # `_read_dispute` and `_read_payout`.
        object_type = stripe_object["object"].replace(".", "_")
        return Found((yield from getattr(self, f"_read_{object_type}")(stripe_object)))

    def _is_paid_by(self, stripe_object: dict):
        """Whether a session or charge is known to have paid its payment."""
        payment = self._find_payment(stripe_object)
        paid_by = (payment.stripe_checkout_session_id, payment.stripe_charge_id)
        return bool(payment.paid_at) and stripe_object.get("id") in paid_by

    def _read_checkout_session(self, stripe_object: dict):
        session = yield Call(StripeClient.retrieve_session, (stripe_object["id"],))
        return [session, *(yield from self._read_money_back(session))]

    def _read_charge(self, charge: dict):
        session_id = yield from self._find_session_id(charge)
        if not session_id:
            return []
        return (yield from self._read_checkout_session({"id": session_id}))

    def _read_refund(self, refund: dict):
        refund = yield Call(StripeClient.retrieve_refund, (refund["id"],))
        return [*(yield from self._read_unpaid(refund)), refund]

    def _read_dispute(self, dispute: dict):
        dispute = yield from self._get_dispute(dispute["id"])
        return [*(yield from self._read_unpaid(dispute)), dispute]

    def _read_payout(self, stripe_object: dict):
        payout = yield Call(StripeClient.retrieve_payout, (stripe_object["id"],))
        if payout["reconciliation_status"] == "completed":
            ids = yield Call(StripeClient.list_payout_transactions, (payout["id"],))
            own = payout["balance_transaction"] and payout["balance_transaction"]["id"]
            payout["transaction_ids"] = [each for each in ids if each != own]
        return [payout]

    # === WHAT BELONGS TO THEM === #

    def _read_unpaid(self, stripe_object: dict):
        """The session of a payment that isn't known to be paid: it comes first."""
        payment = self._find_payment(stripe_object)
        if payment.paid_at:
            return []
        return (yield from self._read_charge(stripe_object))

    def _read_money_back(self, session: dict):
        """The refunds and disputes of a session's charge that aren't known yet.

        Their own events may have come before the payment was known, and been ignored.
        """
        charge = self.payments._get_charge(session)
        if not charge:
            return []
        payment = self._find_payment({**charge, "id": session["id"]})
        refunds = yield from self._read_refunds(payment, charge)
        return refunds + (yield from self._read_disputes(payment, charge))

    def _read_refunds(self, payment, charge: dict):
        states = {refund.stripe_id: refund.state for refund in payment.refund_ids}
        listed = charge["refunds"]["data"]
        if all(states.get(refund["id"]) == refund["status"] for refund in listed):
            return []
        refunds = yield Call(StripeClient.list_refunds, (charge["id"],))
        for refund in refunds:
            call = Call(StripeClient.retrieve_refund, (refund["id"],))
            self.answers[call] = Answer(refund)
        return refunds

    def _read_disputes(self, payment, charge: dict):
        if not charge["disputed"] or payment.dispute_ids:
            return []
        disputes = yield Call(StripeClient.list_disputes, (charge["id"],))
        read = []
        for dispute in disputes:
            read.append((yield from self._get_dispute(dispute["id"])))
        return read

    def _get_dispute(self, dispute_id):
        """A dispute, with the moment at which all or a part was lost as `closed_at`.

        Stripe has that moment in the event only.
        """
        dispute = yield Call(StripeClient.retrieve_dispute, (dispute_id,))
        if "closed_at" not in dispute and self._may_be_lost(dispute):
            closed_at = yield Call(_find_closing, (dispute_id, dispute["created"]))
            now = to_timestamp(self.gateway._get_stripe_now())
            dispute["closed_at"] = closed_at or now
        return dispute

    def _may_be_lost(self, dispute: dict):
        taken = sum(row["amount"] for row in dispute["balance_transactions"])
        is_short = dispute["status"] in CLOSED_STATES and taken < 0
        return is_short or dispute["status"] in LOST_STATES

    # === HELPERS === #

    def _find_session_id(self, stripe_object: dict):
        """The session that a charge, refund or dispute goes back to, if any of ours."""
        payment = self._find_payment(stripe_object)
        if payment.stripe_checkout_session_id:
            return payment.stripe_checkout_session_id
        intent_id = yield from self._get_intent_id(stripe_object)
        if not intent_id:
            return False
        named = yield from self._read_named(stripe_object, intent_id)
        if named:
            return named
        sessions = yield Call(StripeClient.list_sessions_of_intent, (intent_id,))
        return bool(sessions) and sessions[0]["id"]

    def _read_named(self, stripe_object: dict, intent_id):
        """The session of the payment that an object names, if it is that of the intent:
        the name may be a copy. Its own events have it read anyway.
        """
        metadata = self.env["checkout.event"]._get_metadata(stripe_object)
        payment = self.payments_by.get(str(metadata.get("checkout_payment")))
        payment = payment or self.payments._find_named(self.gateway, metadata)
        session_id = payment.stripe_checkout_session_id
        if not session_id:
            return False
        session = yield Call(StripeClient.retrieve_session, (session_id,))
        intent = session["payment_intent"]
        return bool(intent) and intent["id"] == intent_id and session_id

    def _get_intent_id(self, stripe_object: dict):
        """The intent that an object names; of a charge that is only named, ask."""
        if "payment_intent" in stripe_object:
            return stripe_object["payment_intent"]
        charge = yield Call(StripeClient.retrieve_charge, (stripe_object["id"],))
        return charge["payment_intent"] and charge["payment_intent"]["id"]


def _find_closing(client, dispute_id, created):
    """When a dispute was closed, in Unix seconds, by its event; None without one."""
    for event in client.iter_events(["charge.dispute.closed"], created):
        if event["data"]["object"]["id"] == dispute_id:
            return event["created"]
    return None
