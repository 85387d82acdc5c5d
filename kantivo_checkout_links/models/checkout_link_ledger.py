from odoo import api, fields, models
from odoo.fields import Domain


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

    # === COMPUTE METHODS === #

    @api.depends("payment_ids.state", "payment_ids.movement_ids.state")
    def _compute_agreement_state(self):
        """Payments received = charges that moved = what the ledger says moved."""
        received, charged = self._sum_received(), self._sum_charged()
        moved, booked = self._sum_moved(), self._sum_booked()
        states = self._get_movement_states()
        for link in self:
            key = link._origin.id
            agrees = link._is_same(received, charged) and link._is_same(moved, booked)
            link.agreement_state = (
                self._get_worst_state(states.get(key, [])) if agrees else "red"
            )

    @api.model
    def _get_worst_state(self, movement_states):
        if "to_post" in movement_states:
            return "amber"
        return "grey" if "skipped" in movement_states else "green"

    def _is_same(self, sums, others):
        key = self._origin.id
        return self.currency_id.is_zero(sums.get(key, 0) - others.get(key, 0))

    # === SUMS BY LINK === #

    def _sum_received(self):
        """What customers paid, in the link's currency."""
        groups = self.env["checkout.payment"]._read_group(
            [("link_id", "in", self.ids), ("paid_at", "!=", False)],
            ["link_id"],
            ["amount:sum"],
        )
        return {link.id: amount for link, amount in groups}

    def _sum_charged(self):
        """What the charges were for, in the link's currency."""
        domain = Domain("kind", "=", "charge")
        return self._sum_movements(domain, "source_amount:sum")

    def _sum_moved(self):
        """What the charges that are booked moved, in the journals' currencies."""
        return self._sum_movements(self._get_booked_domain(), "amount:sum")

    def _sum_booked(self):
        """What the ledger says that these charges moved."""
        groups = self.env["checkout.movement"]._read_group(
            self._get_movement_domain() & self._get_booked_domain(),
            ["payment_id.link_id", "gateway_id"],
            ["move_id:array_agg"],
        )
        totals = {}
        for link, gateway, move_ids in groups:
            items = self.env["account.move.line"]._read_group(
                [
                    ("move_id", "in", move_ids),
                    ("account_id", "=", gateway.journal_id.default_account_id.id),
                ],
                [],
                ["amount_currency:sum"],
            )
            totals[link.id] = totals.get(link.id, 0) + (items[0][0] or 0)
        return totals

    def _get_movement_states(self):
        """The states that the movements of a link's payments are in."""
        groups = self.env["checkout.movement"]._read_group(
            self._get_movement_domain(), ["payment_id.link_id"], ["state:array_agg"]
        )
        return {link.id: set(states) for link, states in groups}

    def _sum_movements(self, domain, aggregate):
        groups = self.env["checkout.movement"]._read_group(
            self._get_movement_domain() & domain, ["payment_id.link_id"], [aggregate]
        )
        return {link.id: amount for link, amount in groups}

    def _get_movement_domain(self):
        """Of payments that were received, whatever became of them."""
        return Domain("payment_id.link_id", "in", self.ids) & Domain(
            "payment_id.paid_at", "!=", False
        )

    @api.model
    def _get_booked_domain(self):
        return Domain("kind", "=", "charge") & Domain("move_id", "!=", False)
