import re
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ...const import MAX_SUGGESTIONS
from ...money import InvalidAmount, parse_amount


class CheckoutLink(models.Model):
    """The amounts that a link with an open amount suggests."""

    _inherit = "checkout.link"

    suggested_amounts = fields.Char(
        tracking=True,
        help=(
            "Shown as buttons, such as 10, 25, 50. Customers can always enter another "
            "amount."
        ),
    )
    preset_amount = fields.Monetary(
        "Preset",
        tracking=True,
        help="The amount that is chosen when the page opens. 0 = none",
    )

    # === CONSTRAINT METHODS === #

    @api.constrains(
        "amount_type",
        "suggested_amounts",
        "preset_amount",
        "minimum_amount",
        "maximum_amount",
        "currency_id",
    )
    def _check_suggestions(self):
        for link in self.filtered(lambda link: link.amount_type == "open"):
            amounts = list(link._get_suggestions().values())
            if len(amounts) > MAX_SUGGESTIONS:
                raise ValidationError(
                    self.env._("Suggest at most %s amounts.", MAX_SUGGESTIONS)
                )
            for amount in filter(None, (*amounts, link.preset_amount)):
                link._check_typed_amount(Decimal(str(amount)))

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """:raise ValidationError: if a suggested amount is none."""
        return super().create([self._read_suggestions(vals) for vals in vals_list])

    def write(self, vals):
        """:raise ValidationError: if a suggested amount is none."""
        return super().write(self._read_suggestions(vals))

    @api.model
    def _read_suggestions(self, vals):
        """Values with the suggested amounts as they are kept: with a decimal point,
        separated by a comma and a blank. They are entered as in the user's language.
        """
        typed = vals.get("suggested_amounts")
        if not typed:
            return vals
        amounts = dict.fromkeys(map(self._read_suggestion, self._split(typed)))
        return {**vals, "suggested_amounts": ", ".join(amounts)}

    @api.model
    def _split(self, typed):
        """By blanks and semicolons, and by commas where no decimals follow those."""
        has_decimal_comma = self._get_user_lang().decimal_point == ","
        comma = r",\s" if has_decimal_comma else ","
        return filter(None, re.split(rf"(?:{comma}|[;\s])+", str(typed).strip(" ,;")))

    @api.model
    def _read_suggestion(self, text):
        lang = self._get_user_lang()
        try:
            amount = parse_amount(text, lang.decimal_point, lang.thousands_sep)
        except InvalidAmount as error:
            raise ValidationError(
                self.env._(
                    "“%s” is not an amount. Enter amounts such as 10; 25; 50.",
                    text,
                )
            ) from error
        if not amount:
            raise ValidationError(self.env._("Enter an amount greater than zero."))
        return f"{amount.normalize():f}"

    @api.model
    def _get_user_lang(self):
        return self.env["res.lang"]._get_data(code=self.env.user.lang or "en_US")

    # === BUSINESS METHODS === #

    def _get_suggestions(self):
        """The suggested amounts, by their names in the form."""
        names = (self.suggested_amounts or "").split(", ")
        return {name: float(name) for name in names if name}

    def _find_suggestion(self, amount):
        """The name of a suggested amount; empty if it isn't suggested, or none."""
        suggestions = self._get_suggestions().items()
        return next((name for name, value in suggestions if value == amount), "")

    def _get_amount_to_pay(self, typed_amount, langs, choice="") -> float:
        """The suggested amount that a payer has chosen, if any.

        :param str choice: Its name in the form.
        """
        if not choice or self.amount_type == "fixed":
            return super()._get_amount_to_pay(typed_amount, langs)
        suggestions = self._get_suggestions()
        if choice not in suggestions:
            raise UserError(
                self.env._("This amount is no longer offered. Please choose another.")
            )
        return self._check_typed_amount(Decimal(choice))
