from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ...kinds import FEE_KINDS, KINDS, LOSS_KINDS
from ...texts import to_ref
from .entry import filter_base, has_analytics
from .entry_reversal import is_owed

# What is lost of a sale, and what comes back of it.
DISPUTE_OUTCOME_KINDS = (*LOSS_KINDS, "dispute_reversal")


class CheckoutReclassification(models.AbstractModel):
    """Moves what a movement is posted as to another account, other taxes or another
    contact.

    The entry of the movement stays as it is. A journal entry takes back all of it but
    the liquidity item, and posts the same money again; so the journal goes on matching
    Stripe. Refunds take back what is posted in the end: earlier ones of a charge are
    reclassified with it.
    """

    _name = "checkout.reclassification"
    _description = "Stripe Transaction Reclassification"

    # === BUSINESS METHODS === #

    @api.model
    def _reclassify(self, movement, account, taxes, date):
        """Reclassify a movement. As superuser, under the gateway's lock.

        Takes what :meth:`_prepare_entries` takes, and raises what it raises.

        :return: The movement's journal entry.
        """
        entries = self._prepare_entries(movement, account, taxes, date)
        moves = [self._post_entry(*entry) for entry in entries]
        return moves[0]

    @api.model
    def _prepare_entries(self, movement, account, taxes, date):
        """The entries of a reclassification: the movement's, then those of refunds.

        :param account.account account: Takes the amount without taxes.
        :param account.tax taxes: Those that are in the amount; none if empty.
        :param date date: Their day; in a closed period the first open one after it.
        :return: For each a movement, the items that are taken back, and the values of
            the journal entry.
        :raise UserError: if the movement isn't posted, its items are used already, or
            nothing would change.
        """
        lines = self._get_lines(movement)
        refunds = self._get_refunds(movement, lines).sorted("id")
        for each in movement | refunds:
            self._check_lines(each, self._get_lines(each))
        items = {movement: self._prepare_new_items(movement, lines, account, taxes)}
        items |= self._prepare_refund_items(lines, refunds, account, taxes)
        entries = [self._prepare_entry(*each, date) for each in items.items()]
        self._check_changes(lines, account, taxes)
        self._check_losses(movement, lines, taxes)
        return entries

    @api.model
    def _prepare_entry(self, movement, new_items, date):
        lines = self._get_lines(movement)
        return movement, lines, self._prepare_vals(movement, lines, new_items, date)

    @api.model
    def _move_owed(self, movements):
        """Move what is owed of a payment to its contact's receivable account, where the
        contact can't be written on the items themselves. What is matched, as with an
        invoice, stays.

        :param checkout.movement movements: All that the customer is the partner of.
        """
        owed = movements._get_posted_lines().filtered(is_owed)
        owner = movements.payment_id.partner_id.commercial_partner_id
        others = owed.filtered(lambda line: line.partner_id != owner)
        if not others or self._get_matched(owed) - owed:
            return
        owed.remove_move_reconcile()
        for movement in movements:
            self._move_owed_lines(movement, movement._get_posted_lines() & owed)
        for movement in movements:
            self.env["checkout.poster"]._reconcile(movement)

    @api.model
    def _move_owed_lines(self, movement, lines):
        if not lines:
            return
        today = fields.Date.context_today(movement)
        new_items = [self._prepare_owed_item(movement, line) for line in lines]
        vals = self._prepare_vals(movement, lines, new_items, today)
        self._post_entry(movement, lines, {**vals, "ref": movement._get_ref()})

    @api.model
    def _get_matched(self, lines):
        """What items are matched with, in whole or in part."""
        debits = lines.matched_debit_ids.debit_move_id
        return debits | lines.matched_credit_ids.credit_move_id

    @api.model
    def _get_refunds(self, movement, lines):
        """The refunds of a charge that go where it goes: those that were neither
        reclassified on purpose nor failed.

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
                and m.reclassified_line_ids.account_id <= lines.account_id
                and m.stripe_source_id not in failed.mapped("stripe_source_id")
            )
        )

    @api.model
    def _get_lines(self, movement):
        """The items that are to be taken back: all but differences of exchange."""
        reversal = self.env["checkout.entry.reversal"]
        return movement._get_posted_lines() - reversal._get_exchange_lines(movement)

    @api.model
    def _get_base(self, movement):
        """The item that says what the money was, taxes aside."""
        return filter_base(self._get_lines(movement))

    # === CHECKS === #

    @api.model
    def _check_lines(self, movement, lines):
        """:raise UserError: if a movement can't be reclassified: by its kind, since it
        isn't posted, or since its items are matched.
        """
        if not KINDS[movement.kind].can_reclassify or not lines:
            raise UserError(
                self.env._(
                    "Only posted charges, refunds, fees and adjustments can be "
                    "reclassified."
                )
            )
        if self._get_matched(lines):
            raise UserError(
                self.env._(
                    "%s is reconciled with other items. Unreconcile it first, then "
                    "reclassify.",
                    movement.move_id.name,
                )
            )

    @api.model
    def _check_changes(self, lines, account, taxes):
        base = filter_base(lines)
        if base.account_id == account and base.tax_ids == taxes:
            raise UserError(
                self.env._(
                    "It is already posted this way. Choose another account or other "
                    "taxes."
                )
            )

    @api.model
    def _check_losses(self, movement, lines, taxes):
        """What a lost dispute took back of a sale isn't reclassified with it: under
        other taxes, the tax report would have the loss of a sale that it hasn't.
        """
        is_same = taxes == filter_base(lines).tax_ids
        if movement.kind != "charge" or is_same:
            return
        others = movement.payment_id.movement_ids
        lost = others.filtered(
            lambda m: m.kind in DISPUTE_OUTCOME_KINDS
        )._get_posted_lines()
        reversal = self.env["checkout.entry.reversal"]
        back = lost & reversal._get_earlier_lines(movement, lines)
        left = sum(back.mapped("amount_currency"))
        if not movement.source_currency_id.is_zero(left):
            raise UserError(
                self.env._(
                    "This payment was lost in a dispute and reversed with its posted "
                    "taxes, so these can't be changed here. To correct them, post a "
                    "journal entry."
                )
            )

    @api.model
    def _check_countries(self, items):
        """Odoo takes taxes of one country on an entry (account.move,
        `_validate_taxes_country`).
        """
        taxes = self.env["checkout.entry.tax"]._get_taxes_in(items)
        if len(taxes.country_id) > 1:
            raise UserError(
                self.env._(
                    "An entry can only have the taxes of one country. Reclassify "
                    "without taxes first, then again with the new taxes."
                )
            )

    # === ITEMS === #

    @api.model
    def _prepare_mirror(self, lines):
        reversal = self.env["checkout.entry.reversal"]
        return [reversal._prepare_mirror_item(line) for line in lines]

    @api.model
    def _prepare_new_items(self, movement, lines, account, taxes):
        """Base and taxes that together are what was posted."""
        item = self._prepare_new_item(movement, lines, account)
        return self._split(movement, item, taxes)

    @api.model
    def _prepare_new_item(self, movement, lines, account):
        """What a movement is posted as from now on, taxes included."""
        base = filter_base(lines)
        tags = self.env["checkout.entry.reversal"]._get_product_tags(base)
        return {
            "name": movement._get_label(),
            "account_id": account.id,
            "partner_id": self._get_partner(base, account).id,
            "currency_id": base.currency_id.id,
            "product_id": base.product_id.id,
            "tax_tag_ids": [Command.set(tags.ids)],
            "analytic_distribution": self._get_distribution(movement, base, account),
            "amount_currency": sum(lines.mapped("amount_currency")),
            "balance": sum(lines.mapped("balance")),
        }

    @api.model
    def _split(self, movement, item, taxes):
        if not taxes:
            return [item]
        product = self.env["product.product"].browse(item["product_id"] or [])
        direction = {**self._get_direction(item, taxes), "product_id": product}
        tax_entry = self.env["checkout.entry.tax"]
        if movement.kind in FEE_KINDS:
            return tax_entry._prepare_taxed_fee_items(item, movement, taxes, direction)
        return tax_entry._split(item, taxes, movement.company_id, direction)

    @api.model
    def _prepare_refund_items(self, sale, refunds, account, taxes):
        """Base and taxes of each refund of a sale. As in any reversal, what is taken
        back in all is rounded, not each part: so the last part leaves nothing.

        :param account.move.line sale: The items of the charge.
        :return: The items by refund.
        """
        paid, value = sum(sale.mapped("amount_currency")), sum(sale.mapped("balance"))
        items, back, before = {}, 0, []
        for refund in refunds:
            item = self._prepare_new_item(refund, self._get_lines(refund), account)
            whole = {**item, "amount_currency": -paid, "balance": -value}
            base, *taxed = self._split(refund, whole, taxes)
            back += item["amount_currency"]
            share = -back / paid
            until_now = [self._prepare_share(sale, each, share) for each in taxed]
            items[refund] = self._prepare_part(sale, item, base, until_now, before)
            before = until_now
        return items

    @api.model
    def _prepare_share(self, sale, item, share: float):
        """A share of an item of taxes, rounded."""
        units = {
            "amount_currency": sale.currency_id,
            "balance": sale.company_currency_id,
            "tax_base_amount": sale.company_currency_id,
        }
        shares = {
            name: currency.round(item[name] * share)
            for name, currency in units.items()
            if name in item
        }
        return {**item, **shares}

    @api.model
    def _prepare_part(self, sale, item, base, until_now, before):
        """What comes to the items before; the base takes what the taxes leave."""
        names = ("amount_currency", "balance", "tax_base_amount")
        earlier = before or [dict.fromkeys(names, 0)] * len(until_now)
        taxed = [
            {**now, **{name: now[name] - then[name] for name in names if name in now}}
            for now, then in zip(until_now, earlier, strict=True)
        ]
        left = {
            name: item[name] - sum(each[name] for each in taxed)
            for name in ("amount_currency", "balance")
        }
        parts = [self._prepare_share(sale, each, 1) for each in taxed]
        return [
            self._prepare_share(sale, {**base, **left}, 1),
            *(each for each in parts if each["amount_currency"] or each["balance"]),
        ]

    @api.model
    def _get_partner(self, base, account):
        """Who owes is the firm, as on its invoices."""
        if account.account_type in ("asset_receivable", "liability_payable"):
            return base.partner_id.commercial_partner_id
        return base.partner_id

    @api.model
    def _get_distribution(self, movement, base, account):
        """Analytics are of income and expenses; elsewhere the money would count twice.
        What comes back from elsewhere has those that it was posted with first.
        """
        if not has_analytics(account):
            return False
        if has_analytics(base.account_id):
            return base.analytic_distribution
        first = movement.move_id.line_ids.filtered("analytic_distribution")[:1]
        return first.analytic_distribution

    @api.model
    def _get_direction(self, item, taxes):
        """What the tax engine has to know: a credit of a sales tax is a sale."""
        is_credit = item["balance"] < 0
        is_purchase = taxes[0].type_tax_use == "purchase"
        return {"sign": -1 if is_credit else 1, "is_refund": is_credit == is_purchase}

    @api.model
    def _prepare_owed_item(self, movement, line):
        """The same item, of the contact that the payment has now."""
        payment = movement.payment_id
        own = self.env["checkout.entry"]._get_own_receivable(payment)
        account = payment.fiscal_position_id.map_account(own) or line.account_id
        return {
            **self.env["checkout.entry.reversal"]._prepare_mirror_item(line),
            "account_id": account.id,
            "partner_id": payment.partner_id.commercial_partner_id.id,
            "amount_currency": line.amount_currency,
            "balance": line.balance,
            "tax_base_amount": line.tax_base_amount,
        }

    # === ENTRY === #

    @api.model
    def _prepare_vals(self, movement, lines, new_items, date):
        poster = self.env["checkout.poster"]
        journal = poster._get_general_journal(movement)
        items = [*self._prepare_mirror(lines), *new_items]
        poster._check_balanced(movement.company_id, items)
        self._check_countries(items)
        return {
            **poster._prepare_move_vals(movement, journal, items, date),
            "ref": to_ref(self.env._("Reclassification of %s", movement.move_id.name)),
        }

    @api.model
    def _post_entry(self, movement, lines, vals):
        """Post what takes back some items of a movement and replaces them."""
        move = self.env["checkout.poster"]._post_move(vals)
        self._close_items(lines, move)
        kept = self._get_lines(movement) - lines
        movement._set_reclassified(move, kept | move.line_ids[len(lines) :])
        return move

    @api.model
    def _close_items(self, lines, move):
        """An account of open items, such as that for review, is done with them."""
        for line, mirror in zip(lines, move.line_ids, strict=False):
            if line.account_id.reconcile:
                (line | mirror).reconcile()
