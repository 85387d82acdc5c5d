import logging
from typing import NamedTuple

from psycopg2 import OperationalError

from odoo import api, fields, models
from odoo.fields import Domain

from ...aside import describe_error, log_error
from ...const import EVENT_BATCH, HANDLED_EVENTS
from ...stripe_client import StripeError
from ..gateway.checkout_event import ASKED
from .stripe_reader import Reading

_logger = logging.getLogger(__name__)

# The objects that belong to one payment each.
PAYMENT_OBJECTS = ("checkout.session", "charge", "refund", "dispute")


class Outcome(NamedTuple):
    """What came of applying an object: whether it is ours, and why it failed, if so."""

    is_ours: bool
    problem: str = ""


class CheckoutEvent(models.Model):
    """The processor, which empties the inbox.

    It decides whose an event is, asks Stripe for the object as it is now, and applies
    that to the payment, refund, dispute or payout it is about.
    """

    _inherit = "checkout.event"

    # === ACTION METHODS === #

    def action_process(self):
        """Try these events again now, also those that had failed.

        :raise AccessError: if the user doesn't set up gateways.
        """
        self.check_access("read")
        self.gateway_id.check_access("write")
        with_contents = self.filtered("payload")
        for gateway, events in with_contents.grouped("gateway_id").items():
            with gateway.sudo()._exclusive() as gateway_sudo:  # posting needs it
                events.with_env(gateway_sudo.env)._work_off()
                gateway_sudo.env["checkout.poster"]._post_waiting(gateway_sudo)
                announcements_sudo = gateway_sudo.env["checkout.announcement"]
                announcements_sudo._announce_waiting(gateway_sudo)
                payments_sudo = gateway_sudo.env["checkout.payment"]
                payments_sudo._call_on_paid_waiting(gateway_sudo)
        self.invalidate_recordset()

    # === BUSINESS METHODS - RECEIVING === #

    @api.model
    def _receive(self, gateway, event: dict):
        """Keep a delivered event and have it processed at once.

        :param checkout.gateway gateway: The gateway it was delivered to, as superuser.
        :param dict event: A snapshot event whose signature is good.
        """
        if self._may_be_handled(gateway, event):
            stripe_object = self._reduce(event["data"]["object"])
            self._insert_and_wake(gateway, event, stripe_object)
        else:
            self._insert_event(gateway, event, "ignored", None)

    @api.model
    def _may_be_handled(self, gateway, event: dict):
        """Whether we act on events like this one; whose it is, is found out later."""
        return event["type"] in HANDLED_EVENTS and not self._is_of_connected_account(
            gateway, event
        )

    def _send_home(self, gateway):
        """Have each of these events processed by the gateway that handles it, among
        those of the account; ignore what is third-party.

        :param checkout.gateway gateway: The one that they were delivered to.
        :return: Those that this gateway handles.
        """
        return self.browse(event.id for event in self if event._keep_or_move(gateway))

    def _keep_or_move(self, gateway):
        """:return: Whether it stays."""
        if self.stripe_event_id.startswith(ASKED):
            return True  # it was asked for here
        contents = self.payload or {"data": {"object": {}}}
        home = self._find_handler(gateway, {"type": self.type, **contents})
        if not home:
            self._set_ignored()
        elif home != gateway:
            self._move_to(home)
        return home == gateway

    def _move_to(self, gateway):
        """The same event may have been delivered there, too."""
        twin = [
            ("gateway_id", "=", gateway.id),
            ("stripe_event_id", "=", self.stripe_event_id),
        ]
        if self.search_count(twin, limit=1):
            self._set_ignored()
        else:
            self.gateway_id = gateway
            self._trigger_processing()

    @api.model
    def _take(self, gateway, event: dict):
        """Keep an event that we handle, to be processed.

        :return: Whether it is one.
        """
        stripe_object = self._reduce(event["data"]["object"])
        handler = self._find_handler(
            gateway, {**event, "data": {"object": stripe_object}}
        )
        if handler:
            self._insert_event(handler, event, "pending", stripe_object)
        return bool(handler)

    @api.model
    def _find_handler(self, gateway, event: dict):
        """The gateway that handles an event, among those of the account: one of a type
        we act on, and of an object this database made or of the account's own money.
        Empty if none does.
        """
        stripe_object = event["data"]["object"]
        object_type = stripe_object.get("object")
        if not self._may_be_handled(gateway, event):
            return gateway.browse()
        if object_type == "payout" or self._is_reference(stripe_object):
            return self._get_gateway_for(gateway, stripe_object)
        if object_type in PAYMENT_OBJECTS:
            return self._find_maker(gateway, stripe_object)
        return gateway.browse()

    @api.model
    def _is_of_connected_account(self, gateway, event: dict):
        """Whether an event is of another account, one that ours is a platform of.

        https://docs.stripe.com/connect/webhooks
        """
        # Thin events name it in their context, after the organization if there is one.
        named = event.get("account") or event.get("context")
        account = named.rpartition("/")[2] if isinstance(named, str) else False
        known = gateway.stripe_account_id
        return bool(account) and bool(known) and account != known

    @api.model
    def _is_reference(self, stripe_object: dict):
        """Whether it must be read to know whose it is, as with a thin event."""
        object_type, stripe_id = stripe_object.get("object"), stripe_object.get("id")
        known = object_type in PAYMENT_OBJECTS and isinstance(stripe_id, str)
        return known and stripe_object.keys() == {"id", "object"}

    @api.model
    def _find_maker(self, gateway, stripe_object: dict):
        """The gateway that an object says it belongs to, among those of the account;
        empty if it is third-party. What becomes of it is decided once Stripe was asked.
        """
        metadata = self._get_metadata(stripe_object)
        payments = self.env["checkout.payment"]
        payment = payments._find_by_object(
            gateway, stripe_object
        ) or payments._find_named(gateway, metadata)
        return payment.gateway_id or gateway._find_signer(metadata)

    @api.model
    def _get_gateway_for(self, gateway, stripe_object: dict):
        """The gateway that is to process an object, among those of an account."""
        if stripe_object["object"] == "payout" and stripe_object.get("currency"):
            currency = self.env["checkout.payment"]._get_currency(
                stripe_object["currency"]
            )
            return gateway._get_gateway_for(currency)
        return self._find_maker(gateway, stripe_object) or gateway

    # === BUSINESS METHODS - PROCESSING === #

    @api.model
    def _cron_process(self):
        """Process the inbox, gateway by gateway, and do what the payments wait for."""
        done = self.env["checkout.gateway"]
        while gateways := self._get_busy_gateways() - done:
            for gateway in gateways:
                self._try_processing(gateway)
            done |= gateways

    @api.model
    def _try_processing(self, gateway):
        """One gateway's trouble must not keep the others waiting."""
        try:
            gateway._work_exclusively(self._process_gateway)
        except Exception as error:
            what = f"Events of gateway {gateway.id} can't be processed"
            log_error(_logger, what, error)

    @api.model
    def _get_busy_gateways(self):
        """The gateways for which there is anything to do now."""
        due = [
            ("state", "=", "pending"),
            ("next_attempt_at", "<=", fields.Datetime.now()),
        ]
        to_expire = [
            ("expiry_requested", "=", True),
            ("stripe_checkout_session_id", "!=", False),
            ("state", "=", "open"),
        ]
        to_call = [("on_paid_due_at", "!=", False), ("on_paid_problem", "=", False)]
        waiting = {
            "checkout.event": due,
            "checkout.movement": [("state", "=", "to_post")],
            "checkout.announcement": [("error", "=", False)],
            "checkout.payment": Domain.OR([to_expire, to_call]),
        }
        groups = [
            self.env[model]._read_group(domain, ["gateway_id"])
            for model, domain in waiting.items()
        ]
        ids = {gateway.id for rows in groups for (gateway,) in rows}
        return self.env["checkout.gateway"]._search_served([("id", "in", list(ids))])

    @api.model
    def _process_gateway(self, gateway):
        """Process all that waits at a gateway. Under its lock, as superuser."""
        self = self.with_env(gateway.env)
        gateway._ensure_settlement()
        while events := self._search_due(gateway):
            if own := events._send_home(gateway):
                own._work_off()
        gateway._expire_requested_sessions()
        self.env["checkout.payout"]._itemize_waiting(gateway)
        self.env["checkout.poster"]._post_waiting(gateway)
        self.env["checkout.announcement"]._announce_waiting(gateway)
        self.env["checkout.payment"]._call_on_paid_waiting(gateway)

    @api.model
    def _search_due(self, gateway):
        return self.search(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "=", "pending"),
                ("next_attempt_at", "<=", fields.Datetime.now()),
            ],
            order="id",
            limit=EVENT_BATCH,
        )

    def _work_off(self):
        """Process events of one gateway: first ask Stripe, then act on what is true.

        Between the two a new transaction starts, since a payer's row may have been
        committed while we asked. Each object is read and applied once, however many
        events speak of it.
        """
        gateway = self.gateway_id
        reading = Reading(self.env, gateway)
        answers = {event: reading.read(event) for event in self}
        gateway._commit()
        outcomes = {}
        for event in self:
            stripe_objects, error = answers[event]
            if error:
                event._set_unreadable(error)
            else:
                event._act_on(stripe_objects, outcomes)
        gateway._commit()

    def _act_on(self, stripe_objects, outcomes):
        """Apply what was read for an event, and keep what came of it.

        :param list stripe_objects: In the order in which they are to be applied.
        :param dict outcomes: The `Outcome` of each object that was applied before, by
            its id.
        """
        for stripe_object in stripe_objects:
            if stripe_object["id"] not in outcomes:
                outcomes[stripe_object["id"]] = self._apply(stripe_object)
        found = [outcomes[stripe_object["id"]] for stripe_object in stripe_objects]
        problems = [outcome.problem for outcome in found if outcome.problem]
        if problems:
            self._set_waiting(problems[0])
        elif any(outcome.is_ours for outcome in found):
            self._set_done()
        else:
            self._set_ignored()

    def _apply(self, stripe_object: dict) -> Outcome:
        """Act on an object; what fails leaves nothing behind but the reason."""
        # One of `_on_checkout_session`, `_on_refund`, `_on_dispute` and `_on_payout`.
        handler = f"_on_{stripe_object['object'].replace('.', '_')}"
        try:
            with self.env.cr.savepoint():
                return Outcome(getattr(self, handler)(stripe_object))
        except OperationalError:
            raise  # a conflict: the whole transaction is tried again
        except Exception as error:
            log_error(_logger, f"{stripe_object['id']} can't be applied", error)
            return Outcome(True, describe_error(self.env, error))

    def _on_checkout_session(self, session: dict):
        """:return: Whether the object is ours, as with all handlers."""
        payments = self.env["checkout.payment"]
        payment = payments._find_by_session(
            self.gateway_id, session
        ) or payments._recreate(self.gateway_id, session)
        if payment:
            payment._apply_session(session)
        return bool(payment)

    def _on_refund(self, refund: dict):
        payment = self.env["checkout.payment"]._find_by_object(self.gateway_id, refund)
        if payment:
            self.env["checkout.refund"]._apply_refund(payment, refund)
        return bool(payment)

    def _on_dispute(self, dispute: dict):
        payment = self.env["checkout.payment"]._find_by_object(self.gateway_id, dispute)
        if payment:
            self.env["checkout.dispute"]._apply_dispute(payment, dispute)
        return bool(payment)

    def _on_payout(self, payout: dict):
        gateway = self._get_gateway_for(self.gateway_id, payout)
        ours = gateway.currency_id.name == payout["currency"].upper()
        if ours:
            self.env["checkout.payout"]._apply_payout(gateway, payout)
        return ours


