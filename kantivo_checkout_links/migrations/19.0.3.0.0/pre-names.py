from odoo.tools.sql import column_exists, rename_column, table_exists

# By the old name: what a transaction is, and what reclassified it.
COLUMNS = {("checkout_movement", "is_foreign"): "is_third_party"}
TABLES = {
    "checkout_movement_rebooking_rel": "checkout_movement_reclassification_rel",
    "checkout_movement_rebooked_line_rel": "checkout_movement_reclassified_line_rel",
}
# A dialog's rows are worth nothing once it is closed.
DIALOG_TABLES = ("account_tax_checkout_rebook_wizard_rel", "checkout_rebook_wizard")


def migrate(cr, version):
    """Stored data keep their values under the names that they have from now on."""
    for (table, old), new in COLUMNS.items():
        if column_exists(cr, table, old):
            rename_column(cr, table, old, new)
    for old, new in TABLES.items():
        if table_exists(cr, old):
            cr.execute(f'ALTER TABLE "{old}" RENAME TO "{new}"')
            cr.execute(
                "UPDATE ir_model_relation SET name = %s WHERE name = %s", [new, old]
            )
    for table in DIALOG_TABLES:
        cr.execute(f'DROP TABLE IF EXISTS "{table}"')
