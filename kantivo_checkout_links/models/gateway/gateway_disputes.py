from odoo import api, fields, models

from ...const import TAKE_BACK_LAWS


class CheckoutGateway(models.Model):
    """What becomes of the tax in a lost dispute."""

    _inherit = "checkout.gateway"

    dispute_tax = fields.Selection(
        [("take_back", "Reclaim"), ("keep", "Keep")],
        "Tax on Lost Disputes",
        compute="_compute_dispute_tax",
        store=True,
        precompute=True,
        readonly=False,
        required=True,
        help=(
            "Reclaim: only the net amount is a loss, and the tax is reclaimed. Keep: "
            "the full amount is a loss until you reclaim the tax on the dispute."
        ),
    )
    dispute_tax_hint = fields.Char(compute="_compute_dispute_tax_hint")

    # === COMPUTE METHODS === #

    @api.depends("company_id")
    def _compute_dispute_tax(self):
        for gateway in self:
            is_law = gateway._get_fiscal_country().code in TAKE_BACK_LAWS
            gateway.dispute_tax = "take_back" if is_law else "keep"

    @api.depends("dispute_tax", "company_id")
    def _compute_dispute_tax_hint(self):
        for gateway in self:
            gateway.dispute_tax_hint = gateway._describe_dispute_tax()

    def _describe_dispute_tax(self):
        """What the law of the company's country says about tax in lost disputes."""
        country = self._get_fiscal_country()
        if country.code in TAKE_BACK_LAWS:
            return self.env._(
                "%(country)s: the tax is reclaimed when the money is lost (%(law)s).",
                country=country.name,
                law=TAKE_BACK_LAWS[country.code],
            )
        return self.env._(
            "Many countries set conditions for reclaiming tax. Ask your tax advisor. "
            "Each lost dispute has a button to reclaim its tax."
        )

    def _get_fiscal_country(self):
        return self.company_id.sudo().account_fiscal_country_id  # of any of the user's
