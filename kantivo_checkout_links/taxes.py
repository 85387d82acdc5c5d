"""What must be known of Odoo's taxes on several levels."""

from odoo.tools import float_is_zero


def is_neutral(taxes):
    """Whether taxes are nothing together, as in a reverse charge: then none of them
    is what Stripe states. Amounts can't decide: small ones may be rounded away.
    """
    lines = taxes.flatten_taxes_hierarchy().invoice_repartition_line_ids
    shares = lines.filtered(lambda line: line.repartition_type == "tax")
    total = sum(line.factor * line.tax_id.amount for line in shares)
    return float_is_zero(total, precision_digits=6)
