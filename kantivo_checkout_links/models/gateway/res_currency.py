from odoo import models
from odoo.exceptions import RedirectWarning, ValidationError
from odoo.tools import float_compare

from ...money import differs, stripe_decimals, stripe_unit
from ...utils import notify

# Unicode's "first strong isolate" and its end: https://www.unicode.org/reports/tr9/
ISOLATE = "\u2068"
END_ISOLATE = "\u2069"


class ResCurrency(models.Model):
    _inherit = "res.currency"

    # === ACTION METHODS === #

    def action_use_stripe_decimals(self):
        """Have amounts in these currencies rounded as finely as Stripe counts them.

        Odoo lets decimals be added at any time; what is posted already stays as it is.

        :return: A notification for the web client.
        :raise AccessError: if the user may not change currencies.
        """
        for currency in self.filtered(lambda c: c._is_coarser_than_stripe()):
            currency.rounding = stripe_unit(currency.name)
        self.env.registry.clear_cache("stable")  # the web client's list of currencies
        message = self.env._(
            "%s now uses Stripe's decimals. Reload the page to see them.",
            ", ".join(self.mapped("name")),
        )
        return notify("success", message)

    # === BUSINESS METHODS === #

    def _format_price(self, amount):
        """An amount as Stripe's pages show it: "$5.00" has no space after the sign. In
        sentences from right to left, it keeps its own direction.
        """
        text = self.format(amount)
        if self.position == "before" and not self.symbol[-1:].isalpha():
            text = text.replace(f"{self.symbol}\N{NO-BREAK SPACE}", self.symbol, 1)
        lang = self.env["res.lang"]._get_data(code=self.env.lang or False)
        return f"{ISOLATE}{text}{END_ISOLATE}" if lang.direction == "rtl" else text

    def _check_stripe_decimals(self):
        """:raise RedirectWarning: with a button that gives this currency Stripe's
            decimals, if it lacks them.
        :raise ValidationError: without it, for who may not change currencies.
        """
        if not self._is_coarser_than_stripe():
            return
        if not self.has_access("write"):
            raise ValidationError(self._describe_coarse())
        raise RedirectWarning(
            self._describe_coarse(),
            self.env.ref("kantivo_checkout_links.res_currency_action_decimals").id,
            self.env._("Use Stripe's Decimals for %s", self.name),
            {"active_model": self._name, "active_id": self.id, "active_ids": self.ids},
        )

    def _is_coarser_than_stripe(self):
        """Whether Odoo rounds away decimals that Stripe has."""
        unit = stripe_unit(self.name)
        return float_compare(self.rounding, unit, precision_digits=6) > 0

    def _rounds_away(self, amount: float):
        """Whether an amount of Stripe's would become another one in Odoo's ledger."""
        return bool(self) and differs(amount, self.round(amount))

    def _describe_coarse(self):
        return self.env._(
            "Odoo rounds %(currency)s to %(rounding)s, but Stripe uses %(unit)s. Use "
            "Stripe's decimals, or set the rounding factor under Configuration › "
            "Currencies. Until then, amounts that Odoo would round are not posted.",
            currency=self.name,
            rounding=f"{self.rounding:g}",
            unit=f"{stripe_unit(self.name):g}",
        )

    def _format_exact(self, amount: float):
        """An amount of Stripe's in words, also what Odoo would round away of it."""
        if not self._rounds_away(amount):
            return self.format(amount)
        return f"{amount:.{stripe_decimals(self.name)}f} {self.name}"
