import logging
from collections import defaultdict, deque
from itertools import chain, repeat
from typing import NamedTuple

from psycopg2 import OperationalError

from odoo import api, fields, models, modules
from odoo.fields import Domain
from odoo.tools import split_every

from ...aside import describe_error, log_error
from ...budget import Budget
from ...calls import Call, call_together
from ...const import (
    EVENT_BATCH,
    EXPIRY_BATCH,
    FIRST_BATCHES,
    HANDLED_EVENTS,
    READING_LOCK,
)
from ...stripe_client import StripeClient
from ..gateway.checkout_event import ASKED
from .stripe_reader import Reading

_logger = logging.getLogger(__name__)

# The objects that belong to one payment each.
PAYMENT_OBJECTS = ("checkout.session", "charge", "refund", "dispute")

# Scheduled actions beside the main one, for gateways in parallel.
HELPERS = tuple(
    f"kantivo_checkout_links.ir_cron_process_events_{number}" for number in (2, 3, 4)
)


def _iter_sizes():
    """How many events are in each of a gateway's batches."""
    return chain(FIRST_BATCHES, repeat(EVENT_BATCH))


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
            gateway_sudo = gateway.sudo()  # posting needs it
            with gateway._take_merchants_turn(), gateway_sudo._reading():
                for event_ids in split_every(EVENT_BATCH, events.ids):
                    self._process_events(gateway_sudo, event_ids, [])
                gateway_sudo._work_exclusively(self._complete)
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

    # === BUSINESS METHODS - SCHEDULING === #

    @api.model
    def _cron_process(self):
        """Process the inbox and do what the payments wait for, in turns: a batch of a
        gateway, then one of the next. Gateways that others work on are left to them.
        """
        self._process_in_turns(self._wake_helpers)

    @api.model
    def _cron_help(self):
        """Do as `_cron_process`, beside it: Odoo runs each scheduled action once at a
        time, so gateways are processed in parallel by several of them.
        """
        self._process_in_turns(lambda number: None)

    @api.model
    def _wake_helpers(self, number):
        """Wake as many helpers as there is work for."""
        for name in HELPERS[: max(number, 0)]:
            helper = self.env.ref(name, raise_if_not_found=False)
            if helper:
                helper.sudo()._trigger()  # crons are the administrator's
        self._note_progress(0)

    @api.model
    def _process_in_turns(self, wake):
        """Stop in time for Odoo's limits; another run goes on.

        :param callable wake: Takes how many gateways others could process meanwhile.
        """
        budget = Budget.of_cron(self.env)
        turns, sizes, left = deque(), defaultdict(_iter_sizes), set()
        came = self._get_busy_gateways()
        while (came or turns) and not budget.is_spent:
            if came:
                turns.extend(came)
                wake(len(turns) - 1)
            gateway = turns.popleft()
            has_more = self._take_turn(gateway, next(sizes[gateway]))
            if has_more:
                turns.append(gateway)
            elif has_more is None:
                left.add(gateway)
            self._note_progress(1)
            came = self._get_due_gateways().filtered(
                lambda g: g not in turns and g not in left
            )
        for gateway in turns:
            self._try(gateway, lambda g: g._work_exclusively(self._complete))
        if turns or came:
            self._trigger_processing()

    @api.model
    def _take_turn(self, gateway, size):
        """Process one batch of a gateway.

        :return: Whether there is more to do; None if it is to be left alone, since
            someone else works on it at this moment, or it is in trouble.
        """
        return self._try(gateway, lambda g: self._process_if_free(g, size))

    @api.model
    def _process_if_free(self, gateway, size):
        """What comes meanwhile is left to us by who finds the gateway taken."""
        with gateway._holding(READING_LOCK, wait=False) as is_held:
            if not is_held:
                return None
            has_more = self._process_batch(gateway, size, [])
        return has_more or self._is_due(gateway)

    @api.model
    def _try(self, gateway, work):
        """One gateway's trouble must not keep the others waiting."""
        try:
            return work(gateway)
        except Exception as error:
            what = f"Events of gateway {gateway.id} can't be processed"
            log_error(_logger, what, error)
            return None

    @api.model
    def _note_progress(self, batches):
        """Have Odoo know what this run got done, even if it is killed after this."""
        if not modules.module.current_test:
            self.env["ir.cron"]._commit_progress(batches)

    @api.model
    def _get_busy_gateways(self):
        """The gateways for which there is anything to do now."""
        to_expire = [
            ("expiry_requested", "=", True),
            ("stripe_checkout_session_id", "!=", False),
            ("state", "=", "open"),
        ]
        to_call = [("on_paid_due_at", "!=", False), ("on_paid_problem", "=", False)]
        waiting = {
            "checkout.movement": [("state", "=", "to_post")],
            "checkout.announcement": [("error", "=", False)],
            "checkout.payment": Domain.OR([to_expire, to_call]),
        }
        groups = [
            self.env[model]._read_group(domain, ["gateway_id"])
            for model, domain in waiting.items()
        ]
        ids = {gateway.id for rows in groups for (gateway,) in rows}
        ids.update(self._get_due_gateways().ids)
        return self.env["checkout.gateway"]._search_served([("id", "in", list(ids))])

    @api.model
    def _get_due_gateways(self):
        """The gateways that have events to process now."""
        due = [
            ("state", "=", "pending"),
            ("next_attempt_at", "<=", fields.Datetime.now()),
        ]
        rows = self._read_group(due, ["gateway_id"])
        return self.env["checkout.gateway"].union(*(row[0] for row in rows))

    # === BUSINESS METHODS - PROCESSING === #

    @api.model
    def _process_gateway(self, gateway, budget=None) -> list[list[str]]:
        """Process all that waits at a gateway now, or what the budget allows.

        :return: For each payment that was found to be paid, the ids of the events that
            were about it.
        :raise UserError: if others go on working on it.
        :raise StripeError: if Stripe is away; what doesn't need it is done.
        """
        paying = []
        with gateway._reading():
            for size in _iter_sizes():
                has_more = self._process_batch(gateway, size, paying)
                if not has_more or (budget and budget.is_spent):
                    break
        return paying

    @api.model
    def _process_batch(self, gateway, size, paying):
        """Process one batch of a gateway; after the last one, do the rest too. Only one
        may do so at a time: see `_reading`.

        :param list paying: Takes what `_process_gateway` returns.
        :return: Whether there is more to do.
        :raise StripeError: if Stripe is away; what doesn't need it is done.
        """
        with gateway._in_new_transaction() as gateway_sudo:
            ids = self.with_env(gateway_sudo.env)._search_due(gateway_sudo, size).ids
        away = self._process_events(gateway, ids, paying) if ids else None
        if not away and (len(ids) == size or gateway._end_requested_sessions()):
            return True
        gateway._work_exclusively(self._complete)
        if away:
            raise away
        return False

    @api.model
    def _process_events(self, gateway, event_ids, paying):
        """Find out whose events these are, ask Stripe, act on what is true, post it.

        Between asking and acting a new transaction starts, since a payer's row may have
        been committed while we asked, and others may write to the ledger while we do.

        :return: Why some events had to be left as they are, if Stripe is away.
        """
        if not gateway.settlement_codes:
            gateway._work_exclusively(lambda g: g._ensure_settlement())
        own_ids = gateway._work_exclusively(
            lambda g: self.with_env(g.env).browse(event_ids)._send_home(g).ids
        )
        with gateway._in_new_transaction() as gateway_sudo:
            events = self.with_env(gateway_sudo.env).browse(own_ids)
            answers = Reading(gateway_sudo.env, gateway_sudo).read_all(events)
            found = {event.id: answer for event, answer in answers.items()}
        paying += gateway._work_exclusively(lambda g: self._apply_and_post(g, found))
        if len(found) < len(own_ids):
            return next(each.error for each in found.values() if each.error)
        return None

    @api.model
    def _apply_and_post(self, gateway, found) -> list[list[str]]:
        """Under the gateway's lock, as superuser.

        :param dict found: What Stripe has, as `Found` by the id of an event.
        :return: As `_process_gateway`.
        """
        self = self.with_env(gateway.env).browse(found)
        objects = {}
        for stripe_object in chain.from_iterable(f.objects for f in found.values()):
            objects.setdefault(stripe_object["id"], stripe_object)
        payments = self.env["checkout.payment"]
        paid_before = payments._filter_paid(gateway, objects)
        outcomes = self._apply_all(gateway, objects)
        for event in self:
            event._keep_outcome(found[event.id], outcomes)
        paid = payments._filter_paid(gateway, objects) - paid_before
        gateway._commit()
        self.env["checkout.poster"]._post_new(gateway)
        names = defaultdict(list)
        for event in self:
            for stripe_object in found[event.id].objects:
                names[stripe_object["id"]].append(event.stripe_event_id)
        return [names[session_id] for session_id in paid]

    @api.model
    def _apply_all(self, gateway, objects: dict[str, dict]) -> dict[str, Outcome]:
        """Act on each object once, however many events speak of it; if that fails, on
        one after the other.
        """
        try:
            with self.env.cr.savepoint():
                return {
                    object_id: Outcome(self._handle(gateway, stripe_object))
                    for object_id, stripe_object in objects.items()
                }
        except OperationalError:
            raise  # a conflict: the whole transaction is tried again
        except Exception:
            return {
                object_id: self._apply(gateway, stripe_object)
                for object_id, stripe_object in objects.items()
            }

    @api.model
    def _complete(self, gateway):
        """Do the rest, also what was tried before. Under the gateway's lock, as
        superuser.
        """
        self = self.with_env(gateway.env)
        self.env["checkout.payout"]._itemize_waiting(gateway)
        self.env["checkout.poster"]._post_waiting(gateway)
        self.env["checkout.announcement"]._announce_waiting(gateway)
        self.env["checkout.payment"]._call_on_paid_waiting(gateway)

    def _keep_outcome(self, found, outcomes):
        """Keep what came of an event.

        :param Found found: What Stripe has for it.
        :param dict outcomes: The `Outcome` of each object by its id.
        """
        reached = [outcomes[each["id"]] for each in found.objects]
        problems = [outcome.problem for outcome in reached if outcome.problem]
        if found.error:
            self._keep_unread(found.error)
        elif problems:
            self._set_waiting(problems[0])
        elif found.is_known or any(outcome.is_ours for outcome in reached):
            self._set_done()
        else:
            self._set_ignored()

    def _keep_unread(self, error):
        """A checkout that should be over, and that Stripe doesn't have any more, as
        when test data were deleted there, can't be paid.
        """
        is_missing = getattr(error, "reason", False) == "missing"
        if is_missing and self.type == "sync.checkout.session":
            session = self.payload["data"]["object"]
            payment = self.env["checkout.payment"]._find_by_object(
                self.gateway_id, session
            )
            if payment._is_overdue():
                payment._set_missing(str(error))
                self._set_ignored()
                return
        self._set_unreadable(error)

    @api.model
    def _apply(self, gateway, stripe_object: dict) -> Outcome:
        """Act on an object; what fails leaves nothing behind but the reason."""
        try:
            with self.env.cr.savepoint():
                return Outcome(self._handle(gateway, stripe_object))
        except OperationalError:
            raise  # a conflict: the whole transaction is tried again
        except Exception as error:
            log_error(_logger, f"{stripe_object['id']} can't be applied", error)
            return Outcome(True, describe_error(self.env, error))

    @api.model
    def _handle(self, gateway, stripe_object: dict):
        """:return: Whether the object is ours."""
        # One of `_on_checkout_session`, `_on_refund`, `_on_dispute` and `_on_payout`.
        handler = f"_on_{stripe_object['object'].replace('.', '_')}"
        return getattr(self, handler)(gateway, stripe_object)

    @api.model
    def _on_checkout_session(self, gateway, session: dict):
        payments = self.env["checkout.payment"]
        payment = payments._find_by_session(gateway, session) or payments._recreate(
            gateway, session
        )
        if payment:
            payment._apply_session(session)
        return bool(payment)

    @api.model
    def _on_refund(self, gateway, refund: dict):
        payment = self.env["checkout.payment"]._find_by_object(gateway, refund)
        if payment:
            self.env["checkout.refund"]._apply_refund(payment, refund)
        return bool(payment)

    @api.model
    def _on_dispute(self, gateway, dispute: dict):
        payment = self.env["checkout.payment"]._find_by_object(gateway, dispute)
        if payment:
            self.env["checkout.dispute"]._apply_dispute(payment, dispute)
        return bool(payment)

    @api.model
    def _on_payout(self, gateway, payout: dict):
        gateway = self._get_gateway_for(gateway, payout)
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

    def _end_requested_sessions(self):
        """End at Stripe the checkouts whose link was closed or changed meanwhile; one
        that was paid is read as it is instead. One that can't be ended now keeps no
        other waiting, and is tried again.

        :return: Whether there may be more that can be ended now.
        """
        with self._in_new_transaction() as gateway_sudo:
            payments_sudo = gateway_sudo.env["checkout.payment"]._search_to_end(self)
            end = StripeClient.end_session
            calls = {
                payment.id: Call(end, (payment.stripe_checkout_session_id,))
                for payment in payments_sudo
            }
            if not calls:
                return False
            gateway_sudo._commit()
            answers = call_together(gateway_sudo._get_client(), calls.values())
        ended = {each: answers[call] for each, call in calls.items() if call in answers}
        if ended:
            self._work_exclusively(lambda g: g._keep_ended(ended))
        is_any_ended = any(not answer.error for answer in ended.values())
        return len(calls) == EXPIRY_BATCH and is_any_ended

    def _keep_ended(self, answers):
        """:param dict answers: What Stripe said, as `Answer` by the id of a payment."""
        for payment in self.env["checkout.payment"].browse(answers):
            answer = answers[payment.id]
            try:
                with self.env.cr.savepoint():
                    payment._set_ended(answer)
            except OperationalError:
                raise  # a conflict: the whole transaction is tried again
            except Exception as error:
                log_error(_logger, f"Payment {payment.id} can't be ended", error)
