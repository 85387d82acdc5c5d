from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ...utils import notify

# What is copied of a product, in the order in which a user is asked about it.
COPIED = ("name", "description", "amount", "tax_ids", "income_account_id")


class CheckoutLink(models.Model):
    """A link that sells an Odoo product: what it copies from the product, and when.

    Nothing of a product reaches a link by itself: posters with a price stay on walls.
    """

    _inherit = "checkout.link"

    product_id = fields.Many2one(
        "product.product",
        check_company=True,
        domain="[('sale_ok', '=', True), ('type', '!=', 'combo')]",
        index="btree_not_null",
        ondelete="restrict",
        tracking=True,
        help=(
            "Its name, sales description, price, taxes and income account are copied "
            "to the link. Later changes of the product don't change the link."
        ),
    )

    # === ONCHANGE METHODS === #

    @api.onchange("product_id")
    def _onchange_product_id(self):
        if self.product_id:
            self.update(self._prepare_product_vals())

    @api.onchange("currency_id")
    def _onchange_currency_id(self):
        if self.product_id:
            self.amount = self._get_product_amount()

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """What isn't given of a product's link is copied from the product.

        :raise UserError: if the price can't be converted to the link's currency.
        """
        return super().create([self._add_product_vals(vals) for vals in vals_list])

    def write(self, vals):
        """What isn't given is copied from a product that is chosen.

        :raise UserError: if the price can't be converted to the link's currency.
        """
        if not vals.get("product_id"):
            return super().write(vals)
        for link in self:
            super(CheckoutLink, link).write(link._add_product_vals(vals))
        return True

    def _add_product_vals(self, vals):
        """The values of one link, or of a new one, with what they leave to a product
        that is chosen by them.
        """
        if not vals.get("product_id") or vals["product_id"] == self.product_id.id:
            return vals
        names = [name for name in ("company_id", "gateway_id") if name not in vals]
        defaults = {} if self else self.default_get(names)
        link = self.new({**defaults, **vals}, origin=self)
        return {**link._prepare_product_vals(vals), **vals}

    # === ACTION METHODS === #

    def action_view_product_update(self):
        """Show what would change if the product were copied once more, and ask."""
        self.ensure_one()
        self.check_access("write")
        changes = self._get_product_changes()
        if not changes:
            message = self.env._("This link has the product's current values.")
            return notify("success", message)
        lines = [
            Command.create({"name": name, "before": before, "after": after})
            for name, (before, after) in changes.items()
        ]
        wizard = self.env["checkout.product.update"].create(
            {"link_id": self.id, "line_ids": lines}
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Update from Product"),
            "res_model": wizard._name,
            "res_id": wizard.id,
            "views": [(False, "form")],
            "target": "new",
        }

    # === BUSINESS METHODS === #

    def _update_from_product(self, names):
        """Copy some of `COPIED` from the product once more.

        :raise UserError: if the price can't be converted to the link's currency.
        """
        vals = self._prepare_product_vals(set(COPIED) - set(names))
        chosen = [*names, "amount_type"] if "amount" in names else names
        self.write({name: vals[name] for name in chosen})

    def _get_product_changes(self):
        """What copying the product once more would change.

        :return: By the field's name what it is now and what it would be, as text.
        :raise UserError: if the price can't be converted to the link's currency.
        """
        if not self.product_id:
            return {}
        copy = self.new(self._prepare_product_vals(), origin=self)
        return {
            name: (self._describe_copied(name), copy._describe_copied(name))
            for name in COPIED
            if not self._is_same(name, copy)
        }

    def _is_same(self, name, copy):
        mine, other = self[name], copy[name]
        if self._fields[name].relational:
            return mine == other._origin
        if name == "amount":
            is_fixed = self.amount_type == "fixed"
            return is_fixed and not self.currency_id.compare_amounts(mine, other)
        return (mine or "") == (other or "")

    def _describe_copied(self, name):
        value = self[name]
        if name == "amount":
            return self._format(value) if self.amount_type == "fixed" else ""
        if self._fields[name].relational:
            return ", ".join(value.mapped("display_name"))
        return value or ""

    def _prepare_product_vals(self, given=()):
        """What the link copies from its product.

        :param given: Names of fields that have a value already: a price isn't
            converted for nothing.
        :raise UserError: if the price can't be converted to the link's currency.
        """
        product = self._get_product()
        price = {} if "amount" in given else {"amount": self._get_product_amount()}
        return {
            "name": product.with_context(display_default_code=False).display_name,
            "description": product.description_sale,
            "amount_type": "fixed",
            **price,
            "tax_ids": [Command.set(self._get_product_taxes().ids)],
            "income_account_id": self._get_product_account().id,
        }

    def _get_product_amount(self):
        """What a customer pays for one piece: the sales price with its taxes, as Odoo's
        tax engine has it on an invoice line, in the link's currency at today's rate.

        :raise UserError: if a rate is missing, or the product has no price.
        """
        product, currency = self._get_product(), self.currency_id
        if product.lst_price <= 0:
            raise UserError(
                self.env._(
                    "“%s” has no sales price. Enter one on the product first.",
                    product.display_name,
                )
            )
        try:
            price = self.env["checkout.rate"]._convert_between(
                product.lst_price, product.currency_id, currency, self.company_id
            )
        except UserError as error:
            raise UserError(self._describe_unconverted(product)) from error
        return self._add_taxes(price, product)

    def _add_taxes(self, price: float, product):
        """:param float price: Of one piece, with the taxes that are included in it."""
        engine = self.env["account.tax"].with_company(self.company_id)
        line = engine._prepare_base_line_for_taxes_computation(
            {},
            id=1,
            tax_ids=self._get_product_taxes(),
            quantity=1.0,
            price_unit=price,
            product_id=product,
            currency_id=self.currency_id,
        )
        engine._add_tax_details_in_base_line(line, self.company_id)
        engine._round_base_lines_tax_details([line], self.company_id)
        return line["tax_details"]["total_included_currency"]

    def _get_product(self):
        """The product as the link's company has it."""
        return self.product_id._origin.with_company(self.company_id)

    def _get_product_taxes(self):
        """Those that an invoice of this company would have (account.move.line,
        `_get_computed_taxes`).
        """
        own = self._get_product().taxes_id.filtered_domain(
            self.env["account.tax"]._check_company_domain(self.company_id)
        )
        sales = own or self._get_product_account().tax_ids.filtered(
            lambda tax: tax.type_tax_use == "sale"
        )
        return sales._filter_taxes_by_company(self.company_id)

    def _get_product_account(self):
        """The account that the product or its category names; not the company's
        default, in place of which a link has its gateway's.
        """
        product = self._get_product()
        return (
            product.property_account_income_id
            or product.categ_id.property_account_income_categ_id
        )

    def _describe_unconverted(self, product):
        return self.env._(
            "The price of “%(product)s” can't be converted from %(price)s to %(link)s, "
            "because an exchange rate is missing. Add it under Configuration › "
            "Currencies, or choose another currency.",
            product=product.display_name,
            price=product.currency_id.name,
            link=self.currency_id.name,
        )
