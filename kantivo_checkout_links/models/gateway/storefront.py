"""Who is paid, as payers see it."""

import base64
from typing import NamedTuple

from odoo import models, tools
from odoo.tools import SQL
from odoo.tools.image import image_process

from ...colors import get_palette

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
    :ivar brand: Colors, as `get_palette` gives them.
    :ivar lang: The code of the language that the company speaks.
    :ivar livemode: Whether payments are real.
    """

    company_name: str = ""
    logo: str | bool = False
    brand: dict = get_palette("")
    lang: str = ""
    livemode: bool = True


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
        return Storefront(
            company_name=company.name,
            logo=company._get_checkout_logo(),
            brand=get_palette(company.primary_color),
            lang=company.partner_id.lang or "",
            livemode=self.browse(gateway_id).livemode,
        )


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
