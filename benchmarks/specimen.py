"""As many payments as wanted, with all that belongs to them, made by SQL.

The template has two specimens, made by a payer through the pay page: an open payment,
and one that is paid and posted with its fee. Their rows are copied with ``INSERT …
SELECT``; references among them lead to the copies, and texts that must differ (Stripe's
ids, names, e-mail addresses, numbers of entries) carry the number of the copy. So the
copies have all columns that the addon and Odoo have, filled as they fill them.
"""

import json
from dataclasses import dataclass

_FIRST_ENTRY = 1_000_000  # numbers of copied entries begin here
_TEXTS = ("character varying", "text", "jsonb", "json")
_TIMES = ("date", "timestamp without time zone")


@dataclass
class Cloner:
    """Copies specimens within one database.

    :param cr: A cursor of a superuser of PostgreSQL.
    :param tokens: By text that is a payment's own, a pattern with ``{}`` for the copy's
        number in ten digits.
    :param tables: Ids of the specimens' rows, by table; `starts`: the first new ones.
    :param relations: Tables of many2many fields, with their two columns and the tables
        that these lead to.
    """

    cr: object
    tokens: dict[str, str]
    tables: dict[str, list[int]]
    relations: list[list[str]]

    def clone(self, first: int, count: int, days: int = 0, changes: dict | None = None):
        """Make copies number ``first``, ``first`` + 1 … of all specimens.

        :param days: Over how many days before the specimens they are spread, the lowest
            number first.
        :param changes: SQL for columns of a table: ``{table: {column: sql}}``.
        """
        self._first, self._count, self._days = first, count, days
        self.starts = {table: self._next_id(table) for table in self.tables}
        self._entries = self._name_entries()
        self.cr.execute("SET LOCAL session_replication_role = replica")
        for table in self.tables:
            columns, references = self._columns(table), self._references(table)
            for row in self._rows(table):
                changed = (changes or {}).get(table, {})
                self._insert(table, row, columns, references, changed)
        for relation in self.relations:
            self._relate(*relation)
        self.cr.execute("SET LOCAL session_replication_role = origin")

    def _next_id(self, table: str) -> int:
        self.cr.execute(f"SELECT nextval('{table}_id_seq')")
        start = self.cr.fetchone()[0]
        last = start + self._count * len(self.tables[table])
        self.cr.execute(f"SELECT setval('{table}_id_seq', {last})")
        return start

    def _rows(self, table: str) -> list[dict]:
        query = f"SELECT row_to_json(t) FROM {table} t WHERE id = ANY(%s) ORDER BY id"
        self.cr.execute(query, [self.tables[table]])
        return [row for (row,) in self.cr.fetchall()]

    def _insert(self, table, row: dict, columns, references, changes) -> None:
        values = {}
        for column, kind in columns.items():
            value = row[column]
            target = table if column == "id" else references.get(column)
            if column in changes:
                values[column] = changes[column]
            elif target and value in self.tables.get(target, ()):
                values[column] = self._new_id(target, value)
            else:
                values[column] = self._changed(column, kind, value)
        values |= self._get_special(table, row)
        names = ", ".join(f'"{name}"' for name in values)
        self.cr.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())}"
            f" FROM {table} t, {self._series()} k WHERE t.id = {row['id']}"
        )

    def _series(self) -> str:
        return f"generate_series({self._first}, {self._first + self._count - 1})"

    def _new_id(self, table: str, old: int) -> str:
        ids = self.tables[table]
        start = self.starts[table] + sorted(ids).index(old)
        return f"({start} + (k - {self._first}) * {len(ids)})::int"

    def _changed(self, column: str, kind: str, value) -> str:
        """SQL for a copy's value: the specimen's, earlier or with other texts in it."""
        own = f't."{column}"'
        if value is None:
            return own
        if kind in _TIMES:
            return f"({own} - {self._earlier()})::{kind}" if self._days else own
        text = value if isinstance(value, str) else json.dumps(value)
        tokens = [token for token in self._patterns() if token in text]
        if kind not in _TEXTS or not tokens:
            return own
        changed = f"{own}::text"
        for token in sorted(tokens, key=len, reverse=True):
            changed = f"replace({changed}, '{token}', {self._patterns()[token]})"
        return f"({changed})::{kind}"

    def _patterns(self) -> dict[str, str]:
        """By text, SQL for what a copy has instead."""
        digits = "lpad(k::text, 10, '0')"
        patterns = {
            token: f"'{pattern}'".replace("{}", f"' || {digits} || '")
            for token, pattern in self.tokens.items()
        }
        return {**patterns, **self._entries}

    def _earlier(self) -> str:
        passed = f"({self._first + self._count - 1} - k)::float / {self._count}"
        return f"make_interval(days => floor({passed} * {self._days})::int)"

    # -- what Odoo and PostgreSQL say of the tables -----------------------------------

    def _columns(self, table: str) -> dict[str, str]:
        self.cr.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = %s AND table_schema = current_schema()"
            " AND is_generated = 'NEVER'",
            [table],
        )
        return dict(self.cr.fetchall())

    def _references(self, table: str) -> dict[str, str]:
        """The tables that a table's columns lead to."""
        self.cr.execute(
            "SELECT a.attname, c.confrelid::regclass::text FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            " WHERE c.contype = 'f' AND c.conrelid = %s::regclass"
            " AND array_length(c.conkey, 1) = 1",
            [table],
        )
        return dict(self.cr.fetchall())

    def _relate(self, table: str, one: str, two: str, first: str, second: str) -> None:
        """Copy the rows of a many2many field's table."""
        self.cr.execute(
            f"SELECT {one}, {two} FROM {table} WHERE {one} = ANY(%s)",
            [self.tables[first]],
        )
        for left, right in self.cr.fetchall():
            known = right in self.tables.get(second, ())
            target = self._new_id(second, right) if known else str(right)
            self.cr.execute(
                f"INSERT INTO {table} ({one}, {two})"
                f" SELECT {self._new_id(first, left)}, {target} FROM {self._series()} k"
            )

    # -- numbers of entries -----------------------------------------------------------

    def _name_entries(self) -> dict[str, str]:
        """By name of a specimen's entry, SQL for that of a copy."""
        if "account_move" not in self.tables:
            return {}
        return {
            row["name"]: f"'{row['sequence_prefix']}' || {self._entry_number(row)}"
            for row in self._rows("account_move")
        }

    def _entry_number(self, row: dict) -> str:
        ids = sorted(self.tables["account_move"])
        place = ids.index(row["id"])
        return f"({_FIRST_ENTRY} + k * {len(ids)} + {place})"

    def _get_special(self, table: str, row: dict) -> dict[str, str]:
        """Columns that Odoo computes from the number or the date of an entry."""
        if table == "account_move":
            return {"sequence_number": f"{self._entry_number(row)}::int"}
        if table == "mail_message":
            target = row["model"].replace(".", "_")
            return {"res_id": self._new_id(target, row["res_id"])}
        if table == "account_bank_statement_line":
            day = f"({row['internal_index'][:8]!r}::date - {self._earlier()})"
            middle = row["internal_index"][8:18]
            number = self._new_id(table, row["id"])
            return {
                "internal_index": f"to_char({day}, 'YYYYMMDD') || '{middle}'"
                f" || lpad({number}::text, 10, '0')"
            }
        return {}
