import logging
from contextlib import contextmanager

from odoo import api, fields, models
from odoo.tools import SQL

from ...monetary import StripeMonetary
from ...money import round_exact

_logger = logging.getLogger(__name__)

# What a payment adds to its link, as it is now. Its ledger state is the worst of: what
# was paid isn't its charge, or what moved isn't in the ledger; an entry waits; an entry
# isn't posted.
PAYMENTS_NOW = SQL(
    """
    SELECT payment.id, payment.link_id, payment.paid_at,
           coalesce(payment.livemode, false) AS livemode,
           coalesce(payment.amount, 0) AS amount,
           coalesce(payment.amount_refunded, 0) AS refunded,
           coalesce(payment.amount_lost, 0) AS lost,
           CASE WHEN round(coalesce(payment.amount, 0) - moves.charged, 3) <> 0
                  OR round(moves.moved - items.posted, 3) <> 0 THEN 'red'
                WHEN moves.waits THEN 'amber'
                WHEN moves.is_skipped THEN 'grey'
                ELSE 'green' END AS ledger,
           payment.counted_amount, payment.counted_refunded, payment.counted_lost,
           payment.counted_ledger
      FROM checkout_payment payment
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(source_amount) FILTER (WHERE kind = 'charge'), 0)
                      AS charged,
                  coalesce(sum(amount) FILTER (WHERE move_id IS NOT NULL), 0) AS moved,
                  coalesce(bool_or(state = 'to_post'), false) AS waits,
                  coalesce(bool_or(state = 'skipped'), false) AS is_skipped
             FROM checkout_movement
            WHERE payment_id = payment.id) moves
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(item.amount_currency), 0) AS posted
             FROM checkout_movement movement
             JOIN checkout_gateway gateway ON gateway.id = movement.gateway_id
             JOIN account_journal journal ON journal.id = gateway.journal_id
             JOIN account_move_line item
               ON item.move_id = movement.move_id
              AND item.account_id = journal.default_account_id
            WHERE movement.payment_id = payment.id) items
     WHERE payment.paid_at IS NOT NULL
    """
)
# One statement: payments that changed since they were counted, and by how much.
COUNT_PAYMENTS = """
    WITH now AS (%(payments)s AND payment.totals_due),
    counted AS (
        UPDATE checkout_payment payment
           SET totals_due = false, counted_amount = now.amount,
               counted_refunded = now.refunded, counted_lost = now.lost,
               counted_ledger = now.ledger
          FROM now WHERE now.id = payment.id
     RETURNING 1),
    added AS (
        INSERT INTO checkout_link_total AS total (
            link_id, gateway_id, livemode, payment_count, amount_collected,
            amount_refunded, amount_lost, red_count, amber_count, grey_count,
            last_payment_at)
        SELECT link_id, %(gateway)s, livemode,
               count(*) - count(counted_ledger),
               sum(amount - coalesce(counted_amount, 0)),
               sum(refunded - coalesce(counted_refunded, 0)),
               sum(lost - coalesce(counted_lost, 0)),
               %(ledgers)s,
               max(paid_at)
          FROM now WHERE link_id IS NOT NULL GROUP BY link_id, livemode
        ON CONFLICT (link_id, gateway_id, livemode) DO UPDATE SET %(additions)s,
            last_payment_at = greatest(total.last_payment_at, excluded.last_payment_at))
    SELECT count(*) FROM counted
"""
# What the rows of a link lack to be the sums of its payments.
FIND_WRONG_TOTALS = """
    SELECT link_id, livemode, %(sums)s, max(paid_at) AS last_payment_at
      FROM (SELECT link_id, coalesce(livemode, false) AS livemode,
                   1 AS payment_count,
                   counted_amount AS amount_collected,
                   counted_refunded AS amount_refunded, counted_lost AS amount_lost,
                   (counted_ledger = 'red')::int AS red_count,
                   (counted_ledger = 'amber')::int AS amber_count,
                   (counted_ledger = 'grey')::int AS grey_count,
                   paid_at, NULL::timestamp AS counted_at
              FROM checkout_payment WHERE counted_ledger IS NOT NULL
             UNION ALL
            SELECT link_id, livemode, -payment_count, -amount_collected,
                   -amount_refunded, -amount_lost, -red_count, -amber_count,
                   -grey_count, NULL, last_payment_at
              FROM checkout_link_total) part
      JOIN checkout_link link ON link.id = link_id AND link.gateway_id = %(gateway)s
     GROUP BY link_id, livemode
    HAVING %(wrong)s OR max(paid_at) IS DISTINCT FROM max(counted_at)
"""
REPAIR_TOTALS = """
    INSERT INTO checkout_link_total AS total (
        link_id, livemode, %(names)s, last_payment_at, gateway_id)
    SELECT wrong.*, %(gateway)s FROM (%(wrong)s) wrong
    ON CONFLICT (link_id, gateway_id, livemode) DO UPDATE SET %(additions)s,
        last_payment_at = excluded.last_payment_at
"""
FIND_MISCOUNTED = """
    UPDATE checkout_payment payment SET totals_due = true
      FROM (%(payments)s AND payment.gateway_id = %(gateway)s) now
     WHERE now.id = payment.id AND payment.totals_due IS NOT TRUE
       AND (now.amount, now.refunded, now.lost, now.ledger) IS DISTINCT FROM
           (now.counted_amount, now.counted_refunded, now.counted_lost,
            now.counted_ledger)
"""
ADDITION = "%(name)s = total.%(name)s + excluded.%(name)s"
LEDGER_STATES = ("red", "amber", "grey")
# The columns that are added up.
SUMS = (
    "payment_count",
    "amount_collected",
    "amount_refunded",
    "amount_lost",
    *(f"{state}_count" for state in LEDGER_STATES),
)


