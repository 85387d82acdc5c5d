from odoo import SUPERUSER_ID, api
from odoo.tools import split_every

BATCH = 1000


def migrate(cr, version):
    """Fees and *Net* of payments that were made before say what is left, too."""
    cr.execute("SELECT id FROM checkout_payment WHERE settlement_currency_id > 0")
    env = api.Environment(cr, SUPERUSER_ID, {})
    for ids in split_every(BATCH, [payment_id for [payment_id] in cr.fetchall()]):
        env["checkout.payment"].browse(ids)._compute_net_amount()
        env.flush_all()
        env.invalidate_all()
