import string

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...const import STATEMENT_LENGTH, UNKNOWN_PREFIX_LENGTH

# https://docs.stripe.com/get-started/account/statement-descriptors
FORBIDDEN = set("<>\\'\"*")
ALLOWED = set(string.printable) - set(string.whitespace) - FORBIDDEN | {" "}
# Between the account's prefix and the suffix of a link.
JOINT = "* "


class CheckoutLink(models.Model):
    """What Stripe does for a link's payers: the text on card statements, and the
    payment methods.
    """

    _inherit = "checkout.link"

    statement_descriptor_suffix = fields.Char(
        "On Card Statements",
        tracking=True,
        help=(
            "Added to your name on customers' card statements, so that they recognize "
            "the payment. Letters A to Z, digits and most signs."
        ),
    )
    statement_preview = fields.Char(compute="_compute_statement_preview")
    excluded_method_ids = fields.Many2many(
        "checkout.method",
        string="Excluded Payment Methods",
        help=(
            "Methods that customers can't pay this link with. All others that are on "
            "in the Stripe Dashboard are offered."
        ),
    )
    excluded_payment_method_types = fields.Char(
        compute="_compute_excluded_payment_method_types",
        store=True,
        inverse="_inverse_excluded_payment_method_types",
        help="Stripe's types of the excluded methods, separated by commas.",
    )

    # === COMPUTE METHODS === #

    @api.depends("statement_descriptor_suffix", "gateway_id.statement_prefix")
    def _compute_statement_preview(self):
        for link in self:
            prefix = link.gateway_id.statement_prefix or "…"
            suffix = link.statement_descriptor_suffix
            link.statement_preview = suffix and f"{prefix}{JOINT}{suffix}".upper()

    @api.depends("excluded_method_ids")
    def _compute_excluded_payment_method_types(self):
        for link in self:
            codes = link.excluded_method_ids.mapped("code")
            link.excluded_payment_method_types = ",".join(sorted(codes)) or False

    def _inverse_excluded_payment_method_types(self):
        """:raise ValidationError: if a type is unknown."""
        methods = self.env["checkout.method"]
        for link in self:
            text = link.excluded_payment_method_types or ""
            codes = {code.strip() for code in text.split(",")} - {""}
            found = methods.search([("code", "in", list(codes))])
            if unknown := codes - set(found.mapped("code")):
                raise ValidationError(
                    self.env._(
                        "Unknown payment methods: %s", ", ".join(sorted(unknown))
                    )
                )
            link.excluded_method_ids = found

    # === CONSTRAINT METHODS === #

    @api.constrains("statement_descriptor_suffix", "gateway_id")
    def _check_statement(self):
        for link in self.filtered("statement_descriptor_suffix"):
            problem = link._find_statement_problem()
            if problem:
                raise ValidationError(problem)

    def _find_statement_problem(self):
        """Why Stripe would refuse the text on statements; nothing if it takes it."""
        text, room = self.statement_descriptor_suffix, self._get_statement_room()
        if set(text) - ALLOWED:
            return self.env._(
                "On card statements, only Latin letters, digits and signs are allowed, "
                "and none of these: %s",
                " ".join(sorted(FORBIDDEN)),
            )
        if not any(character.isalpha() for character in text):
            return self.env._("The text on card statements needs at least one letter.")
        if len(text) > room:
            return self.env._(
                "The text on card statements can have at most %s characters here.", room
            )
        return None

    def _get_statement_room(self):
        """How many characters are left beside the account's prefix."""
        prefix = self.gateway_id.statement_prefix
        length = len(prefix) if prefix else UNKNOWN_PREFIX_LENGTH
        return STATEMENT_LENGTH - length - len(JOINT)

    # === BUSINESS METHODS === #

    def _get_statement_suffix(self):
        """The text on statements; nothing where the account's prefix has become longer,
        since a refused text would cost the payment.
        """
        suffix = self.statement_descriptor_suffix
        return suffix and not self._find_statement_problem() and suffix
