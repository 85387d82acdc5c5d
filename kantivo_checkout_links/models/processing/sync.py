import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import split_every

from ...aside import do_aside
from ...const import (
    EVENT_BATCH,
    EVENT_DAYS,
    HANDLED_EVENTS,
    SYNC_OVERLAP_HOURS,
    SYNC_PIECE_DAYS,
)
from ...money import from_minor
from ...stripe_client import StripeError
from ...utils import to_datetime, to_timestamp
from ..ledger.movement_source import PAYMENT_SOURCES
from ..payment.checkout_payment import UNFINISHED_STATES

_logger = logging.getLogger(__name__)


class CheckoutSync(models.AbstractModel):
    """Reads from Stripe what no webhook delivered. Webhooks are just the faster way.

    Everything found goes through the same inbox as deliveries do, and everything is
    keyed by Stripe's ids: reading the same month again changes nothing.
    """

    _name = "checkout.sync"
    _description = "Stripe Synchronization"

    @api.model
    def _cron_sync(self):
        """Sync all gateways; one that fails says so on itself and stops no other."""
        self.env["checkout.gateway"]._for_each_with_key(
            lambda gateway: gateway._work_exclusively(self._sync), "sync"
        )

    @api.model
    def _sync(self, gateway):
        """Bring a gateway's payments and entries up to date with Stripe.

        :return: What was found, in words; nothing if there was nothing new.
        :raise StripeError: if Stripe can't be read; what was read until then stays.
        :raise UserError: while the merchant has something to decide first.
        """
        self = self.with_env(gateway.env)
        gateway._check_may_sync()
        client = gateway._get_client()
        gateway._ensure_accounts(client)
        gateway._take_over_waiting()
        self._match_contacts(gateway)
        started = fields.Datetime.now()
        last = self.env["checkout.movement"].search([], order="id desc", limit=1)
        self._process(gateway)
        paid_before = gateway._count_paid()
        problem = self._read_events(gateway, client)
        gateway._update_clock(client)
        self._read_unfinished(gateway, client)
        self._read_unsettled(gateway, client)
        self._read_undecided(gateway)
        self._expire_abandoned(gateway)
        self._process(gateway)
        self._read_balance_changes(gateway)
        gateway.write(
            {
                "last_sync_at": started,
                "sync_error": problem or False,
                "sync_note": self._describe_found(gateway, last),
            }
        )
        gateway._examine_health(client, gateway._count_paid() - paid_before)
        self.env["checkout.agreement"]._check(gateway)
        gateway._commit()
        return gateway.sync_note

    @api.model
    def _describe_found(self, gateway, last):
        """What the sync found and no webhook delivered: "2 × Charge, 1 × Refund"."""
        groups = self.env["checkout.movement"]._read_group(
            [("gateway_id", "=", gateway.id), ("id", ">", last.id or 0)],
            ["kind"],
            ["__count"],
        )
        kinds = self.env["checkout.movement"]._fields["kind"]
        names = dict(kinds._description_selection(self.env))
        return ", ".join(f"{count} × {names[kind]}" for kind, count in groups)

    @api.model
    def _process(self, gateway):
        """Keep what was read, and act on it before reading on."""
        gateway._commit()
        self.env["checkout.event"]._process_gateway(gateway)
        gateway._commit()

    @api.model
    def _expire_abandoned(self, gateway):
        """Payments that a crash kept from getting a session: they can't be paid."""
        self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "=", "open"),
                ("stripe_checkout_session_id", "=", False),
                ("session_expires_at", "<", gateway._get_stripe_now()),
            ]
        )._set_abandoned()

    @api.model
    def _match_contacts(self, gateway):
        """Try again to make the contacts that couldn't be made."""
        self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("contact_problem", "!=", False),
                ("partner_id", "=", False),
            ],
            limit=EVENT_BATCH,
        )._match_contact_again()

    # === READING === #

    @api.model
    def _read_events(self, gateway, client):
        """All events of our types since the newest one of the last time, with an
        overlap.

        Not only undelivered ones: that flag at Stripe speaks of every endpoint of the
        account, not of ours.

        :return: What can't be kept, and why, in words.
        """
        inbox = self.env["checkout.event"]
        since = to_timestamp(self._get_window_start(gateway))
        newest, problems = since, set()
        listed = client.iter_events(HANDLED_EVENTS, since)
        for events in split_every(EVENT_BATCH, listed):
            newest = max(newest, events[0]["created"])
            for event in inbox._filter_unknown(gateway, events):
                problems.add(self._take_event(gateway, event))
        problems.discard(False)
        if not problems:  # else all is read again
            gateway.events_read_to = to_datetime(newest)
        return " ".join(sorted(problems))

    @api.model
    def _take_event(self, gateway, event: dict):
        """Keep an event that we handle; one that can't be kept stops no other.

        :return: Why it can't be kept, if so.
        """
        _taken, problem = do_aside(
            self.env["checkout.event"],
            lambda inbox: inbox._take(gateway, event),
        )
        return problem and self.env._(
            "%(event)s could not be stored. %(why)s", event=event["id"], why=problem
        )

    @api.model
    def _get_window_start(self, gateway):
        oldest = gateway._get_stripe_now() - timedelta(days=EVENT_DAYS)
        if not gateway.events_read_to:
            return oldest
        return max(oldest, gateway.events_read_to - timedelta(hours=SYNC_OVERLAP_HOURS))

    @api.model
    def _read_unfinished(self, gateway, client):
        """The sessions that we believe are still under way."""
        payments = self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "in", UNFINISHED_STATES),
                ("stripe_checkout_session_id", "!=", False),
            ]
        )
        for payment in payments:
            self._receive_session(gateway, client, payment)

    @api.model
    def _read_unsettled(self, gateway, client):
        """The charges whose fee isn't known yet."""
        movements = self.env["checkout.movement"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("kind", "=", "charge"),
                ("balance_transaction_id", "=", False),
            ]
        )
        for payment in movements.payment_id:
            self._receive_session(gateway, client, payment)

    @api.model
    def _receive_session(self, gateway, client, payment):
        session = payment._retrieve_session(client)
        if session and payment._is_outdated_by(session):
            self.env["checkout.event"]._receive_session(payment)

    @api.model
    def _read_undecided(self, gateway):
        """What isn't over yet: refunds, among them those that Stripe never answered to,
        disputes and payouts.
        """
        self._repeat_requests(gateway)
        inbox = self.env["checkout.event"]
        for object_type in ("refund", "dispute", "payout"):
            for row in self.env[f"checkout.{object_type}"]._get_unfinished(gateway):
                if row.stripe_id:
                    inbox._receive_object(gateway, row._prepare_reference())

    @api.model
    def _repeat_requests(self, gateway):
        """Ask again for refunds that Stripe gave no answer to."""
        refunds = self.env["checkout.refund"]._get_unfinished(gateway)
        for refund in refunds.filtered(lambda r: r.state == "requested"):
            try:
                refund._ask_and_receive()
            except UserError as error:
                _logger.info("Refund %s: %s", refund.id, error)

    # === BALANCE TRANSACTIONS === #

    @api.model
    def _read_balance_changes(self, gateway):
        """Take and post what has changed the Stripe balance, up to now.

        :raise StripeError: if Stripe can't be read; what was read until then stays.
        """
        client = gateway._get_client()
        self._read_transactions(gateway, client, gateway._get_stripe_now())
        self._process(gateway)
        self._read_opening(gateway, client)
        self._process(gateway)

    @api.model
    def _read_transactions(self, gateway, client, until):
        """All changes of the Stripe balance since the last time, with an overlap.

        In pieces of some days, each kept when it is read, to go on there after a crash.
        Taken twice, since some belong to what only the others lead to, and an object
        may not name a transaction of its own.
        """
        for period in self._get_pieces(gateway, until):
            rows = gateway._list_transactions(client, period)
            self._take_transactions(gateway, rows)
            self._process(gateway)
            self._take_transactions(gateway, rows, are_objects_read=True)
            read_to = period.get("lt", to_timestamp(until))
            gateway.transactions_read_to = to_datetime(read_to)
            gateway._commit()

    @api.model
    def _get_pieces(self, gateway, until):
        """Stripe's `created` filters; the last piece has no end."""
        start = gateway.sync_from
        if gateway.transactions_read_to:
            overlap = timedelta(hours=SYNC_OVERLAP_HOURS)
            start = max(start, min(gateway.transactions_read_to, until) - overlap)
        step = timedelta(days=SYNC_PIECE_DAYS)
        while start + step < until:
            yield {
                "gte": to_timestamp(start),
                "lt": to_timestamp(start + step),
            }
            start += step
        yield {"gte": to_timestamp(start)}

    @api.model
    def _take_transactions(self, gateway, rows: list[dict], are_objects_read=False):
        """Take those that no movement is of yet, oldest first.

        :param bool are_objects_read: Whether the objects behind them have been read, so
            that what is still missing is taken as it is listed.
        """
        movements = self.env["checkout.movement"].search(
            [("balance_transaction_id", "in", [row["id"] for row in rows])]
        )
        known = set(movements.mapped("balance_transaction_id"))
        for row in reversed(rows):
            if row["id"] not in known:
                self._take_transaction(gateway, row, are_objects_read)

    @api.model
    def _take_transaction(self, gateway, row: dict, is_object_read):
        """Have the object behind it read if it's one of ours, else post it as it is."""
        source, inbox = row["source"], self.env["checkout.event"]
        source = source if isinstance(source, dict) else None
        payment = self.env["checkout.payment"]
        if source and source["object"] in PAYMENT_SOURCES:
            payment = payment._find_by_object(gateway, source)
        followed = payment or (source and self._ask_if_followed(gateway, source))
        if followed:
            inbox._receive_object(inbox._get_gateway_for(gateway, source), source)
        movements = self.env["checkout.movement"]
        if not followed:
            movements._ensure_transaction(gateway, row, source, payment)
        elif is_object_read or self._is_unlisted(row, source):
            movements._ensure_listed(gateway, row, source, payment)

    @api.model
    def _is_unlisted(self, row: dict, source: dict | None):
        """Whether reading the object of a transaction may not lead to it: the key may
        not be allowed to read payouts.
        """
        movements = self.env["checkout.movement"]
        return source["object"] == "payout" or movements._is_unlisted(row, source)

    @api.model
    def _ask_if_followed(self, gateway, source: dict | None):
        """Whether reading an object that no payment is known for leads to one. If
        Stripe doesn't answer now, its event waits, with the reason.
        """
        if source["object"] not in PAYMENT_SOURCES:
            return source["object"] == "payout"
        try:
            return self._ask_if_of_payment(gateway, gateway._get_client(), source)
        except StripeError:
            return True

    @api.model
    def _ask_if_of_payment(self, gateway, client, source: dict | None):
        """Whether a charge, or that of a refund or dispute, is a payment's by what
        Stripe says of its session: the charge's own metadata may be a copy.
        """
        charge = source
        if isinstance(source.get("charge"), str):
            charge = client.retrieve_charge(source["charge"])
        intent = charge["payment_intent"]
        metadata = self.env["checkout.event"]._get_metadata(charge)
        if not intent or "checkout_payment" not in metadata:
            return False
        intent_id = intent["id"] if isinstance(intent, dict) else intent
        payments = self.env["checkout.payment"]
        sessions = client.list_sessions_of_intent(intent_id)
        return any(payments._has_payment(gateway, session) for session in sessions)

    @api.model
    def _read_opening(self, gateway, client):
        """What Stripe held before this gateway started: its balance now, less what has
        moved since. Tried again at the next sync if the balance moves meanwhile.
        """
        if gateway.opening_done:
            return
        balance = gateway._read_balance(client)
        gateway._update_clock(client)
        gateway._correct_sync_from()
        since = to_timestamp(gateway.sync_from)
        rows = gateway._list_transactions(client, {"gte": since})
        if gateway._read_balance(client) != balance:
            return
        moved = sum(row["net"] for row in rows)
        amount = from_minor(balance - moved, gateway.currency_id.name)
        movements = self.env["checkout.movement"]
        movements._ensure_opening(gateway, amount, [row["id"] for row in rows])
        gateway.opening_done = True


