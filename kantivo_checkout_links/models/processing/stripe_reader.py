import logging

from ...aside import log_error
from ...const import CLOSED_STATES, LOST_STATES
from ...stripe_client import StripeError
from ...utils import to_timestamp

_logger = logging.getLogger(__name__)


class Reading:
    """Asks Stripe for the objects that events are about, as they are now: each once."""

    def __init__(self, env, gateway):
        self.env = env
        self.gateway = gateway
        self.client = gateway._get_client()
        self.payments = env["checkout.payment"]
        self.known = {}
        self.sessions = {}

    # This model has no records. pylint: disable-next=method-required-super
    def read(self, event) -> tuple[list[dict], Exception | None]:
        """What Stripe has for an event.

        :return: The objects to apply, those first that others need, and no error; or
            none, and the exception that came instead.
        """
        try:
            return self._read_object(event.payload["data"]["object"]), None
        except StripeError as error:
            return [], error
        except Exception as error:
            # A signed event may still hold anything; it must not stop the others.
            log_error(_logger, f"{event.stripe_event_id} can't be read", error)
            return [], error

    def _read_object(self, stripe_object: dict) -> list[dict]:
        # One of `_read_checkout_session`, `_read_charge`, `_read_refund`,
        # `_read_dispute` and `_read_payout`.
        object_type = stripe_object["object"].replace(".", "_")
        return getattr(self, f"_read_{object_type}")(stripe_object)

    # === BY TYPE OF OBJECT === #

    def _read_checkout_session(self, stripe_object: dict) -> list[dict]:
        session_id = stripe_object["id"]
        if session_id not in self.sessions:
            session = self._get("session", session_id)
            self.sessions[session_id] = [session, *self._read_money_back(session)]
        return self.sessions[session_id]

    def _read_charge(self, charge: dict) -> list[dict]:
        return self._read_session_of(charge)

    def _read_refund(self, refund: dict) -> list[dict]:
        refund = self._get("refund", refund["id"])
        return [*self._read_unpaid(refund), refund]

    def _read_dispute(self, dispute: dict) -> list[dict]:
        dispute = self._get_dispute(dispute["id"])
        return [*self._read_unpaid(dispute), dispute]

    def _read_payout(self, stripe_object: dict) -> list[dict]:
        payout = self._get("payout", stripe_object["id"])
        if payout["reconciliation_status"] == "completed":
            payout["transaction_ids"] = self._list_transaction_ids(payout)
        return [payout]

    # === WHAT BELONGS TO THEM === #

    def _read_session_of(self, stripe_object: dict) -> list[dict]:
        """The session that a charge, refund or dispute belongs to, with what follows
        from it.
        """
        session_id = self._find_session_id(stripe_object)
        if not session_id:
            return []
        return self._read_checkout_session({"id": session_id})

    def _read_unpaid(self, stripe_object: dict) -> list[dict]:
        """The session of a payment that isn't known to be paid: it comes first."""
        payment = self.payments._find_by_object(self.gateway, stripe_object)
        return [] if payment.paid_at else self._read_session_of(stripe_object)

    def _read_money_back(self, session: dict) -> list[dict]:
        """The refunds and disputes of a session's charge that aren't known yet.

        Their own events may have come before the payment was known, and been ignored.
        """
        charge = self.payments._get_charge(session)
        if not charge:
            return []
        payment = self.payments._find_by_object(self.gateway, charge)
        refunds = self._read_refunds(payment, charge)
        return refunds + self._read_disputes(payment, charge)

    def _read_refunds(self, payment, charge: dict) -> list[dict]:
        states = {refund.stripe_id: refund.state for refund in payment.refund_ids}
        listed = charge["refunds"]["data"]
        if all(states.get(refund["id"]) == refund["status"] for refund in listed):
            return []
        refunds = self.client.list_refunds(charge["id"])
        self.known.update({refund["id"]: refund for refund in refunds})
        return refunds

    def _read_disputes(self, payment, charge: dict) -> list[dict]:
        if not charge["disputed"] or payment.dispute_ids:
            return []
        disputes = self.client.list_disputes(charge["id"])
        return [self._get_dispute(dispute["id"]) for dispute in disputes]

    def _get_dispute(self, dispute_id) -> dict:
        """A dispute, with the moment at which all or a part was lost as `closed_at`.

        Stripe has that moment in the event only.
        """
        dispute = self._get("dispute", dispute_id)
        if "closed_at" not in dispute and self._may_be_lost(dispute):
            dispute["closed_at"] = self._find_closing(dispute)
        return dispute

    def _may_be_lost(self, dispute: dict):
        taken = sum(row["amount"] for row in dispute["balance_transactions"])
        is_short = dispute["status"] in CLOSED_STATES and taken < 0
        return is_short or dispute["status"] in LOST_STATES

    def _find_closing(self, dispute: dict):
        types = ["charge.dispute.closed"]
        for event in self.client.iter_events(types, dispute["created"]):
            if event["data"]["object"]["id"] == dispute["id"]:
                return event["created"]
        return to_timestamp(self.gateway._get_stripe_now())

    def _list_transaction_ids(self, payout: dict):
        """The balance transactions in a payout, but for its own."""
        own = payout["balance_transaction"] and payout["balance_transaction"]["id"]
        transactions = self.client.iter_balance_transactions(payout=payout["id"])
        return [row["id"] for row in transactions if row["id"] != own]

    # === HELPERS === #

    def _get(self, object_type, object_id) -> dict:
        if object_id not in self.known:
            # Such as `retrieve_session` and `retrieve_charge`.
            retrieve = getattr(self.client, f"retrieve_{object_type}")
            self.known[object_id] = retrieve(object_id)
        return self.known[object_id]

    def _find_session_id(self, stripe_object: dict):
        """The session that a charge, refund or dispute goes back to, if any of ours."""
        payment = self.payments._find_by_object(self.gateway, stripe_object)
        if payment.stripe_checkout_session_id:
            return payment.stripe_checkout_session_id
        intent_id = self._get_intent_id(stripe_object)
        sessions = intent_id and self.client.list_sessions_of_intent(intent_id)
        return bool(sessions) and sessions[0]["id"]

    def _get_intent_id(self, stripe_object: dict):
        """The intent that an object names; of a charge that is only named, ask."""
        if "payment_intent" in stripe_object:
            return stripe_object["payment_intent"]
        intent = self._get("charge", stripe_object["id"])["payment_intent"]
        return intent and intent["id"]
