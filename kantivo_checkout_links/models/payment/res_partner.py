import re

from odoo import api, fields, models, tools
from odoo.fields import Domain

from ...texts import NAME_LENGTH, to_email, to_line

PLAIN_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")
# What would make a link or an address of a contact's name.
ADVERTISING = re.compile(r"@|://|\bwww\.", re.IGNORECASE)


class ResPartner(models.Model):
    _inherit = "res.partner"

    checkout_payment_count = fields.Integer(
        compute="_compute_checkout_payment_count",
        groups="account.group_account_invoice,account.group_account_readonly",
    )

    # Odoo has none, and each payment looks for its payer.
    _email_normalized_idx = models.Index(
        "(email_normalized) WHERE email_normalized IS NOT NULL"
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
        return [
            ("partner_id", "child_of", self.ids),
            ("paid_at", "!=", False),
            ("gateway_id.is_test_beside_live", "=", False),
        ]

    # === BUSINESS METHODS - PAYERS === #

    @api.model
    def _match_checkout_payer(self, gateway, customer: dict, company=None):
        """The contact of a payer, by the gateway's policy. Hook for other addons.

        :param checkout.gateway gateway: Whose policy counts.
        :param dict customer: `customer_name`, `customer_email`, `customer_phone` and
            `customer_country_id` as Stripe gave them.
        :param res.company company: Whose payment it is; the gateway's by default.
        :return: At most one contact. Never another company's, and none made without a
            valid email address, since nothing else distinguishes two payers.
        """
        email = self._get_payer_email(customer["customer_email"])
        if gateway.partner_policy == "none" or not email:
            return self.browse()
        company = company or gateway.company_id
        found = self._find_payer(email, company)
        if found or gateway.partner_policy == "match":
            return found
        return self.create(self._prepare_payer_vals(customer, email, company))

    @api.model
    def _get_payer_email(self, text):
        """The one valid address in a text, as contacts are compared by; or False."""
        text = to_email(text) or ""
        if not PLAIN_EMAIL.fullmatch(text):
            return False
        return tools.email_normalize(text)

    @api.model
    def _find_payer(self, email, company):
        """The best contact with an address: those in use first, then the company's own,
        then people. An archived one is better than a second of the same.
        """
        domain = Domain("email_normalized", "=", email)
        contacts = self.with_context(active_test=False)
        found = contacts.search(domain & Domain(self._check_company_domain(company)))
        return found.with_env(self.env).sorted(
            lambda partner: (
                not partner.active,
                partner.company_id != company,
                not partner.company_id,
                partner.type != "contact",
                partner.id,
            )
        )[:1]

    @api.model
    def _prepare_payer_vals(self, customer: dict, email, company):
        return {
            "name": self._get_payer_name(customer["customer_name"]) or email,
            "email": email,
            "phone": customer["customer_phone"],
            "country_id": customer["customer_country_id"],
            "company_id": company.id,
        }

    @api.model
    def _get_payer_name(self, text):
        """A name as typed by a payer, if it is one: payers can type anything."""
        name = to_line(text, NAME_LENGTH) or ""
        has_letters = any(sign.isalpha() for sign in name)
        return name if has_letters and not ADVERTISING.search(name) else False
