from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...money import differs

# Journal items know no link, so that `_read_group` would need a query for each.
POSTED_BY_LINK = """
    SELECT payment.link_id, SUM(item.amount_currency)
      FROM checkout_movement movement
      JOIN checkout_payment payment ON payment.id = movement.payment_id
      JOIN checkout_gateway gateway ON gateway.id = movement.gateway_id
      JOIN account_journal journal ON journal.id = gateway.journal_id
      JOIN account_move_line item
        ON item.move_id = movement.move_id
       AND item.account_id = journal.default_account_id
     WHERE payment.link_id IN %s AND payment.paid_at IS NOT NULL
  GROUP BY payment.link_id
"""


class CheckoutLink(models.Model):
    """Whether a link's payments, movements and ledger lines say the same."""

    _inherit = "checkout.link"

    agreement_state = fields.Selection(
        [
            ("green", "Ledger matches"),
            ("amber", "Some payments not posted"),
            ("red", "Ledger doesn't match"),
            ("grey", "Not posted"),
        ],
        "Ledger",
        compute="_compute_agreement_state",
    )

    # === COMPUTE METHODS === #

    @api.depends("payment_ids.state", "payment_ids.movement_ids.state")
    def _compute_agreement_state(self):
        """What was paid = its charges; what moved = what the ledger says."""
        received, posted = self._sum_received(), self._sum_posted()
        is_charge = Domain("kind", "=", "charge")
        charged = self._sum_movements(is_charge, "source_amount:sum")
        moved = self._sum_movements(Domain("move_id", "!=", False), "amount:sum")
        states = self._get_movement_states()
        for link in self:
            key = link._origin.id
            pairs = ((received, charged), (moved, posted))
            link.agreement_state = (
                "red"
                if any(differs(a.get(key, 0), b.get(key, 0)) for a, b in pairs)
                else self._get_worst_state(states.get(key, []))
            )

    @api.model
    def _get_worst_state(self, movement_states):
        if "to_post" in movement_states:
            return "amber"
        return "grey" if "skipped" in movement_states else "green"

    # === SUMS BY LINK === #

    def _sum_received(self) -> dict[int, float]:
        """What customers paid, in the link's currency."""
        groups = self.env["checkout.payment"]._read_group(
            [("link_id", "in", self.ids), ("paid_at", "!=", False)],
            ["link_id"],
            ["amount:sum"],
        )
        return {link.id: amount for link, amount in groups}

    def _sum_posted(self) -> dict[int, float]:
        """What the ledger has of these movements, for all links in one query."""
        if not self.ids:
            return {}
        for model in ("checkout.movement", "checkout.payment", "account.move.line"):
            self.env[model].flush_model()
        return dict(self.env.execute_query(SQL(POSTED_BY_LINK, self._ids)))

    def _get_movement_states(self):
        """The states that the movements of a link's payments are in."""
        groups = self.env["checkout.movement"]._read_group(
            self._get_movement_domain(), ["payment_id.link_id"], ["state:array_agg"]
        )
        return {link.id: set(states) for link, states in groups}

    def _sum_movements(self, domain, aggregate) -> dict[int, float]:
        groups = self.env["checkout.movement"]._read_group(
            self._get_movement_domain() & domain, ["payment_id.link_id"], [aggregate]
        )
        return {link.id: amount for link, amount in groups}

    def _get_movement_domain(self):
        """Of payments that were received, also those that were refunded or lost."""
        return Domain("payment_id.link_id", "in", self.ids) & Domain(
            "payment_id.paid_at", "!=", False
        )
