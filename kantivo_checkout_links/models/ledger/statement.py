from datetime import timedelta

from odoo import Command, api, fields, models

from ...const import CLOSING_DAYS


class CheckoutGateway(models.Model):
    """Closes the months of a Stripe journal by bank statements.

    Odoo's dashboard adds up what is in no statement, and the comparison with Stripe
    what came after the last one: so neither grows slower with the years. A line that
    becomes known late goes into the statement of its month, and all later ones carry it
    on. Runs as superuser under the gateway's lock.
    """

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS === #

    def _close_months(self):
        """Make the statements of the months that are over, count what they hold, and
        revalue it where that is wanted.
        """
        self._put_into_statements(self._search_open_lines())
        self._count_closed()
        self.env["checkout.revaluation"]._revalue_months(self)

    def _take_late_lines(self, lines):
        """Put new lines of months that are closed into their statements.

        :param account.bank.statement.line lines: Lines of the gateway's journal.
        """
        closed_until = self.closed_until
        late = lines.filtered(lambda line: closed_until and line.date <= closed_until)
        if late:
            self._put_into_statements(late.sorted("internal_index"))
            self._count_closed()

    def _count_closed(self):
        """Count again what the ledger holds at the end of the last closed month."""
        until = self._get_last_statement().date
        balance = self._sum_journal_items([("date", "<=", until)]) if until else 0
        self.write({"closed_until": until, "closed_balance": balance})

    def _sum_journal_items(self, domain):
        """What journal items add up to on the Stripe journal's account."""
        own = [
            ("account_id", "=", self.journal_id.default_account_id.id),
            ("parent_state", "=", "posted"),
        ]
        groups = self.env["account.move.line"]._read_group(
            [*own, *domain], [], ["amount_currency:sum"]
        )
        return groups[0][0] or 0

    # === MONTHS === #

    def _search_open_lines(self):
        """The lines of months that are over and have no statement, oldest first."""
        today = fields.Date.context_today(self)
        first_open_day = (today - timedelta(days=CLOSING_DAYS)).replace(day=1)
        return self.env["account.bank.statement.line"].search(
            [
                ("journal_id", "=", self.journal_id.id),
                ("statement_id", "=", False),
                ("date", "<", first_open_day),
            ],
            order="internal_index",
        )

    # === STATEMENTS === #

    @api.model
    def _put_into_statements(self, lines):
        """:param account.bank.statement.line lines: Of one journal, oldest first."""
        months = lines.grouped(lambda line: line.date.replace(day=1))
        for month, month_lines in months.items():
            statement = self._find_statement(lines.journal_id, month)
            if statement:
                month_lines.statement_id = statement
            else:
                self._create_statement(month, month_lines)
        if lines:
            self._carry_forward(lines.journal_id, lines[0].date)

    @api.model
    def _find_statement(self, journal, month):
        """The statement of a journal's month, if there is one."""
        return (
            self.env["account.bank.statement.line"]
            .search(
                [
                    ("journal_id", "=", journal.id),
                    ("statement_id", "!=", False),
                    ("date", ">=", month),
                    ("date", "<=", fields.Date.end_of(month, "month")),
                ],
                limit=1,
            )
            .statement_id
        )

    @api.model
    def _create_statement(self, month, lines):
        """Odoo finds the balances: from the statement before, and from the lines."""
        return self.env["account.bank.statement"].create(
            {
                "name": f"{lines.journal_id.code} {month:%Y-%m}",
                "line_ids": [Command.set(lines.ids)],
            }
        )

    @api.model
    def _carry_forward(self, journal, day):
        """Have statements from a day on start with what those before end with."""
        statements = self.env["account.bank.statement"].search(
            [("journal_id", "=", journal.id), ("date", ">=", day)],
            order="first_line_index",
        )
        balance = statements[:1].balance_start
        for statement in statements:
            statement.balance_start = balance
            statement.balance_end_real = balance = statement.balance_end

    def _get_last_statement(self):
        return self.env["account.bank.statement"].search(
            [("journal_id", "=", self.journal_id.id), ("date", "!=", False)],
            order="first_line_index desc",
            limit=1,
        )
