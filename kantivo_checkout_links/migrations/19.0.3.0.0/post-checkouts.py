def migrate(cr, version):
    """Gateways in use keep all expired checkouts until their merchant says so."""
    cr.execute("UPDATE checkout_gateway SET checkout_days = 0")
