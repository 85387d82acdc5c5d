from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    """Which options of links there are. Each is a group that all users have while it
    is on; views hide what it adds from everyone else.
    """

    _inherit = "res.config.settings"

    group_checkout_personal_links = fields.Boolean(
        "Personal Links", implied_group="kantivo_checkout_links.group_personal_links"
    )
    group_checkout_donations = fields.Boolean(
        "Donations", implied_group="kantivo_checkout_links.group_donations"
    )
    group_checkout_stripe_page = fields.Boolean(
        "Card Statements and Payment Methods",
        implied_group="kantivo_checkout_links.group_stripe_page",
    )
    group_checkout_products = fields.Boolean(
        "Products on Links", implied_group="kantivo_checkout_links.group_link_products"
    )
    group_checkout_suggested_amounts = fields.Boolean(
        "Suggested Amounts",
        implied_group="kantivo_checkout_links.group_suggested_amounts",
    )
