from odoo import api, fields, models


class CheckoutLink(models.Model):
    """Whether a link's payments, movements and ledger lines say the same."""

    _inherit = "checkout.link"

    agreement_state = fields.Selection(
        [
            ("green", "Books agree"),
            ("amber", "Some payments wait to be booked"),
            ("red", "Books differ"),
            ("grey", "Not booked"),
        ],
        "Books",
        compute="_compute_agreement_state",
    )

    @api.depends("payment_ids.state", "payment_ids.movement_ids.state")
    def _compute_agreement_state(self):
        for link in self:
            link.agreement_state = link._get_agreement_state()

    def _get_agreement_state(self):
        """Payments received = charges that moved = what the ledger credits for them."""
        received = self.payment_ids.filtered("paid_at")
        charges = received.movement_ids.filtered(lambda m: m.kind == "charge")
        if not self._is_same(
            received.mapped("amount"), charges.mapped("source_amount")
        ):
            return "red"
        if not self._is_same(*self._get_booked_amounts(charges)):
            return "red"
        states = set(received.movement_ids.mapped("state"))
        if "to_post" in states:
            return "amber"
        return "grey" if "skipped" in states else "green"

    def _get_booked_amounts(self, charges):
        """What moved for the booked charges, and what their entries say moved."""
        booked = charges.filtered("move_id")
        accounts = booked.gateway_id.journal_id.default_account_id
        lines = booked.move_id.line_ids.filtered(
            lambda line: line.account_id in accounts
        )
        return booked.mapped("amount"), lines.mapped("amount_currency")

    def _is_same(self, amounts, others):
        return self.currency_id.is_zero(sum(amounts) - sum(others))
