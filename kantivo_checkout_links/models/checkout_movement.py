from odoo import api, fields, models
from odoo.exceptions import UserError

from ..money import from_minor


class CheckoutMovement(models.Model):
    """One change of the Stripe balance, and the entry that books it."""

    _name = "checkout.movement"
    _description = "Stripe Movement"
    _order = "occurred_at desc, id desc"
    _rec_name = "stripe_source_id"
    _check_company_auto = True

    gateway_id = fields.Many2one(
        "checkout.gateway", required=True, index=True, ondelete="restrict", readonly=True
    )
    company_id = fields.Many2one("res.company", required=True, index=True, readonly=True)
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
    occurred_at = fields.Datetime("Date", required=True, readonly=True, index=True)
    stripe_source_id = fields.Char("Stripe Object", required=True, readonly=True)
    balance_transaction_id = fields.Char("Balance Transaction", readonly=True)
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
    _waiting_idx = models.Index("(gateway_id) WHERE state = 'to_post'")

    # === ACTION METHODS === #

    def action_post(self):
        """Book these movements now, also those that were left out.

        :raise UserError: with the reason, if one single movement can't be booked.
        """
        self.check_access("read")
        self.env["checkout.link"].check_access("write")  # merchants, not who only reads
        for gateway, movements in self.grouped("gateway_id").items():
            with gateway.sudo()._exclusive() as gateway_sudo:  # merchants can't post
                waiting = movements.with_env(gateway_sudo.env)._filter_bookable()
                waiting.write({"state": "to_post"})
                gateway_sudo.env["checkout.poster"]._post(waiting)
        self.invalidate_recordset()
        if len(self) == 1 and self.error:
            raise UserError(self.error)

    def action_view_move(self):
        """The journal entry of this movement."""
        self.ensure_one()
        return self.move_id._get_records_action(name=self.env._("Journal Entry"))

    # === BUSINESS METHODS === #

    @api.model
    def _ensure_charge(self, payment, charge):
        """The movements of a charge: what was paid and, once Stripe tells, its fee.

        :param checkout.payment payment: Whose charge it is.
        :param dict charge: A charge with its balance transaction, if there is one.
        """
        movements = self._find_charge(payment, charge) or self.create(
            self._prepare_charge_vals(payment, charge)
        )
        transaction = charge["balance_transaction"]
        if not transaction:
            return
        movements._set_transaction(transaction)
        if transaction["fee"] and not self._find_fee(payment.gateway_id, transaction):
            self.create(self._prepare_fee_vals(payment, transaction))

    @api.model
    def _find_charge(self, payment, charge):
        return self.search(
            [
                ("gateway_id", "=", payment.gateway_id.id),
                ("kind", "=", "charge"),
                ("stripe_source_id", "=", charge["id"]),
            ]
        )

    @api.model
    def _find_fee(self, gateway, transaction):
        return self.search_count(
            [
                ("gateway_id", "=", gateway.id),
                ("kind", "=", "fee"),
                ("balance_transaction_id", "=", transaction["id"]),
            ],
            limit=1,
        )

    @api.model
    def _prepare_charge_vals(self, payment, charge):
        """A charge in the journal's currency is worth its face; another waits for Stripe."""
        currency = payment._get_currency(charge["currency"])
        amount = from_minor(charge["amount"], currency.name)
        same = currency == payment.gateway_id.currency_id
        return {
            **self._prepare_common_vals(payment),
            "kind": "charge",
            "amount": amount if same else 0,
            "source_amount": amount,
            "source_currency_id": currency.id,
            "occurred_at": payment._to_datetime(charge["created"]),
            "stripe_source_id": charge["id"],
        }

    @api.model
    def _prepare_fee_vals(self, payment, transaction):
        currency = payment._get_currency(transaction["currency"])
        return {
            **self._prepare_common_vals(payment),
            "kind": "fee",
            "amount": -from_minor(transaction["fee"], currency.name),
            "currency_id": currency.id,
            "occurred_at": payment._to_datetime(transaction["created"]),
            "stripe_source_id": transaction["source"],
            "balance_transaction_id": transaction["id"],
        }

    @api.model
    def _prepare_common_vals(self, payment):
        gateway = payment.gateway_id
        return {
            "gateway_id": gateway.id,
            "company_id": payment.company_id.id,
            "payment_id": payment.id,
            "currency_id": gateway.currency_id.id,
            "state": "to_post" if gateway.post_entries else "skipped",
        }

    def _set_transaction(self, transaction):
        """Stripe's own record of the movement is known: what it settled for is certain."""
        currency = self.payment_id._get_currency(transaction["currency"])
        if self.balance_transaction_id:
            return
        self.balance_transaction_id = transaction["id"]
        if self.state in ("to_post", "skipped"):
            self.write(
                {
                    "amount": from_minor(transaction["amount"], currency.name),
                    "currency_id": currency.id,
                }
            )

    def _filter_bookable(self):
        return self.filtered(lambda m: m.state in ("to_post", "skipped"))

    def _set_posted(self, statement_line):
        self.write(
            {
                "state": "posted",
                "error": False,
                "statement_line_id": statement_line.id,
                "move_id": statement_line.move_id.id,
            }
        )

    def _set_waiting(self, reason):
        """:param str reason: What a person has to mend, in their words."""
        if self.error != reason:
            self.error = reason

    # === HELPERS === #

    def _get_label(self):
        """What a journal item says: what moved, for what, and Stripe's id."""
        kind = dict(self._fields["kind"]._description_selection(self.env))[self.kind]
        parts = (kind, self.payment_id.link_name, self.payment_id.name)
        return " · ".join(filter(None, (*parts, self.stripe_source_id)))
