def migrate(cr, version):
    """A closed link always says since when, also one that was just archived: money that
    comes later is late.
    """
    cr.execute(
        "UPDATE checkout_link SET deactivated_at = write_date"
        " WHERE deactivated_at IS NULL AND (state = 'inactive' OR NOT active)"
    )
