from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import float_round

from ...const import MAX_TEXT_LENGTH, MAX_TITLE_LENGTH, TOO_SMALL
from ...money import read_minimum
from ...utils import is_web_address


class CheckoutLink(models.Model):
    """What Stripe never takes: amounts below its minimum, texts beyond its limits."""

    _inherit = "checkout.link"

    stripe_minimum = fields.Monetary(
        "Stripe's Minimum",
        readonly=True,
        copy=False,
        help="The minimum that Stripe reported when it refused a payment as too small.",
    )
    refusal = fields.Char(
        "Refused by Stripe",
        readonly=True,
        copy=False,
        help="Stripe's reason for refusing the last payment.",
    )
    minimum_hint = fields.Char(compute="_compute_minimum_hint")

    # === COMPUTE METHODS === #

    @api.depends(
        "amount_type",
        "amount",
        "minimum_amount",
        "currency_id",
        "gateway_id.minimum_amount",
        "stripe_minimum",
    )
    def _compute_minimum_hint(self):
        for link in self:
            minimum, smallest = link._get_stripe_minimum(), link._get_smallest_amount()
            is_entered = link.amount_type == "open" or smallest > 0
            is_low = is_entered and smallest < minimum
            link.minimum_hint = is_low and link._describe_minimum(minimum)

    def _get_smallest_amount(self):
        """The smallest amount that the link asks for, or lets a customer enter."""
        return self.amount if self.amount_type == "fixed" else self.minimum_amount

    def _get_stripe_minimum(self):
        """Stripe's minimum in the link's currency: as Stripe has stated it, else the
        gateway's at today's rate. Zero if not known.
        """
        gateway = self.gateway_id
        if self.stripe_minimum or not (self.currency_id and gateway.minimum_amount):
            return self.stripe_minimum
        return self._convert_minimum(gateway.minimum_amount, gateway.currency_id)

    def _convert_minimum(self, amount: float, currency):
        """A minimum in the link's currency, in whole steps; zero without a rate."""
        rates = self.env["checkout.rate"]
        try:
            exact = rates._convert_between(
                amount, currency, self.currency_id, self.company_id
            )
        except UserError:
            return 0.0
        return float_round(
            exact, precision_rounding=self._get_step(), rounding_method="UP"
        )

    def _describe_minimum(self, minimum):
        """:param float minimum: Stripe's, in the link's currency."""
        if self.amount_type == "fixed":
            return self.env._(
                "Stripe's minimum is about %s. Customers may not be able to pay less.",
                self._format(minimum),
            )
        return self.env._(
            "Stripe's minimum is about %s. Enter it as the minimum, so that customers "
            "see it before they pay.",
            self._format(minimum),
        )

    # === CONSTRAINT METHODS === #

    @api.constrains("name", "description")
    def _check_texts(self):
        for link in self:
            if not link.name.strip():
                raise ValidationError(self.env._("Enter a title."))
            link._check_length("name", MAX_TITLE_LENGTH)
            link._check_length("description", MAX_TEXT_LENGTH)

    def _check_length(self, name, limit):
        if len(self[name] or "") > limit:
            raise ValidationError(
                self.env._(
                    "%(field)s is too long. Stripe allows %(limit)s characters.",
                    field=self._fields[name]._description_string(self.env),
                    limit=limit,
                )
            )

    @api.constrains("success_url")
    def _check_success_url(self):
        for link in self:
            if link.success_url and not is_web_address(link.success_url):
                raise ValidationError(
                    self.env._(
                        "Enter a complete web address, such as "
                        "https://example.com/thanks."
                    )
                )

    # === BUSINESS METHODS === #

    def _set_refused(self, amount: float, error):
        """Keep why Stripe never takes a payment of this link; see `_set_accepted`.

        :param float amount: What was to be paid.
        :param StripeError error: Stripe's refusal.
        """
        vals = {"refusal": str(error)}
        if error.code == TOO_SMALL:
            vals["stripe_minimum"] = self._get_minimum_above(amount, str(error))
        self.write(vals)

    def _get_minimum_above(self, refused, message):
        """The minimum by Stripe's own words or its published table; zero if both say
        that the refused amount is enough.
        """
        stated = read_minimum(message)
        if stated:
            amount, code = stated
            currency = self.env["checkout.payment"]._get_currency(code)
            minimum = self._convert_minimum(float(amount), currency)
        else:
            minimum = self._get_stripe_minimum()
        return minimum if minimum > refused else 0.0

    def _set_accepted(self):
        """Stripe takes payments of this link after all."""
        if self.refusal:
            self.refusal = False

    def _forget_refusal(self):
        """What Stripe said of another price doesn't count any more."""
        refused = self.filtered(lambda link: link.refusal or link.stripe_minimum)
        if refused:
            refused_sudo = refused.sudo()  # only our code sets these
            refused_sudo.write({"refusal": False, "stripe_minimum": 0})

    def _describe_too_small(self):
        """What the payer of an open amount reads that Stripe refused as too small."""
        if self.stripe_minimum:
            return self.env._("The minimum is %s.", self._format(self.stripe_minimum))
        return self.env._("This amount is too small. Please enter a higher amount.")
