from odoo import api, models
from odoo.exceptions import UserError

# Others hold money that is on its way; what decides where it goes books them.
REBOOKABLE_KINDS = ("charge", "fee", "dispute_fee", "refund", "adjustment", "opening")


class CheckoutRebooking(models.AbstractModel):
    """Moves what a movement is booked as to another account or to other taxes.

    The entry of the movement stays as it is. A general entry takes back all of it but
    the liquidity item, and books the same money anew; so the journal goes on agreeing
    with Stripe. Refunds take back what is booked in the end: earlier ones of a charge
    are booked anew with it.
    """

    _name = "checkout.rebooking"
    _description = "Stripe Movement Re-Booking"

    @api.model
    def _rebook(self, movement, account, taxes):
        """Book a movement on another account. As superuser, under the gateway's lock.

        :param account.account account: Takes the amount without taxes.
        :param account.tax taxes: Those that are in the amount; none if empty.
        :return: The general entry.
        :raise UserError: if the movement isn't booked, or its items are used already.
        """
        lines = self._get_lines(movement)
        self._check_lines(movement, lines)
        new_items = self._prepare_new_items(movement, lines, account, taxes)
        move = self._create_move(movement, self._prepare_mirror(lines), new_items)
        self._close_items(lines, move)
        movement._set_rebooked(move, move.line_ids[len(lines) :])
        for refund in self._get_refunds(movement, lines):
            self._rebook(refund, account, taxes)
        return move

    @api.model
    def _get_refunds(self, movement, lines):
        """The refunds of a charge that go where it goes: those that were neither booked
        elsewhere on purpose nor failed.

        :param account.move.line lines: The charge's items until now.
        """
        if movement.kind != "charge":
            return movement.browse()
        others = movement.payment_id.movement_ids
        failed = others.filtered(lambda m: m.kind == "refund_failure")
        return others.filtered(
            lambda m: (
                m.kind == "refund"
                and m.move_id
                and m.rebooked_line_ids.account_id <= lines.account_id
                and m.stripe_source_id not in failed.mapped("stripe_source_id")
            )
        )

    @api.model
    def _get_lines(self, movement):
        """The items that are to be taken back: all but differences of exchange."""
        reversal = self.env["checkout.entry.reversal"]
        return movement._get_booked_lines() - reversal._get_exchange_lines(movement)

    # === CHECKS === #

    @api.model
    def _check_lines(self, movement, lines):
        if movement.kind not in REBOOKABLE_KINDS or not lines:
            raise UserError(
                self.env._(
                    "Only charges, refunds, fees and adjustments that are booked can "
                    "be booked again."
                )
            )
        if any(line.matched_debit_ids or line.matched_credit_ids for line in lines):
            raise UserError(
                self.env._(
                    "%s is matched with other items. Undo that first, then re-book.",
                    movement.move_id.name,
                )
            )

    # === ITEMS === #

    @api.model
    def _prepare_mirror(self, lines):
        reversal = self.env["checkout.entry.reversal"]
        return [reversal._prepare_mirror_item(line) for line in lines]

    @api.model
    def _prepare_new_items(self, movement, lines, account, taxes):
        """Base and taxes that together are what was booked."""
        base = lines.filtered(lambda line: not line.tax_repartition_line_id)[:1]
        item = {
            "name": movement._get_label(),
            "account_id": account.id,
            "partner_id": self._get_partner(base, account).id,
            "currency_id": base.currency_id.id,
            "analytic_distribution": base.analytic_distribution,
            "amount_currency": sum(lines.mapped("amount_currency")),
            "balance": sum(lines.mapped("balance")),
        }
        if not taxes:
            return [item]
        direction = self._get_direction(item, taxes)
        tax_entry = self.env["checkout.entry.tax"]
        if movement.kind in ("fee", "dispute_fee"):
            return tax_entry._prepare_taxed_fee_items(item, movement, taxes, direction)
        return tax_entry._split(item, taxes, movement.company_id, direction)

    @api.model
    def _get_partner(self, base, account):
        """Who owes is the firm, as on its invoices."""
        if account.account_type in ("asset_receivable", "liability_payable"):
            return base.partner_id.commercial_partner_id
        return base.partner_id

    @api.model
    def _get_direction(self, item, taxes):
        """What the tax engine has to know: a credit of a sales tax is a sale."""
        is_credit = item["balance"] < 0
        is_purchase = taxes[0].type_tax_use == "purchase"
        return {"sign": -1 if is_credit else 1, "is_refund": is_credit == is_purchase}

    # === ENTRY === #

    @api.model
    def _create_move(self, movement, mirror, new_items):
        poster = self.env["checkout.poster"]
        journal = poster._get_general_journal(movement)
        items = [*mirror, *new_items]
        poster._check_balanced(movement.company_id, items)
        vals = {
            **poster._prepare_move_vals(movement, journal, items),
            "ref": self.env._("Re-booking of %s", movement.move_id.name),
        }
        move = poster._create_unchanged("account.move", [vals])
        move.action_post()
        poster._check_entry(move, vals)
        return move

    @api.model
    def _close_items(self, lines, move):
        """An account of open items, such as that for review, is done with them."""
        for line, mirror in zip(lines, move.line_ids, strict=False):
            if line.account_id.reconcile:
                (line | mirror).reconcile()
