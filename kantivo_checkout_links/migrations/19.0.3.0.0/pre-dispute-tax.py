def migrate(cr, version):
    """Gateways go on as before: what becomes of tax in their ledger is a decision."""
    cr.execute(
        "ALTER TABLE checkout_gateway ADD COLUMN IF NOT EXISTS dispute_tax varchar"
    )
    cr.execute("UPDATE checkout_gateway SET dispute_tax = 'keep'")
