import json
import logging
from datetime import timedelta
from typing import NamedTuple

from dateutil.parser import isoparse
from psycopg2 import OperationalError

from odoo import api, fields, models
from odoo.fields import Domain

from ..aside import describe_error, log_error
from ..const import EVENT_BATCH, HANDLED_EVENTS, PRUNE_BATCH, RETRY_MINUTES
from ..utils import to_datetime

_logger = logging.getLogger(__name__)

# What the inbox keeps of an object, besides its metadata that starts like ours.
KEPT_MEMBERS = ("id", "object", "charge", "payment_intent", "currency")
OWN_METADATA = "checkout_"

# The objects that belong to one payment each.
PAYMENT_OBJECTS = ("checkout.session", "charge", "refund", "dispute")

INSERT_EVENT = """
    INSERT INTO checkout_event (
        gateway_id, company_id, stripe_event_id, type, state, payload,
        created_at, received_at, next_attempt_at, attempts,
        create_uid, write_uid, create_date, write_date
    ) VALUES (
        %(gateway)s, %(company)s, %(id)s, %(type)s, %(state)s, %(payload)s,
        %(created)s, %(now)s, %(now)s, 0, %(uid)s, %(uid)s, %(now)s, %(now)s
    )
    ON CONFLICT (gateway_id, stripe_event_id) DO UPDATE
        SET state = 'pending', attempts = 0, error = NULL,
            payload = excluded.payload,
            received_at = excluded.received_at,
            next_attempt_at = excluded.next_attempt_at
        WHERE checkout_event.stripe_event_id LIKE 'sync:%%'
"""


class Outcome(NamedTuple):
    """What came of applying an object: whether it is ours, and why it failed, if so."""

    is_ours: bool
    problem: str = ""