class CheckoutGateway(models.Model):
    """Synchronizing from a gateway's form."""

    _inherit = "checkout.gateway"

    # === ACTION METHODS === #

    def action_sync(self):
        """Read from Stripe what no webhook delivered, and post it.

        :raise UserError: if Stripe can't be reached or refuses the key.
        """
        self.env["checkout.link"].check_access("write")  # merchants, not who only reads
        self.check_access("read")
        found = [gateway._sync_now() for gateway in self]
        return self._notify("success", self._describe_sync(found))

    # === BUSINESS METHODS === #

    def _sync_now(self):
        """:return: What was found, in words; nothing if there was nothing new."""
        try:
            return self.sudo()._work_exclusively(  # the key is out of reach
                self.env["checkout.sync"]._sync
            )
        except StripeError as error:
            raise UserError(self._describe_failure(error)) from error

    def _describe_sync(self, found):
        found_names = ", ".join(filter(None, found))
        if not found_names:
            return self.env._("Up to date with Stripe. Nothing new.")
        return self.env._("Up to date with Stripe. New: %s.", found_names)

    def _may_sync(self):
        """Not before the merchant has decided about third-party transactions."""
        return self.shared_account != "ask"

    def _check_may_sync(self):
        """:raise UserError: while the merchant has something to decide first."""
        if not self._may_sync():
            raise UserError(
                self.env._(
                    "Odoo's own Stripe provider also uses this account. Choose on the "
                    "gateway how its payments should be handled here. The sync waits "
                    "for your choice."
                )
            )
