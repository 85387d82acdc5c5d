from datetime import timezone
from zoneinfo import ZoneInfo

from odoo import Command, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import KIND_BY_CATEGORY
from ..money import from_minor
from .checkout_entry_dispute import DISPUTE_KINDS
from .checkout_rebooking import REBOOKABLE_KINDS

# Kinds that are about one payment, by what they are about.
PAYMENT_SOURCES = ("charge", "refund", "dispute")
FEE_KINDS = ("fee", "dispute_fee")


class CheckoutMovement(models.Model):
    """One change of the Stripe balance, and the entry that books it."""

    _name = "checkout.movement"
    _inherit = "checkout.base"
    _description = "Stripe Movement"
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
    kind = fields.Selection(
        [
            ("charge", "Charge"),
            ("charge_failure", "Charge Failed"),
            ("fee", "Fee"),
            ("refund", "Refund"),
            ("refund_failure", "Refund Failed"),
            ("dispute", "Dispute"),
            ("dispute_fee", "Dispute Fee"),
            ("dispute_reversal", "Dispute Won"),
            ("dispute_loss", "Dispute Lost"),
            ("payout", "Payout"),
            ("payout_failure", "Payout Failed"),
            ("adjustment", "Adjustment"),
            ("opening", "Opening Balance"),
        ],
        required=True,
        readonly=True,
    )
    amount = fields.Monetary(
        readonly=True, help="What the Stripe balance changes by; negative: less."
    )
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    source_amount = fields.Monetary(
        "Original Amount", currency_field="source_currency_id", readonly=True
    )
    source_currency_id = fields.Many2one("res.currency", readonly=True)
    tax_amount = fields.Monetary(
        "Tax in It", readonly=True, help="The part of a fee that Stripe calls tax."
    )
    occurred_at = fields.Datetime("Date", required=True, readonly=True, index=True)
    stripe_source_id = fields.Char("Stripe Object", required=True, readonly=True)
    balance_transaction_id = fields.Char(readonly=True)
    payout_id = fields.Many2one(
        "checkout.payout",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The payout that brought this money to the bank.",
    )
    is_foreign = fields.Boolean(
        "Not Ours", readonly=True, help="Other software's money on the same account."
    )
    state = fields.Selection(
        [
            ("to_post", "To Post"),
            ("posted", "Posted"),
            ("to_review", "To Review"),
            ("skipped", "Not Booked"),
        ],
        required=True,
        default="to_post",
        readonly=True,
    )
    error = fields.Char("Why It Waits", readonly=True)
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

    rebooking_move_ids = fields.Many2many(
        "account.move",
        "checkout_movement_rebooking_rel",
        string="Re-Bookings",
        readonly=True,
        help="General entries that moved it to another account or tax.",
    )
    rebooked_line_ids = fields.Many2many(
        "account.move.line", "checkout_movement_rebooked_line_rel", readonly=True
    )
    can_rebook = fields.Boolean(compute="_compute_can_rebook")

    _transaction_uniq = models.UniqueIndex(
        "(gateway_id, balance_transaction_id, kind) "
        "WHERE balance_transaction_id IS NOT NULL",
        "This balance transaction has been taken already.",
    )
    _source_uniq = models.UniqueIndex(
        "(gateway_id, kind, stripe_source_id) WHERE balance_transaction_id IS NULL",
        "This change of Stripe's balance has been taken already.",
    )
    _charge_uniq = models.UniqueIndex(
        "(gateway_id, stripe_source_id) WHERE kind = 'charge'",
        "This charge has been taken already.",
    )
    _transaction_idx = models.Index(
        "(balance_transaction_id) WHERE balance_transaction_id IS NOT NULL"
    )
    _source_idx = models.Index("(stripe_source_id)")
    _waiting_idx = models.Index("(gateway_id) WHERE state = 'to_post'")

    # === COMPUTE METHODS === #

    @api.depends("kind", "state")
    def _compute_can_rebook(self):
        for movement in self:
            movement.can_rebook = (
                movement.state in ("posted", "to_review")
                and movement.kind in REBOOKABLE_KINDS
            )

    # === ACTION METHODS === #

    def action_post(self):
        """Book these movements now, also those that were left out.

        :raise UserError: with the reason, if one single movement can't be booked.
        """
        self.check_access("read")
        self.env["checkout.link"].check_access("write")  # merchants, not who only reads
        errors = []
        for gateway, movements in self.grouped("gateway_id").items():
            gateway_sudo = gateway.sudo()  # merchants can't post
            errors += gateway_sudo._work_exclusively(movements._post_now)
        self.invalidate_recordset()
        if len(self) == 1 and errors:
            raise UserError(errors[0])

    def _post_now(self, gateway):
        """Book these movements of a gateway.

        :return: Why some of them can't be booked, if so.
        """
        waiting = self.with_env(gateway.env)._filter_bookable()
        waiting.write({"state": "to_post"})
        self.env["checkout.poster"].with_env(gateway.env)._post(waiting)
        return waiting.filtered("error").mapped("error")

    def action_view_move(self):
        """The journal entry of this movement, and those that booked it anew."""
        self.ensure_one()
        moves = self.move_id | self.rebooking_move_ids
        return moves._get_records_action(name=self.env._("Journal Entry"))

    def action_view_rebook_wizard(self):
        """Ask for the account and the taxes it should have been booked with."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Re-Book"),
            "res_model": "checkout.rebook.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_movement_id": self.id},
        }

    def action_rebook(self, account, taxes=None):
        """Book this movement on another account, or with other taxes.

        :param account.account account: Takes the amount without taxes.
        :param account.tax taxes: Those that are in the amount; none by default.
        :return: The general entry; the Stripe journal stays as it is.
        :raise AccessError: if the user isn't an accountant.
        :raise UserError: if it isn't booked, or is matched with other items.
        """
        self.ensure_one()
        self.check_access("read")
        self._check_may_rebook(account, taxes or self.env["account.tax"])
        move_id = self.gateway_id.sudo()._work_exclusively(  # under the poster's lock
            lambda gateway: self.with_env(gateway.env)._rebook(
                account.id, taxes.ids if taxes else []
            )
        )
        self.invalidate_recordset()
        return self.env["account.move"].browse(move_id)

    def _check_may_rebook(self, account, taxes):
        accountants = ("account.group_account_user", "account.group_account_manager")
        if not any(self.env.user.has_group(group) for group in accountants):
            raise AccessError(self.env._("Only accountants book a movement anew."))
        for records in (account, taxes):
            records.check_access("read")
            domain = records._check_company_domain(self.company_id)
            if records.filtered_domain(domain) != records:
                raise UserError(
                    self.env._(
                        "Choose an account and taxes of %s.", self.company_id.name
                    )
                )

    def _rebook(self, account_id, tax_ids):
        """:return: The id of the entry, since the caller's transaction is another."""
        account = self.env["account.account"].browse(account_id)
        taxes = self.env["account.tax"].browse(tax_ids)
        move = self.env["checkout.rebooking"]._rebook(self, account, taxes)
        move.message_post(
            body=self.env._("Re-booked from %s.", self.move_id._get_html_link())
        )
        return move.id

    # === BUSINESS METHODS - CHARGES === #

    @api.model
    def _ensure_charge(self, payment, charge):
        """The movements of a charge: what was paid and, once Stripe tells, its fee.

        :param checkout.payment payment: Whose charge it is.
        :param dict charge: A charge with its balance transactions, if it has any.
        """
        movement = self._find_charge(payment, charge) or self.create(
            self._prepare_charge_vals(payment, charge)
        )
        if charge["balance_transaction"]:
            movement._set_transaction(charge["balance_transaction"])
        self._ensure_transactions(payment.gateway_id, charge, payment)

    @api.model
    def _find_charge(self, payment, charge):
        return self.search(
            [
                ("gateway_id", "in", payment.gateway_id._get_siblings().ids),
                ("kind", "=", "charge"),
                ("stripe_source_id", "=", charge["id"]),
            ]
        )

    @api.model
    def _prepare_charge_vals(self, payment, charge):
        """A charge in the journal's currency is worth its face; another waits for
        Stripe.
        """
        gateway, currency = payment.gateway_id, self._get_currency(charge["currency"])
        amount = from_minor(charge["amount"], currency.name)
        return {
            **self._prepare_common_vals(gateway, payment),
            "kind": "charge",
            "amount": amount if gateway._settles(currency) else 0,
            "currency_id": gateway.currency_id.id,
            "source_amount": amount,
            "source_currency_id": currency.id,
            "occurred_at": self._to_datetime(charge["created"]),
            "stripe_source_id": charge["id"],
        }

    def _set_transaction(self, transaction):
        """Stripe's own record of the charge is known: what it settled for is certain.

        A charge that settled in another currency than was thought goes to the gateway
        of that currency.
        """
        if self.balance_transaction_id:
            return
        self.balance_transaction_id = transaction["id"]
        currency = self._get_currency(transaction["currency"])
        amount = from_minor(transaction["amount"], currency.name)
        if self.state in ("to_post", "skipped"):
            home = self.gateway_id._find_home(currency)
            self.write(
                {"gateway_id": home.id, "amount": amount, "currency_id": currency.id}
            )
        elif currency != self.currency_id or currency.compare_amounts(
            amount, self.amount
        ):
            self._set_waiting(self._describe_other_settlement(amount, currency))

    def _describe_other_settlement(self, amount, currency):
        return self.env._(
            "Stripe settled this for %s. The entry says otherwise: correct it by hand.",
            currency.format(amount),
        )

    # === BUSINESS METHODS - BALANCE TRANSACTIONS === #

    @api.model
    def _ensure_transactions(self, gateway, source, payment):
        """The movements of an object of Stripe's, and of its taking back if it failed.

        :param dict source: A charge, refund or payout with expanded transactions.
        :param checkout.payment payment: Whose it is; empty for a payout.
        """
        for name in ("balance_transaction", "failure_balance_transaction"):
            if source.get(name):
                self._ensure_transaction(gateway, source[name], source, payment)

    @api.model
    def _ensure_transaction(self, gateway, transaction, source, payment):
        """The movements of one balance transaction: what moved, and Stripe's fee on it.

        https://docs.stripe.com/api/balance_transactions/object

        :param checkout.gateway gateway: Any gateway of the account.
        :param dict transaction: The balance transaction.
        :param dict source: The object behind it, or nothing.
        :param checkout.payment payment: Whose it is; empty if nobody's, or not ours.
        :return: The movements that are new.
        """
        home = gateway._find_home(self._get_currency(transaction["currency"]))
        if not payment and home._is_before(transaction):
            return self
        vals_list = [self._prepare_main_vals(home, transaction, source, payment)]
        if transaction["fee"] and vals_list[0]["kind"] not in FEE_KINDS:
            vals_list.append(self._prepare_fee_vals(vals_list[0], transaction))
        known = set(self._find_by_transaction(transaction).mapped("kind"))
        return self.create(
            [vals for vals in vals_list if vals["kind"] not in known and vals["amount"]]
        )

    @api.model
    def _find_by_transaction(self, transaction):
        return self.search([("balance_transaction_id", "=", transaction["id"])])

    @api.model
    def _prepare_main_vals(self, gateway, transaction, source, payment):
        kind = self._get_kind(transaction, source)
        currency = self._get_currency(transaction["currency"])
        moved = transaction["net" if kind in FEE_KINDS else "amount"]
        is_foreign = self._is_of_others(source, payment)
        return {
            **self._prepare_common_vals(gateway, payment, is_foreign),
            **self._prepare_source_vals(source, moved),
            "kind": kind,
            "amount": from_minor(moved, currency.name),
            "currency_id": currency.id,
            "tax_amount": self._get_fee_tax(transaction) if kind in FEE_KINDS else 0,
            "occurred_at": self._get_moment(kind, transaction, source),
            "stripe_source_id": source["id"] if source else transaction["id"],
            "balance_transaction_id": transaction["id"],
        }

    @api.model
    def _get_kind(self, transaction, source):
        category = transaction["reporting_category"]
        kind = KIND_BY_CATEGORY.get(category, "adjustment")
        of_dispute = bool(source) and source["object"] == "dispute"
        return "dispute_fee" if kind == "fee" and of_dispute else kind

    @api.model
    def _get_moment(self, kind, transaction, source):
        """A charge is of the moment it was made, all else of that it was entered."""
        dated = source if source and kind == "charge" else transaction
        return self._to_datetime(dated["created"])

    @api.model
    def _is_unlisted(self, transaction, source):
        """Whether a balance transaction may lack in the lists of the object it is of.

        A dispute lists two at most; fees and adjustments only point to their object.
        https://docs.stripe.com/api/disputes/object#dispute_object-balance_transactions
        """
        kind = self._get_kind(transaction, source)
        return source["object"] == "dispute" or kind in ("fee", "adjustment")

    @api.model
    def _is_of_others(self, source, payment):
        """Whether money is some customer's, but of no payment that we know."""
        return bool(source) and not payment and source["object"] in PAYMENT_SOURCES

    @api.model
    def _prepare_source_vals(self, source, moved):
        """What the payer knows the movement as: in the currency that was paid in."""
        if not source or source["object"] not in PAYMENT_SOURCES:
            return {}
        currency = self._get_currency(source["currency"])
        amount = from_minor(source["amount"], currency.name)
        return {
            "source_amount": amount if moved > 0 else -amount,
            "source_currency_id": currency.id,
        }

    @api.model
    def _prepare_fee_vals(self, main_vals, transaction):
        """The fee beside what moved; one that Stripe gives back is negative there."""
        currency = self._get_currency(transaction["currency"])
        is_dispute = main_vals["kind"] in ("dispute", "dispute_reversal")
        return {
            **main_vals,
            "kind": "dispute_fee" if is_dispute else "fee",
            "occurred_at": self._to_datetime(transaction["created"]),
            "amount": -from_minor(transaction["fee"], currency.name),
            "tax_amount": self._get_fee_tax(transaction),
            "source_amount": 0,
            "source_currency_id": False,
        }

    @api.model
    def _get_fee_tax(self, transaction):
        """The tax in a fee, as Stripe itemises it; all of it if it's nothing else.

        https://docs.stripe.com/api/balance_transactions/object#balance_transaction_object-fee_details
        """
        taxes = [d["amount"] for d in transaction["fee_details"] if d["type"] == "tax"]
        if transaction["reporting_category"] == "tax":
            taxes = [-transaction["amount"]]
        return from_minor(sum(taxes), transaction["currency"].upper())

    @api.model
    def _prepare_common_vals(self, gateway, payment, is_foreign=False):
        left_out = is_foreign and gateway.foreign_movements == "skip"
        return {
            "gateway_id": gateway.id,
            "company_id": (payment or gateway).company_id.id,
            "payment_id": payment.id,
            "is_foreign": is_foreign,
            "state": "to_post" if gateway.post_entries and not left_out else "skipped",
        }

    # === BUSINESS METHODS - WITHOUT A BALANCE TRANSACTION === #

    @api.model
    def _set_loss(self, dispute, closed_at):
        """A lost dispute: no money moves any more, but now it is gone for good.

        One that was lost and won before anybody booked it was never lost. One that was
        lost, won and lost again is lost anew.

        :param int closed_at: When it was lost.
        """
        movements = self._find_of_dispute(dispute)
        withdrawal = movements.filtered(lambda m: m.kind == "dispute").sorted("id")[-1:]
        losses = movements.filtered(lambda m: m.kind == "dispute_loss")
        if not dispute._get_lost_amount():
            losses.filtered(lambda m: not m.move_id).unlink()
        elif all(loss.id < withdrawal.id for loss in losses):
            vals = self._prepare_loss_vals(dispute, withdrawal, closed_at)
            again = {"balance_transaction_id": withdrawal.balance_transaction_id}
            self.create({**vals, **again} if losses else vals)

    @api.model
    def _prepare_loss_vals(self, dispute, withdrawal, closed_at):
        return {
            **self._prepare_common_vals(withdrawal.gateway_id, dispute.payment_id),
            "stripe_source_id": dispute.stripe_id,
            "kind": "dispute_loss",
            "currency_id": withdrawal.currency_id.id,
            "source_amount": -dispute.amount,
            "source_currency_id": dispute.currency_id.id,
            "occurred_at": self._to_datetime(closed_at),
        }

    @api.model
    def _find_of_dispute(self, dispute):
        """The movements of a dispute that hold its money, or let go of it, in order."""
        return self.search(
            [
                ("gateway_id", "in", dispute.gateway_id._get_siblings().ids),
                ("stripe_source_id", "=", dispute.stripe_id),
                ("kind", "in", DISPUTE_KINDS),
            ],
            order="occurred_at, id",
        )

    def _returns_all_withheld(self):
        """Whether a dispute's money came back in another currency than it was paid in:
        only rates can tell how much of it then, so it is all.
        """
        is_foreign = self.env["checkout.entry.dispute"]._is_foreign(self)
        return self.kind == "dispute_reversal" and is_foreign

    @api.model
    def _ensure_opening(self, gateway, balance, transaction_ids):
        """The balance that Stripe held before this gateway began to book, less what is
        in it of payments that are booked one by one.

        :param float balance: Stripe's balance then, in the gateway's currency.
        :param list transaction_ids: The balance transactions since.
        """
        if self._find_source(gateway, "opening", "opening"):
            return
        amount = balance - self._sum_settled_before(gateway, transaction_ids)
        if gateway.currency_id.is_zero(amount):
            return
        self.create(
            {
                **self._prepare_common_vals(gateway, self.env["checkout.payment"]),
                "kind": "opening",
                "amount": amount,
                "currency_id": gateway.currency_id.id,
                "occurred_at": gateway.sync_from,
                "stripe_source_id": "opening",
            }
        )

    @api.model
    def _sum_settled_before(self, gateway, transaction_ids):
        """What movements of other balance transactions moved."""
        [[total]] = self._read_group(
            [
                ("gateway_id", "=", gateway.id),
                ("balance_transaction_id", "!=", False),
                ("balance_transaction_id", "not in", transaction_ids),
            ],
            aggregates=["amount:sum"],
        )
        return total

    @api.model
    def _find_source(self, gateway, kind, source_id):
        return self.search(
            [
                ("gateway_id", "=", gateway.id),
                ("kind", "=", kind),
                ("stripe_source_id", "=", source_id),
            ]
        )

    # === BUSINESS METHODS - STATES === #

    def _set_never_happened(self):
        """A bank debit that failed before it was booked: it and its taking back are
        left out together.
        """
        charges = self.filtered(lambda m: m.kind in ("charge", "charge_failure"))
        if set(charges.mapped("state")) <= {"to_post", "skipped"}:
            charges.write({"state": "skipped", "error": False})

    def _filter_bookable(self):
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

    def _set_rebooked(self, move, lines):
        """:param account.move move: The entry that booked it anew.
        :param account.move.line lines: Those of its items that are now in force.
        """
        self.write(
            {
                "state": "posted",
                "rebooking_move_ids": [Command.link(move.id)],
                "rebooked_line_ids": [Command.set(lines.ids)],
            }
        )

    def _set_waiting(self, reason):
        """:param str reason: What a person has to mend, in their words."""
        if self.error != reason:
            self.error = reason

    # === HELPERS === #

    def _get_local_date(self):
        """The day on which it happened, where the merchant is."""
        moment = self.occurred_at.replace(tzinfo=timezone.utc)
        return moment.astimezone(ZoneInfo(self.gateway_id.tz)).date()

    def _get_booked_lines(self):
        """The journal items that say what the money was, as they are in force: without
        the liquidity item, and those of a re-booking where there is one.
        """
        return self.env["account.move.line"].union(
            *(movement._get_own_booked_lines() for movement in self)
        )

    def _get_own_booked_lines(self):
        liquidity = self.gateway_id.journal_id.default_account_id
        return self.rebooked_line_ids or self.move_id.line_ids.filtered(
            lambda line: line.account_id != liquidity
        )

    def _get_same_source(self):
        """The movements of the same object of Stripe's, this one among them."""
        return self.search(
            [
                ("gateway_id", "in", self.gateway_id._get_siblings().ids),
                ("stripe_source_id", "=", self.stripe_source_id),
            ]
        )

    def _get_label(self):
        """What a journal item says: what moved, for what, and Stripe's id."""
        kind = dict(self._fields["kind"]._description_selection(self.env))[self.kind]
        parts = (kind, self.payment_id.link_name, self.payment_id.name)
        return " · ".join(filter(None, (*parts, self.stripe_source_id)))
