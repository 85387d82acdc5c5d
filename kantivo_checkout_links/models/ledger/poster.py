import logging
from datetime import timedelta

from psycopg2 import OperationalError

from odoo import Command, api, models
from odoo.exceptions import UserError
from odoo.tools.misc import format_date

from ...aside import describe_error, log_error
from ...const import POST_BATCH
from ...kinds import DERIVED_KINDS, HOLDING_KINDS
from ..gateway.audit_trail import REQUESTER_KEY, Requester, is_logged
from .batch import BATCH_KEY, Batch
from .entry import has_analytics
from .entry_reversal import is_owed

_logger = logging.getLogger(__name__)


class CheckoutPoster(models.AbstractModel):
    """Posts all journal entries of the addon, above all those of movements.

    A movement becomes one line of the Stripe journal's bank statement, made with all
    its journal items: so the journal's balance is the balance at Stripe, and nothing
    waits in a suspense account. Runs as superuser under the gateway's lock.
    """

    _name = "checkout.poster"
    _description = "Stripe Transaction Poster"

    # === BUSINESS METHODS === #

    @api.model
    def _post_waiting(self, gateway):
        """Post everything of a gateway that waits, oldest first, a batch at a time."""
        self._post_in_batches(gateway, [])

    @api.model
    def _post_new(self, gateway):
        """Post what hasn't been tried yet, likewise."""
        self._post_in_batches(gateway, [("error", "=", False)])

    @api.model
    def _post_in_batches(self, gateway, domain):
        movements = self.env["checkout.movement"].search(
            [("gateway_id", "=", gateway.id), ("state", "=", "to_post"), *domain],
            order="occurred_at, id",
        )
        for start in range(0, len(movements), POST_BATCH):
            self._post(movements[start : start + POST_BATCH])
            gateway._commit()

    @api.model
    def _post(self, movements):
        """Post movements; those that can't be wait with the reason on them."""
        derived = movements.filtered(lambda m: m.kind in DERIVED_KINDS)
        self._post_together(movements - derived)
        for movement in derived:
            self._on_behalf_of_requester(movement)._post_together(movement)

    @api.model
    def _on_behalf_of_requester(self, movement):
        """The poster in the name of who asked for a refund, for the audit trail."""
        if not is_logged(self.env):
            return self
        refund = movement.payment_id.refund_ids.filtered(
            lambda r: r.stripe_id == movement.stripe_source_id
        )
        partner = refund.user_id.partner_id
        context = {REQUESTER_KEY: Requester(partner.id)} if partner else {}
        return self.with_context(**context)

    @api.model
    def _post_together(self, movements):
        entries = list(filter(None, map(self._prepare_entry, movements)))
        if entries:
            self._create_or_split(entries)

    @api.model
    def _prepare_entry(self, movement):
        """The movement with the values of its entry, or nothing if it waits."""
        try:
            return movement, self._prepare_entry_vals(movement)
        except OperationalError:
            raise  # a conflict: the whole transaction is tried again
        except Exception as error:
            self._set_failed(movement, error)
            return None

    @api.model
    def _create_or_split(self, entries):
        """Create all in one go; if that fails, halve until the bad one stands alone."""
        try:
            with self.env.cr.savepoint():
                self._create_entries(entries)
        except OperationalError:
            raise  # a conflict: the whole transaction is tried again
        except Exception as error:
            if len(entries) == 1:
                self._set_failed(entries[0][0], error)
                return
            middle = len(entries) // 2
            self._create_or_split(entries[:middle])
            self._create_or_split(entries[middle:])

    @api.model
    def _set_failed(self, movement, error):
        what = f"Movement {movement.stripe_source_id} can't be posted"
        log_error(_logger, what, error)
        movement._set_waiting(describe_error(self.env, error))

    @api.model
    def _create_entries(self, entries):
        records = self._create_records(entries)
        for record, (movement, vals) in zip(records, entries, strict=True):
            self._check_entry(record, vals)
            for_review = self.env["checkout.entry"]._is_for_review(movement)
            movement._set_posted(record, for_review)
            self._note_shifted_date(movement, record)
            self._reconcile(movement)

    @api.model
    def _create_records(self, entries):
        """Statement lines; a plain entry where no Stripe money moved."""
        vals_list = [vals for _movement, vals in entries]
        if all(movement.amount for movement, _vals in entries):
            lines = self._create_unchanged("account.bank.statement.line", vals_list)
            entries[0][0].gateway_id._take_late_lines(lines)
            return lines
        moves = self._create_unchanged("account.move", vals_list)
        moves.action_post()
        return moves

    @api.model
    def _create_unchanged(self, model, vals_list):
        """Create records whose journal items are complete.

        Odoo would compute taxes again where it sees no tax item, as with 0 %: then what
        undoes a refund would count as a sale. It need not count each entry again after
        each step: that they balance was checked before, and is checked in the end.
        """
        model = self.env[model].with_context(
            skip_invoice_sync=True,
            check_move_validity=False,
            checkout_entry=True,
            **{BATCH_KEY: Batch()},
        )
        records = model.create(vals_list)
        return records.with_env(self.env)

    @api.model
    def _reconcile(self, movement):
        """Close the items that this movement ends: a dispute won or lost, a payout that
        came back, a refund of what still waited for an invoice.
        """
        if movement.kind not in (*DERIVED_KINDS, *HOLDING_KINDS):
            return
        matching = self.env["checkout.matching"]
        reopened = matching._reopen_invoices(movement)
        lines = self._get_held_lines(movement) | self._get_owed_lines(movement)
        lines = lines.filtered(lambda line: not line.reconciled)
        for items in lines.grouped("account_id").values():
            if any(item.balance > 0 for item in items) and any(
                item.balance < 0 for item in items
            ):
                items.with_env(self.env).reconcile()
        matching._match_rest(movement, reopened)

    @api.model
    def _get_held_lines(self, movement):
        """What holds the money of the same dispute or payout, and lets go of it."""
        related = movement._get_same_source().filtered(
            lambda m: m.kind in HOLDING_KINDS
        )
        return related._get_posted_lines().filtered(
            lambda line: line.account_id.reconcile and not is_owed(line)
        )

    @api.model
    def _get_owed_lines(self, movement):
        """What was credited to the customer for a payment, and taken back."""
        return movement.payment_id.movement_ids._get_posted_lines().filtered(is_owed)

    @api.model
    def _post_general_entry(self, movement, items, date):
        """Post an entry that says more about a movement, and moves no Stripe money.

        :param list items: Values of its journal items.
        :param date date: Its day; where that is closed, the first open one after it.
        :return: The entry.
        :raise UserError: if it can't be posted as it is meant.
        """
        journal = self._get_general_journal(movement)
        self._check_balanced(movement.company_id, items)
        vals = self._prepare_move_vals(movement, journal, items, date)
        return self._post_move({**vals, "ref": movement._get_ref()})

    @api.model
    def _post_move(self, vals):
        """Post a journal entry whose items are complete, and see that they stay so."""
        move = self._create_unchanged("account.move", [vals])
        move.action_post()
        self._check_entry(move, vals)
        return move

    # === CHECKS === #

    @api.model
    def _check_balanced(self, company, items):
        """Odoo would silently balance an entry on the journal's own account."""
        difference = sum(item["balance"] for item in items)
        if not company.currency_id.is_zero(difference):
            raise UserError(
                self.env._(
                    "The entry is unbalanced by %s. Nothing was posted.",
                    company.currency_id.format(difference),
                )
            )

    @api.model
    def _check_entry(self, record, vals):
        """The entry is just what was meant: posted, balanced, settled, on its day, and
        each item with its account, value and tax tags.
        """
        meant = [item for _command, _id, item in vals["line_ids"]]
        currency = record.company_id.currency_id
        intact = (
            record.state == "posted"
            and currency.is_zero(sum(record.line_ids.mapped("balance")))
            and record.date == vals["date"]
            and getattr(record, "is_reconciled", True)
            and sorted(map(self._describe_item, record.line_ids))
            == sorted(self._describe_meant(item, currency) for item in meant)
        )
        if not intact:
            raise UserError(
                self.env._(
                    "Odoo changed the entry while posting it. Nothing was posted."
                )
            )

    @api.model
    def _describe_item(self, line):
        return line.account_id.id, line.balance, sorted(line.tax_tag_ids.ids)

    @api.model
    def _describe_meant(self, item, currency):
        tag_commands = item.get("tax_tag_ids") or [Command.clear()]
        tag_ids = tag_commands[0][2] or []
        return item["account_id"], currency.round(item["balance"]), sorted(tag_ids)

    # === ENTRY === #

    @api.model
    def _prepare_entry_vals(self, movement):
        """The statement line or plain entry of a movement, with all its journal items.

        :raise UserError: if something that the entry needs is missing.
        """
        journal = self._get_journal(movement)
        items = self.env["checkout.entry"]._prepare_items(movement)
        self._check_balanced(movement.company_id, items)
        vals = {
            **self._prepare_move_vals(
                movement, journal, items, movement._get_local_date()
            ),
            "ref": movement._get_ref(),
        }
        if not movement.amount:
            return vals
        return {**vals, **self._prepare_statement_vals(movement)}

    @api.model
    def _prepare_move_vals(self, movement, journal, items, date):
        """What any entry of a movement is made with. Its taxes decide how late it may
        be, and which fiscal position it can carry.

        :param date date: Its day; where that is closed, the first open one after it.
        """
        company, tax_entry = movement.company_id, self.env["checkout.entry.tax"]
        taxes = tax_entry._get_taxes_in(items)
        return {
            "journal_id": journal.id,
            "company_id": company.id,
            "fiscal_position_id": tax_entry._get_position(movement, taxes).id,
            "date": self._get_open_date(company, date, journal, bool(taxes)),
            "line_ids": [Command.create(self._complete_item(item)) for item in items],
        }

    @api.model
    def _complete_item(self, item):
        """Odoo's distribution models are for income and expenses: elsewhere the same
        money would count twice.
        """
        if has_analytics(self.env["account.account"].browse(item["account_id"])):
            return item
        return {"analytic_distribution": False, **item}

    @api.model
    def _prepare_statement_vals(self, movement):
        """The bank line of a movement, with what was paid in another currency."""
        entry = self.env["checkout.entry"]
        vals = {
            "payment_ref": movement._get_label(),
            "partner_id": entry._get_partner(movement).id,
            "partner_name": entry._get_partner_name(movement),
            "amount": movement.amount,
        }
        if not entry._is_in_source_currency(movement):
            return vals
        return {
            **vals,
            "foreign_currency_id": movement.source_currency_id.id,
            "amount_currency": movement.source_amount,
        }

    @api.model
    def _get_journal(self, movement):
        """The journal that a movement is posted in.

        :raise UserError: if there is none, or it is in another currency.
        """
        gateway = movement.gateway_id
        journal = gateway.journal_id
        if not journal:
            raise UserError(
                self.env._(
                    "The gateway has no Stripe journal yet. Choose or create one."
                )
            )
        if movement.currency_id != gateway.currency_id:
            raise UserError(
                self.env._(
                    "Stripe settled this in %(settled)s, but the journal is in "
                    "%(journal)s. Add a gateway for %(settled)s.",
                    settled=movement.currency_id.name,
                    journal=gateway.currency_id.name,
                )
            )
        return journal if movement.amount else self._get_general_journal(movement)

    @api.model
    def _get_general_journal(self, movement):
        """For what moved no Stripe money."""
        company = movement.company_id
        journals = self.env["account.journal"].search(
            [
                *self.env["account.journal"]._check_company_domain(company),
                ("type", "=", "general"),
            ]
        )
        plain = journals - company.currency_exchange_journal_id
        plain -= company.tax_cash_basis_journal_id
        if not plain:
            raise UserError(self.env._("No miscellaneous journal was found."))
        return plain[0]

    # === DATES === #

    @api.model
    def _get_open_date(self, company, date, journal, has_tax):
        """A day, or the first open one after it where its period is closed."""
        locks = company._get_violated_lock_dates(date, has_tax, journal)
        return locks[-1][0] + timedelta(days=1) if locks else date

    @api.model
    def _note_shifted_date(self, movement, record):
        """A closed period moves an entry; the accountant reads why."""
        date = movement._get_local_date()
        if record.date == date:
            return
        body = self.env._(
            "The transaction took place on %s, but that period is closed.",
            format_date(self.env, date),
        )
        movement.gateway_id._do_aside(
            lambda move: move.message_post(body=body), movement.move_id
        )