class CheckoutGateway(models.Model):
    """What the processor does for a gateway besides events."""

    _inherit = "checkout.gateway"

    # === ACTION METHODS === #

    def action_retry_events(self):
        """Try everything that failed again now.

        :raise AccessError: if the user isn't one who sees events.
        """
        self.check_access("read")
        events = self.env["checkout.event"].search(
            [("gateway_id", "in", self.ids), ("state", "=", "failed")]
        )
        events.action_process()
        for gateway_sudo in self.sudo():  # activities of a gateway are the manager's
            # In a new transaction, since this one still sees what had failed before.
            gateway_sudo._work_exclusively(lambda g: g._update_health_activity())

    # === BUSINESS METHODS === #

    def _expire_requested_sessions(self):
        """End at Stripe the checkouts whose link was closed or changed meanwhile."""
        payments = self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", self.id),
                ("expiry_requested", "=", True),
                ("stripe_checkout_session_id", "!=", False),
                ("state", "=", "open"),
            ]
        )
        for payment in payments:
            self._expire_one(payment)
            self._commit()

    def _expire_one(self, payment):
        """One that can't be ended doesn't keep the others waiting."""
        try:
            with self.env.cr.savepoint():
                payment._expire_at_stripe()
        except OperationalError:
            raise  # a conflict: the whole transaction is tried again
        except StripeError as error:
            _logger.warning("Payment %s can't be ended: %s", payment.id, error)
        except Exception as error:
            log_error(_logger, f"Payment {payment.id} can't be ended", error)
