from odoo import api, models
from odoo.exceptions import UserError

from ...kinds import DECIDING_KINDS, DISPUTE_KINDS
from .entry_reversal import is_owed, is_taxed


class CheckoutEntryDispute(models.AbstractModel):
    """Where the money of a dispute is: withheld, given back, or lost.

    A dispute may be lost after money was given back, and won after it was lost. So each
    entry looks at what is held on the disputes account, not at what was said last.
    """

    _name = "checkout.entry.dispute"
    _description = "Stripe Dispute Entry"

    # === BUSINESS METHODS === #

    @api.model
    def _prepare_reversal_items(self, movement, value: float):
        """Money comes back: out of what is withheld or, if that is lost, of the loss.

        :param float value: What comes back in company currency: positive.
        :raise UserError: if not all that was withheld is posted yet.
        """
        self._check_posted(movement, ("dispute",))
        held = self._get_held_lines(movement)
        is_held = not movement.currency_id.is_zero(sum(held.mapped("amount_currency")))
        lost = self._get_lost_lines(movement)
        if lost and not is_held:
            return self._prepare_recovered_items(movement, value, lost)
        if is_held and self._is_cross_currency(movement):
            release = self._prepare_release_items(movement, held)
            return [*release, *self._prepare_rest(movement, value, release)]
        account = held.account_id[-1:]
        return [self._prepare_item(movement, account, -movement.amount, -value)]

    @api.model
    def _prepare_loss_items(self, movement):
        """What is withheld is lost.

        :raise UserError: if not all that was withheld is posted yet, or more is lost
            than is left of the sale.
        """
        self._check_posted(movement, ("dispute", "dispute_reversal"))
        held = self._get_held_lines(movement)
        amount = sum(held.mapped("amount_currency"))
        value = sum(held.mapped("balance"))
        release = self._prepare_release_items(movement, held)
        return [*release, *self._prepare_lost_items(movement, amount, value)]

    @api.model
    def _prepare_tax_return_items(self, movement):
        """What is lost with its tax becomes a net loss, whose tax is taken back.

        :param checkout.movement movement: A loss that `_may_take_back_tax`.
        """
        lines = self._get_kept_lines(movement)
        amount = sum(lines.mapped("amount_currency"))
        value = sum(lines.mapped("balance"))
        if lines.currency_id != movement.source_currency_id:
            amount = -movement.source_amount
        reversal = self.env["checkout.entry.reversal"]
        mirror = reversal._prepare_part_mirror(lines, 1)
        account = lines.account_id[-1:]
        return [*mirror, *self._prepare_net_items(movement, account, amount, value)]

    # === MONEY THAT IS LOST === #

    @api.model
    def _prepare_lost_items(self, movement, amount: float, value: float):
        """A loss, with the tax in it or without, or the sale taken back like a refund.

        What was credited to the customer is owed again: writing it off is a decision.

        :param float amount: In the balance's currency: positive.
        :param float value: The same in company currency.
        """
        reversal, gateway = self.env["checkout.entry.reversal"], movement.gateway_id
        account = gateway.dispute_loss_account_id
        loss = self._prepare_item(movement, account, amount, value)
        if account and reversal._is_sale_skipped(movement):
            return [loss]
        sale = reversal._get_sale_lines(movement)
        paid = -movement.source_amount if self._is_cross_currency(movement) else amount
        if not account or reversal._is_on_receivable(sale):
            return reversal._prepare_items(movement, paid, -value)
        if gateway.dispute_tax == "take_back" and any(map(is_taxed, sale)):
            return self._prepare_net_items(movement, account, paid, value)
        return [loss]

    @api.model
    def _prepare_net_items(self, movement, account, amount: float, value: float):
        """The net amount is the loss, the tax is taken back; what goes beyond the sale,
        since a bank overlooked refunds, had no tax.

        :param account.account account: The general one of losses.
        :param float amount: In the currency that was paid in: positive.
        """
        reversal = self.env["checkout.entry.reversal"]
        sale = reversal._get_sale_lines(movement)
        net_account = movement.gateway_id._get_net_loss_account(account, sale.tax_ids)
        left = max(reversal._get_amount_left(movement, sale), 0)
        if movement.source_currency_id.compare_amounts(amount, left) <= 0:
            return reversal._prepare_items(movement, amount, -value, net_account)
        rest_value = movement.company_id.currency_id.round(value * (1 - left / amount))
        rest = {
            **self._prepare_item(movement, account, 0, rest_value),
            "currency_id": movement.source_currency_id.id,
            "amount_currency": movement.source_currency_id.round(amount - left),
        }
        if not left:
            return [rest]
        return [
            *reversal._prepare_items(movement, left, rest_value - value, net_account),
            rest,
        ]

    @api.model
    def _may_take_back_tax(self, movement):
        """Whether there is tax in what a movement lost, and in what is left of the
        sale.
        """
        reversal = self.env["checkout.entry.reversal"]
        lost = sum(self._get_kept_lines(movement).mapped("amount_currency"))
        if movement.currency_id.compare_amounts(lost, 0) <= 0:
            return False
        sale = reversal._find_sale_lines(movement)
        left = reversal._get_amount_left(movement, sale)
        is_left = movement.source_currency_id.compare_amounts(left, 0) > 0
        return is_left and any(map(is_taxed, sale))

    @api.model
    def _has_taken_back_tax(self, movement):
        """Whether the tax in what a movement lost is taken back, and not given back."""
        taxed = self._get_lost_lines(movement).filtered(is_taxed)
        return not movement.company_id.currency_id.is_zero(sum(taxed.mapped("balance")))

    @api.model
    def _get_kept_lines(self, movement):
        """The items that hold what a dispute lost together with the tax in it."""
        lost = self._get_lost_lines(movement)
        return lost.filtered(lambda line: not is_taxed(line) and not is_owed(line))

    @api.model
    def _get_lost_lines(self, movement):
        """The items that say what a dispute lost, and what of it came back."""
        others = movement._get_same_source()
        withheld = others.filtered(lambda m: m.kind == "dispute")
        holding = withheld._get_posted_lines().account_id
        decided = others.filtered(lambda m: m.kind in DECIDING_KINDS and m.move_id)
        reversal = self.env["checkout.entry.reversal"]
        lines = decided._get_posted_lines() - reversal._get_exchange_lines(decided)
        return lines.filtered(lambda line: line.account_id not in holding)

    # === MONEY THAT COMES BACK === #

    @api.model
    def _prepare_recovered_items(self, movement, value: float, lost):
        """A loss, or the sale that was taken back, turned around.

        In another currency than the customer's only rates can say how much of a loss
        came back, so it is all.
        """
        total, share = sum(lost.mapped("amount_currency")), 1
        if not self._is_cross_currency(movement) and total > movement.amount:
            share = movement.amount / total
        reversal = self.env["checkout.entry.reversal"]
        items = reversal._prepare_part_mirror(lost, share)
        return [*items, *self._prepare_rest(movement, value, items)]

    @api.model
    def _prepare_rest(self, movement, value: float, items):
        """What the items leave of what came back, as a difference of rates."""
        posted = sum(item["balance"] for item in items)
        reversal = self.env["checkout.entry.reversal"]
        return reversal._prepare_exchange_items(movement, -value - posted)

    # === WHAT IS HELD === #

    @api.model
    def _check_posted(self, movement, kinds):
        others = movement._get_same_source().filtered(lambda m: m.kind in kinds)
        if not others or any(m.state != "posted" for m in others):
            raise UserError(
                self.env._(
                    "Waiting until the money withheld for the dispute is posted."
                )
            )

    @api.model
    def _get_held_lines(self, movement):
        """The items that hold the money of a dispute, and those that let go of it."""
        others = self._get_earlier(movement)
        withheld = others.filtered(lambda m: m.kind == "dispute")
        accounts = withheld._get_posted_lines().account_id
        posted = others.filtered(lambda m: m.kind in DISPUTE_KINDS)._get_posted_lines()
        return posted.filtered(lambda line: line.account_id in accounts)

    @api.model
    def _get_earlier(self, movement):
        """The movements of a dispute before one; of a loss all others, since it is what
        they leave. A bank may have taken again what one gives back.
        """
        others = movement._get_same_source() - movement
        if movement.kind == "dispute_loss":
            return others
        moment = (movement.occurred_at, movement.id)
        return others.filtered(lambda m: (m.occurred_at, m.id) < moment)

    @api.model
    def _prepare_release_items(self, movement, held):
        """Items that take away all that is held, account by account."""
        return [
            self._prepare_item(
                movement,
                account,
                -sum(lines.mapped("amount_currency")),
                -sum(lines.mapped("balance")),
            )
            for account, lines in held.grouped("account_id").items()
        ]

    # === HELPERS === #

    @api.model
    def _is_cross_currency(self, movement):
        """Whether the dispute is in another currency than the balance."""
        return movement.source_currency_id != movement.currency_id

    @api.model
    def _prepare_item(self, movement, account, amount: float, value: float):
        """:param float amount: In the balance's currency, a debit being positive.
        :param float value: The same in company currency.
        """
        return {
            "name": movement._get_label(),
            "account_id": account.id,
            "partner_id": movement.payment_id.partner_id.id,
            "currency_id": movement.currency_id.id,
            "amount_currency": movement.currency_id.round(amount),
            "balance": movement.company_id.currency_id.round(value),
        }
