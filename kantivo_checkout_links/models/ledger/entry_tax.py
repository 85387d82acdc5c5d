from odoo import Command, api, models

from ...kinds import SALE_KINDS
from ...taxes import is_neutral
from .entry import has_analytics

AMOUNTS = ("amount_currency", "balance")
# The engine rounds the tax of a small fee away; of this many times the fee it gives the
# proportions.
LARGE = 10**6


class CheckoutEntryTax(models.AbstractModel):
    """Splits an item into base and taxes that are included in it.

    The engine is Odoo's (account.tax, "TAX COMPUTATION"): so the tax report sees the
    same items as from an invoice.
    """

    _name = "checkout.entry.tax"
    _description = "Stripe Transaction Taxes"

    @api.model
    def _prepare_sale_items(self, item, movement):
        """Base and tax items of a sale whose total is what was paid: on the account and
        with the taxes that the fiscal position maps them to, as on an invoice.
        """
        payment = movement.payment_id
        position = payment.fiscal_position_id
        account = position.map_account(
            self.env["checkout.entry"]._get_income_account(payment)
        )
        base = {
            **item,
            "account_id": account.id,
            "partner_id": payment.partner_id.id,
        }
        if payment.analytic_distribution and has_analytics(account):
            # else Odoo's distribution models decide
            base["analytic_distribution"] = payment.analytic_distribution
        if payment.product_id:
            base["product_id"] = payment.product_id.id
        taxes = position.map_tax(payment.tax_ids)
        sale = {"sign": -1, "product_id": payment.product_id}
        return self._split(base, taxes, movement.company_id, sale)

    @api.model
    def _get_position(self, movement, taxes):
        """The fiscal position that an entry carries: its sale's.

        Where Odoo doesn't take these taxes with it (account.move,
        `_validate_taxes_country`): that of the registration which they belong to, or
        none.
        """
        position = self.env["account.fiscal.position"]
        if movement.kind in SALE_KINDS:
            position = movement.payment_id.fiscal_position_id
        company, countries = movement.company_id, taxes.country_id
        if not countries or countries == self._get_tax_country(position, company):
            return position
        return self._find_registration(taxes, company)

    @api.model
    def _get_tax_country(self, position, company):
        """Of which country the taxes of an entry with a fiscal position have to be."""
        at_home = company.account_fiscal_country_id
        return position.country_id if position.foreign_vat else at_home

    @api.model
    def _find_registration(self, taxes, company):
        """The fiscal position of a registration abroad that taxes are of, if they are:
        Odoo takes them on an entry of that position only (account.move,
        `_validate_taxes_country`).
        """
        countries = taxes.country_id
        positions = self.env["account.fiscal.position"].with_context(active_test=False)
        if not countries or countries == company.account_fiscal_country_id:
            return positions
        return positions.search(
            [
                *positions._check_company_domain(company),
                ("foreign_vat", "!=", False),
                ("country_id", "in", countries.ids),
            ],
            limit=1,
        )

    @api.model
    def _get_taxes_in(self, items):
        """The taxes that are on items, or that items are of."""
        shares = self.env["account.tax.repartition.line"].browse(
            filter(None, (item.get("tax_repartition_line_id") for item in items))
        )
        commands = [item["tax_ids"][0] for item in items if item.get("tax_ids")]
        ids = [tax_id for _command, _id, tax_ids in commands for tax_id in tax_ids]
        return shares.tax_id | shares.tax_id.browse(ids)

    @api.model
    def _prepare_fee_items(self, item, movement):
        """Base and tax items of a fee."""
        taxes = self._get_fee_taxes(movement)
        if not taxes:
            return [item]
        returned = movement.amount > 0
        direction = {"sign": -1 if returned else 1, "is_refund": returned}
        return self._prepare_taxed_fee_items(item, movement, taxes, direction)

    @api.model
    def _get_fee_taxes(self, movement):
        """The gateway's taxes that apply to a fee. A plain percentage does only if
        Stripe states a tax, or the merchant says that Stripe's invoice shows it.
        """
        gateway, taxes = movement.gateway_id, movement.gateway_id.fee_tax_ids
        is_in_fee = movement.tax_amount or gateway.fee_tax_invoiced
        return taxes if is_in_fee or is_neutral(taxes) else taxes.browse()

    @api.model
    def _prepare_taxed_fee_items(self, item, movement, taxes, direction):
        """Base and tax items of a fee; a tax that Stripe states is posted as stated."""
        company = movement.company_id
        if not movement.tax_amount or is_neutral(taxes):
            return self._split(item, taxes, company, direction)
        large = {**item, **{name: item[name] * LARGE for name in AMOUNTS}}
        large_base, *tax_items = self._split(large, taxes, company, direction)
        stated = movement.tax_amount
        value = stated * item["balance"] / item["amount_currency"]
        base = {**large_base, **{name: item[name] for name in AMOUNTS}}
        currencies = movement.currency_id, company.currency_id
        self._set_total(base, tax_items, "amount_currency", stated, currencies[0])
        self._set_total(base, tax_items, "balance", value, currencies[1])
        self._set_base_amounts(tax_items, base["balance"], large_base["balance"])
        return [base, *tax_items]

    @api.model
    def _set_total(self, base, tax_items, name, total, currency):
        """Make the taxes together what is stated, in proportion, and take it out of the
        base.
        """
        computed = sum(item[name] for item in tax_items)
        total = currency.round(total)
        base[name] = currency.round(base[name] - total)
        for item in tax_items:
            item[name] = currency.round(item[name] * total / computed)
        largest = max(tax_items, key=lambda item: abs(item[name]))
        rest = total - sum(item[name] for item in tax_items)
        largest[name] = currency.round(largest[name] + rest)

    @api.model
    def _set_base_amounts(self, tax_items, base, computed):
        """Scale what tax items say their base is, for reports that read it there."""
        for item in tax_items:
            item["tax_base_amount"] *= base / computed if computed else 0

    @api.model
    def _split(self, item, taxes, company, direction):
        """The base and tax items that together are the item.

        :param dict item: All of it: account, partner, currency, amounts.
        :param dict direction: `sign` (-1: a credit), `is_refund` and `product_id` (the
            product that is sold), for the engine.
        """
        engine = self.env["account.tax"].with_company(company)
        base_line = self._prepare_base_line(item, taxes, direction)
        engine._add_tax_details_in_base_line(base_line, company)
        engine._round_base_lines_tax_details([base_line], company)
        engine._add_accounting_data_in_base_lines_tax_details(
            [base_line], company, include_caba_tags=True
        )
        result = engine._prepare_tax_lines([base_line], company)
        tax_items = [
            {**vals, "display_type": "tax", "partner_id": item["partner_id"]}
            for vals in result["tax_lines_to_add"]
        ]
        return [
            self._prepare_base_item(item, base_line, tax_items, company),
            *tax_items,
        ]

    @api.model
    def _prepare_base_line(self, item, taxes, direction):
        """An item as the input of Odoo's tax computation, taxes included.

        :param dict direction: What distinguishes a sale from a purchase or a refund.
        """
        amount, value = item["amount_currency"], item["balance"]
        return self.env["account.tax"]._prepare_base_line_for_taxes_computation(
            {},
            id=1,
            tax_ids=taxes,
            quantity=1.0,
            price_unit=abs(amount),
            currency_id=self.env["res.currency"].browse(item["currency_id"]),
            rate=amount / value if value else 1.0,
            partner_id=self.env["res.partner"].browse(item["partner_id"] or []),
            account_id=self.env["account.account"].browse(item["account_id"]),
            analytic_distribution=item.get("analytic_distribution"),
            special_mode="total_included",
            **direction,
        )

    @api.model
    def _prepare_base_item(self, item, base_line, tax_items, company):
        """The base takes what the taxes leave, so that not a cent is left over."""
        taxed = sum(tax_item["amount_currency"] for tax_item in tax_items)
        taxed_value = sum(tax_item["balance"] for tax_item in tax_items)
        currency = base_line["currency_id"]
        return {
            **item,
            "tax_ids": [Command.set(base_line["tax_ids"].ids)],
            "tax_tag_ids": [Command.set(base_line["tax_tag_ids"].ids)],
            "amount_currency": currency.round(item["amount_currency"] - taxed),
            "balance": company.currency_id.round(item["balance"] - taxed_value),
        }
