from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...const import UNKNOWN_PREFIX_LENGTH
from ...texts import to_line
from ...utils import is_web_address

PAGE_URLS = ("terms_url", "privacy_url")


class CheckoutGateway(models.Model):
    """What the public pages say of the merchant, beside what the company's own contact
    says. Chosen once for all links of a gateway.
    """

    _inherit = "checkout.gateway"

    show_address = fields.Boolean(
        default=True, help="Show the company's address below the payment page."
    )
    show_tax_id = fields.Boolean(
        "Show Tax ID",
        default=True,
        help="Show the company's tax ID below the payment page.",
    )
    terms_url = fields.Char(
        "Terms", help="The web page with your terms. The payment page links to it."
    )
    privacy_url = fields.Char(
        "Privacy Policy",
        help="The web page with your privacy policy. The payment page links to it.",
    )

    statement_prefix = fields.Char(
        "Card Statement Prefix",
        readonly=True,
        copy=False,
        help="The start of what card statements say, as set in the Stripe Dashboard.",
    )

    # === CONSTRAINT METHODS === #

    @api.constrains(*PAGE_URLS)
    def _check_page_urls(self):
        urls = [gateway[name] for gateway in self for name in PAGE_URLS]
        if not all(map(is_web_address, filter(None, urls))):
            raise ValidationError(
                self.env._(
                    "Enter a complete web address, such as https://example.com/terms."
                )
            )

    # === BUSINESS METHODS === #

    def _examine_account(self, account):
        """Also keeps what is known of card statements."""
        if settings := account.get("settings"):
            self.sudo().statement_prefix = self._read_prefix(settings)
        yield from super()._examine_account(account)

    @api.model
    def _read_prefix(self, settings: dict):
        """The prefix on card statements. Without one, Stripe takes the start of the
        account's own text.

        :param dict settings: Of a Stripe account.
        """
        cards, payments = (
            settings.get(name) or {} for name in ("card_payments", "payments")
        )
        prefix = cards.get("statement_descriptor_prefix")
        text = payments.get("statement_descriptor") or ""
        return to_line(prefix or text[:UNKNOWN_PREFIX_LENGTH])
