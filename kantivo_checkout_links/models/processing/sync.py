import logging
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, product

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import split_every

from ...aside import do_aside
from ...budget import Budget
from ...calls import Answer, Call, call_together
from ...const import (
    EVENT_BATCH,
    EVENT_DAYS,
    HANDLED_EVENTS,
    RECHECK_HOURS,
    STRIPE_PAGE,
    SYNC_LOCK,
    SYNC_MINUTES,
    SYNC_OVERLAP_HOURS,
    SYNC_PERIOD_ROWS,
    SYNC_PIECE_DAYS,
    SYNC_PIECE_ROWS,
)
from ...money import from_minor
from ...stripe_client import StripeClient
from ...utils import to_datetime, to_timestamp
from ..gateway.checkout_event import ASKED
from ..ledger.movement_source import PAYMENT_SOURCES

_logger = logging.getLogger(__name__)

# What a sync does, in this order.
STAGES = ("events", "objects", "transactions", "opening")
# Stripe's times are whole seconds.
SHORTEST_PERIOD = timedelta(seconds=1)


class CheckoutSync(models.AbstractModel):
    """Reads from Stripe what no webhook delivered. Webhooks are just the faster way.

    Everything found goes through the same inbox as deliveries do, and everything is
    keyed by Stripe's ids: reading the same month again changes nothing.
    """

    _name = "checkout.sync"
    _description = "Stripe Synchronization"

    @api.model
    def _cron_sync(self):
        """Sync all gateways; one that fails says so on itself and stops no other. What
        there is no time for is left to another run, which does nothing else.
        """
        budget = Budget.of_cron(self.env)
        self.env["checkout.gateway"]._for_each_with_key(
            lambda gateway: self._sync_or_leave(gateway, budget),
            "sync",
            self._get_due_gateways(),
        )

    @api.model
    def _get_due_gateways(self):
        """All, or those that an earlier run had no time for: those first whose last
        sync is the longest ago, then what is going on.
        """
        gateways = self.env["checkout.gateway"]._search_served([])
        recent = fields.Datetime.now() - timedelta(minutes=SYNC_MINUTES)
        due = gateways.filtered(
            lambda g: g.sync_started_at or not g.last_sync_at or g.last_sync_at < recent
        )
        return (due or gateways).sorted(
            lambda g: (bool(g.sync_started_at), g.last_sync_at or datetime.min)
        )

    @api.model
    def _sync_or_leave(self, gateway, budget):
        if budget.is_spent:
            self._trigger_sync()
        else:
            self._sync(gateway, budget)

    @api.model
    def _trigger_sync(self):
        """Have another run go on as soon as this transaction is committed."""
        cron_sudo = self.env.ref("kantivo_checkout_links.ir_cron_sync").sudo()
        cron_sudo._trigger()  # crons are the administrator's

    @api.model
    def _sync(self, gateway, budget):
        """Bring a gateway's payments and entries up to date with Stripe: piece by
        piece, each kept when it is done, so that a run can end after any of them and
        the next one goes on there. Others write to the ledger in between.

        :return: What was found, in words; nothing if there was nothing new, and None if
            there is more to do.
        :raise StripeError: if Stripe can't be read; what was read until then stays.
        :raise UserError: while the merchant has something to decide first.
        """
        with (
            gateway._holding(SYNC_LOCK),
            gateway._in_new_transaction() as gateway_sudo,
        ):
            gateway_sudo._check_may_sync()
            return self.with_env(gateway_sudo.env)._sync_alone(gateway_sudo, budget)

    @api.model
    def _sync_alone(self, gateway, budget):
        try:
            client = gateway._get_client()
            progress = gateway.sync_progress or self._start(gateway, client)
            for _piece in self._iter_pieces(gateway, client, progress):
                gateway._commit()  # see what is true now
                if budget.is_spent:
                    return self._interrupt(gateway, progress)
            return self._finish(gateway, client, progress, budget)
        except Exception:
            # The next run starts over: what comes first may be of help to the rest.
            with gateway._in_new_transaction() as gateway_sudo:
                gateway_sudo._set_progress({})
            raise

    @api.model
    def _start(self, gateway, client):
        """What is waiting already is no discovery of the sync.

        :return: The progress of the sync, which each piece keeps on the gateway.
        """
        gateway._work_exclusively(lambda g: self._prepare(g, client))
        self.env["checkout.event"]._process_gateway(gateway)
        gateway._commit()
        return gateway.sync_progress

    @api.model
    def _prepare(self, gateway, client):
        self = self.with_env(gateway.env)
        gateway._ensure_accounts(client)
        gateway._take_over_waiting()
        self._match_contacts(gateway)
        last = self.env["checkout.movement"].search([], order="id desc", limit=1)
        gateway.sync_started_at = fields.Datetime.now()
        gateway._set_progress(
            {**self._prepare_progress(), "stage": STAGES[0], "last": last.id or 0}
        )

    @api.model
    def _prepare_progress(self) -> dict:
        """What is known of how far a sync has come, at its start. It is kept on the
        gateway if it has a stage.
        """
        return {"done": 0, "total": 0, "recovered": 0, "problems": []}

    @api.model
    def _iter_pieces(self, gateway, client, progress: dict):
        """What there is to do, in pieces that take seconds, from where an earlier run
        stopped.
        """
        for stage in STAGES[STAGES.index(progress["stage"]) :]:
            if stage != progress["stage"]:
                progress.update(stage=stage, done=0, total=0)
            # One of `_sync_events`, `_sync_objects`, `_sync_transactions` and
            # `_sync_opening`.
            yield from getattr(self, f"_sync_{stage}")(gateway, client, progress)

    @api.model
    def _interrupt(self, gateway, progress: dict):
        gateway._work_exclusively(lambda g: g._keep_progress(progress))
        self._trigger_sync()

    @api.model
    def _do_piece(self, gateway, progress: dict, work):
        """Keep a piece and how far it brings us, and have the inbox processed.

        :param callable work: Takes the gateway, as superuser under its lock. What it
            returns are the ids of the events that it took, if any.
        """

        def keep(gateway):
            taken = work(gateway)
            gateway._keep_progress(progress)
            return taken

        taken = gateway._work_exclusively(keep) or ()
        paying = self.env["checkout.event"]._process_gateway(gateway)
        progress["recovered"] += sum(
            all(name in taken or name.startswith(ASKED) for name in names)
            for names in paying
        )
        gateway._commit()

    @api.model
    def _finish(self, gateway, client, progress: dict, budget):
        """Say what was found, and compare the balances."""
        problem = gateway._find_endpoint_problem(client)
        gateway._work_exclusively(lambda g: self._keep_found(g, progress, problem))
        gateway._commit()
        self.env["checkout.agreement"]._check(gateway, budget)
        gateway._commit()
        return gateway.sync_note

    @api.model
    def _keep_found(self, gateway, progress: dict, endpoint_problem):
        self = self.with_env(gateway.env)
        gateway.write(
            {
                "last_sync_at": gateway.sync_started_at,
                "sync_error": " ".join(progress["problems"]) or False,
                "key_refused": False,
                "sync_note": self._describe_found(gateway, progress["last"]),
            }
        )
        gateway._set_progress({})
        gateway._keep_health(endpoint_problem, progress["recovered"])

    @api.model
    def _describe_found(self, gateway, last_id):
        """What the sync found and no webhook delivered: "2 × Charge, 1 × Refund"."""
        groups = self.env["checkout.movement"]._read_group(
            [("gateway_id", "=", gateway.id), ("id", ">", last_id)],
            ["kind"],
            ["__count"],
        )
        kinds = self.env["checkout.movement"]._fields["kind"]
        names = dict(kinds._description_selection(self.env))
        return ", ".join(f"{count} × {names[kind]}" for kind, count in groups)

    @api.model
    def _expire_abandoned(self, gateway):
        """Payments that a crash kept from getting a session: they can't be paid."""
        gateway.env["checkout.payment"].search(
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

    # === EVENTS === #

    @api.model
    def _sync_events(self, gateway, client, progress: dict):
        """All events of our types since the newest one of the last time, with an
        overlap.

        Not only undelivered ones: that flag at Stripe speaks of every endpoint of the
        account, not of ours.
        """
        since = progress.setdefault(
            "since", to_timestamp(self._get_window_start(gateway))
        )
        listed = client.iter_events(HANDLED_EVENTS, since, progress.get("after"))
        for events in split_every(STRIPE_PAGE, listed):
            newest = progress.setdefault("newest", events[0]["created"])
            progress["after"] = events[-1]["id"]
            covered = newest - events[-1]["created"]
            self._count(progress, len(events), covered, newest - since)
            take = partial(self._take_events, events=events, progress=progress)
            self._do_piece(gateway, progress, take)
            yield
        gateway._work_exclusively(lambda g: self._end_events(g, client, progress))

    @api.model
    def _count(self, progress: dict, number, covered, period):
        """Add to what is done, and guess from that how much there is in all.

        :param covered: How much of the period has been read, both in seconds.
        """
        progress["done"] += number
        estimate = progress["done"] * period // covered if covered > 0 else 0
        progress["total"] = max(progress["done"], estimate)

    @api.model
    def _take_events(self, gateway, events, progress: dict):
        """:return: The ids of those that are new."""
        self = self.with_env(gateway.env)
        unknown = self.env["checkout.event"]._filter_unknown(gateway, events)
        problems = {self._take_event(gateway, event) for event in unknown}
        problems.update(progress["problems"])
        progress["problems"] = sorted(filter(None, problems))
        return [event["id"] for event in unknown]

    @api.model
    def _end_events(self, gateway, client, progress: dict):
        gateway._update_clock(client)
        if "newest" in progress and not progress["problems"]:  # else all is read again
            gateway.events_read_to = to_datetime(progress["newest"])

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

    # === OBJECTS THAT MAY HAVE CHANGED === #

    @api.model
    def _sync_objects(self, gateway, _client, progress: dict):
        """What isn't over yet, and what no event has spoken of for long. Events report
        all changes, so each is asked for at most once a day.
        """
        self._do_piece(gateway, progress, self._repeat_requests)
        references = self._get_references(gateway)
        progress["total"] = len(references)
        for part in split_every(EVENT_BATCH, references, list):
            progress["done"] += len(part)
            if forgotten := self._filter_forgotten(gateway, part):
                ask = partial(self._ask_for, references=forgotten)
                self._do_piece(gateway, progress, ask)
                yield
        gateway._work_exclusively(self._expire_abandoned)

    @api.model
    def _get_references(self, gateway) -> list[dict]:
        """The objects of a gateway that aren't over yet, as the inbox needs them."""
        payments = self.env["checkout.payment"]
        payments = payments.search(payments._get_overdue_domain(gateway))
        payments |= self._search_unsettled(gateway)
        references = [
            {"id": session_id, "object": "checkout.session"}
            for session_id in payments.mapped("stripe_checkout_session_id")
        ]
        for object_type in ("refund", "dispute", "payout"):
            rows = self.env[f"checkout.{object_type}"]._get_unfinished(gateway)
            kept = rows.filtered("stripe_id")
            references += [row._prepare_reference() for row in kept]
        return references

    @api.model
    def _search_unsettled(self, gateway):
        """The payments of charges whose fee isn't known yet."""
        movements = self.env["checkout.movement"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("kind", "=", "charge"),
                ("balance_transaction_id", "=", False),
                ("payment_id", "!=", False),
            ]
        )
        return movements.payment_id

    @api.model
    def _filter_forgotten(self, gateway, references: list[dict]) -> list[dict]:
        """Those that haven't been asked for lately."""
        since = fields.Datetime.now() - timedelta(hours=RECHECK_HOURS)
        asked = self.env["checkout.event"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("stripe_event_id", "in", [f"{ASKED}{r['id']}" for r in references]),
                ("received_at", ">", since),
            ]
        )
        names = set(asked.mapped("stripe_event_id"))
        return [row for row in references if f"{ASKED}{row['id']}" not in names]

    @api.model
    def _ask_for(self, gateway, references: list[dict]):
        for reference in references:
            inbox = self.env["checkout.event"].with_env(gateway.env)
            inbox._insert_object(gateway, reference)

    @api.model
    def _repeat_requests(self, gateway):
        """Ask again for refunds that Stripe gave no answer to."""
        refunds = gateway.env["checkout.refund"]._get_unfinished(gateway)
        for refund in refunds.filtered(lambda r: r.state == "requested"):
            try:
                refund._ask_and_receive()
            except UserError as error:
                _logger.info("Refund %s: %s", refund.id, error)

    # === BALANCE TRANSACTIONS === #

    @api.model
    def _read_balance_changes(self, gateway, budget):
        """Take and post what has changed the Stripe balance up to now, or what there is
        time for.

        :raise StripeError: if Stripe can't be read; what was read until then stays.
        """
        client, progress = gateway._get_client(), self._prepare_progress()
        for stage in (self._sync_transactions, self._sync_opening):
            for _piece in stage(gateway, client, progress):
                gateway._commit()
                if budget.is_spent:
                    return

    @api.model
    def _sync_transactions(self, gateway, client, progress: dict):
        """All changes of the Stripe balance since the last time, with an overlap.

        In periods, each kept when it is read, to go on there after a crash.
        """
        until = gateway._get_stripe_now()
        start = to_timestamp(self._get_transactions_start(gateway, until))
        first = progress.setdefault("read_from", start)
        start = to_datetime(progress.setdefault("read_to", start))
        for rows, end in self._iter_periods(gateway, client, start, until):
            yield from self._take_period(gateway, client, progress, rows)
            progress.update(read_to=to_timestamp(end), parts=0)
            covered, period = progress["read_to"] - first, to_timestamp(until) - first
            self._count(progress, len(rows), covered, period)
            gateway._work_exclusively(lambda g, end=end: g._set_read_to(end, progress))
            if rows:
                yield

    @api.model
    def _take_period(self, gateway, client, progress: dict, rows: list[dict]):
        """Take rows oldest first. Twice, since some belong to what only the others lead
        to, and an object may not name a transaction of its own.
        """
        parts = list(split_every(SYNC_PIECE_ROWS, reversed(rows), list))
        turns = [*product((False, True), parts)]
        for are_objects_read, part in turns[progress.get("parts", 0) :]:
            progress["parts"] = progress.get("parts", 0) + 1
            if unknown := self._filter_unknown(part):
                take = partial(
                    self._take_transactions,
                    rows=unknown,
                    followed=self._find_followed(gateway, client, unknown),
                    are_objects_read=are_objects_read,
                )
                self._do_piece(gateway, progress, take)
                yield

    @api.model
    def _get_transactions_start(self, gateway, until):
        if not gateway.transactions_read_to:
            return gateway.sync_from
        overlap = timedelta(hours=SYNC_OVERLAP_HOURS)
        read_to = min(gateway.transactions_read_to, until)
        return max(gateway.sync_from, read_to - overlap)

    @api.model
    def _iter_periods(self, gateway, client, start, until):
        """The balance transactions from one moment to another, in periods of at most
        some days and about as many rows as are worth keeping in memory.

        :return: The rows of a period, newest first, and its end. The last one goes on
            to what is there by now.
        """
        length = longest = timedelta(days=SYNC_PIECE_DAYS)
        while True:
            end = min(start + length, until)
            created = {"gte": to_timestamp(start)}
            if end < until:
                created["lt"] = to_timestamp(end)
            listed = gateway._iter_transactions(client, created)
            rows, is_all = self._read_rows(listed, start, end)
            if is_all or end - start <= SHORTEST_PERIOD:
                yield [*rows, *listed], end
                if end == until:
                    return
                start, length = end, min(length * 2, longest)
            else:  # what was read is how many rows there are at its end
                rest = end - to_datetime(rows[-1]["created"])
                length = rest * SYNC_PERIOD_ROWS // (2 * len(rows))
                length = max(min(length, (end - start) // 2), SHORTEST_PERIOD)
                length -= length % SHORTEST_PERIOD

    @api.model
    def _read_rows(self, listed, start, end):
        """The rows of a period, or the newest of them as soon as there seem to be too
        many.

        :return: Rows, and whether they are all.
        """
        rows = list(islice(listed, STRIPE_PAGE))
        if len(rows) < STRIPE_PAGE:
            return rows, True
        rest = end - to_datetime(rows[-1]["created"])
        if (end - start) * len(rows) > rest * 2 * SYNC_PERIOD_ROWS:
            return rows, False
        rows += islice(listed, SYNC_PERIOD_ROWS - len(rows))
        return rows, len(rows) < SYNC_PERIOD_ROWS

    @api.model
    def _filter_unknown(self, rows: list[dict]) -> list[dict]:
        """Those that no movement is of yet."""
        movements = self.env["checkout.movement"].search(
            [("balance_transaction_id", "in", [row["id"] for row in rows])]
        )
        known = set(movements.mapped("balance_transaction_id"))
        return [row for row in rows if row["id"] not in known]

    @api.model
    def _take_transactions(self, gateway, rows: list[dict], followed, are_objects_read):
        """Take those that no movement is of yet.

        :param set followed: The ids of those whose objects lead to a payment.
        :param bool are_objects_read: Whether the objects behind them have been read, so
            that what is still missing is taken as it is listed.
        """
        self = self.with_env(gateway.env)
        for row in self._filter_unknown(rows):
            self._take_transaction(
                gateway, row, row["id"] in followed, are_objects_read
            )

    @api.model
    def _take_transaction(self, gateway, row: dict, is_followed, is_object_read):
        """Have the object behind it read if it's one of ours, else post it as it is."""
        source, inbox = self._get_source(row), self.env["checkout.event"]
        payment = self._find_payment(gateway, source)
        is_followed = is_followed or bool(payment)
        if is_followed:
            inbox._insert_object(inbox._get_gateway_for(gateway, source), source)
        movements = self.env["checkout.movement"]
        if not is_followed:
            movements._ensure_transaction(gateway, row, source, payment)
        elif is_object_read or self._is_unlisted(row, source):
            movements._ensure_listed(gateway, row, source, payment)

    @api.model
    def _get_source(self, row: dict) -> dict | None:
        """The object behind a balance transaction, if there is one."""
        return row["source"] if isinstance(row["source"], dict) else None

    @api.model
    def _find_payment(self, gateway, source: dict | None):
        payments = self.env["checkout.payment"]
        if not source or source["object"] not in PAYMENT_SOURCES:
            return payments
        return payments._find_by_object(gateway, source)

    @api.model
    def _is_unlisted(self, row: dict, source: dict | None):
        """Whether reading the object of a transaction may not lead to it: the key may
        not be allowed to read payouts.
        """
        movements = self.env["checkout.movement"]
        return source["object"] == "payout" or movements._is_unlisted(row, source)

    @api.model
    def _find_followed(self, gateway, client, rows: list[dict]) -> set[str]:
        """The balance transactions whose objects are to be read: payouts, and those
        that lead to a payment by what Stripe says of their session: the charge's own
        metadata may be a copy. If Stripe doesn't answer now, the object's event waits,
        with the reason.
        """
        sources = {row["id"]: self._get_source(row) for row in rows}
        sources = {name: source for name, source in sources.items() if source}
        unknown = {
            name: source
            for name, source in sources.items()
            if source["object"] in PAYMENT_SOURCES
            and not self._find_payment(gateway, source)
        }
        gateway._commit()
        charges = self._read_charges(client, unknown)
        answers = self._read_sessions(client, charges)
        return {
            *(name for name in sources if sources[name]["object"] == "payout"),
            *(name for name in unknown if name not in charges),
            *(name for name in answers if self._leads(gateway, answers[name])),
        }

    @api.model
    def _read_charges(self, client, sources: dict[str, dict]) -> dict[str, dict]:
        """The charges that objects are about, as far as Stripe answers."""
        calls = {
            name: Call(StripeClient.retrieve_charge, (source["charge"],))
            for name, source in sources.items()
            if isinstance(source.get("charge"), str)
        }
        answers = call_together(client, dict.fromkeys(calls.values()))
        read = {name: answers.get(call, Answer()) for name, call in calls.items()}
        own = {name: Answer(sources[name]) for name in sources if name not in calls}
        return {
            name: each.value for name, each in {**own, **read}.items() if each.value
        }

    @api.model
    def _read_sessions(self, client, charges: dict[str, dict]) -> dict[str, Answer]:
        """What Stripe says of the sessions of charges that name a payment."""
        calls = {
            name: Call(
                StripeClient.list_sessions_of_intent, (self._get_intent(charge),)
            )
            for name, charge in charges.items()
            if self._get_intent(charge)
            and "checkout_payment" in self.env["checkout.event"]._get_metadata(charge)
        }
        answers = call_together(client, dict.fromkeys(calls.values()))
        return {name: answers.get(call, Answer()) for name, call in calls.items()}

    @api.model
    def _get_intent(self, charge: dict):
        intent = charge["payment_intent"]
        return intent["id"] if isinstance(intent, dict) else intent

    @api.model
    def _leads(self, gateway, answer: Answer):
        """Whether a session is a payment's; also if Stripe didn't say."""
        payments = self.env["checkout.payment"]
        return answer.value is None or any(
            payments._has_payment(gateway, session) for session in answer.value
        )

    # === OPENING BALANCE === #

    @api.model
    def _sync_opening(self, gateway, client, progress: dict):
        """What Stripe held before this gateway started: its balance now, less what has
        moved since. Tried again at the next sync if the balance moves meanwhile.
        """
        if gateway.opening_done:
            return
        balance = gateway._read_balance(client)
        gateway._commit()
        gateway._work_exclusively(lambda g: g._correct_start(client))
        gateway._commit()
        until = gateway._get_stripe_now()
        start = progress.setdefault("opening_from", to_timestamp(gateway.sync_from))
        periods = self._iter_periods(gateway, client, to_datetime(start), until)
        for rows, end in periods:
            self._add_moved(gateway, progress, rows)
            if end < until:
                progress["opening_from"] = to_timestamp(end)
                gateway._work_exclusively(lambda g: g._keep_progress(progress))
                yield
        is_still = gateway._read_balance(client) == balance
        gateway._commit()
        if is_still:
            opening = balance - progress["moved"]
            keep = partial(self._keep_opening, minor_amount=opening, progress=progress)
            self._do_piece(gateway, progress, keep)
            yield

    @api.model
    def _add_moved(self, gateway, progress: dict, rows: list[dict]):
        """Add up what has moved, and note what is of an object from before."""
        start = to_timestamp(gateway.sync_from)
        moved = sum(row["net"] for row in rows)
        early = [row["id"] for row in rows if self._is_early(row, start)]
        progress["moved"] = progress.get("moved", 0) + moved
        progress["early"] = [*progress.get("early", ()), *early]

    @api.model
    def _is_early(self, row: dict, start):
        source = row["source"]
        return isinstance(source, dict) and source.get("created", start) < start

    @api.model
    def _keep_opening(self, gateway, minor_amount, progress: dict):
        amount = from_minor(minor_amount, gateway.currency_id.name)
        movements = gateway.env["checkout.movement"]
        movements._ensure_opening(gateway, amount, progress["early"])
        gateway.opening_done = True


class CheckoutGateway(models.Model):
    """Synchronizing from a gateway's form."""

    _inherit = "checkout.gateway"

    # === ACTION METHODS === #

    def action_sync(self):
        """Read from Stripe what no webhook delivered, and post it.

        :raise UserError: if Stripe can't be reached or refuses the key.
        """
        self.env["checkout.link"].check_access("write")  # not read-only users
        self.check_access("read")
        found = [gateway._sync_now() for gateway in self]
        return self._notify("success", self._describe_sync(found))

    # === BUSINESS METHODS === #

    def _sync_now(self):
        """:return: As `_sync` does."""
        sync_sudo = self.env["checkout.sync"].sudo()  # the key is out of reach
        with self._take_merchants_turn():
            return sync_sudo._sync(self.sudo(), Budget.of_request())

    def _describe_sync(self, found):
        if None in found:
            return self.env._("There is much to sync. It continues in the background.")
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
