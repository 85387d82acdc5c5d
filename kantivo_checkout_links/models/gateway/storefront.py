"""Who is paid, as payers see it."""

import base64
from typing import NamedTuple

from odoo import models, tools
from odoo.tools import SQL
from odoo.tools.image import image_process

from ...colors import get_palette
from ...const import GST_COUNTRIES, OTHER_TAX_COUNTRIES
from ...utils import is_web_address

# The whole pay page is to stay small; a logo above this is left out.
MAX_LOGO_BYTES = 20_000
# Pixels: twice what the page shows, for sharp displays.
LOGO_SIZE = (320, 88)

# The place of each row's present version. It changes with each change, also where two
# of them have the same time. https://www.postgresql.org/docs/current/ddl-system-columns.html
VERSIONS = """
    SELECT gateway.ctid, gateway.xmin, company.ctid, company.xmin,
           partner.ctid, partner.xmin
      FROM checkout_gateway gateway, res_company company
      JOIN res_partner partner ON partner.id = company.partner_id
     WHERE gateway.id = %s AND company.id = %s
"""


class Storefront(NamedTuple):
    """What every public page shows of a merchant.

    :ivar company_name: Nothing on pages that must not say whose they are.
    :ivar logo: A data URI; False without one.
    :ivar preview: The name of this version of the picture for previews; False without
        a logo.
    :ivar brand: Colors, as `get_palette` gives them.
    :ivar lang: The code of the language that the company speaks.
    :ivar livemode: Whether payments are real.
    :ivar merchant: `name`, `address`, `tax_id`, `email`, `phone`, `website`,
        `terms_url` and `privacy_url`; each may be empty but the first. Nothing on pages
        that must not say whose they are.
    :ivar tax_kind: What prices in the company's country include: `vat`, `gst` or `tax`.
    """

    company_name: str = ""
    logo: str | bool = False
    preview: str | bool = False
    brand: dict = get_palette("")
    lang: str = ""
    livemode: bool = True
    merchant: dict | None = None
    tax_kind: str = ""


class CheckoutGateway(models.Model):
    _inherit = "checkout.gateway"

    def _get_storefront(self, company):
        """What payers see of a company that takes payments through this gateway. Kept
        in memory until the gateway, the company or its contact changes.

        To be called as superuser: payers have no rights.
        """
        self.ensure_one()
        [versions] = self.env.execute_query(SQL(VERSIONS, self.id, company.id))
        return self._make_storefront(self.id, company.id, versions)

    @tools.ormcache("gateway_id", "company_id", "versions")
    def _make_storefront(self, gateway_id, company_id, versions):
        company = self.env["res.company"].browse(company_id)
        gateway = self.browse(gateway_id)
        return Storefront(
            company_name=company.name,
            logo=company._get_checkout_logo(),
            preview=company._get_checkout_preview_name(),
            brand=get_palette(company.primary_color),
            lang=company.partner_id.lang or "",
            livemode=gateway.livemode,
            merchant=gateway._describe_merchant(company),
            tax_kind=company._get_tax_kind(),
        )

    def _describe_merchant(self, company):
        """Who is paid, as far as the company says it and the gateway shows it."""
        website = company.website or ""
        return {
            "name": company.name,
            "address": self.show_address and company._get_address_line(),
            "tax_id": self.show_tax_id and (company.vat or "").strip("/"),
            "email": tools.email_normalize(company.email, strict=False),
            "phone": company.phone,
            "website": website if is_web_address(website) else "",
            "terms_url": self.terms_url,
            "privacy_url": self.privacy_url,
        }


class ResCompany(models.Model):
    _inherit = "res.company"

    def _get_checkout_logo(self):
        """The company's logo as a data URI for the pay page.

        :return: False if there is none of its own, or none small enough.
        """
        self.ensure_one()
        if self.uses_default_logo:
            return False
        return self._get_small_logo(self.id, self.write_date)

    @tools.ormcache("company_id", "write_date")
    def _get_small_logo(self, company_id, write_date):
        """Made once for each logo: payers' requests shouldn't resize pictures."""
        logo = self.browse(company_id).logo
        if not logo:
            return False
        image = image_process(base64.b64decode(logo), size=LOGO_SIZE)
        if len(image) > MAX_LOGO_BYTES:
            return False
        mime_type = tools.mimetypes.guess_mimetype(image)
        return f"data:{mime_type};base64,{base64.b64encode(image).decode()}"

    def _get_address_line(self):
        """As it is written in its country, in the company's language."""
        partner = self.partner_id
        partner = partner.with_context(lang=partner.lang or "en_US")
        lines = partner._display_address(without_company=True).splitlines()
        return ", ".join(filter(None, map(str.strip, lines)))

    def _get_tax_kind(self):
        """What prices in the company's country include: `vat`, `gst` or `tax`."""
        code = self.account_fiscal_country_id.code
        if code in GST_COUNTRIES:
            return "gst"
        return "tax" if not code or code in OTHER_TAX_COUNTRIES else "vat"
