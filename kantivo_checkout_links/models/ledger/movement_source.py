from odoo import api, models

from ...kinds import DISPUTE_KINDS, FEE_KINDS, KIND_BY_CATEGORY, KINDS, OTHER_KIND
from ...money import differs, from_minor
from ...utils import to_datetime

# Kinds that are about one payment, by what they are about.
PAYMENT_SOURCES = ("charge", "refund", "dispute")


class CheckoutMovement(models.Model):
    """How the movements come to be: what Stripe's objects say of its balance."""

    _inherit = "checkout.movement"

    # === BUSINESS METHODS - CHARGES === #

    @api.model
    def _ensure_charge(self, payment, charge: dict):
        """The movements of a charge: what was paid and, once it is known, its fee.

        :param checkout.payment payment: Whose charge it is.
        :param dict charge: A charge with its balance transactions, if it has any.
        """
        transaction = charge["balance_transaction"]
        movement = self._find_charge(payment, charge)
        if not movement and not self._is_settled_charge(transaction, charge):
            movement = self.create(self._prepare_charge_vals(payment, charge))
        if movement and transaction:
            movement._set_transaction(transaction)
        self._ensure_transactions(payment.gateway_id, charge, payment)

    @api.model
    def _is_settled_charge(self, transaction: dict | None, charge: dict):
        """Whether a balance transaction says all of its charge, which is then created
        together with its fee.
        """
        is_charge = transaction and self._get_kind(transaction, charge) == "charge"
        return bool(is_charge and transaction["amount"])

    @api.model
    def _find_charge(self, payment, charge: dict):
        return self.search(
            [
                ("gateway_id", "in", payment.gateway_id._get_account_gateways().ids),
                ("kind", "=", "charge"),
                ("stripe_source_id", "=", charge["id"]),
            ]
        )

    @api.model
    def _prepare_charge_vals(self, payment, charge: dict):
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
            "occurred_at": to_datetime(charge["created"]),
            "stripe_source_id": charge["id"],
        }

    def _set_transaction(self, transaction: dict):
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
            target = self.gateway_id._get_gateway_for(currency)
            self.write(
                {
                    "gateway_id": target.id,
                    "amount": amount,
                    "currency_id": currency.id,
                    "error": False,  # it was only this that it waited for
                }
            )
        elif currency != self.currency_id or differs(amount, self.amount):
            self._set_waiting(self._describe_other_settlement(amount, currency))

    def _describe_other_settlement(self, amount: float, currency):
        return self.env._(
            "Stripe settled this for %s, but the entry has a different amount. Correct "
            "it manually.",
            currency.format(amount),
        )

    # === BUSINESS METHODS - BALANCE TRANSACTIONS === #

    @api.model
    def _ensure_transactions(self, gateway, source: dict | None, payment):
        """The movements of an object of Stripe's, and of its taking back if it failed.

        :param dict source: A charge, refund or payout with expanded transactions.
        :param checkout.payment payment: Whose it is; empty for a payout.
        """
        for name in ("balance_transaction", "failure_balance_transaction"):
            if source.get(name):
                self._ensure_transaction(gateway, source[name], source, payment)

    @api.model
    def _ensure_transaction(
        self, gateway, transaction: dict, source: dict | None, payment
    ):
        """The movements of one balance transaction: what moved, and Stripe's fee on it.

        An object is read again, also much later. A movement is known by its kind, too:
        one whose kind differs by then, as by a new row in `KINDS`, is made again.

        https://docs.stripe.com/api/balance_transactions/object

        :param checkout.gateway gateway: Any gateway of the account.
        :param dict transaction: The balance transaction.
        :param dict source: The object behind it, or nothing.
        :param checkout.payment payment: Whose it is; empty if it isn't one of ours.
        :return: The movements that are new.
        """
        target = gateway._get_gateway_for(self._get_currency(transaction["currency"]))
        if not payment and target._is_before(transaction):
            return self
        vals_list = [self._prepare_main_vals(target, transaction, source, payment)]
        if transaction["fee"] and vals_list[0]["kind"] not in FEE_KINDS:
            vals_list.append(self._prepare_fee_vals(vals_list[0], transaction))
        known = self.search([("balance_transaction_id", "=", transaction["id"])])
        known_kinds = known.mapped("kind")
        return self.create(
            [v for v in vals_list if v["kind"] not in known_kinds and v["amount"]]
        )

    @api.model
    def _ensure_listed(self, gateway, transaction: dict, source: dict | None, payment):
        """The movements of a balance transaction that its object didn't lead to. Of a
        payment that isn't known to be paid, they wait for that.

        :param dict source: The object behind it, a payout or one of the payment.
        """
        if source["object"] != "payout" and not payment.paid_at:
            return
        if self._get_kind(transaction, source) == "charge":
            listed = {"failure_balance_transaction": None}
            listed["balance_transaction"] = transaction
            self._ensure_charge(payment, {**source, **listed})
        else:
            self._ensure_transaction(gateway, transaction, source, payment)

    @api.model
    def _prepare_main_vals(
        self, gateway, transaction: dict, source: dict | None, payment
    ):
        """What moved, without the fee that Stripe took from it.

        :param dict transaction: A balance transaction; amounts in minor units, signed.
        :param dict source: The object behind it, or nothing.
        :return: Values of a movement, in the gateway's currency, with the same sign.
        """
        kind = self._get_kind(transaction, source)
        currency = self._get_currency(transaction["currency"])
        moved = transaction["net" if kind in FEE_KINDS else "amount"]
        is_third_party = self._is_third_party(source, payment)
        return {
            **self._prepare_common_vals(gateway, payment, is_third_party),
            **self._prepare_source_vals(source, moved),
            "kind": kind,
            "amount": from_minor(moved, currency.name),
            "currency_id": currency.id,
            "tax_amount": self._get_fee_tax(transaction) if kind in FEE_KINDS else 0,
            "occurred_at": self._get_moment(kind, transaction, source),
            "stripe_source_id": source["id"] if source else transaction["id"],
            "balance_transaction_id": transaction["id"],
            "trace_id": self.env["checkout.payout"]._get_trace_id(source),
        }

    @api.model
    def _get_kind(self, transaction: dict, source: dict | None):
        category = transaction["reporting_category"]
        kind = KIND_BY_CATEGORY.get(category, OTHER_KIND)
        of_dispute = bool(source) and source["object"] == "dispute"
        return "dispute_fee" if kind == "fee" and of_dispute else kind

    @api.model
    def _get_moment(self, kind, transaction: dict, source: dict | None):
        """A charge is of the moment it was made, all else of that it was entered."""
        dated = source if source and kind == "charge" else transaction
        return to_datetime(dated["created"])

    @api.model
    def _is_unlisted(self, transaction: dict, source: dict | None):
        """Whether a balance transaction may be missing in the lists of its object.

        A dispute lists two at most; fees and adjustments only point to their object.
        https://docs.stripe.com/api/disputes/object#dispute_object-balance_transactions
        """
        kind = KINDS[self._get_kind(transaction, source)]
        return source["object"] == "dispute" or kind.may_be_unlisted

    @api.model
    def _is_third_party(self, source: dict | None, payment):
        """Whether money is some customer's, but of no payment that we know."""
        return bool(source) and not payment and source["object"] in PAYMENT_SOURCES

    @api.model
    def _prepare_source_vals(self, source: dict | None, moved: int):
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
    def _prepare_fee_vals(self, main_vals, transaction: dict):
        """The fee beside what moved; one that Stripe gives back is negative there."""
        currency = self._get_currency(transaction["currency"])
        return {
            **main_vals,
            "kind": KINDS[main_vals["kind"]].fee_kind,
            "occurred_at": to_datetime(transaction["created"]),
            "amount": -from_minor(transaction["fee"], currency.name),
            "tax_amount": self._get_fee_tax(transaction),
            "source_amount": 0,
            "source_currency_id": False,
        }

    @api.model
    def _get_fee_tax(self, transaction: dict) -> float:
        """The tax in a fee, as Stripe itemizes it; all of it if it's nothing else.

        https://docs.stripe.com/api/balance_transactions/object#balance_transaction_object-fee_details
        """
        taxes = [d["amount"] for d in transaction["fee_details"] if d["type"] == "tax"]
        if transaction["reporting_category"] == "tax":
            taxes = [-transaction["amount"]]
        return from_minor(sum(taxes), transaction["currency"].upper())

    @api.model
    def _prepare_common_vals(self, gateway, payment, is_third_party=False):
        is_ignored = is_third_party and gateway.foreign_movements == "skip"
        is_posted = gateway.post_entries and not is_ignored
        return {
            "gateway_id": gateway.id,
            "company_id": (payment or gateway).company_id.id,
            "payment_id": payment.id,
            "is_third_party": is_third_party,
            "state": "to_post" if is_posted else "skipped",
        }

    # === BUSINESS METHODS - WITHOUT A BALANCE TRANSACTION === #

    @api.model
    def _set_loss(self, dispute, lost_amount: float, closed_at):
        """A lost dispute: no more money moves, but what was withheld is lost now.

        One that was lost and won before it was posted was never lost. One that was
        lost, won and lost again is lost again.

        :param float lost_amount: Of what was withheld, in the balance's currency.
        :param int closed_at: When it was decided, if Stripe has said so.
        """
        movements = self._find_of_dispute(dispute)
        withdrawal = movements.filtered(lambda m: m.kind == "dispute").sorted("id")[-1:]
        losses = movements.filtered(lambda m: m.kind == "dispute_loss")
        if not lost_amount:
            losses.filtered(lambda m: not m.move_id).unlink()
        elif all(loss.id < withdrawal.id for loss in losses):
            moment = movements._get_closing(dispute, closed_at)
            vals = self._prepare_loss_vals(dispute, withdrawal, moment)
            again = {"balance_transaction_id": withdrawal.balance_transaction_id}
            self.create({**vals, **again} if losses else vals)

    @api.model
    def _prepare_loss_vals(self, dispute, withdrawal, moment):
        return {
            **self._prepare_common_vals(withdrawal.gateway_id, dispute.payment_id),
            "stripe_source_id": dispute.stripe_id,
            "kind": "dispute_loss",
            "currency_id": withdrawal.currency_id.id,
            "source_amount": -dispute.amount,
            "source_currency_id": dispute.currency_id.id,
            "occurred_at": moment,
        }

    def _get_closing(self, dispute, closed_at):
        """When a dispute's money was lost: of one that was won, once a part was back.

        :param int closed_at: Stripe's timestamp, if it is known.
        """
        last = self[-1:].occurred_at
        closed = to_datetime(closed_at) if closed_at else last
        return max(closed, last) if dispute.state == "won" else closed

    @api.model
    def _find_of_refund(self, refund):
        """The movements of a refund, and of its coming back."""
        return refund.payment_id.movement_ids.filtered(
            lambda movement: (
                movement.stripe_source_id == refund.stripe_id
                and movement.kind in ("refund", "refund_failure")
            )
        )

    @api.model
    def _find_of_dispute(self, dispute):
        """The movements of a dispute that hold its money, or let go of it, in order."""
        return self.search(
            [
                ("gateway_id", "in", dispute.gateway_id._get_account_gateways().ids),
                ("stripe_source_id", "=", dispute.stripe_id),
                ("kind", "in", DISPUTE_KINDS),
            ],
            order="occurred_at, id",
        )

    def _returns_all_withheld(self):
        """Whether a dispute's money came back in another currency than it was paid in:
        only rates can say how much of it then, so it counts as all.
        """
        is_cross_currency = self.env["checkout.entry.dispute"]._is_cross_currency(self)
        return self.kind == "dispute_reversal" and is_cross_currency

    @api.model
    def _ensure_opening(self, gateway, balance: float, early_ids):
        """The balance that Stripe held before this gateway started, less what is in it
        of payments that are posted one by one.

        :param float balance: Stripe's balance then, in the gateway's currency.
        :param list early_ids: The balance transactions since whose objects are older.
        """
        if self._find_source(gateway, "opening", "opening"):
            return
        amount = balance - self._sum_settled_before(gateway, early_ids)
        if not differs(amount, 0):
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
    def _sum_settled_before(self, gateway, early_ids) -> float:
        """What movements moved by balance transactions from before the start."""
        [[total]] = self._read_group(
            [
                ("gateway_id", "=", gateway.id),
                ("currency_id", "=", gateway.currency_id.id),
                ("balance_transaction_id", "!=", False),
                ("occurred_at", "<", gateway.sync_from),
                ("balance_transaction_id", "not in", early_ids),
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
