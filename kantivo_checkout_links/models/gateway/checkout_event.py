import json
import logging
from datetime import timedelta

from dateutil.parser import isoparse

from odoo import api, fields, models

from ...aside import describe_error
from ...const import (
    HANDLED_EVENTS,
    MAX_METADATA_LENGTH,
    PRUNE_BATCH,
    RETRY_MINUTES,
)
from ...texts import clean_text
from ...utils import is_stripe_word, to_datetime

_logger = logging.getLogger(__name__)

# What the inbox keeps of an object, besides its metadata that starts like ours.
KEPT_MEMBERS = ("id", "object", "charge", "payment_intent", "currency")
OWN_METADATA = "checkout_"
# Our own questions have ids in the inbox that no event of Stripe's has.
ASKED = "sync:"

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
# A trigger that waits is enough, unless a run that has started is about to delete it.
WAKE_PROCESSOR = """
    INSERT INTO ir_cron_trigger (cron_id, call_at)
    SELECT %(cron)s, %(now)s WHERE NOT EXISTS (
        SELECT FROM (SELECT FROM ir_cron_trigger
                      WHERE cron_id = %(cron)s AND call_at <= %(now)s
                      LIMIT 1 FOR KEY SHARE SKIP LOCKED) waiting)
"""
INSERT_AND_WAKE = f"{INSERT_EVENT}; {WAKE_PROCESSOR}"
PROCESSOR = "kantivo_checkout_links.ir_cron_process_events"


