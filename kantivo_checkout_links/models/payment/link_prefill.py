import re
from decimal import Decimal
from urllib.parse import urlencode

from odoo import fields, models
from odoo.exceptions import UserError

from ...const import MAX_TRACKING_LENGTH
from ...texts import NAME_LENGTH, to_email, to_line
from ...utils import first_word
from .payment_tracking import TRACKING_FIELDS
from .res_partner import PLAIN_EMAIL

# What a contact's personal link is signed for.
CONTACT_SCOPE = "kantivo_checkout_links.contact"
# An amount in an address has a point for its decimals, in any language.
PLAIN_AMOUNT = re.compile(r"\d+(\.\d+)?", re.ASCII)


class CheckoutLink(models.Model):
    """What an address may say besides which link it is: what the payer's form starts
    with, where the payer comes from, and who that is. Anyone can write any of it, so
    only a signature makes a payment a contact's.
    """

    _inherit = "checkout.link"

    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        check_company=True,
        index="btree_not_null",
        tracking=True,
        help="Payments of this link are assigned to this contact.",
    )

    # === BUSINESS METHODS - ADDRESSES === #

    def _get_url_with(self, params: dict):
        """The link's address with parameters.

        :param dict params: Their texts by name; empty ones are left out.
        """
        query = urlencode({name: text for name, text in params.items() if text})
        return f"{self.url}?{query}" if query else self.url

    def _sign_contact(self, partner):
        """What makes the link's address a contact's own, for as long as both exist."""
        return self._sign_nonce(CONTACT_SCOPE, partner.id, False)

    def _read_contact(self, text):
        """Whose address it is: the link's own contact, else the one that is signed."""
        if self.partner_id:
            return self.partner_id
        partner_id = self._read_nonce(CONTACT_SCOPE, first_word(text))
        partner = self.env["res.partner"].browse(partner_id or ()).exists()
        company = partner.company_id
        is_usable = not company or company in self.company_id.parent_ids
        return partner if is_usable else partner.browse()

    # === BUSINESS METHODS - FORMS === #

    def _read_email(self, text):
        """An email address that Stripe takes; empty for anything else."""
        email = to_email(text) or ""
        is_plain = email.isascii() and PLAIN_EMAIL.fullmatch(email)
        return email if is_plain else ""

    def _read_prefilled_amount(self, text):
        """An amount of the link's address, such as `12.50`, if a payer may choose it.

        :return: In the link's currency; None if there is none that can be paid.
        """
        if self.amount_type == "fixed" or not PLAIN_AMOUNT.fullmatch(text):
            return None
        try:
            return self._check_typed_amount(Decimal(text))
        except UserError:
            return None

    def _read_given(self, texts: dict) -> dict:
        """What a payer's form gives besides the amount, as values of its payment.

        :param dict texts: By field of the form.
        """
        email = self._read_email(texts["email"])
        partner = self._read_contact(texts["contact"])
        return {
            "customer_name": to_line(texts["name"], NAME_LENGTH),
            "customer_email": email or False,
            "email_prefilled": bool(email) and email == texts["given_email"],
            "partner_id": partner.id,
            "is_personal": bool(partner),
            **{
                name: to_line(texts[name], MAX_TRACKING_LENGTH)
                for name in TRACKING_FIELDS
            },
        }
