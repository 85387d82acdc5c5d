import json

from odoo import SUPERUSER_ID, api
from odoo.tools import split_every

BATCH = 1000
# What the database adds to its errors, which may quote customers' data.
RAW_ERROR = "(DETAIL|LINE \\d+):"
ERRORS = (
    ("checkout_event", "error"),
    ("checkout_movement", "error"),
    ("checkout_refund", "error"),
    ("checkout_gateway", "sync_error"),
)


def migrate(cr, version):
    """The inbox keeps what finds an object again, and no names or addresses; reasons
    are free of what the database says of its errors.
    """
    inbox = api.Environment(cr, SUPERUSER_ID, {})["checkout.event"]
    cr.execute("SELECT id FROM checkout_event WHERE payload IS NOT NULL")
    for ids in split_every(BATCH, [row[0] for row in cr.fetchall()]):
        _reduce(cr, inbox, ids)
    for table, column in ERRORS:
        cr.execute(
            f"UPDATE {table} SET {column} = split_part({column}, E'\\n', 1)"  # noqa: S608
            f" WHERE {column} ~ %s",
            [RAW_ERROR],
        )


def _reduce(cr, inbox, ids):
    cr.execute("SELECT id, payload FROM checkout_event WHERE id IN %s", [tuple(ids)])
    rows = [
        (row_id, json.dumps(_reduce_payload(inbox, payload)))
        for row_id, payload in cr.fetchall()
        if payload  # what was forgotten may be a JSON null
    ]
    cr.execute_values(
        "UPDATE checkout_event SET payload = new.payload::jsonb"
        " FROM (VALUES %s) new (id, payload) WHERE checkout_event.id = new.id",
        rows,
    )


def _reduce_payload(inbox, payload):
    return {"data": {"object": inbox._reduce(payload["data"]["object"])}}
