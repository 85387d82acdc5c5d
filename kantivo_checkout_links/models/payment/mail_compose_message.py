from odoo import api, models
from odoo.tools import is_html_empty

# Odoo puts a user's signature after it into what the chatter hands over.
SIGNATURE_MARK = "<div data-o-mail-quote"


class MailComposeMessage(models.TransientModel):
    _inherit = "mail.compose.message"

    @api.model
    def default_get(self, fields):
        """Override of `mail`: what is sent from a link's chatter starts with the link's
        template, unless something is typed already.
        """
        defaults = super().default_get(fields)
        if self._is_blank_of_link():
            template = self.env["checkout.link"]._get_share_template()
            defaults["template_id"] = template.id
            defaults.pop("body", None)
        return defaults

    @api.model
    def _is_blank_of_link(self):
        """Whether the chatter of a link opens this for a message, and it is empty."""
        context = self.env.context
        asked = (context.get("default_model"), context.get("default_subtype_xmlid"))
        typed, _mark, _signature = (context.get("default_body") or "").partition(
            SIGNATURE_MARK
        )
        return (
            bool(context.get("clicked_on_full_composer"))
            and asked == ("checkout.link", "mail.mt_comment")
            and is_html_empty(typed)
        )
