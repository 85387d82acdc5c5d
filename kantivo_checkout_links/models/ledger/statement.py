from datetime import date, timedelta

from odoo import Command, api, fields, models
from odoo.tools import SQL

from ...const import CLOSING_DAYS
from ...money import round_exact

# A month has lines by the thousand, and Odoo's own fields would load and write each.
ATTACH_LINES = """
    WITH attached AS (
        UPDATE account_bank_statement_line
           SET statement_id = %(statement)s
         WHERE journal_id = %(journal)s AND company_id = ANY(%(companies)s)
           AND statement_id IS NULL
           AND internal_index >= %(first)s AND internal_index < %(end)s
     RETURNING id, move_id, amount, internal_index),
    items AS (
        UPDATE account_move_line item SET statement_id = %(statement)s
          FROM attached
         WHERE item.move_id = attached.move_id
           AND item.statement_line_id = attached.id)
    SELECT coalesce(sum(attached.amount), 0), min(attached.internal_index),
           max(move.date)
      FROM attached JOIN account_move move ON move.id = attached.move_id
     WHERE move.state = 'posted'
"""
ADD_TO_STATEMENT = """
    UPDATE account_bank_statement
       SET date = greatest(date, %(date)s),
           first_line_index = least(first_line_index, %(first)s),
           balance_end = balance_end + %(amount)s,
           balance_end_real = balance_end_real + %(amount)s
     WHERE id = %(statement)s
 RETURNING first_line_index
"""
# What a month has more, all later ones start with.
CARRY_FORWARD = """
    UPDATE account_bank_statement
       SET balance_start = balance_start + %(amount)s,
           balance_end = balance_end + %(amount)s,
           balance_end_real = balance_end_real + %(amount)s
     WHERE journal_id = %(journal)s AND first_line_index > %(first)s
"""


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
        today = fields.Date.context_today(self)
        first_open_day = (today - timedelta(days=CLOSING_DAYS)).replace(day=1)
        while line := self._find_open_line(date.min, first_open_day):
            self._close_month(line.date.replace(day=1))
        self._count_closed()
        self.env["checkout.revaluation"]._revalue_months(self)

    def _take_late_lines(self, lines):
        """Put new lines of months that are closed into their statements.

        :param account.bank.statement.line lines: Lines of the gateway's journal.
        """
        until = self.closed_until
        late = lines.filtered(lambda line: until and line.date <= until)
        if not late:
            return
        for month in sorted({line.date.replace(day=1) for line in late}):
            self.closed_balance += self._close_month(month)
        if self._get_last_statement().date != until:
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

    def _find_open_line(self, since, until):
        """The oldest line that is in no statement yet.

        :param date since: The first day.
        :param date until: The day after the last.
        """
        lines = self.env["account.bank.statement.line"]
        domain = [*self._get_lines_domain(since, until), ("statement_id", "=", False)]
        return lines.search(domain, order="internal_index", limit=1)

    def _close_month(self, month):
        """Put the lines of a month that are in no statement into its own, and have all
        later ones start with what those before end with.

        :param date month: Its first day.
        :return: What the lines add up to, in the journal's currency.
        """
        end = fields.Date.end_of(month, "month") + timedelta(days=1)
        statement, amount = self._find_statement(month, end), 0
        if not statement:
            line = self._find_open_line(month, end)
            statement, amount = self._create_statement(month, line), line.amount
        self.env.flush_all()
        attached, first, last = self._attach_lines(statement, month, end)
        values = {"statement": statement.id, "date": last, "first": first}
        add = SQL(ADD_TO_STATEMENT, amount=attached, **values)
        [[first]] = self.env.execute_query(add)
        amount = round_exact(amount + float(attached))
        journal_id = self.journal_id.id
        self.env.cr.execute(
            SQL(CARRY_FORWARD, amount=amount, journal=journal_id, first=first)
        )
        self._forget_statements()
        return amount

    # === STATEMENTS === #

    def _find_statement(self, since, until):
        """The statement of some days, if there is one."""
        lines = self.env["account.bank.statement.line"]
        domain = [*self._get_lines_domain(since, until), ("statement_id", "!=", False)]
        return lines.search(domain, limit=1).statement_id

    @api.model
    def _create_statement(self, month, line):
        """Odoo finds the balances: from the statement before, and from the line."""
        return self.env["account.bank.statement"].create(
            {
                "name": f"{line.journal_id.code} {month:%Y-%m}",
                "line_ids": [Command.set(line.ids)],
            }
        )

    def _attach_lines(self, statement, since, until):
        """:return: What the lines add up to, the index of the first, and the last
        day.
        """
        attach = SQL(
            ATTACH_LINES,
            statement=statement.id,
            journal=self.journal_id.id,
            companies=self._get_journal_companies().ids,
            first=self._get_index(since),
            end=self._get_index(until),
        )
        return self.env.execute_query(attach)[0]

    def _get_last_statement(self):
        return self.env["account.bank.statement"].search(
            [("journal_id", "=", self.journal_id.id), ("date", "!=", False)],
            order="first_line_index desc",
            limit=1,
        )

    @api.model
    def _forget_statements(self):
        """What the database was written past the cache."""
        self.env["account.bank.statement"].invalidate_model(flush=False)
        for model in ("account.bank.statement.line", "account.move.line"):
            self.env[model].invalidate_model(["statement_id"], flush=False)

    # === HELPERS === #

    def _get_lines_domain(self, since, until):
        """The journal's lines of some days, as they are indexed."""
        return [
            ("journal_id", "=", self.journal_id.id),
            ("company_id", "in", self._get_journal_companies().ids),
            ("internal_index", ">=", self._get_index(since)),
            ("internal_index", "<", self._get_index(until)),
        ]

    def _get_journal_companies(self):
        return self.company_id | self.journal_id.company_id

    @api.model
    def _get_index(self, day):
        """What the index of a day's lines starts with."""
        return f"{day:%Y%m%d}"
