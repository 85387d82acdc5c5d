def migrate(cr, version):
    """Who has worked without the month-end revaluation may do it elsewhere: it stays
    off until someone switches it on.
    """
    cr.execute(
        "ALTER TABLE checkout_gateway "
        "ADD COLUMN IF NOT EXISTS revalue_month_end boolean DEFAULT false"
    )
    cr.execute(
        "ALTER TABLE checkout_gateway ALTER COLUMN revalue_month_end DROP DEFAULT"
    )
