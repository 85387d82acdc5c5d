from odoo import api, models
from odoo.exceptions import UserError

from ...kinds import FEE_KINDS, KINDS


def has_analytics(account):
    """Whether analytics count what is on an account: income or an expense."""
    return account.internal_group in ("income", "expense")


def filter_base(lines):
    """The item that says what the money of a Stripe transaction was, taxes aside."""
    return lines.filtered(lambda line: not line.tax_repartition_line_id)[:1]


class CheckoutEntry(models.AbstractModel):
    """What the journal items of a movement are, by its kind.

    Each `_prepare_<kind>_items(movement, value)` answers what stands against the
    liquidity item; `value` is the movement in company currency, signed. A `UserError`
    says what is missing: the movement then waits.
    """

    _name = "checkout.entry"
    _description = "Stripe Transaction Entry"

    # === BUSINESS METHODS === #

    @api.model
    def _prepare_items(self, movement):
        """All journal items of a movement.

        :raise UserError: if something that the entry needs is missing.
        """
        self._check_settled(movement)
        self._check_exact(movement)
        value = self._get_company_value(movement)
        # One of `_prepare_charge_items`, `_prepare_fee_items` … `test_kinds` sees to it
        # that there is one for each kind.
        name = "review" if self._is_for_review(movement) else movement.kind
        others = getattr(self, f"_prepare_{name}_items")(movement, value)
        if not movement.amount:
            return others
        return [self._prepare_liquidity_item(movement, value), *others]

    @api.model
    def _is_for_review(self, movement):
        """Whether only a person can say what a movement is about."""
        return movement.is_third_party or KINDS[movement.kind].for_review

    @api.model
    def _is_in_source_currency(self, movement):
        """Whether it was paid in another currency than the journal's."""
        source = movement.source_currency_id
        return (
            bool(source)
            and source != movement.currency_id
            and KINDS[movement.kind].in_source_currency
            and not self._is_for_review(movement)
        )

    @api.model
    def _check_settled(self, movement):
        unknown = self._is_in_source_currency(movement) or not movement.amount
        if (
            unknown
            and KINDS[movement.kind].moves_balance
            and not movement.balance_transaction_id
        ):
            raise UserError(
                self.env._(
                    "Waiting for Stripe to report the settled amount of this charge."
                )
            )

    @api.model
    def _uses_source_amount(self, movement):
        kind = KINDS[movement.kind]
        is_used = kind.in_source_currency or not kind.moves_balance
        return is_used and not self._is_for_review(movement)

    @api.model
    def _check_exact(self, movement):
        """:raise UserError: if Odoo would round an amount of Stripe's in the entry."""
        amounts = [
            (movement.currency_id, movement.amount),
            (movement.currency_id, movement.tax_amount),
        ]
        if self._uses_source_amount(movement):
            amounts.append((movement.source_currency_id, movement.source_amount))
        for currency, amount in amounts:
            if currency._rounds_away(amount):
                raise UserError(currency._describe_coarse())

    @api.model
    def _get_company_value(self, movement) -> float:
        """What a movement is worth; just its price where that is in company currency,
        since Stripe has said what that price settled for.

        :raise UserError: if there is no rate for it.
        """
        company = movement.company_id
        source = movement.source_currency_id
        if source == company.currency_id and self._is_in_source_currency(movement):
            return movement.source_amount
        return self.env["checkout.rate"]._convert(
            movement.amount,
            movement.currency_id,
            company,
            movement._get_local_date(),
        )

    @api.model
    def _prepare_liquidity_item(self, movement, value: float):
        return {
            "name": movement._get_label(),
            "account_id": movement.gateway_id.journal_id.default_account_id.id,
            "partner_id": self._get_partner(movement).id,
            "currency_id": movement.currency_id.id,
            "amount_currency": movement.amount,
            "balance": value,
        }

    # === CHARGES === #

    @api.model
    def _prepare_charge_items(self, movement, value: float):
        """Revenue and tax, or the customer's account: by what was frozen."""
        payment = movement.payment_id
        if payment.state == "processing":
            raise UserError(
                self.env._("Waiting for the customer's bank to confirm the payment.")
            )
        if payment.credit_to == "receivable":
            return [self._prepare_receivable_item(movement, value)]
        if not self._get_income_account(payment):
            raise UserError(
                self.env._("There is no income account. Choose one on the gateway.")
            )
        return self.env["checkout.entry.tax"]._prepare_sale_items(
            self._prepare_source_item(movement, value), movement
        )

    @api.model
    def _get_income_account(self, payment):
        """The payment's own; where it has none, what its link or gateway has now.

        Hook for other addons.

        :return: An `account.account`; empty if there is none, and the entry waits.
        """
        return (
            payment.income_account_id
            or payment.link_id.income_account_id
            or payment.gateway_id.income_account_id
        )

    @api.model
    def _prepare_receivable_item(self, movement, value: float):
        """What the customer paid, as a credit on their account.

        :raise UserError: if there is no account for it.
        """
        payment = movement.payment_id
        account = self._get_receivable_account(payment)
        if not account:
            raise UserError(
                self.env._(
                    "No customer is set for this receivable. Choose a receivable "
                    "account on the gateway for customers without a contact."
                )
            )
        return {
            **self._prepare_source_item(movement, value),
            "account_id": account.id,
            "partner_id": payment.partner_id.commercial_partner_id.id,
        }

    @api.model
    def _get_receivable_account(self, payment):
        """What the customer owes is on, mapped like that of an invoice."""
        account = (
            payment.receivable_account_id
            or self._get_own_receivable(payment)
            or payment.gateway_id.receivable_account_id
        )
        return payment.fiscal_position_id.map_account(account)

    @api.model
    def _get_own_receivable(self, payment):
        """The receivable account of the payment's contact, before any mapping."""
        partner = payment.partner_id.commercial_partner_id
        return partner.with_company(payment.company_id).property_account_receivable_id

    # === FEES === #

    @api.model
    def _prepare_fee_items(self, movement, value: float):
        """The fee, an expense, with the gateway's taxes in it."""
        gateway = movement.gateway_id
        if not gateway.fee_account_id:
            raise UserError(
                self.env._(
                    "There is no account for Stripe's fees. Choose one on the gateway."
                )
            )
        item = {
            **self._prepare_settled_item(movement, value, gateway.fee_account_id),
            **self._prepare_fee_analytics(movement),
            "partner_id": self._get_partner(movement).id,
        }
        return self.env["checkout.entry.tax"]._prepare_fee_items(item, movement)

    @api.model
    def _prepare_fee_analytics(self, movement):
        """The link's distribution, if fees take it; else Odoo's models decide."""
        gateway = movement.gateway_id
        distribution = movement.payment_id.analytic_distribution
        is_taken = gateway.fee_analytics and has_analytics(gateway.fee_account_id)
        if not distribution or not is_taken:
            return {}
        return {"analytic_distribution": distribution}

    @api.model
    def _prepare_dispute_fee_items(self, movement, value: float):
        return self._prepare_fee_items(movement, value)

    # === MONEY GOING BACK === #

    @api.model
    def _prepare_refund_items(self, movement, value: float):
        return self.env["checkout.entry.reversal"]._prepare_items(
            movement, -movement.source_amount, value
        )

    @api.model
    def _prepare_charge_failure_items(self, movement, value: float):
        return self._prepare_refund_items(movement, value)

    @api.model
    def _prepare_refund_failure_items(self, movement, value: float):
        return self.env["checkout.entry.reversal"]._prepare_failure_items(
            movement, value
        )

    # === DISPUTES === #

    @api.model
    def _prepare_dispute_items(self, movement, value: float):
        """What Stripe withholds waits until the dispute is decided."""
        account = movement.gateway_id.dispute_account_id
        if not account:
            raise UserError(
                self.env._(
                    "There is no account for disputes. Choose one on the gateway."
                )
            )
        dispute = self.env["checkout.entry.dispute"]
        return [dispute._prepare_item(movement, account, -movement.amount, -value)]

    @api.model
    def _prepare_dispute_reversal_items(self, movement, value: float):
        return self.env["checkout.entry.dispute"]._prepare_reversal_items(
            movement, value
        )

    @api.model
    def _prepare_dispute_loss_items(self, movement, _value):
        return self.env["checkout.entry.dispute"]._prepare_loss_items(movement)

    # === PAYOUTS === #

    @api.model
    def _prepare_payout_items(self, movement, value: float):
        """On its way between Stripe and the bank, for just what arrives there."""
        account = movement.gateway_id.transfer_account_id
        if not account:
            raise UserError(
                self.env._("There is no transfer account. Choose one on the gateway.")
            )
        return [self._prepare_settled_item(movement, value, account)]

    @api.model
    def _prepare_payout_failure_items(self, movement, value: float):
        """Back from where it was on its way."""
        sent = movement._get_same_source().filtered(lambda m: m.kind == "payout")
        account = sent._get_posted_lines().account_id[:1]
        if not account:
            return self._prepare_payout_items(movement, value)
        return [self._prepare_settled_item(movement, value, account)]

    # === REVIEW === #

    @api.model
    def _prepare_review_items(self, movement, value: float):
        account = movement.gateway_id.review_account_id
        if not account:
            raise UserError(
                self.env._("There is no review account. Choose one on the gateway.")
            )
        return [self._prepare_settled_item(movement, value, account)]

    # === HELPERS === #

    @api.model
    def _get_partner(self, movement):
        """The contact of a bank line: Stripe for a fee, else who paid."""
        if movement.kind in FEE_KINDS:
            return movement.gateway_id.fee_partner_id
        return movement.payment_id.partner_id

    @api.model
    def _get_partner_name(self, movement):
        if movement.kind in FEE_KINDS:
            return movement.gateway_id.fee_partner_id.name or "Stripe"
        return movement.payment_id.customer_name

    @api.model
    def _prepare_source_item(self, movement, value: float):
        """One item against the liquidity item, in the currency that was paid in."""
        return {
            "name": movement._get_label(),
            "currency_id": movement.source_currency_id.id,
            "amount_currency": -movement.source_amount,
            "balance": -value,
        }

    @api.model
    def _prepare_settled_item(self, movement, value: float, account):
        """One item against the liquidity item, in the currency of the balance."""
        return {
            "name": movement._get_label(),
            "account_id": account.id,
            "currency_id": movement.currency_id.id,
            "amount_currency": -movement.amount,
            "balance": -value,
        }