class CheckoutLinkTotal(models.Model):
    """What the payments of a link come to, as counted by the writer of one gateway.

    Rows of their own: payers' requests write to the link, and the writers of two
    gateways may count payments of the same link. What a link shows is the sum of its
    rows.
    """

    _name = "checkout.link.total"
    _description = "Totals of a Checkout Link"
    _log_access = False

    link_id = fields.Many2one(
        "checkout.link", required=True, ondelete="cascade", readonly=True
    )
    gateway_id = fields.Many2one(
        "checkout.gateway", required=True, ondelete="cascade", readonly=True
    )
    livemode = fields.Boolean("Live Mode", readonly=True)
    currency_id = fields.Many2one(related="link_id.currency_id")
    payment_count = fields.Integer("Payments", readonly=True)
    amount_collected = StripeMonetary("Collected", readonly=True)
    amount_refunded = StripeMonetary("Refunded", readonly=True)
    amount_lost = StripeMonetary("Lost", readonly=True)
    red_count = fields.Integer(readonly=True)
    amber_count = fields.Integer(readonly=True)
    grey_count = fields.Integer(readonly=True)
    last_payment_at = fields.Datetime("Last Payment", readonly=True)

    _link_uniq = models.Constraint(
        "UNIQUE (link_id, gateway_id, livemode)", "This link already has totals."
    )


class CheckoutLink(models.Model):
    """What came of a link's payments, and whether the ledger says the same."""

    _inherit = "checkout.link"

    payment_count = fields.Integer("Payments", compute="_compute_totals")
    amount_collected = StripeMonetary(
        "Collected",
        compute="_compute_totals",
        help="The amount paid, before refunds and lost disputes.",
    )
    amount_refunded = StripeMonetary("Refunded", compute="_compute_totals")
    amount_lost = StripeMonetary(
        "Lost",
        compute="_compute_totals",
        help="The amount lost in disputes.",
    )
    amount_left = StripeMonetary(
        "Remaining",
        compute="_compute_totals",
        help="The amount collected, less refunds and lost disputes.",
    )
    last_payment_at = fields.Datetime("Last Payment", compute="_compute_totals")
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

    def _compute_totals(self):
        """Of what was paid in live mode; of tests where nothing else was paid, and the
        link isn't live.
        """
        names = [*SUMS[:4], "last_payment_at"]
        groups = self._read_totals(
            ["link_id", "livemode"],
            [*(f"{name}:sum" for name in SUMS[:4]), "last_payment_at:max"],
        )
        totals = {(link.id, live): values for link, live, *values in groups}
        for link in self:
            key = link._origin.id
            is_live = link.gateway_id.livemode or (key, True) in totals
            values = totals.get((key, is_live), (0, 0, 0, 0, False))
            link.update(dict(zip(names, values, strict=True)))
            link.amount_left = round_exact(
                link.amount_collected - link.amount_refunded - link.amount_lost
            )

    def _compute_agreement_state(self):
        """The worst of its payments: what was paid = its charge, what moved = what the
        ledger says.
        """
        counts = [f"{state}_count:sum" for state in LEDGER_STATES]
        groups = self._read_totals(["link_id"], counts)
        states = {
            link.id: "red" if red else "amber" if amber else "grey" if grey else "green"
            for link, red, amber, grey in groups
        }
        for link in self:
            link.agreement_state = states.get(link._origin.id, "green")

    def _read_totals(self, groupby, aggregates):
        totals_sudo = self.env["checkout.link.total"].sudo()  # of links that they see
        return totals_sudo._read_group(
            [("link_id", "in", self._origin.ids)], groupby, aggregates
        )


