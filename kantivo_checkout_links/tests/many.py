"""Payments by the thousand, which the database copies by itself, and what a piece of
work then reads of them.
"""

from contextlib import contextmanager
from unittest.mock import patch

from odoo.sql_db import Cursor
from odoo.tools import SQL

# Texts that are another one for each copy.
OWN_TEXTS = frozenset(
    "name uuid email email_normalized customer_email stripe_checkout_session_id "
    "stripe_payment_intent_id stripe_charge_id stripe_source_id stripe_event_id "
    "balance_transaction_id stripe_balance_transaction_id".split()
)
# Nodes of a plan that read a table or an index of one.
SCANS = frozenset(
    ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan")
)


class Copies:
    """Rows that stand for others, `number` times; what they refer to comes along."""

    def __init__(self, env, number):
        self.env = env
        self.number = number
        self.starts = {}
        self.ids = {}

    def reserve(self, *recordsets):
        """Give ids to the copies of records, before any are made."""
        self.env.flush_all()
        for records in recordsets:
            last = SQL(
                "SELECT setval(%(sequence)s, nextval(%(sequence)s) + %(size)s)",
                sequence=f"{records._table}_id_seq",
                size=self.number * len(records),
            )
            [[end]] = self.env.execute_query(last)
            self.starts[records._name] = end - self.number * len(records)
            self.ids[records._name] = records.ids

    def insert(self, records, **values):
        """:param values: Of single columns, as SQL of the row `old` and its number
        `n`, from 1.
        """
        fields = [f for f in records._fields.values() if f.store and f.column_type]
        columns = {field.name: self._get_value(field) for field in fields}
        columns |= {"id": self._get_copy(records._name, "id")} | values
        self.env.cr.execute(
            SQL(
                "INSERT INTO %(table)s (%(names)s) SELECT %(values)s "
                "FROM %(table)s old, generate_series(1, %(number)s) n "
                "WHERE old.id = ANY(%(ids)s)",
                table=SQL.identifier(records._table),
                names=SQL(", ").join(map(SQL.identifier, columns)),
                values=SQL(", ").join(columns.values()),
                number=self.number,
                ids=records.ids,
            )
        )

    def _get_value(self, field):
        column = SQL.identifier("old", field.name)
        if field.name in OWN_TEXTS:
            return SQL("%s || '-' || n", column)
        if field.type == "many2one" and field.comodel_name in self.ids:
            return self._get_copy(field.comodel_name, field.name)
        return column

    def _get_copy(self, model, column):
        column = SQL.identifier("old", column)
        return SQL(
            "coalesce(%s + (n - 1) * %s + array_position(%s, %s) - 1, %s)",
            self.starts[model],
            len(self.ids[model]),
            self.ids[model],
            column,
            column,
        )


def copy_records(records, number):
    """Copy records that nothing else hangs on."""
    copies = Copies(records.env, number)
    copies.reserve(records)
    copies.insert(records)
    analyze(records)


def copy_payments(payments, number):
    """Copy posted payments with their transactions and entries, and have the database
    count its rows.

    :param int number: Copies of each.
    """
    movements = payments.movement_ids
    moves, lines = movements.move_id, movements.statement_line_id
    copies = Copies(payments.env, number)
    copies.reserve(payments, movements, moves, lines, moves.line_ids)
    copies.insert(payments)
    copies.insert(moves, statement_line_id=SQL("NULL"))
    copies.insert(
        lines,
        internal_index=SQL(
            "left(old.internal_index, -10) || lpad((%s)::text, 10, '0')",
            copies._get_copy(lines._name, "id"),
        ),
    )
    copies.insert(moves.line_ids)
    copies.insert(movements)
    payments.env.cr.execute(
        SQL(
            "UPDATE account_move move SET statement_line_id = line.id "
            "FROM account_bank_statement_line line "
            "WHERE line.move_id = move.id AND move.id >= %s",
            copies.starts["account.move"],
        )
    )
    for records in (payments, movements, moves, lines, moves.line_ids):
        analyze(records)
    payments.env.invalidate_all()


def analyze(records):
    """Have the database count the rows of a table, as it does now and then."""
    records.env.cr.execute(SQL("ANALYZE %s", SQL.identifier(records._table)))


class Reads:
    """What was asked of the database.

    :ivar statements: All, in order.
    :ivar queries: Those that only read.
    :ivar rows: What these read of tables, kept or not.
    """

    def __init__(self):
        self.statements = []
        self.queries = []
        self.rows = 0

    def note(self, query, plan):
        """:param dict plan: The top node of a plan that was run."""
        self.queries.append(query)
        self.rows += self._count(plan)

    def _count(self, node):
        below = sum(map(self._count, node.get("Plans", ())))
        if node["Node Type"] not in SCANS:
            return below
        rows = node["Actual Rows"] + sum(
            value for name, value in node.items() if name.startswith("Rows Removed by")
        )
        return below + rows * node["Actual Loops"]


@contextmanager
def reading(part):
    """:param str part: Only statements with this text count.
    :return: The :class:`Reads` of what is done meanwhile.
    """
    reads, execute = Reads(), Cursor.execute

    def explain_first(cr, query, params=None, **kwargs):
        code, values = (
            (query.code, query.params) if isinstance(query, SQL) else (query, params)
        )
        text = cr._obj.mogrify(code, values).decode() if isinstance(code, str) else ""
        if part in text:
            reads.statements.append(text)
        if part in text and text.lstrip().startswith("SELECT"):
            cr._obj.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}")
            [[plan]] = cr._obj.fetchall()
            reads.note(text, plan[0]["Plan"])
        return execute(cr, query, params, **kwargs)

    with patch.object(Cursor, "execute", explain_first):
        yield reads
