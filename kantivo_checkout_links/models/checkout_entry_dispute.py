from odoo import api, models
from odoo.exceptions import UserError

# What holds the money of a dispute, and what lets go of it.
DISPUTE_KINDS = ("dispute", "dispute_reversal", "dispute_loss")


class CheckoutEntryDispute(models.AbstractModel):
    """Where the money of a dispute is: withheld, given back, or lost.

    A dispute may be lost after money was given back, and won after it was lost. So each
    entry looks at what is held on the disputes account, not at what was said last.
    """

    _name = "checkout.entry.dispute"
    _description = "Stripe Dispute Entry"

    # === BUSINESS METHODS === #

    @api.model
    def _prepare_reversal_items(self, movement, value):
        """Money comes back: out of what is withheld or, if that is lost, of the loss.

        :param float value: What comes back in company currency: positive.
        :raise UserError: if not all that was withheld is booked yet.
        """
        self._check_booked(movement, ("dispute",))
        held = self._get_held_lines(movement)
        is_held = not movement.currency_id.is_zero(sum(held.mapped("amount_currency")))
        loss = self._get_last_loss(movement)
        if loss and not is_held:
            return self._prepare_recovered_items(movement, value, loss)
        if is_held and self._is_foreign(movement):
            release = self._prepare_release_items(movement, held)
            return [*release, *self._prepare_rest(movement, value, release)]
        account = held.account_id[-1:]
        return [self._prepare_item(movement, account, -movement.amount, -value)]

    @api.model
    def _prepare_loss_items(self, movement):
        """What is withheld is lost: a loss, or the sale taken back like a refund.

        :raise UserError: if not all that was withheld is booked yet, or more is lost
            than is left of the sale.
        """
        self._check_booked(movement, ("dispute", "dispute_reversal"))
        held = self._get_held_lines(movement)
        amount = sum(held.mapped("amount_currency"))
        value = sum(held.mapped("balance"))
        release = self._prepare_release_items(movement, held)
        account = movement.gateway_id.dispute_loss_account_id
        if account:
            item = self._prepare_item(movement, account, amount, value)
            return [*release, item]
        is_foreign = self._is_foreign(movement)
        back = -movement.source_amount if is_foreign else amount
        reversal = self.env["checkout.entry.reversal"]
        return [*release, *reversal._prepare_items(movement, back, -value)]

    # === MONEY THAT COMES BACK === #

    @api.model
    def _get_last_loss(self, movement):
        losses = movement._get_same_source().filtered(
            lambda m: m.kind == "dispute_loss" and m.move_id
        )
        return losses.sorted("id")[-1:]

    @api.model
    def _prepare_recovered_items(self, movement, value, loss):
        """A loss, or the sale that was taken back, turned around."""
        reversal = self.env["checkout.entry.reversal"]
        held = self._get_held_lines(movement)
        lost = loss._get_booked_lines() - held - reversal._get_exchange_lines(loss)
        share = self._get_recovered_share(movement, loss._get_booked_lines() & held)
        items = reversal._prepare_part_mirror(lost, share)
        return [*items, *self._prepare_rest(movement, value, items)]

    @api.model
    def _get_recovered_share(self, movement, release):
        """How much of a loss came back, of 1.

        In another currency than the customer's only rates can tell, so it is all.
        """
        if self._is_foreign(movement):
            return 1.0
        lost = -sum(release.mapped("amount_currency"))
        return min(movement.amount / lost, 1.0)

    @api.model
    def _prepare_rest(self, movement, value, items):
        """What the items leave of what came back, as a difference of rates."""
        booked = sum(item["balance"] for item in items)
        reversal = self.env["checkout.entry.reversal"]
        return reversal._prepare_exchange_items(movement, -value - booked)

    # === WHAT IS HELD === #

    @api.model
    def _check_booked(self, movement, kinds):
        others = movement._get_same_source().filtered(lambda m: m.kind in kinds)
        if not others or any(m.state != "posted" for m in others):
            raise UserError(
                self.env._("Waiting until what the dispute withheld is booked.")
            )

    @api.model
    def _get_held_lines(self, movement):
        """The items that hold the money of a dispute, and those that let go of it."""
        others = self._get_earlier(movement)
        withheld = others.filtered(lambda m: m.kind == "dispute")
        accounts = withheld._get_booked_lines().account_id
        booked = others.filtered(lambda m: m.kind in DISPUTE_KINDS)._get_booked_lines()
        return booked.filtered(lambda line: line.account_id in accounts)

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
    def _is_foreign(self, movement):
        """Whether the dispute is in another currency than the balance."""
        return movement.source_currency_id != movement.currency_id

    @api.model
    def _prepare_item(self, movement, account, amount, value):
        """:param float amount: In the balance's currency, a debit being positive.
        :param float value: The same in company currency.
        """
        return {
            "name": movement._get_label(),
            "account_id": account.id,
            "currency_id": movement.currency_id.id,
            "amount_currency": movement.currency_id.round(amount),
            "balance": movement.company_id.currency_id.round(value),
        }
