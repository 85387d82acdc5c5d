from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...const import EEA_COUNTRIES


class CheckoutLink(models.Model):
    """What a link's button says, which is also whether its payments are donations."""

    _inherit = "checkout.link"

    submit_type = fields.Selection(
        [("auto", "Pay"), ("donate", "Donate"), ("book", "Book")],
        "Button",
        required=True,
        default="auto",
        tracking=True,
        help=(
            "Donate: for donations, which have no taxes. Book: on Stripe's page only, "
            "and only for companies outside the EU and the EEA."
        ),
    )

    @api.onchange("submit_type")
    def _onchange_submit_type(self):
        """Donations have no taxes, and get them back if they are none after all."""
        if self._is_donation():
            self.tax_ids = False
        elif not self.tax_ids:
            self.tax_ids = self.gateway_id.tax_ids

    # === CONSTRAINT METHODS === #

    @api.constrains("submit_type", "tax_ids")
    def _check_donation(self):
        if any(link._is_donation() and link.tax_ids for link in self):
            raise ValidationError(
                self.env._("A donation has no taxes. Remove the taxes of this link.")
            )

    @api.constrains("submit_type", "company_id")
    def _check_book(self):
        if any(link.submit_type == "book" and not link._may_book() for link in self):
            raise ValidationError(
                self.env._(
                    "Companies in the EU and the EEA can't use “Book”: the button must "
                    "say that the customer pays. Choose “Pay”."
                )
            )

    # === BUSINESS METHODS === #

    def _is_donation(self):
        return self.submit_type == "donate"

    def _may_book(self):
        """Whether the company is known to be outside the EU and the EEA."""
        country = self.company_id.account_fiscal_country_id
        return bool(country) and country.code not in EEA_COUNTRIES

    def _get_submit_type(self):
        """What Stripe's button says; "Pay" where the link may no longer say more."""
        is_refused = self.submit_type == "book" and not self._may_book()
        is_taxed = self._is_donation() and self.tax_ids
        return "auto" if is_refused or is_taxed else self.submit_type
