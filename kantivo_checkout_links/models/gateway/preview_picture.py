import base64
import hashlib
import io

from PIL import Image, UnidentifiedImageError

from odoo import api, models, tools
from odoo.tools.image import image_process

# Pixels of the picture in previews of chats, and how much of it a logo fills at most.
# https://developers.facebook.com/docs/sharing/webmasters/images
PREVIEW_SIZE = (1200, 630)
PREVIEW_LOGO_SIZE = (720, 360)


class ResCompany(models.Model):
    """The picture that chats show with a link: the company's logo."""

    _inherit = "res.company"

    def _get_checkout_preview_name(self):
        """What differs between two pictures for previews; False without a logo of the
        company's own.
        """
        picture = self._get_checkout_preview()
        return bool(picture) and hashlib.sha256(picture).hexdigest()[:12]

    def _get_checkout_preview(self):
        """The company's logo as the picture that chats show for a link: a PNG.

        :return: Empty if there is none of its own.
        """
        self.ensure_one()
        if self.uses_default_logo or not self.logo:
            return b""
        return self._draw_preview(self.id, self.write_date)

    @tools.ormcache("company_id", "write_date")
    def _draw_preview(self, company_id, write_date):
        """Made once for each logo; empty for a drawing, which chats don't show."""
        content = base64.b64decode(self.browse(company_id).logo)
        try:
            logo = Image.open(io.BytesIO(image_process(content, PREVIEW_LOGO_SIZE)))
        except UnidentifiedImageError:
            return b""
        return self._to_preview(logo.convert("RGBA"))

    @api.model
    def _to_preview(self, logo):
        """A logo on white: chats cut a picture of another shape, and put what is
        transparent on any ground.
        """
        picture = Image.new("RGB", PREVIEW_SIZE, "white")
        left, top = (PREVIEW_SIZE[i] - logo.size[i] for i in range(2))
        picture.paste(logo, (left // 2, top // 2), logo)
        file = io.BytesIO()
        picture.quantize(256).save(file, "PNG", optimize=True)
        return file.getvalue()
