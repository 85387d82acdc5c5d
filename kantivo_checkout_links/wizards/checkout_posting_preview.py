from odoo import api, fields, models
from odoo.tools.misc import format_date

from ..const import SAMPLE_AMOUNT
from ..models.payment.link_preview import Sample
from ..monetary import StripeMonetary

TEMPLATE = "kantivo_checkout_links.posting_preview"


class CheckoutPostingPreview(models.TransientModel):
    """What a link's payments would post, for amounts that the user can change."""

    _name = "checkout.posting.preview"
    _description = "Preview of Journal Entries"

    link_id = fields.Many2one("checkout.link", required=True, readonly=True)
    currency_id = fields.Many2one(related="link_id.currency_id", related_sudo=False)
    settlement_currency_id = fields.Many2one(
        related="link_id.gateway_id.currency_id", related_sudo=False
    )
    is_open = fields.Boolean(compute="_compute_is_open")
    amount = StripeMonetary(
        compute="_compute_amount", store=True, readonly=False, precompute=True
    )
    fee_amount = StripeMonetary(
        "Fee",
        currency_field="settlement_currency_id",
        compute="_compute_fee_amount",
        store=True,
        readonly=False,
        precompute=True,
        help="An estimate. Stripe's fee depends on the payment method.",
    )
    refund_amount = StripeMonetary(
        "Refund",
        compute="_compute_refund_amount",
        store=True,
        readonly=False,
        precompute=True,
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        help="Leave empty for a customer of your own country who is new to you.",
    )
    preview = fields.Html(compute="_compute_preview", sanitize=False)

    # === COMPUTE METHODS === #

    @api.depends("link_id")
    def _compute_is_open(self):
        for wizard in self:
            wizard.is_open = wizard.link_id.amount_type == "open"

    @api.depends("link_id")
    def _compute_amount(self):
        for wizard in self:
            link = wizard.link_id
            if wizard.is_open:
                wizard.amount = link.minimum_amount or SAMPLE_AMOUNT
            else:
                wizard.amount = link.amount

    @api.depends("amount")
    def _compute_fee_amount(self):
        for wizard in self:
            wizard.fee_amount = wizard.link_id._estimate_fee(wizard.amount)

    @api.depends("amount")
    def _compute_refund_amount(self):
        for wizard in self:
            wizard.refund_amount = wizard.amount

    @api.depends_context("lang", "uid")
    @api.depends("amount", "fee_amount", "refund_amount", "partner_id")
    def _compute_preview(self):
        for wizard in self:
            wizard.preview = wizard._render_preview()

    # === HELPERS === #

    def _get_sample(self):
        self.partner_id.check_access("read")  # what follows runs as superuser
        return Sample(
            amount=self.amount,
            fee=max(self.fee_amount, 0),
            refund=min(max(self.refund_amount, 0), self.amount),
            partner_id=self.partner_id.id,
        )

    def _render_preview(self):
        entries, problems = self.link_id._preview_posting(self._get_sample())
        values = {
            "entries": [self._format_entry(entry) for entry in entries],
            "problems": problems,
        }
        qweb_sudo = self.env["ir.qweb"].sudo()  # to read the template; it does no ORM
        return qweb_sudo._render(TEMPLATE, values)

    def _format_entry(self, entry):
        """What is shown of an entry of `_preview_posting`."""
        currency = self.env["res.currency"].browse(entry["currency_id"])
        is_foreign = any(item["currency_id"] != currency.id for item in entry["items"])
        return {
            **entry,
            "date": entry["date"] and format_date(self.env, entry["date"]),
            "is_foreign": is_foreign,
            "items": [self._format_item(item, currency) for item in entry["items"]],
        }

    def _format_item(self, item, currency):
        account = self.env["account.account"].browse(item["account_id"])
        tags = self.env["account.account.tag"].browse(item["tax_tag_ids"][0][2])
        taxes = self.env["account.tax"].browse(item["tax_ids"][0][2])
        own = self.env["res.currency"].browse(item["currency_id"])
        balance = item["balance"]
        return {
            "account": account.display_name,
            "label": item["name"],
            "product": self.env["product.product"].browse(item["product_id"]),
            "partner": item["partner"],
            "amount": own.format(item["amount_currency"]),
            "debit": currency.format(balance) if balance > 0 else "",
            "credit": currency.format(-balance) if balance < 0 else "",
            "taxes": ", ".join(taxes.mapped("name")),
            "tags": ", ".join(tags.mapped("display_name")),
        }
