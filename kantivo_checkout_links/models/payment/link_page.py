from odoo import api, models, tools

ADDON = "kantivo_checkout_links"
# Odoo empties it when a template changes, and when translations are imported.
PAGES = "templates.cached_values"


class CheckoutLink(models.Model):
    """How the public pages are made from their templates."""

    _inherit = "checkout.link"

    @api.model
    def _render_page(self, template, values):
        """A public page as HTML.

        :param dict values: The template's parameters, see `pay_templates.xml`.
        """
        qweb_sudo = self.env["ir.qweb"].sudo()  # to read the template; it does no ORM
        name = f"{ADDON}.{template}"
        return qweb_sudo._render(name, values, minimal_qcontext=True)

    @api.model
    @tools.ormcache("template", "key", "self.env.lang", cache=PAGES)
    def _render_page_once(self, template, key, values):
        """A page that many payers open: made once for the same values, until a
        template or a translation changes.

        :param str key: A digest of all values.
        """
        return self._render_page(template, values)

    @api.model
    @tools.ormcache("lang_code", cache=PAGES)
    def _has_page_texts(self, lang_code):
        """Whether the pages are translated; English is what they are written in."""
        if lang_code.startswith("en"):
            return True
        view_sudo = self.env.ref(f"{ADDON}.pay_page").sudo()  # payers have no rights
        source = view_sudo.with_context(lang=None).arch_db
        return view_sudo.with_context(lang=lang_code).arch_db != source

    def _get_preview_picture(self):
        """The picture that chats show for the link: the company's logo.

        Hook for other addons: what is sold may have a picture of its own.

        :return: A PNG; empty if there is none.
        """
        self.ensure_one()
        return self.company_id._get_checkout_preview()
