from odoo import Command, api, models
from odoo.exceptions import UserError

from ...kinds import DECIDING_KINDS, DERIVED_KINDS


def is_owed(line):
    """Whether a journal item is on a customer's account."""
    return line.account_type == "asset_receivable"


def is_taxed(line):
    """Whether a journal item has a tax, or is one."""
    return bool(line.tax_ids or line.tax_repartition_line_id)


class CheckoutEntryReversal(models.AbstractModel):
    """Takes back what was posted for a payment: in proportion, at the charge's rate."""

    _name = "checkout.entry.reversal"
    _description = "Stripe Transaction Reversal"

    @api.model
    def _prepare_items(self, movement, amount: float, value: float, account=None):
        """Items that take back a part of a sale.

        What is taken back in all is rounded, not each part: so the last part leaves
        nothing. A difference between the charge's rate and that of today goes to the
        company's exchange accounts.

        :param float amount: What goes back in the currency that was paid in: positive;
            negative if it comes from there after all.
        :param float value: What the Stripe balance changes by, in company currency.
        :param account.account account: Takes the net amount; the sale's by default.
        :raise UserError: if the sale isn't posted yet, or less of it is left.
        """
        sale = self._get_sale_lines(movement)
        earlier = self._get_earlier_lines(movement, sale)
        share = self._get_share(movement, amount, sale, earlier)
        tax_items = self._prepare_tax_items(sale, earlier, share)
        base_line = sale.filtered(lambda line: not line.tax_repartition_line_id)
        total = self._get_part(sale, earlier, share)
        base = self._prepare_base_item(movement, base_line, total, tax_items)
        if account:
            base["account_id"] = account.id
        return [
            base,
            *tax_items,
            *self._prepare_exchange_items(movement, -value - total["balance"]),
        ]

    @api.model
    def _prepare_failure_items(self, movement, value: float):
        """Items that undo a refund which failed: less of the sale is taken back now.

        If it was posted on other accounts than the sale's, those are turned around.

        :param float value: What comes back in company currency: positive.
        :raise UserError: if the refund isn't posted yet.
        """
        refunds = movement._get_same_source().filtered(lambda m: m.kind == "refund")
        if not refunds._get_posted_lines():
            raise UserError(self.env._("Waiting until the refund is posted."))
        if refunds.reclassified_line_ids:
            return self._prepare_mirror(movement, refunds, value)
        return self._prepare_items(movement, -movement.source_amount, value)

    @api.model
    def _prepare_mirror(self, movement, refunds, value: float):
        sale = self._get_sale_lines(movement)
        accounts = (sale | refunds.reclassified_line_ids).account_id
        lines = refunds._get_posted_lines().filtered(
            lambda line: line.account_id in accounts
        )
        items = [self._prepare_mirror_item(line) for line in lines]
        given_back = sum(item["balance"] for item in items)
        return [*items, *self._prepare_exchange_items(movement, -value - given_back)]

    @api.model
    def _prepare_part_mirror(self, lines, share: float):
        """Items that turn a part of others around; their base takes the odd cent.

        :param account.move.line lines: Base and taxes. What they have turned around
            among themselves stays so.
        :param float share: Of 1; less only where they are in one currency.
        """
        lines = lines.sorted(lambda line: bool(line.tax_repartition_line_id))
        items = self._prepare_net_mirror(lines)
        if share == 1 or not items:
            return items
        amounts = (
            ("amount_currency", lines.currency_id),
            ("balance", lines.company_currency_id),
        )
        for name, currency in amounts:
            total = currency.round(sum(item[name] for item in items) * share)
            for item in items:
                item[name] = currency.round(item[name] * share)
            items[0][name] += total - sum(item[name] for item in items)
        for item in items:
            base = item["tax_base_amount"] * share
            item["tax_base_amount"] = lines.company_currency_id.round(base)
        return items

    @api.model
    def _prepare_net_mirror(self, lines):
        """Items that turn around what is left of others, by what they are about."""
        groups = lines.grouped(self._describe_subject).values()
        items = [
            {
                **self._prepare_mirror_item(group[0]),
                "amount_currency": -sum(group.mapped("amount_currency")),
                "balance": -sum(group.mapped("balance")),
                "tax_base_amount": -sum(group.mapped("tax_base_amount")),
            }
            for group in groups
        ]
        return [item for item in items if not self._is_nothing(lines, item)]

    @api.model
    def _describe_subject(self, line):
        return (
            line.account_id,
            line.currency_id,
            line.tax_repartition_line_id,
            line.tax_ids,
            line.tax_tag_ids,
        )

    @api.model
    def _is_nothing(self, lines, item):
        currency = lines.currency_id.browse(item["currency_id"])
        return currency.is_zero(
            item["amount_currency"]
        ) and lines.company_currency_id.is_zero(item["balance"])

    # === WHAT WAS POSTED === #

    @api.model
    def _is_on_receivable(self, sale):
        """Whether a payment, as it is posted now, is the customer's credit."""
        return any(map(is_owed, sale))

    @api.model
    def _get_sale_lines(self, movement):
        """The journal items of the payment's charge, but for the liquidity item.

        :raise UserError: if there are none.
        """
        lines = self._find_sale_lines(movement)
        if not lines:
            raise UserError(self.env._("Waiting until the payment is posted."))
        return lines

    @api.model
    def _find_sale_lines(self, movement):
        return movement._get_charges()._get_posted_lines()

    @api.model
    def _is_sale_skipped(self, movement):
        """Whether a payment isn't to be posted at all."""
        return set(movement._get_charges().mapped("state")) == {"skipped"}

    @api.model
    def _get_earlier_lines(self, movement, sale):
        """What was taken back of the sale until now, also where it was posted before a
        reclassification, or is the net amount of a loss.
        """
        others = movement.payment_id.movement_ids.filtered(
            lambda m: m.kind in DERIVED_KINDS
        )
        accounts = sale.account_id | self._get_former_accounts(movement)
        back = others._get_posted_lines().filtered(
            lambda line: line.account_id in accounts
        )
        disputes = others.filtered(lambda m: m.kind in DECIDING_KINDS)
        return back | disputes._get_posted_lines().filtered(is_taxed)

    @api.model
    def _get_amount_left(self, movement, sale) -> float:
        """What isn't taken back of a sale yet, in the currency that was paid in."""
        lines = sale | self._get_earlier_lines(movement, sale)
        return -sum(lines.mapped("amount_currency"))

    @api.model
    def _get_former_accounts(self, movement):
        charge = movement._get_charges()
        moves = charge.move_id | charge.reclassification_move_ids
        return (
            moves.line_ids.account_id - charge.gateway_id.journal_id.default_account_id
        )

    @api.model
    def _get_share(self, movement, amount: float, sale, earlier) -> float:
        """How much of the sale is taken back with this one, of 1.

        More than 1 for a moment, where a refund becomes known late that fails later:
        Stripe sees to it that refunds never end above the charge. A lost dispute may:
        a customer who owed the money then owes just that.
        """
        currency = movement.source_currency_id
        paid = -sum(sale.mapped("amount_currency"))
        back = sum(earlier.mapped("amount_currency")) + amount
        too_much = currency.compare_amounts(back, paid) > 0
        is_loss = movement.kind == "dispute_loss"
        if too_much and is_loss and not self._is_on_receivable(sale):
            raise UserError(
                self.env._(
                    "This is more than the remaining amount of the sale. Choose an "
                    "account for lost disputes on the gateway, or correct the entries."
                )
            )
        return 1.0 if not currency.compare_amounts(back, paid) else back / paid

    @api.model
    def _get_part(self, lines, earlier, share: float) -> dict[str, float]:
        """What of some items is to be taken back now.

        :return: `amount_currency` and `balance`.
        """
        currency, company_currency = lines.currency_id, lines.company_currency_id
        amount, value = (
            sum(lines.mapped("amount_currency")),
            sum(lines.mapped("balance")),
        )
        before, value_before = (
            sum(earlier.mapped("amount_currency")),
            sum(earlier.mapped("balance")),
        )
        return {
            "amount_currency": currency.round(-currency.round(amount * share) - before),
            "balance": company_currency.round(
                -company_currency.round(value * share) - value_before
            ),
        }

    # === ITEMS === #

    @api.model
    def _prepare_tax_items(self, sale, earlier, share: float):
        """The tax items that are taken back now, those of nothing left out.

        :param account.move.line sale: The items of the sale.
        :param account.move.line earlier: What was taken back of them before.
        :param float share: How much of the sale is taken back with this one, of 1.
        """
        items = []
        for line in sale.filtered("tax_repartition_line_id"):
            repartition = self._get_refund_repartition(line.tax_repartition_line_id)
            before = earlier.filtered(
                lambda e, r=repartition: e.tax_repartition_line_id == r
            )
            part = self._get_part(line, before, share)
            if part["amount_currency"] or part["balance"]:
                item = self._prepare_tax_item(line, repartition)
                base = self._get_base_part(line, before, share)
                items.append({**item, **part, "tax_base_amount": base})
        return items

    @api.model
    def _get_base_part(self, line, earlier, share: float):
        """What of a tax item's base is taken back now, for reports that read it there.

        The base of what was taken back comes with the other sign.
        """
        currency = line.company_currency_id
        base = currency.round(line.tax_base_amount * share)
        return currency.round(-base - sum(earlier.mapped("tax_base_amount")))

    @api.model
    def _get_refund_repartition(self, repartition):
        """Odoo holds the two lists of a tax's repartition in the same order."""
        tax = repartition.tax_id
        pairs = zip(
            tax.invoice_repartition_line_ids,
            tax.refund_repartition_line_ids,
            strict=True,
        )
        return dict(pairs).get(repartition, repartition)

    @api.model
    def _prepare_tax_item(self, line, repartition):
        tags = repartition.tag_ids | self._get_base_tags(line.tax_ids)
        tags |= self._get_product_tags(line.move_id.line_ids)
        return {
            **self._prepare_copied_vals(line),
            "display_type": "tax",
            "tax_repartition_line_id": repartition.id,
            "group_tax_id": line.group_tax_id.id,
            "tax_tag_ids": [Command.set(tags.ids)],
        }

    @api.model
    def _prepare_base_item(self, movement, line, total, tax_items):
        """The base takes what the taxes leave."""
        taxed = sum(item["amount_currency"] for item in tax_items)
        taxed_value = sum(item["balance"] for item in tax_items)
        tags = self._get_base_tags(line.tax_ids) | self._get_product_tags(line)
        return {
            **self._prepare_copied_vals(line),
            "name": movement._get_label(),
            "tax_tag_ids": [Command.set(tags.ids)],
            "amount_currency": line.currency_id.round(total["amount_currency"] - taxed),
            "balance": line.company_currency_id.round(total["balance"] - taxed_value),
        }

    @api.model
    def _get_base_tags(self, taxes):
        return taxes.flatten_taxes_hierarchy().get_tax_tags(True, "base")

    @api.model
    def _get_product_tags(self, lines):
        """The tags that all base and tax items of a product's sale have (account.tax,
        `_add_accounting_data_to_base_line_tax_details`).
        """
        return lines.product_id.sudo().account_tag_ids

    @api.model
    def _prepare_copied_vals(self, line):
        product = {"product_id": line.product_id.id} if line.product_id else {}
        return {
            **product,
            "name": line.name,
            "account_id": line.account_id.id,
            "partner_id": line.partner_id.id,
            "currency_id": line.currency_id.id,
            "tax_ids": [Command.set(line.tax_ids.ids)],
            "analytic_distribution": line.analytic_distribution,
        }

    @api.model
    def _prepare_mirror_item(self, line):
        """An item that turns another one around, its taxes and tags included."""
        return {
            **self._prepare_copied_vals(line),
            "display_type": line.display_type,
            "tax_repartition_line_id": line.tax_repartition_line_id.id,
            "group_tax_id": line.group_tax_id.id,
            "tax_tag_ids": [Command.set(line.tax_tag_ids.ids)],
            "amount_currency": -line.amount_currency,
            "balance": -line.balance,
            "tax_base_amount": -line.tax_base_amount,
        }

    @api.model
    def _get_exchange_lines(self, movements):
        """The items of movements that are differences of rates."""
        company = movements.company_id
        accounts = (
            company.expense_currency_exchange_account_id
            | company.income_currency_exchange_account_id
        )
        return movements._get_posted_lines().filtered(
            lambda line: line.account_id in accounts
        )

    @api.model
    def _prepare_exchange_items(self, movement, difference: float):
        """:param float difference: In company currency; positive: a loss."""
        company = movement.company_id
        if company.currency_id.is_zero(difference):
            return []
        label = movement._get_label()
        return [self._prepare_exchange_item(company, label, difference)]

    @api.model
    def _prepare_exchange_item(self, company, label, difference: float):
        """:param float difference: In company currency; positive: a loss.
        :raise UserError: if the company has no account for it.
        """
        account = (
            company.expense_currency_exchange_account_id
            if difference > 0
            else company.income_currency_exchange_account_id
        )
        if not account:
            raise UserError(
                self.env._("The company has no account for exchange differences.")
            )
        difference = company.currency_id.round(difference)
        return {
            "name": label,
            "account_id": account.id,
            "currency_id": company.currency_id.id,
            "amount_currency": difference,
            "balance": difference,
        }
