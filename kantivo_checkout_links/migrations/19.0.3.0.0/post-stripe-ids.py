from odoo import SUPERUSER_ID, api
from odoo.tools import split_every

from odoo.addons.kantivo_checkout_links.models.account.account_move import (
    STRIPE_ID_FIELDS,
)

BATCH = 1000


def migrate(cr, version):
    """Entries that were posted before are found by Stripe's ids, too."""
    cr.execute(
        "UPDATE checkout_movement movement SET trace_id = payout.trace_id"
        " FROM checkout_payout payout"
        " WHERE payout.gateway_id = movement.gateway_id"
        " AND payout.stripe_id = movement.stripe_source_id"
        " AND movement.kind IN ('payout', 'payout_failure', 'fee')"
        " AND payout.trace_id IS NOT NULL"
    )
    cr.execute(
        "SELECT move_id FROM checkout_movement WHERE move_id IS NOT NULL"
        " UNION SELECT account_move_id FROM checkout_movement_reclassification_rel"
    )
    move_ids = [move_id for [move_id] in cr.fetchall()]
    env = api.Environment(cr, SUPERUSER_ID, {})
    for ids in split_every(BATCH, move_ids):
        moves = env["account.move"].browse(ids)
        for name in STRIPE_ID_FIELDS:
            env.add_to_compute(moves._fields[name], moves)
        env.flush_all()
        env.invalidate_all()
