from odoo import models

SHARE_TEMPLATE = "kantivo_checkout_links.mail_template_share"


class CheckoutLink(models.Model):
    """How a link gets to customers."""

    _inherit = "checkout.link"

    # === ACTION METHODS === #

    def action_share(self):
        """Copy, send, print or embed this link."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Share %s", self.name),
            "res_model": "checkout.link.share",
            "view_mode": "form",
            "target": "new",
            "context": {"default_link_id": self.id},
        }

    # === BUSINESS METHODS === #

    def _get_share_template(self):
        """The template of emails with a link; empty if someone deleted it."""
        template = self.env.ref(SHARE_TEMPLATE, raise_if_not_found=False)
        return template or self.env["mail.template"]

    def _iter_share_problems(self):
        """What a user should know before customers get this link, in words."""
        self.ensure_one()
        if self.gateway_id._is_address_private():
            yield self.env._(
                "Customers can't open this URL, because it isn't a public one with "
                "https://. Ask an administrator to correct web.base.url in System "
                "Parameters."
            )
        if self.test_badge:
            yield self.env._("Test link: only Stripe's test cards work.")
        if self.availability not in ("active", "held"):
            labels = dict(self._fields["availability"]._description_selection(self.env))
            yield self.env._(
                "Customers can't pay with this link now: %s.", labels[self.availability]
            )
