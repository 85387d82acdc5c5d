def migrate(cr, version):
    """A gateway always says from when on it books."""
    cr.execute(
        "UPDATE checkout_gateway SET sync_from = create_date WHERE sync_from IS NULL"
    )
