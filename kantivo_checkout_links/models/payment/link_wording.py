import re

from odoo import api, fields, models
from odoo.tools import format_date

from ...taxes import is_neutral


class CheckoutLink(models.Model):
    """What a link says to payers: the tax in its amount, and why it can't be paid."""

    _inherit = "checkout.link"

    # Kept here, so that a pay page is shown without reading taxes.
    includes_tax = fields.Boolean(
        compute="_compute_includes_tax",
        store=True,
        help="Whether customers see that the amount includes tax.",
    )
    expired_message = fields.Text(
        help="Shown instead of the standard message when the link is expired."
    )
    full_message = fields.Text(
        help="Shown instead of the standard message when the link is full."
    )

    # === COMPUTE METHODS === #

    @api.depends(
        "tax_ids.amount", "tax_ids.children_tax_ids.amount", "gateway_id.credit_to"
    )
    def _compute_includes_tax(self):
        for link in self:
            is_sale = link.gateway_id.credit_to == "revenue"
            link.includes_tax = is_sale and not is_neutral(link.tax_ids)

    # === BUSINESS METHODS === #

    def _describe_closed_to_payer(self):
        """Why the link can't be paid, in the merchant's words if there are any."""
        obstacle = self._get_obstacle() or "full"
        own = {"expired": self.expired_message, "full": self.full_message}.get(obstacle)
        return own or self.inactive_message or self._get_closed_sentence(obstacle)

    def _get_closed_sentence(self, obstacle):
        """:param str obstacle: As `availability` names it."""
        if obstacle == "expired":
            return self.env._("This payment link expired on %s.", self._format_end())
        if obstacle == "full" and self.max_payments == 1:
            return self.env._("This payment has already been made.")
        if obstacle == "full":
            return self.env._(
                "This payment link has reached its maximum number of payments."
            )
        if obstacle == "stopped":
            return self.env._(
                "%s doesn't accept payments here at the moment.", self.company_id.name
            )
        return self.env._("This payment link is no longer available.")

    def _format_end(self):
        """The day on which the link expires, where the merchant is; on one line."""
        there = self.with_context(tz=self.gateway_id.tz)
        moment = fields.Datetime.context_timestamp(there, self.expires_at)
        day = format_date(self.env, moment.date(), date_format="long")
        return day.replace(" ", "\N{NO-BREAK SPACE}")

    def _format_asked(self):
        """The fixed amount; of an open one what stands around the number: "$…"."""
        if self.amount_type == "fixed":
            return self._format(self.amount)
        return re.sub(r"\d(?:.*\d)?", "…", self._format(0))
