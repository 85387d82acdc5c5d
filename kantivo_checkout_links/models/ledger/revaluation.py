from odoo import Command, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools.misc import format_date

from ...texts import to_ref


class CheckoutRevaluation(models.AbstractModel):
    """Brings a Stripe account in a foreign currency to its value at a month's end.

    Entries in and out at different rates leave a rest in company currency, even where
    nothing is at Stripe any more. When a month's statement is made, one entry on the
    exchange accounts makes the account's value the balance at the rate of the month's
    last day. It isn't reversed, and there is one per month: what becomes known of a
    month later, or is of a month that is locked, comes with the next one's entry.

    Runs as superuser under the gateway's lock.
    """

    _name = "checkout.revaluation"
    _description = "Month-End Revaluation of a Stripe Account"

    # === BUSINESS METHODS === #

    @api.model
    def _revalue_months(self, gateway):
        """Revalue the months that have a statement, oldest first. One that can't be
        revalued yet has the later ones wait, or they would take what is its own.
        """
        if not gateway._is_revalued():
            return
        reason = False
        try:
            for day in self._get_open_month_ends(gateway):
                with self.env.cr.savepoint():
                    self._revalue_month(gateway, day)
        except UserError as error:
            reason = str(error)
        if gateway.revaluation_error != reason:
            gateway.revaluation_error = reason

    @api.model
    def _get_open_month_ends(self, gateway):
        domain = Domain("journal_id", "=", gateway.journal_id.id)
        if gateway.revalued_until:
            domain &= Domain("date", ">", gateway.revalued_until)
        days = self.env["account.bank.statement"].search(domain).mapped("date")
        return sorted({fields.Date.end_of(day, "month") for day in days})

    @api.model
    def _revalue_month(self, gateway, day):
        """:raise UserError: with the reason, if that can't be done yet."""
        journal = self._get_journal(gateway)
        if not gateway.company_id._get_violated_lock_dates(day, False, journal):
            self._check_complete(gateway, day)
            self._post_difference(gateway, journal, day)
        gateway.revalued_until = day

    @api.model
    def _check_complete(self, gateway, day):
        """:raise UserError: if a transaction up to that day isn't posted yet."""
        waiting = self.env["checkout.movement"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("currency_id", "=", gateway.currency_id.id),
                ("state", "=", "to_post"),
            ]
        )
        if any(movement._get_local_date() <= day for movement in waiting):
            raise UserError(
                self.env._(
                    "The revaluation as of %s waits until all Stripe transactions up "
                    "to that day are posted.",
                    format_date(self.env, day),
                )
            )

    # === VALUES === #

    @api.model
    def _get_balance(self, gateway, day):
        """What the account holds at the end of a day.

        :return: The balance in the journal's currency, and its value in the ledger.
        """
        own = [
            ("account_id", "=", gateway.journal_id.default_account_id.id),
            ("parent_state", "=", "posted"),
            ("date", "<=", day),
        ]
        items = self.env["account.move.line"]
        in_currency = [*own, ("currency_id", "=", gateway.currency_id.id)]
        [[balance]] = items._read_group(in_currency, aggregates=["amount_currency:sum"])
        [[value]] = items._read_group(own, aggregates=["balance:sum"])
        return gateway.currency_id.round(balance), value

    @api.model
    def _post_difference(self, gateway, journal, day):
        company = gateway.company_id
        balance, value = self._get_balance(gateway, day)
        rates = self.env["checkout.rate"]
        worth = rates._convert(balance, gateway.currency_id, company, day)
        difference = company.currency_id.round(worth - value)
        if difference:
            self._create_move(gateway, journal, day, difference)

    # === ENTRY === #

    @api.model
    def _get_journal(self, gateway):
        return gateway.company_id.currency_exchange_journal_id or self.env[
            "checkout.poster"
        ]._get_general_journal(gateway)

    @api.model
    def _create_move(self, gateway, journal, day, difference: float):
        """:param float difference: In company currency; positive: a gain."""
        poster = self.env["checkout.poster"]
        items = self._prepare_items(gateway, day, difference)
        poster._check_balanced(gateway.company_id, items)
        vals = {
            "journal_id": journal.id,
            "company_id": gateway.company_id.id,
            "date": day,
            "ref": to_ref(items[0]["name"]),
            "line_ids": [Command.create(item) for item in items],
        }
        move = poster._post_move(vals)
        body = move._get_html_link(title=move.ref)
        gateway._do_aside(lambda gateway: gateway.message_post(body=body))

    @api.model
    def _prepare_items(self, gateway, day, difference: float):
        """Items that bring the Stripe account to its value.

        :param float difference: In company currency; positive: the account gains.
        """
        name = self.env._(
            "Revaluation of %(journal)s on %(day)s",
            journal=gateway.journal_id.name,
            day=format_date(self.env, day),
        )
        reversal = self.env["checkout.entry.reversal"]
        return [
            {
                "name": name,
                "account_id": gateway.journal_id.default_account_id.id,
                "currency_id": gateway.currency_id.id,
                "amount_currency": 0,
                "balance": difference,
            },
            reversal._prepare_exchange_item(gateway.company_id, name, -difference),
        ]
