from datetime import date, timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.sql import column_exists, create_column

from ..gateway.audit_trail import get_requester, with_audit_trail
from ..ledger.batch import LINE_VALUES, LINK_ENTRIES, get_batch

# Others may see entries too, such as salespeople their invoices.
VIEWERS = "account.group_account_invoice,account.group_account_readonly"

# What would make an entry say something else than what happened at Stripe. Contacts
# stay free: Odoo itself moves them on when they are merged or given a company.
PROTECTED_FIELDS = frozenset(
    "company_id currency_id date fiscal_position_id journal_id line_ids "
    "statement_line_id stripe_balance_transaction_id stripe_charge_id "
    "stripe_payout_id stripe_trace_id".split()
)
# By these an entry is found in Stripe's reports, and Stripe's objects in the ledger.
STRIPE_ID_FIELDS = (
    "stripe_charge_id",
    "stripe_balance_transaction_id",
    "stripe_payout_id",
    "stripe_trace_id",
)


class AccountMove(models.Model):
    _inherit = "account.move"

    checkout_movement_ids = fields.One2many(
        "checkout.movement",
        "move_id",
        "Stripe Transactions",
        readonly=True,
        groups=VIEWERS,
    )
    checkout_reclassified_ids = fields.Many2many(
        "checkout.movement",
        "checkout_movement_reclassification_rel",
        "account_move_id",
        "checkout_movement_id",
        string="Reclassified Stripe Transactions",
        readonly=True,
        groups=VIEWERS,
    )
    checkout_payment_ids = fields.Many2many(
        "checkout.payment",
        string="Checkout Payments",
        compute="_compute_checkout_payment_ids",
        groups=VIEWERS,
    )
    is_checkout_entry = fields.Boolean(
        compute="_compute_is_checkout_entry",
        help="Entries posted from Stripe can't be reversed in Odoo.",
    )

    @api.depends("state")
    def _compute_is_checkout_entry(self):
        entries = self._filter_checkout()
        for move in self:
            move.is_checkout_entry = move in entries

    # Computed, so that they are filled when Stripe says them, also on hashed entries.
    stripe_charge_id = fields.Char(
        compute="_compute_stripe_ids",
        store=True,
        precompute=True,
        index="btree_not_null",
    )
    stripe_balance_transaction_id = fields.Char(
        compute="_compute_stripe_ids",
        store=True,
        precompute=True,
        index="btree_not_null",
    )
    stripe_payout_id = fields.Char(
        compute="_compute_stripe_ids",
        store=True,
        precompute=True,
        index="btree_not_null",
        help="The payout that is posted here or that sent this money to your bank.",
    )
    stripe_trace_id = fields.Char(
        "Payout Trace ID",
        compute="_compute_stripe_ids",
        store=True,
        precompute=True,
        index="btree_not_null",
        help="The reference that your bank can use to trace a payout.",
    )

    def _auto_init(self):
        """Add the columns ourselves: Odoo would compute them for each entry there is,
        and none of those is of Stripe.
        """
        for name in STRIPE_ID_FIELDS:
            if not column_exists(self.env.cr, self._table, name):
                create_column(self.env.cr, self._table, name, "varchar")
        return super()._auto_init()

    # === COMPUTE METHODS === #

    @api.depends("checkout_movement_ids.payment_id")
    def _compute_checkout_payment_ids(self):
        for move in self:
            move.checkout_payment_ids = move.checkout_movement_ids.payment_id

    @api.depends(
        "checkout_movement_ids.balance_transaction_id",
        "checkout_movement_ids.payment_id.stripe_charge_id",
        "checkout_movement_ids.payout_id",
        "checkout_movement_ids.trace_id",
        "checkout_reclassified_ids.balance_transaction_id",
        "checkout_reclassified_ids.payment_id.stripe_charge_id",
        "checkout_reclassified_ids.payout_id",
        "checkout_reclassified_ids.trace_id",
    )
    def _compute_stripe_ids(self):
        for move in self:
            movement = move.checkout_movement_ids or move.checkout_reclassified_ids
            move.update(movement[:1]._get_stripe_ids())

    def _compute_fiscal_position_id(self):
        """Override of `account`: an entry of ours keeps the position that it was posted
        with, also if its contact has changed since.
        """
        entries = self.filtered(lambda move: move.move_type == "entry")
        is_new = self.env.context.get("checkout_entry")
        kept = entries if is_new else entries._filter_checkout()
        for move in kept:
            move.fiscal_position_id = move.fiscal_position_id
        return super(AccountMove, self - kept)._compute_fiscal_position_id()

    def _compute_show_reset_to_draft_button(self):
        """Override of `account`: no button for what is refused anyway."""
        res = super()._compute_show_reset_to_draft_button()
        self.filtered("is_checkout_entry").show_reset_to_draft_button = False
        return res

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `account`: an audit trail has our entries, too."""
        moves = super(AccountMove, with_audit_trail(self)).create(vals_list)
        return moves.with_env(self.env)

    def write(self, vals):
        """Override of `account`: what happened at Stripe stays as it is posted. New
        entries of a batch get their statement lines together.
        """
        batch = get_batch(self.env)
        if batch and vals.keys() == LINE_VALUES:
            batch.move_ids += self.ids
            return True
        if vals.keys() & PROTECTED_FIELDS or vals.get("state") in ("draft", "cancel"):
            self._check_no_checkout_movement()
        return super(AccountMove, with_audit_trail(self)).write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_checkout(self):
        self._check_no_checkout_movement()

    # === ACTION METHODS === #

    def action_post(self):
        """Override of `account`, which is where a batch of entries is complete."""
        batch = get_batch(self.env)
        if batch and batch.move_ids:
            self.browse(batch.move_ids)._link_to_lines()
            batch.move_ids = []
        return super().action_post()

    def button_draft(self):
        """Override of `account`: a posted Stripe transaction stays posted."""
        self._check_no_checkout_movement()
        return super().button_draft()

    def button_cancel(self):
        """Override of `account`: a posted Stripe transaction stays posted."""
        self._check_no_checkout_movement()
        return super().button_cancel()

    def action_view_checkout_payments(self):
        """The checkout payments that are posted in this entry."""
        return self.checkout_payment_ids._get_records_action(
            name=self.env._("Checkout Payments")
        )

    # === BUSINESS METHODS === #

    def _get_accounting_date(self, invoice_date, has_tax, lock_dates=None):
        """Override of `account`: what is undone with a match, such as tax on a cash
        basis, is undone when the money was lost. The match's own period may be filed.
        """
        day = self.env.context.get("checkout_undo_date")
        if type(day) is not date:  # no remote call can carry one
            return super()._get_accounting_date(invoice_date, has_tax, lock_dates)
        locks = self._get_violated_lock_dates(day, has_tax)
        return locks[-1][0] + timedelta(days=1) if locks else day

    def _reverse_moves(self, default_values_list=None, cancel=False):
        """Override of `account`: an entry gives no money back, Stripe does."""
        self._check_no_checkout_movement()
        return super()._reverse_moves(default_values_list, cancel=cancel)

    def _message_compute_author(self, author_id=None, email_from=None):
        """Override of `mail`: names the user who asked for what our code does."""
        requester = get_requester(self.env)
        if requester and author_id is None and not email_from:
            author_id = requester.partner_id
        return super()._message_compute_author(author_id, email_from)

    def _log_matching(self):
        """Note in the audit trail that these entries were matched with each other."""
        self._message_log_batch(
            {
                move.id: self.env._(
                    "Reconciled with %s.", ", ".join((self - move).mapped("name"))
                )
                for move in self
            }
        )

    def _check_no_checkout_movement(self):
        """:raise UserError: if an entry posts a Stripe transaction."""
        movement_sudo = self._find_checkout_movements()[:1]
        if movement_sudo:
            raise UserError(
                self.env._(
                    "%(entry)s is posted from Stripe (%(stripe_id)s), so it can't be "
                    "edited, reset to draft, canceled or deleted. To correct an "
                    "account or a tax, reclassify the transaction. To return money, "
                    "refund the payment.",
                    entry=movement_sudo.move_id.name,
                    stripe_id=movement_sudo.stripe_source_id,
                )
            )

    def _link_to_lines(self):
        """Write the statement line of each of these new entries, in one query."""
        self.env.flush_all()
        self.env.cr.execute(LINK_ENTRIES, [self.ids])
        self.invalidate_recordset(["statement_line_id"], flush=False)
        self.modified(["statement_line_id"])

    def _find_checkout_movements(self):
        """The movements that these entries post or reclassify, of any company.

        Two searches: each takes an index, and the database has none for both at once.
        """
        posted = self.filtered(lambda move: move.state == "posted")
        # Who may not see a movement must not undo it either.
        movements_sudo = self.env["checkout.movement"].sudo()
        return movements_sudo.search(
            [("move_id", "in", posted.ids)]
        ) | movements_sudo.search([("reclassification_move_ids", "in", posted.ids)])

    def _filter_checkout(self):
        movements_sudo = self._find_checkout_movements()
        posting = movements_sudo.move_id | movements_sudo.reclassification_move_ids
        return self.filtered(lambda move: move.id in posting.ids)