class CheckoutEvent(models.Model):
    """The inbox: what Stripe delivered, kept before anything is done about it.

    An event only says that something may have changed. The processor asks Stripe for
    the object as it is now and applies that, so neither the number nor the order of
    deliveries matters.
    """

    _name = "checkout.event"
    _description = "Stripe Event"
    _order = "id desc"
    _rec_name = "stripe_event_id"

    gateway_id = fields.Many2one(
        "checkout.gateway", required=True, index=True, ondelete="cascade", readonly=True
    )
    company_id = fields.Many2one(
        related="gateway_id.company_id", store=True, index=True
    )
    stripe_event_id = fields.Char("Event", required=True, readonly=True)
    type = fields.Char(required=True, readonly=True)
    created_at = fields.Datetime("Created at Stripe", readonly=True)
    received_at = fields.Datetime(required=True, readonly=True)
    state = fields.Selection(
        [
            ("pending", "Waiting"),
            ("done", "Done"),
            ("ignored", "Ignored"),
            ("failed", "Failed"),
        ],
        required=True,
        default="pending",
        readonly=True,
    )
    attempts = fields.Integer(readonly=True)
    next_attempt_at = fields.Datetime("Next Attempt", readonly=True)
    error = fields.Char(readonly=True)
    payload = fields.Json(readonly=True)

    _event_uniq = models.Constraint(
        "UNIQUE (gateway_id, stripe_event_id)", "This event was already received."
    )
    _received_idx = models.Index("(gateway_id, received_at)")
    _contents_idx = models.Index(
        "(gateway_id, received_at) WHERE state = 'done' AND payload IS NOT NULL"
    )
    _due_idx = models.Index("(gateway_id, next_attempt_at) WHERE state = 'pending'")

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
        if self._take(gateway, event):
            self._trigger_processing()
        else:
            self._insert_event(gateway, event, "ignored", None)

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
    def _insert_event(self, gateway, event: dict, state, stripe_object: dict):
        created_at = self._get_created_at(event)
        self._insert(
            gateway, event["id"], event["type"], state, stripe_object, created_at
        )

    @api.model
    def _reduce(self, stripe_object: dict) -> dict:
        """Of an object, what finds it and its payment again: no names, no addresses.

        A member stays where it is there at all, since a reference has none of them; an
        expanded one is its id. A signed event may hold anything, so only text is kept.
        """
        reduced = {"metadata": self._get_own_metadata(stripe_object)}
        for name in KEPT_MEMBERS:
            value = stripe_object.get(name)
            value = value.get("id") if isinstance(value, dict) else value
            reduced[name] = value if isinstance(value, str) else None
        return {name: reduced[name] for name in reduced if name in stripe_object}

    @api.model
    def _get_own_metadata(self, stripe_object: dict) -> dict:
        metadata = self._get_metadata(stripe_object).items()
        return {
            name: value
            for name, value in metadata
            if name.startswith(OWN_METADATA) and isinstance(value, str)
        }

    @api.model
    def _filter_unknown(self, gateway, events):
        """Those of some events that no gateway of the account has in its inbox."""
        rows = self.search(
            [
                ("gateway_id", "in", gateway._get_account_gateways().ids),
                ("stripe_event_id", "in", [event["id"] for event in events]),
            ]
        )
        known = set(rows.mapped("stripe_event_id"))
        return [event for event in events if event["id"] not in known]

    @api.model
    def _get_created_at(self, event: dict):
        """When it happened: Unix seconds in snapshot events, ISO 8601 in thin ones."""
        created = event.get("created")
        try:
            if isinstance(created, str):
                created = isoparse(created).timestamp()
            return to_datetime(created)
        except (TypeError, ValueError, OverflowError, OSError):
            return None  # a signed event may still hold anything

    @api.model
    def _receive_object(self, gateway, stripe_object: dict):
        """Have an object read and applied, as if Stripe had sent an event about it.

        Its id makes the event's: asked for again, the same row is processed again.

        :param dict stripe_object: With its `id` and `object` at least.
        """
        self._insert(
            gateway,
            f"sync:{stripe_object['id']}",
            f"sync.{stripe_object['object']}",
            "pending",
            self._reduce(stripe_object),
        )
        self._trigger_processing()

    @api.model
    def _receive_session(self, payment):
        """Have a payment's session read and applied."""
        self._receive_object(
            payment.gateway_id,
            {"id": payment.stripe_checkout_session_id, "object": "checkout.session"},
        )

    @api.model
    def _get_asked_at(self, payment):
        """When a payment's session was last asked for; False if never."""
        session_id = payment.stripe_checkout_session_id
        return self.search(
            [
                ("gateway_id", "=", payment.gateway_id.id),
                ("stripe_event_id", "=", f"sync:{session_id}"),
            ]
        ).received_at

    @api.model
    def _insert(
        self, gateway, event_id, event_type, state, stripe_object: dict, created=None
    ):
        """One statement, so that of two deliveries at once one is just not inserted.

        A `sync:` row is asked for repeatedly, so it waits again. Of a
        query that fails the log gets nothing, since its values are what Stripe sent.
        """
        payload = {"data": {"object": stripe_object}}
        values = {
            "gateway": gateway.id,
            "company": gateway.company_id.id,
            "id": event_id,
            "type": event_type,
            "state": state,
            "payload": json.dumps(payload) if stripe_object else None,
            "created": created,
            "now": fields.Datetime.now(),
            "uid": self.env.uid,
        }
        self.env.cr.execute(INSERT_EVENT, values, log_exceptions=False)
        self.invalidate_model()

    @api.model
    def _find_handler(self, gateway, event: dict):
        """The gateway that handles an event, among those of the account: one of a type
        we act on, and of an object this database made or of the account's own money.
        Empty if none does.
        """
        stripe_object = event["data"]["object"]
        object_type = stripe_object.get("object")
        if event["type"] not in HANDLED_EVENTS:
            return gateway.browse()
        if self._is_of_connected_account(gateway, event):
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
    def _get_metadata(self, stripe_object: dict) -> dict:
        """An object's metadata; a signed event may still hold anything."""
        metadata = stripe_object.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @api.model
    def _get_gateway_for(self, gateway, stripe_object: dict):
        """The gateway that is to process an object, among those of an account."""
        if stripe_object["object"] == "payout" and stripe_object.get("currency"):
            currency = self.env["checkout.payment"]._get_currency(
                stripe_object["currency"]
            )
            return gateway._get_gateway_for(currency)
        return self._find_maker(gateway, stripe_object) or gateway

    @api.model
    def _find_waiting(self, gateway, source: dict | None):
        """The event of the object behind a balance transaction, if it has an error."""
        domain = [
            ("gateway_id", "in", gateway._get_account_gateways().ids),
            ("stripe_event_id", "=", f"sync:{(source or {}).get('id')}"),
            ("error", "!=", False),
        ]
        return self.search(domain, limit=1)

    @api.model
    def _trigger_processing(self):
        """Wake the processor as soon as this transaction is committed."""
        self.env.ref("kantivo_checkout_links.ir_cron_process_events").sudo()._trigger()

    # === BUSINESS METHODS - PROCESSING === #

    @api.model
    def _cron_process(self):
        """Process the inbox, gateway by gateway, and do what the payments wait for."""
        for gateway in self._get_busy_gateways():
            try:
                gateway._work_exclusively(self._process_gateway)
            except Exception as error:
                # One gateway's trouble must not keep the others waiting.
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
            events._work_off()
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
        answers = self.env["checkout.reader"]._read(gateway, self)
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

    def _get_lag(self):
        """Seconds from when it happened until its delivery; 0 if that is unknown."""
        if not self.created_at:
            return 0
        lag = self.received_at - self.created_at
        return int(lag.total_seconds()) + self.gateway_id.clock_offset

    # === BUSINESS METHODS - PRUNING === #

    @api.autovacuum
    def _gc_contents(self):
        """Forget the contents of events that are long done.

        The rows stay: the same event, delivered again, still has no effect.
        """
        kept = [("payload_days", ">", 0)]
        for gateway in self.env["checkout.gateway"]._search_served(kept):
            self.search(
                [
                    ("gateway_id", "=", gateway.id),
                    ("state", "=", "done"),
                    ("payload", "!=", False),
                    ("received_at", "<", gateway._get_payload_deadline()),
                ],
                limit=PRUNE_BATCH,
            ).write({"payload": False})

    # === BUSINESS METHODS - STATES === #

    def _set_done(self):
        self.write({"state": "done", "error": False})

    def _set_ignored(self):
        self.write({"state": "ignored", "error": False, "payload": False})

    def _set_unreadable(self, error):
        """Try again later. What Stripe doesn't have, even after the last try, is gone,
        and no retry can fix that.
        """
        is_missing = getattr(error, "reason", False) == "missing"
        if is_missing and self.attempts >= len(RETRY_MINUTES):
            self._set_ignored()
        else:
            self._set_waiting(describe_error(self.env, error))

    def _set_waiting(self, reason):
        """Try again later, with growing pauses; in the end it has failed."""
        attempts = self.attempts + 1
        if attempts > len(RETRY_MINUTES):
            self.write({"state": "failed", "attempts": attempts, "error": reason})
            return
        at = fields.Datetime.now() + timedelta(minutes=RETRY_MINUTES[attempts - 1])
        self.write({"attempts": attempts, "error": reason, "next_attempt_at": at})
        cron_sudo = self.env.ref("kantivo_checkout_links.ir_cron_process_events").sudo()
        cron_sudo._trigger(at)  # crons are the administrator's
