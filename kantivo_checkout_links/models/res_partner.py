from odoo import api, fields, models, tools
from odoo.fields import Domain


class ResPartner(models.Model):
    _inherit = "res.partner"

    checkout_payment_count = fields.Integer(
        compute="_compute_checkout_payment_count",
        groups="account.group_account_invoice,account.group_account_readonly",
    )

    def _compute_checkout_payment_count(self):
        for partner in self:
            partner.checkout_payment_count = self.env["checkout.payment"].search_count(
                partner._get_checkout_payments_domain()
            )

    def action_view_checkout_payments(self):
        """What this contact, and the people in it, paid through links."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "kantivo_checkout_links.checkout_payment_action"
        )
        return {**action, "domain": self._get_checkout_payments_domain()}

    def _get_checkout_payments_domain(self):
        return [("partner_id", "child_of", self.ids), ("paid_at", "!=", False)]

    @api.model
    def _match_checkout_payer(self, gateway, customer):
        """The contact of a payer, by the gateway's policy.

        :param checkout.gateway gateway: Whose policy and company count.
        :param dict customer: `customer_name`, `customer_email`, `customer_phone` and
            `customer_country_id` as Stripe gave them.
        :return: At most one contact. Never another company's, and none made without a
            valid e-mail address, since nothing else tells two payers apart.
        """
        email = tools.email_normalize(customer["customer_email"] or "")
        if gateway.partner_policy == "none" or not email:
            return self.browse()
        domain = Domain("email_normalized", "=", email) & Domain(
            "company_id", "in", (False, gateway.company_id.id)
        )
        found = self.search(domain, order="id", limit=1)
        if found or gateway.partner_policy == "match":
            return found
        return self.create(self._prepare_checkout_payer_vals(gateway, customer, email))

    @api.model
    def _prepare_checkout_payer_vals(self, gateway, customer, email):
        return {
            "name": customer["customer_name"] or email,
            "email": email,
            "phone": customer["customer_phone"],
            "country_id": customer["customer_country_id"],
            "company_id": gateway.company_id.id,
        }
