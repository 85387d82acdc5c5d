from urllib.parse import urlencode

from odoo import api, fields, models

from ...const import MAX_TRACKING_LENGTH
from ...texts import to_line

# What an address says about where its payer comes from, and its payment keeps.
TRACKING_FIELDS = ("reference", "utm_source", "utm_medium", "utm_campaign")
REFERENCE = "reference"


class CheckoutPayment(models.Model):
    """What the address that the payer opened says about the payment: where it comes
    from, and whose it is.
    """

    _inherit = "checkout.payment"

    reference = fields.Char(
        "External Reference",
        readonly=True,
        index="trigram",
        help="From the URL, such as the number of an order in another system.",
    )
    utm_source = fields.Char("Source", readonly=True)
    utm_medium = fields.Char("Medium", readonly=True)
    utm_campaign = fields.Char("Campaign", readonly=True)
    is_personal = fields.Boolean(
        "Personal Link",
        readonly=True,
        help="Started with a link for one customer. The contact is this customer.",
    )
    email_prefilled = fields.Boolean(
        "Email From URL",
        readonly=True,
        help=(
            "The email address came with the URL, and the customer did not change it. "
            "No contact is matched or created by it."
        ),
    )

    # === BUSINESS METHODS === #

    def _is_asked_for(self, amount: float, given: dict):
        """Whether a form asks for what this payment is.

        :param float amount: What is to be paid, in the payment's currency.
        :param dict given: What the form gives besides, as values of a payment.
        """
        return self.amount == amount and not self._get_changes(given)

    def _prepare_tracking_query(self):
        """What leads back to the pay page without losing where the payer came from."""
        names = [name for name in TRACKING_FIELDS if self[name]]
        params = {name: self[name] for name in names}
        if self.is_personal:
            params["contact"] = self.link_id._sign_contact(self.partner_id)
        return urlencode(params)

    def _has_known_contact(self, customer: dict):
        """Whether it is known whose payment this is, or nothing should be guessed: an
        address that the payer only left as it was is no proof.

        :param dict customer: As Stripe has it.
        """
        email = customer["customer_email"] or ""
        is_unchanged = email.casefold() == (self.customer_email or "").casefold()
        is_known = self.is_personal and bool(self.partner_id)
        return is_known or (self.email_prefilled and is_unchanged)

    def _prepare_reference_metadata(self):
        """For whoever looks at the payment in Stripe."""
        return {REFERENCE: self.reference} if self.reference else {}

    @api.model
    def _prepare_lost_tracking(self, metadata: dict):
        """What is left of it in the metadata of a session whose row was lost."""
        return {"reference": to_line(metadata.get(REFERENCE), MAX_TRACKING_LENGTH)}
