import base64

from odoo import models, tools
from odoo.tools.image import image_process

# The whole pay page is to stay small; a logo above this is left out.
MAX_LOGO_BYTES = 20_000
# Pixels: twice what the page shows, for sharp displays.
LOGO_SIZE = (320, 88)


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