class CheckoutEvent(models.Model):
    """The inbox: what Stripe delivered, kept before anything is done about it.

    An event only says that something may have changed. The processor asks Stripe for
    the object as it is now and applies that, so neither the number nor the order of
    deliveries matters: that is `processing/processor`.
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
    _due_idx = models.Index("(gateway_id, id) WHERE state = 'pending'")
    _unfinished_idx = models.Index(
        "(gateway_id, state) WHERE state IN ('pending', 'failed')"
    )

    # === BUSINESS METHODS - RECEIVING === #

    @api.model
    def _insert_event(self, gateway, event: dict, state, stripe_object: dict):
        created_at = self._get_created_at(event)
        self._insert(
            gateway, event["id"], event["type"], state, stripe_object, created_at
        )

    @api.model
    def _is_sound(self, event: dict):
        """Whether a signed event can be Stripe's: it isn't named like a question of
        ours, and where we act on its type, its object is named by ids.
        """
        if event["id"].startswith(ASKED):
            return False
        if event["type"] not in HANDLED_EVENTS:
            return True
        members = self._get_kept_members(event["data"]["object"])
        named = [members.pop("id", None), members.pop("object", None)]
        others = [value for value in members.values() if value is not None]
        return all(map(is_stripe_word, [*named, *others]))

    @api.model
    def _reduce(self, stripe_object: dict) -> dict:
        """Of an object, what finds it and its payment again: no names, no addresses.

        A member stays where it is there at all, since a reference has none of them.
        """
        members = self._get_kept_members(stripe_object).items()
        reduced = {
            name: value if is_stripe_word(value) else None for name, value in members
        }
        if "metadata" in stripe_object:
            reduced["metadata"] = self._get_own_metadata(stripe_object)
        return reduced

    @api.model
    def _get_kept_members(self, stripe_object: dict) -> dict:
        """The members that are kept, as they were sent; an expanded one is its id."""
        members = stripe_object.items()
        return {
            name: value.get("id") if isinstance(value, dict) else value
            for name, value in members
            if name in KEPT_MEMBERS
        }

    @api.model
    def _get_own_metadata(self, stripe_object: dict) -> dict:
        metadata = self._get_metadata(stripe_object).items()
        return {
            name: clean_text(value[:MAX_METADATA_LENGTH])
            for name, value in metadata
            if name.startswith(OWN_METADATA)
            and is_stripe_word(name)
            and isinstance(value, str)
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

        :param dict stripe_object: With its `id` and `object` at least.
        """
        self._insert_object(gateway, stripe_object)
        self._trigger_processing()

    @api.model
    def _insert_object(self, gateway, stripe_object: dict):
        """As `_receive_object`, for who processes the inbox next. Its id makes the
        event's: the next time, the same row is processed again.
        """
        self._insert(
            gateway,
            f"{ASKED}{stripe_object['id']}",
            f"sync.{stripe_object['object']}",
            "pending",
            self._reduce(stripe_object),
        )

    @api.model
    def _receive_session(self, payment):
        """Have a payment's session read and applied."""
        self._receive_object(payment.gateway_id, self._get_reference(payment))

    @api.model
    def _get_reference(self, payment):
        session_id = payment.stripe_checkout_session_id
        return {"id": session_id, "object": "checkout.session"}

    @api.model
    def _ask(self, payment):
        """Keep that a payment's session is asked for, until `_note_answer`. Should that
        never come, the processor asks.
        """
        self._insert_object(payment.gateway_id, self._get_reference(payment))
        return self._find_question(payment)

    def _note_answer(self, asked_at, is_new):
        """What Stripe said of a session. Where others asked too, it is read again.

        :param datetime asked_at: When it was asked for.
        :param bool is_new: Whether the processor has to apply it.
        """
        if is_new:
            self._trigger_processing()
        elif self.try_lock_for_update() and self.received_at == asked_at:
            self._set_done()

    @api.model
    def _find_question(self, payment):
        """Who last asked for a payment's session; nothing if it was never asked for."""
        session_id = payment.stripe_checkout_session_id
        return self.search(
            [
                ("gateway_id", "=", payment.gateway_id.id),
                ("stripe_event_id", "=", f"{ASKED}{session_id}"),
            ]
        )

    @api.model
    def _insert(
        self, gateway, event_id, event_type, state, stripe_object: dict, created=None
    ):
        """One statement, so that of two deliveries at once one is just not inserted.

        A `sync:` row is asked for repeatedly, so it waits again. Of a
        query that fails the log gets nothing, since its values are what Stripe sent.
        """
        values = self._prepare_row(
            gateway, event_id, event_type, state, stripe_object, created
        )
        self.env.cr.execute(INSERT_EVENT, values, log_exceptions=False)
        self.invalidate_model()

    @api.model
    def _insert_and_wake(self, gateway, event: dict, stripe_object: dict):
        """Keep an event and have it processed at once, in one round trip."""
        values = self._prepare_row(
            gateway,
            event["id"],
            event["type"],
            "pending",
            stripe_object,
            self._get_created_at(event),
        )
        values |= {"cron": self.env["ir.model.data"]._xmlid_to_res_id(PROCESSOR)}
        self.env.cr.execute(INSERT_AND_WAKE, values, log_exceptions=False)
        if self.env.cr.rowcount:
            self.env.cr.postcommit.add(self.env["ir.cron"]._notifydb)
        self.invalidate_model()

    @api.model
    def _prepare_row(
        self, gateway, event_id, event_type, state, stripe_object: dict, created
    ):
        payload = {"data": {"object": stripe_object}}
        return {
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

    @api.model
    def _get_metadata(self, stripe_object: dict) -> dict:
        """An object's metadata; a signed event may still hold anything."""
        metadata = stripe_object.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @api.model
    def _find_waiting(self, gateway, source: dict | None):
        """The event of the object behind a balance transaction, if it has an error."""
        domain = [
            ("gateway_id", "in", gateway._get_account_gateways().ids),
            ("stripe_event_id", "=", f"{ASKED}{(source or {}).get('id')}"),
            ("error", "!=", False),
        ]
        return self.search(domain, limit=1)

    @api.model
    def _trigger_processing(self):
        """Wake the processor as soon as this transaction is committed."""
        self.env.ref("kantivo_checkout_links.ir_cron_process_events").sudo()._trigger()

    @api.model
    def _wake_processor(self, gateway):
        """Wake the processor if an event is due: it left the gateway to whoever worked
        on it until now.
        """
        with gateway._in_new_transaction() as gateway_sudo:
            inbox = self.with_env(gateway_sudo.env)
            if inbox._search_due(gateway_sudo, 1):
                inbox._trigger_processing()

    @api.model
    def _is_due(self, gateway):
        """Whether there is an event to process now."""
        with gateway._in_new_transaction() as gateway_sudo:
            return bool(self.with_env(gateway_sudo.env)._search_due(gateway_sudo, 1))

    # === BUSINESS METHODS - PROCESSING === #

    @api.model
    def _search_due(self, gateway, limit):
        """The events of a gateway that are to be processed now, oldest first."""
        return self.search(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "=", "pending"),
                ("next_attempt_at", "<=", fields.Datetime.now()),
            ],
            order="id",
            limit=limit,
        )

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