class CheckoutPayment(models.Model):
    """What of a payment is counted in the totals of its link."""

    _inherit = "checkout.payment"

    totals_due = fields.Boolean(
        compute="_compute_totals_due", store=True, groups=fields.NO_ACCESS
    )
    counted_amount = StripeMonetary(readonly=True, groups=fields.NO_ACCESS)
    counted_refunded = StripeMonetary(readonly=True, groups=fields.NO_ACCESS)
    counted_lost = StripeMonetary(readonly=True, groups=fields.NO_ACCESS)
    counted_ledger = fields.Char(readonly=True, groups=fields.NO_ACCESS)

    _totals_due_idx = models.Index("(id) WHERE totals_due")

    # === COMPUTE METHODS === #

    @api.depends(
        "amount",
        "amount_lost",
        "amount_refunded",
        "paid_at",
        "movement_ids.amount",
        "movement_ids.kind",
        "movement_ids.move_id",
        "movement_ids.source_amount",
        "movement_ids.state",
    )
    def _compute_totals_due(self):
        """Whenever what is counted may have changed. It stays until it is counted."""
        for payment in self:
            payment.totals_due = bool(payment.paid_at)


class CheckoutGateway(models.Model):
    """Counts payments: the one who writes to a ledger also keeps the totals."""

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS - COUNTING === #

    @contextmanager
    def _exclusive(self):
        with super()._exclusive() as gateway_sudo:
            yield gateway_sudo
            gateway_sudo._count_payments()

    def _commit(self):
        self._count_payments()
        return super()._commit()

    def _count_payments(self):
        """Bring the totals of links up to date with the payments that have changed."""
        self.env.flush_all()
        count = SQL(
            COUNT_PAYMENTS,
            payments=PAYMENTS_NOW,
            gateway=self[:1].id,
            ledgers=SQL(", ").join(map(self._get_ledger_change, LEDGER_STATES)),
            additions=self._join_sums(ADDITION, ", "),
        )
        [[counted]] = self.env.execute_query(count)
        if counted:
            self._forget_totals()

    @api.model
    def _get_ledger_change(self, state):
        return SQL(
            "count(*) FILTER (WHERE ledger = %s)"
            " - count(*) FILTER (WHERE counted_ledger = %s)",
            state,
            state,
        )

    @api.model
    def _forget_totals(self):
        """What the database was written past the cache."""
        self.env["checkout.link.total"].invalidate_model(flush=False)
        self.env["checkout.link"].invalidate_model(
            [*SUMS[:4], "amount_left", "last_payment_at", "agreement_state"],
            flush=False,
        )
        names = ("totals_due", "counted_amount", "counted_refunded", "counted_lost")
        self.env["checkout.payment"].invalidate_model(
            [*names, "counted_ledger"], flush=False
        )

    # === BUSINESS METHODS - PROOF === #

    def _prove_totals(self):
        """Count all payments of a gateway again, and repair what was wrong: it can only
        be so if something was changed past Odoo.
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(FIND_MISCOUNTED, payments=PAYMENTS_NOW, gateway=self.id)
        )
        found = self.env.cr.rowcount
        self._count_payments()
        wrong = SQL(
            FIND_WRONG_TOTALS,
            gateway=self.id,
            sums=self._join_sums("sum(%(name)s) AS %(name)s", ", "),
            wrong=self._join_sums("sum(%(name)s) <> 0", " OR "),
        )
        self.env.cr.execute(
            SQL(
                REPAIR_TOTALS,
                gateway=self.id,
                names=self._join_sums("%(name)s", ", "),
                wrong=wrong,
                additions=self._join_sums(ADDITION, ", "),
            )
        )
        found += self.env.cr.rowcount
        self._forget_totals()
        if found:
            _logger.warning(
                "Totals of gateway %s were wrong: repaired %s", self.id, found
            )

    @api.model
    def _join_sums(self, code, separator):
        names = map(SQL.identifier, SUMS)
        return SQL(separator).join(SQL(code, name=name) for name in names)
