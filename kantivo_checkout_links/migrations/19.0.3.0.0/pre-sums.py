def migrate(cr, version):
    """Mark what is to be counted in the totals of links, before Odoo computes it for
    each payment there is.
    """
    cr.execute("ALTER TABLE checkout_payment ADD COLUMN totals_due boolean")
    cr.execute(
        "UPDATE checkout_payment SET totals_due = true WHERE paid_at IS NOT NULL"
    )
