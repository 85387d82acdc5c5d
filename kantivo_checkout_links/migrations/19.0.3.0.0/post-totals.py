from odoo import SUPERUSER_ID, api
from odoo.tools import split_every

BATCH = 1000


def migrate(cr, version):
    """Fees and *Net* of payments that were made before say what is left, too."""
    cr.execute("SELECT id FROM checkout_payment WHERE settlement_currency_id > 0")
    env = api.Environment(cr, SUPERUSER_ID, {})
    for ids in split_every(BATCH, [payment_id for [payment_id] in cr.fetchall()]):
        payments = env["checkout.payment"].browse(ids)
        for name in ("fee_amount", "net_amount"):
            env.add_to_compute(payments._fields[name], payments)
        env.flush_all()
        env.invalidate_all()
