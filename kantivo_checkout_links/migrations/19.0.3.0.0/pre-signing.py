import secrets


def migrate(cr, version):
    """Each gateway signs with a key of its own; Odoo would give one to all."""
    cr.execute("ALTER TABLE checkout_gateway ADD COLUMN signing_key varchar")
    cr.execute("SELECT id FROM checkout_gateway")
    for (gateway_id,) in cr.fetchall():
        cr.execute(
            "UPDATE checkout_gateway SET signing_key = %s WHERE id = %s",
            [secrets.token_urlsafe(32), gateway_id],
        )
