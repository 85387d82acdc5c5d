from odoo import api, fields, models
from odoo.exceptions import ValidationError

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

    @api.constrains(*PAGE_URLS)
    def _check_page_urls(self):
        urls = [gateway[name] for gateway in self for name in PAGE_URLS]
        if not all(map(is_web_address, filter(None, urls))):
            raise ValidationError(
                self.env._(
                    "Enter a complete web address, such as https://example.com/terms."
                )
            )
