from odoo import Command, api, fields, models
from odoo.exceptions import AccessError, UserError

from ...kinds import KIND_SELECTION, KINDS
from ...monetary import StripeMonetary
from ...texts import to_ref

# https://docs.stripe.com/api/charges/object#charge_object-id; `py_`: not by card.
CHARGE_PREFIXES = ("ch_", "py_")


class CheckoutMovement(models.Model):
    """One change of the Stripe balance, and the entry that posts it.

    Here: its fields and states. `movement_source` creates movements from Stripe's
    objects, `movement_dashboard` leads to the Stripe Dashboard.
    """

    _name = "checkout.movement"
    _inherit = "checkout.base"
    _description = "Stripe Transaction"
    _order = "occurred_at desc, id desc"
    _rec_name = "stripe_source_id"
    _check_company_auto = True

    gateway_id = fields.Many2one(
        "checkout.gateway",
        required=True,
        index=True,
        ondelete="restrict",
        readonly=True,
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, readonly=True
    )
    payment_id = fields.Many2one(
        "checkout.payment", index=True, ondelete="restrict", readonly=True
    )
    link_id = fields.Many2one(related="payment_id.link_id")
    kind = fields.Selection(KIND_SELECTION, required=True, readonly=True)
    amount = StripeMonetary(
        readonly=True,
        help="The change of the Stripe balance. Negative amounts decrease it.",
    )
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    source_amount = StripeMonetary(
        "Original Amount", currency_field="source_currency_id", readonly=True
    )
    source_currency_id = fields.Many2one("res.currency", readonly=True)
    tax_amount = StripeMonetary(
        "Included Tax",
        readonly=True,
        help="The part of a fee that Stripe reports as tax.",
    )
    occurred_at = fields.Datetime("Date", required=True, readonly=True, index=True)
    stripe_source_id = fields.Char("Stripe Object", required=True, readonly=True)
    balance_transaction_id = fields.Char(readonly=True)
    payout_id = fields.Many2one(
        "checkout.payout",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The payout that sent this money to your bank.",
    )
    trace_id = fields.Char(
        "Trace ID",
        readonly=True,
        help="The reference that your bank can use to trace a payout.",
    )
    is_third_party = fields.Boolean(
        "Third-Party",
        readonly=True,
        help=("Made by other software on the same Stripe account."),
    )
    state = fields.Selection(
        [
            ("to_post", "To Post"),
            ("posted", "Posted"),
            ("to_review", "In Review"),
            ("skipped", "Not Posted"),
        ],
        required=True,
        default="to_post",
        readonly=True,
    )
    error = fields.Char("Reason", readonly=True)
    statement_line_id = fields.Many2one(
        "account.bank.statement.line", readonly=True, ondelete="restrict", index=True
    )
    move_id = fields.Many2one(
        "account.move",
        "Journal Entry",
        readonly=True,
        ondelete="restrict",
        index="btree_not_null",
    )

    reclassification_move_ids = fields.Many2many(
        "account.move",
        "checkout_movement_reclassification_rel",
        "checkout_movement_id",
        "account_move_id",
        string="Reclassifications",
        readonly=True,
        help="Journal entries that moved this to another account, tax or contact.",
    )
    reclassified_line_ids = fields.Many2many(
        "account.move.line", "checkout_movement_reclassified_line_rel", readonly=True
    )
    reopened_line_ids = fields.Many2many(
        "account.move.line",
        "checkout_movement_reopened_line_rel",
        readonly=True,
        help="Items that this payment had settled and that the customer owes again.",
    )
    can_reclassify = fields.Boolean(compute="_compute_can_reclassify")

    _transaction_uniq = models.UniqueIndex(
        "(gateway_id, balance_transaction_id, kind) "
        "WHERE balance_transaction_id IS NOT NULL",
        "This balance transaction already exists.",
    )
    _source_uniq = models.UniqueIndex(
        "(gateway_id, kind, stripe_source_id) WHERE balance_transaction_id IS NULL",
        "This change of the Stripe balance already exists.",
    )
    _charge_uniq = models.UniqueIndex(
        "(gateway_id, stripe_source_id) WHERE kind = 'charge'",
        "This charge already exists.",
    )
    _transaction_idx = models.Index(
        "(balance_transaction_id) WHERE balance_transaction_id IS NOT NULL"
    )
    _source_idx = models.Index("(stripe_source_id)")
    _waiting_idx = models.Index("(gateway_id) WHERE state = 'to_post'")
    _skipped_idx = models.Index("(gateway_id) WHERE state = 'skipped'")
    _posted_idx = models.Index("(gateway_id) WHERE move_id IS NOT NULL")

    # === COMPUTE METHODS === #

    @api.depends("kind", "payment_id", "stripe_source_id")
    @api.depends_context("lang")
    def _compute_display_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for movement in self:
            about = movement.payment_id.name or movement.stripe_source_id
            movement.display_name = f"{kinds[movement.kind]} · {about}"

    @api.depends("kind", "state")
    def _compute_can_reclassify(self):
        for movement in self:
            movement.can_reclassify = (
                movement.state in ("posted", "to_review")
                and KINDS[movement.kind].can_reclassify
            )

    # === ACTION METHODS === #

    def action_post(self):
        """Post these movements now, also those that were ignored.

        :raise UserError: with the reason, if one single movement can't be posted.
        """
        self.check_access("read")
        self.env["checkout.link"].check_access("write")  # not read-only users
        errors = []
        for gateway, movements in self.grouped("gateway_id").items():
            gateway_sudo = gateway.sudo()  # merchants can't post
            errors += gateway_sudo._work_exclusively(movements._post_now)
        self.invalidate_recordset()
        if len(self) == 1 and errors:
            raise UserError(errors[0])

    def _post_now(self, gateway):
        """Post these movements of a gateway.

        :return: Why some of them can't be posted, if so.
        """
        waiting = self.with_env(gateway.env)._filter_postable()
        waiting.write({"state": "to_post"})
        self.env["checkout.poster"].with_env(gateway.env)._post(waiting)
        return waiting.filtered("error").mapped("error")

    def action_view_move(self):
        """The journal entry of this movement, and those that reclassified it."""
        self.ensure_one()
        moves = self.move_id | self.reclassification_move_ids
        return moves._get_records_action(name=self.env._("Journal Entry"))

    def action_view_reclassify_wizard(self):
        """Ask for the account and the taxes it should have been posted with."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Reclassify"),
            "res_model": "checkout.reclassify.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_movement_id": self.id},
        }

    def action_reclassify(self, account, taxes=None, date=None):
        """Reclassify this movement: on another account, or with other taxes.

        :param account.account account: Takes the amount without taxes.
        :param account.tax taxes: Those that are in the amount; none by default.
        :param date date: The day of the journal entry; today by default. In a closed
            period it is the first open day after it.
        :return: The journal entry; the Stripe journal stays as it is.
        :raise AccessError: if the user isn't an accountant.
        :raise UserError: if it isn't posted, is matched with other items, nothing would
            change, or an argument is of another type.
        """
        self.ensure_one()
        self.check_access("read")
        taxes = taxes or self.env["account.tax"]
        self._check_record(account, "account.account")
        self._check_records(taxes, "account.tax")
        date = self._read_date(date)
        self._check_may_reclassify(account, taxes)
        user = self.env.user
        move_id = self.gateway_id.sudo()._work_exclusively(  # under the poster's lock
            lambda gateway: self.with_env(gateway.env)._reclassify(
                account.with_env(gateway.env),
                taxes.with_env(gateway.env),
                date,
                user.with_env(gateway.env),
            )
        )
        self.invalidate_recordset()
        return self.env["account.move"].browse(move_id)

    def _check_may_reclassify(self, account, taxes):
        """:raise AccessError: if the user is no accountant, or may not read the account
            or a tax.
        :raise UserError: if the account is the Stripe account or of another company.
        """
        if not self._is_accountant():
            raise AccessError(
                self.env._("Only accountants can reclassify a transaction.")
            )
        if self._is_of_stripe(account):
            raise UserError(
                self.env._(
                    "“%s” holds the Stripe balance, so only Stripe transactions are "
                    "posted to it. Choose another account.",
                    account.display_name,
                )
            )
        for records in (account, taxes):
            records.check_access("read")
            domain = records._check_company_domain(self.company_id)
            if records.filtered_domain(domain) != records:
                raise UserError(
                    self.env._(
                        "Choose an account and taxes that belong to %s.",
                        self.company_id.name,
                    )
                )

    def _is_of_stripe(self, account):
        """Whether an account is that of any gateway's journal."""
        gateways_sudo = self.env["checkout.gateway"].sudo()  # of any company
        own = [("journal_id.default_account_id", "=", account.id)]
        return bool(gateways_sudo._search_served(own))

    def _reclassify(self, account, taxes, date, user):
        """:return: The id of the entry, since the caller's transaction is another."""
        date = date or fields.Date.context_today(self)
        move = self.env["checkout.reclassification"]._reclassify(
            self, account, taxes, date
        )
        body = self.env._(
            "%(user)s reclassified %(entry)s.",
            user=user.name,
            entry=self.move_id._get_html_link(),
        )
        self.gateway_id._do_aside(
            lambda move: move._message_log(body=body, author_id=user.partner_id.id),
            move,
        )
        return move.id

    # === BUSINESS METHODS - STATES === #

    def _set_never_happened(self):
        """A bank debit that failed before it was posted: it and its taking back are
        left out together.
        """
        charges = self.filtered(lambda m: m.kind in ("charge", "charge_failure"))
        if set(charges.mapped("state")) <= {"to_post", "skipped"}:
            charges.write({"state": "skipped", "error": False})

    def _filter_postable(self):
        return self.filtered(lambda m: m.state in ("to_post", "skipped"))

    def _set_posted(self, entry, to_review):
        """:param entry: The statement line or, where no money moved, the entry."""
        is_line = entry._name == "account.bank.statement.line"
        self.write(
            {
                "state": "to_review" if to_review else "posted",
                "error": False,
                "statement_line_id": entry.id if is_line else False,
                "move_id": entry.move_id.id if is_line else entry.id,
            }
        )

    def _set_reclassified(self, move, lines):
        """:param account.move move: The entry that reclassified it.
        :param account.move.line lines: Those of its items that are now in force.
        """
        self.write(
            {
                "state": "posted",
                "reclassification_move_ids": [Command.link(move.id)],
                "reclassified_line_ids": [Command.set(lines.ids)],
            }
        )

    def _set_waiting(self, reason):
        """:param str reason: What a person has to fix, in their language."""
        if self.error != reason:
            self.error = reason

    # === HELPERS === #

    def _get_local_date(self):
        """The day on which it happened, where the merchant is."""
        return self.gateway_id._get_local_date(self.occurred_at)

    def _get_posted_lines(self):
        """The journal items that say what the money was, as they are in force: without
        the liquidity item, and those of a reclassification where there is one.
        """
        return self.env["account.move.line"].union(
            *(movement._get_own_posted_lines() for movement in self)
        )

    def _get_own_posted_lines(self):
        liquidity = self.gateway_id.journal_id.default_account_id
        return self.reclassified_line_ids or self.move_id.line_ids.filtered(
            lambda line: line.account_id != liquidity
        )

    def _get_charges(self):
        """The charges of these movements' payments."""
        return self.payment_id.movement_ids.filtered(lambda m: m.kind == "charge")

    def _get_same_source(self):
        """The movements of the same object of Stripe's, this one among them."""
        return self.search(
            [
                ("gateway_id", "in", self.gateway_id._get_account_gateways().ids),
                ("stripe_source_id", "=", self.stripe_source_id),
            ]
        )

    def _get_label(self):
        """What a journal item says: what moved, for what, and Stripe's id."""
        parts = (self._get_kind_name(), self.payment_id.link_name, self.payment_id.name)
        return " · ".join(filter(None, (*parts, self.stripe_source_id)))

    def _get_ref(self):
        """What people know the entry by, short enough to stand beside an amount:
        "CL00007 · Summer course", or what moved where that is no payment.
        """
        parts = (self.payment_id.name, self.payment_id.link_name)
        return to_ref(" · ".join(filter(None, parts)) or self._get_kind_name())

    def _get_stripe_ids(self):
        """The ids by which an entry of this movement is found, as far as known; of no
        movement: nothing.
        """
        own = self.stripe_source_id or ""
        is_payout = own.startswith("po_")
        return {
            "stripe_charge_id": own
            if own.startswith(CHARGE_PREFIXES)
            else self.payment_id.stripe_charge_id,
            "stripe_balance_transaction_id": self.balance_transaction_id,
            "stripe_payout_id": own if is_payout else self.payout_id.stripe_id,
            "stripe_trace_id": self.trace_id,
        }

    def _get_kind_name(self):
        return dict(self._fields["kind"]._description_selection(self.env))[self.kind]
