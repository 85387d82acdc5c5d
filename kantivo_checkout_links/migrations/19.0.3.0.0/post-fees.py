def migrate(cr, version):
    """Fees of a gateway in use go on without analytics until its merchant says so."""
    cr.execute("UPDATE checkout_gateway SET fee_analytics = false")
