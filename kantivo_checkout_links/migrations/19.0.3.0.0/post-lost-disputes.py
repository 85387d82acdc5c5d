from odoo import SUPERUSER_ID, api, fields

from odoo.addons.kantivo_checkout_links.utils import to_timestamp


def migrate(cr, version):
    """Closed disputes say what is lost; what one that was won left withheld is lost,
    from today on: no period that may be filed changes.
    """
    env = api.Environment(cr, SUPERUSER_ID, {})
    now = to_timestamp(fields.Datetime.now())
    closed = [("state", "in", ("lost", "prevented", "won"))]
    for dispute in env["checkout.dispute"].search(closed):
        env["checkout.movement"]._set_loss(dispute, dispute._get_lost_amount(), now)
        dispute._set_lost_amount()
        dispute.payment_id._set_money_back()
