import secrets

from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, float_compare, format_time
from odoo.tools.i18n import format_list

from odoo.addons.account.models.product import ACCOUNT_DOMAIN

from ...money import InvalidAmount, from_minor, largest_minor, smallest_step, to_minor
from ...utils import first_word
from ..checkout_base import WITH_ARCHIVED
from ..gateway.checkout_gateway import GATEWAY_MANAGERS
from .checkout_payment import UNPAID_STATES

AMOUNT_FIELDS = ("amount", "minimum_amount", "maximum_amount")
# What a payer agreed to at the pay page, and that it can be paid at all: a change ends
# the checkouts that were started before it.
PRICE_FIELDS = (
    *AMOUNT_FIELDS,
    "amount_type",
    "currency_id",
    "gateway_id",
    "max_payments",
    "expires_at",
    "deactivated_at",
)
# How many payments a link's form lists; a button leads to the others.
RECENT_PAYMENTS = 40
GATEWAY_URL = "/odoo/checkout-gateways"


class CheckoutLink(models.Model):
    """An address where anyone can pay a merchant, any number of times.

    Here: its fields and life. Beside it, by concern: `link_paying` (whether it can be
    paid), `link_prefill` (what its address may say), `link_places` (limited payments),
    `link_sharing` (how it gets to customers), `link_minimum` (what Stripe never takes),
    `link_posting` (hints for accountants), `link_product`, `link_suggestions` (of open
    amounts), `link_button` (payment or donation), `link_stripe_page` (what Stripe
    shows), `link_totals`, `link_wording` (what payers read).
    """

    _name = "checkout.link"
    _description = "Checkout Link"
    _inherit = ["checkout.guarded", "mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _check_company_auto = True
    _mail_post_access = "read"
    _set_by_users = frozenset({"active", "state"})

    name = fields.Char("Title", required=True, tracking=True)
    # Read-only, so that forms and lists offer one way of ending a link: Deactivate.
    active = fields.Boolean(default=True, readonly=True)
    description = fields.Text(help="Shown to the customer below the title.")
    gateway_id = fields.Many2one(
        "checkout.gateway",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        default=lambda self: self._default_gateway_id(),
    )
    # Kept here, so that a pay page is shown without reading the gateway.
    gateway_active = fields.Boolean(
        "Gateway Active", related="gateway_id.active", store=True
    )
    gateway_health = fields.Selection(related="gateway_id.health_state")
    gateway_hint = fields.Char(compute="_compute_gateway_hint")
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    user_id = fields.Many2one(
        "res.users", "Responsible", default=lambda self: self.env.user, tracking=True
    )

    # What is paid
    currency_id = fields.Many2one(
        "res.currency",
        compute="_compute_currency_id",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
        tracking=True,
    )
    currency_frozen = fields.Boolean(compute="_compute_currency_frozen")
    amount_type = fields.Selection(
        [("fixed", "Fixed Amount"), ("open", "Open Amount")],
        required=True,
        default="fixed",
        tracking=True,
        help=(
            "Fixed: every customer pays this amount. Open: the customer chooses the "
            "amount."
        ),
    )
    amount = fields.Monetary(tracking=True)
    minimum_amount = fields.Monetary("Minimum", tracking=True, help="0 = no minimum")
    maximum_amount = fields.Monetary("Maximum", tracking=True, help="0 = no maximum")

    # Accounting; what is empty here comes from the gateway
    tax_ids = fields.Many2many(
        "account.tax",
        "checkout_link_tax_rel",
        string="Taxes",
        context=WITH_ARCHIVED,
        check_company=True,
        domain="[('type_tax_use', '=', 'sale')]",
        compute="_compute_tax_ids",
        store=True,
        readonly=False,
        precompute=True,
        help="Included in the amount.",
    )
    map_taxes = fields.Boolean(
        default=True,
        help=(
            "Map taxes and accounts by the customer's fiscal position. Turn this off "
            "for services that are taxed where they take place, such as a course."
        ),
    )
    income_account_id = fields.Many2one(
        "account.account",
        check_company=True,
        domain=ACCOUNT_DOMAIN,
        help="Leave empty to use the gateway's account.",
    )
    analytic_distribution = fields.Json()
    analytic_precision = fields.Integer(
        store=False,
        default=lambda self: self.env["decimal.precision"].precision_get(
            "Percentage Analytic"
        ),
    )

    # Life
    state = fields.Selection(
        [("active", "Active"), ("inactive", "Inactive")],
        required=True,
        default="active",
        readonly=True,
        copy=False,
        tracking=True,
        index=True,
    )
    deactivated_at = fields.Datetime(
        compute="_compute_deactivated_at", store=True, precompute=True
    )
    availability = fields.Selection(
        [
            ("active", "Active"),
            ("inactive", "Inactive"),
            ("expired", "Expired"),
            ("full", "Full"),
            ("held", "Payment in Progress"),
            ("stopped", "Gateway Archived"),
        ],
        compute="_compute_availability",
        search="_search_availability",
        help="Whether customers can pay now and, if not, why.",
    )
    held_until = fields.Datetime(
        compute="_compute_availability",
        help="When the first of the open checkouts that hold all places expires.",
    )
    closed_hint = fields.Char(compute="_compute_closed_hint")
    access_token = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: f"kcl_{secrets.token_urlsafe(16)}",
    )
    url = fields.Char("URL", compute="_compute_url", search="_search_url")
    expires_at = fields.Datetime(
        "Expires", copy=False, help="No payment can start after this time."
    )
    max_payments = fields.Integer("Maximum Payments", help="0 = unlimited")
    inactive_message = fields.Text(
        help=(
            "Shown instead of the standard message when the link is inactive, and when "
            "it is expired or full unless it has another message for that."
        ),
    )
    success_message = fields.Text(help="Shown to the customer after the payment.")
    success_url = fields.Char(
        "Continue to", help="The web page that a button leads to after the payment."
    )

    # What came of it
    payment_ids = fields.One2many(
        "checkout.payment", "link_id", "Payments and Checkouts"
    )
    unpaid_count = fields.Integer(
        "Opened, Not Paid",
        compute="_compute_unpaid_count",
        help="Checkouts that customers opened but did not pay.",
    )
    received_payment_ids = fields.One2many(
        "checkout.payment",
        "link_id",
        domain=[("state", "not in", UNPAID_STATES)],
        help="Paid or processing.",
    )
    recent_payment_ids = fields.Many2many(
        "checkout.payment",
        string="Recent Payments",
        compute="_compute_recent_payment_ids",
        help="The latest payments that are paid or processing.",
    )

    _access_token_uniq = models.Constraint(
        "UNIQUE (access_token)", "This URL is already in use."
    )

    def _default_gateway_id(self):
        """The company's first gateway that is connected, else has a key, else any."""
        gateways = self.env["checkout.gateway"]
        found = gateways.search(gateways._check_company_domain(self.env.company))
        return found.sorted(
            lambda g: (not g.secret_key, g.connection_state != "connected")
        )[:1]

    # === COMPUTE METHODS === #

    @api.depends_context("company", "lang", "uid")
    @api.depends(
        "company_id",
        "gateway_id.secret_key",
        "gateway_id.key_refused",
    )
    def _compute_gateway_hint(self):
        """Why customers can't pay through the gateway, and what the user can do."""
        for link in self:
            if not link.gateway_id:
                link.gateway_hint = self._describe_missing_gateway()
            elif not link.gateway_id.secret_key:
                link.gateway_hint = self._describe_missing_key(link.gateway_id)
            elif link.gateway_id.key_refused:
                link.gateway_hint = self._describe_lost_connection(link.gateway_id)
            else:
                link.gateway_hint = False

    @api.depends("gateway_id")
    def _compute_currency_id(self):
        for link in self:
            link.currency_id = (
                link.currency_id
                or link.gateway_id.currency_id
                or link.company_id.currency_id
            )

    @api.depends("payment_ids")
    def _compute_currency_frozen(self):
        paid_into = self._filter_paid_into()
        for link in self:
            link.currency_frozen = link._origin in paid_into

    @api.depends("gateway_id")
    def _compute_tax_ids(self):
        for link in self:
            usual = not link._is_donation() and link.gateway_id.tax_ids
            link.tax_ids = link.tax_ids if link.product_id else usual

    @api.depends("access_token")
    def _compute_url(self):
        for link in self:
            link.url = f"{link.get_base_url()}/checkout/{link.access_token}"

    def _search_url(self, operator, value):
        """By an address as a customer quotes it, or any part of it."""
        if not isinstance(value, str):
            return NotImplemented
        path = value.partition("?")[0].rpartition("/checkout/")[2]
        return [("access_token", operator, first_word(path))]

    @api.depends("active", "state")
    def _compute_deactivated_at(self):
        """Since when it is closed, whether by its state or by archiving it."""
        now = fields.Datetime.now()
        for link in self:
            closed_since = link.deactivated_at or now
            link.deactivated_at = not link._is_offered() and closed_since

    @api.depends(
        "active",
        "state",
        "gateway_active",
        "expires_at",
        "max_payments",
        "payment_ids.state",
    )
    def _compute_availability(self):
        crowds = self._get_crowds()
        for link in self:
            crowd, until = crowds.get(link._origin, ("active", False))
            link.availability = link._get_obstacle() or crowd
            link.held_until = until

    def _search_availability(self, operator, value):
        """By what the badge says: *Active* is what can be paid now, nothing else."""
        if operator != "in":
            return NotImplemented
        return Domain.OR(self._get_availability_domain(name) for name in value)

    def _get_availability_domain(self, name):
        """The links of an availability, each of them in one only."""
        offered = Domain("active", "=", True) & Domain("state", "=", "active")
        served = offered & Domain("gateway_active", "=", True)
        past = Domain("expires_at", "<=", fields.Datetime.now())
        payable = served & ~past
        crowds = self._search_crowds()
        crowded = [link_id for link_id, crowd in crowds.items() if crowd == name]
        return {
            "inactive": ~offered,
            "stopped": offered & Domain("gateway_active", "=", False),
            "expired": served & past,
            "active": payable & Domain("id", "not in", list(crowds)),
        }.get(name, payable & Domain("id", "in", crowded))

    def _field_to_sql(self, alias, field_expr, query=None):
        """Override of `base`: links can be grouped by their availability."""
        if field_expr != "availability":
            return super()._field_to_sql(alias, field_expr, query)
        link_id = SQL.identifier(alias, "id")
        cases = [
            SQL("WHEN %s IN %s THEN %s", link_id, links.subselect(), name)
            for name, links in self._query_by_availability()
        ]
        return SQL("(CASE %s END)", SQL(" ").join(cases))

    def _query_by_availability(self):
        everything = self.with_context(active_test=False)
        for name in self._fields["availability"].get_values(self.env):
            yield name, everything._search(self._get_availability_domain(name))

    def _search_crowds(self):
        """All links without a free place: their ids, and whether `full` or `held`."""
        limited = self.search([("max_payments", ">", 0)])
        return {
            link.id: crowd for link, (crowd, _until) in limited._get_crowds().items()
        }

    @api.depends("availability", "held_until")
    def _compute_closed_hint(self):
        for link in self:
            link.closed_hint = link._origin._describe_closed()

    def _compute_recent_payment_ids(self):
        payments = self.env["checkout.payment"]
        for link in self:
            link_id = link._origin.id
            received = [("link_id", "=", link_id), ("state", "not in", UNPAID_STATES)]
            link.recent_payment_ids = payments.search(received, limit=RECENT_PAYMENTS)

    def _compute_unpaid_count(self):
        groups = self.env["checkout.payment"]._read_group(
            [
                ("link_id", "in", self.ids),
                ("paid_at", "=", False),
                ("state", "in", UNPAID_STATES),
            ],
            ["link_id"],
            ["__count"],
        )
        counts = dict(groups)
        for link in self:
            link.unpaid_count = counts.get(link._origin, 0)

    # === CONSTRAINT METHODS === #

    @api.constrains(
        "amount_type", "amount", "minimum_amount", "maximum_amount", "currency_id"
    )
    def _check_amounts(self):
        for link in self:
            if link.amount_type == "fixed":
                link._check_chargeable(link.amount)
            else:
                link._check_limits()

    def _check_limits(self):
        if self.minimum_amount < 0 or self.maximum_amount < 0:
            raise ValidationError(self.env._("A limit can't be negative."))
        for limit in filter(None, (self.minimum_amount, self.maximum_amount)):
            self._check_chargeable(limit)
        if self.maximum_amount and self.minimum_amount > self.maximum_amount:
            raise ValidationError(self.env._("The minimum is above the maximum."))

    def _check_chargeable(self, amount: float):
        """:raise ValidationError: if Stripe can't charge this amount."""
        if amount <= 0:
            raise ValidationError(self.env._("Enter an amount greater than zero."))
        self._to_minor(amount)

    def _to_minor(self, amount) -> int:
        """An amount in minor units of the link's currency.

        :raise ValidationError: if it has too many decimals, or is above Stripe's
            maximum.
        """
        try:
            minor = to_minor(amount, self.currency_id.name)
        except InvalidAmount as error:
            raise ValidationError(self._describe_step()) from error
        if minor > largest_minor(self.currency_id.name):
            raise ValidationError(
                self.env._("The maximum for one payment is %s.", self._format_most())
            )
        return minor

    @api.constrains("max_payments")
    def _check_max_payments(self):
        if any(link.max_payments < 0 for link in self):
            raise ValidationError(
                self.env._("The number of payments can't be negative.")
            )

    def _check_exact(self, vals):
        """:raise ValidationError: if Odoo rounded what was entered.
        :raise RedirectWarning: if it needn't, and the user may change that.
        """
        for name in vals.keys() & set(AMOUNT_FIELDS):
            entered = float(vals[name] or 0)
            if float_compare(entered, self[name], precision_digits=6):
                self.currency_id._check_stripe_decimals()
                raise ValidationError(self._describe_step())

    # === CRUD METHODS === #

    @api.model
    def get_empty_list_help(self, help_message):
        """Override of `web`: without a gateway, first things first."""
        if self._default_gateway_id():
            return super().get_empty_list_help(help_message)
        return Markup(
            '<p class="o_view_nocontent_smiling_face">%(title)s</p>'
            "<p>%(hint)s</p>%(way)s"
        ) % {
            "title": self.env._("Connect Stripe first"),
            "hint": self._describe_missing_gateway(),
            "way": self._render_gateway_button(),
        }

    @api.model_create_multi
    def create(self, vals_list):
        """:raise ValidationError: if an amount is finer than its currency."""
        links = super().create(vals_list)
        for link, vals in zip(links, vals_list, strict=True):
            link._check_exact(vals)
        return links

    def write(self, vals):
        """The currency stays once money came in; a change of price ends open checkouts,
        and so does closing the link.

        :raise UserError: if the currency of a link with payments is changed.
        :raise AccessError: if it is given to a company that the user isn't in.
        :raise ValidationError: if an amount is finer than its currency.
        """
        self._check_frozen_currency(vals)
        prices = {link: link._get_price() for link in self}
        res = super().write(vals)
        self.check_access("write")  # it may be another company's now
        for link in self:
            link._check_exact(vals)
        changed = self.filtered(lambda link: link._get_price() != prices[link])
        changed._expire_open_sessions()
        changed._forget_refusal()
        return res

    def _get_price(self):
        return [self[name] for name in PRICE_FIELDS]

    def _check_frozen_currency(self, vals):
        """:raise UserError: if the currency of a link with payments changes."""
        changed = self.filtered(
            lambda link: (
                "currency_id" in vals and link.currency_id.id != vals["currency_id"]
            )
        )
        if changed._filter_paid_into():
            raise UserError(
                self.env._(
                    "The currency can no longer be changed because the link has "
                    "payments. Duplicate the link instead."
                )
            )

    def _filter_paid_into(self):
        """The links with payments or started checkouts, in any company."""
        links_sudo = self.sudo().with_context(active_test=False)
        paid_into = [("id", "in", self._origin.ids), ("payment_ids", "!=", False)]
        return self.browse(links_sudo.search(paid_into).ids)

    def unlink(self):
        """Delete permanently. Payments and entries stay, with the link's title."""
        self._expire_open_sessions()
        self._note_deletion()
        return super().unlink()

    def _note_deletion(self):
        """Leave the moment of closing with payments whose money may still come."""
        now = fields.Datetime.now()
        for link_sudo in self.sudo():  # payments are read-only for merchants
            unpaid = [("link_id", "=", link_sudo.id), ("paid_at", "=", False)]
            end = min(link_sudo._get_end() or now, now)
            self.env["checkout.payment"].sudo().search(unpaid).link_deleted_at = end

    # === ACTION METHODS === #

    def action_confirm_deactivation(self):
        """Ask first: who is on the page now, and what a customer will read."""
        return self._get_confirm_action("deactivate", self.env._("Deactivate"))

    def action_confirm_deletion(self):
        """Ask first: what stays, and whether deactivating would do."""
        return self._get_confirm_action("delete", self.env._("Delete"))

    def _get_confirm_action(self, what, title):
        view = self.env.ref(f"kantivo_checkout_links.checkout_link_confirm_{what}")
        return {
            "type": "ir.actions.act_window",
            "name": title,
            "res_model": "checkout.link.confirm",
            "views": [(view.id, "form")],
            "target": "new",
            "context": {"default_link_ids": self.ids, "dialog_size": "medium"},
        }

    def action_deactivate(self):
        """Stop taking payments; open checkouts end, what was paid stays."""
        self.write({"state": "inactive"})

    def action_activate(self):
        """Take payments again, at the same address; an archived link too."""
        self.write({"state": "active", "active": True})

    def action_view_payments(self):
        """The payments of these links."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "kantivo_checkout_links.checkout_payment_action"
        )
        action["domain"] = [("link_id", "in", self.ids)]
        action["context"] = {"search_default_received": 1}
        return action

    def action_view_unpaid(self):
        """The checkouts of these links that were opened and not paid."""
        return {
            **self.action_view_payments(),
            "context": {"search_default_unpaid": 1},
        }

    def action_view_moves(self):
        """The journal entries of what was paid through these links."""
        self.check_access("read")
        payments = self.env["checkout.payment"]
        return payments._get_moves_action("payment_id.link_id", self.ids)

    def action_open_url(self):
        """The pay page, as a customer sees it."""
        self.ensure_one()
        return {"type": "ir.actions.act_url", "url": self.url, "target": "new"}

    # === BUSINESS METHODS - CHATTER === #

    @api.model
    def _get_thread_with_access(self, thread_id, *, mode="read", **_tokens):
        """Override of `portal`: an address that is shared with everybody opens the pay
        page, and not what merchants write to each other about it.
        """
        return super()._get_thread_with_access(thread_id, mode=mode)

    # === HELPERS === #

    @api.model
    def _describe_missing_gateway(self):
        """What to do while links can't be made, in words for this very user."""
        if self.env.user.has_group(GATEWAY_MANAGERS):
            return self.env._(
                "Checkout links need a Stripe gateway. You enter your keys and "
                "accounts there once."
            )
        return self.env._(
            "Checkout links need a Stripe gateway. To have one set up, ask %s.",
            self._name_gateway_managers(),
        )

    @api.model
    def _describe_missing_key(self, gateway):
        """What to do before a gateway takes money, in words for this very user."""
        if self.env.user.has_group(GATEWAY_MANAGERS):
            return self.env._(
                "Customers can't pay through this link yet because the gateway “%s” "
                "has no key. Enter one there, or choose another gateway here.",
                gateway.name,
            )
        return self.env._(
            "Customers can't pay through this link yet because the gateway "
            "“%(gateway)s” has no key. Choose another gateway, or ask %(people)s to "
            "enter the key.",
            gateway=gateway.name,
            people=self._name_gateway_managers(),
        )

    @api.model
    def _describe_lost_connection(self, gateway):
        return self.env._(
            "Customers can't pay through this link because Stripe no longer accepts "
            "the key of the gateway “%s”.",
            gateway.name,
        )

    @api.model
    def _name_gateway_managers(self):
        managers = self.env["checkout.gateway"]._get_gateway_managers()
        names = managers.mapped("name")
        return format_list(self.env, names, "or")

    @api.model
    def _render_gateway_button(self):
        if not self.env.user.has_group(GATEWAY_MANAGERS):
            return ""
        return Markup('<a class="btn btn-primary" href="%(url)s">%(text)s</a>') % {
            "url": GATEWAY_URL,
            "text": self.env._("Set Up a Gateway"),
        }

    def _describe_closed(self):
        """Why customers can't pay although the link is active; nothing if they can."""
        sentences = {
            "expired": self.env._(
                "This link has expired. Customers see that they can no longer pay."
            ),
            "full": self.env._(
                "This link has reached its maximum number of payments. Customers see "
                "that they can no longer pay."
            ),
            "held": self._describe_hold(),
            "stopped": self.env._(
                "This link's gateway is archived. Customers see that they can't pay at "
                "the moment. Unarchive the gateway, or choose another one."
            ),
        }
        return sentences.get(self.availability, False)

    def _describe_hold(self):
        return self.env._(
            "All remaining places are held by customers who are paying right now. The "
            "first checkout expires at %s. Click Release to end these checkouts.",
            format_time(self.env, self.held_until, time_format="short"),
        )

    def _format(self, amount: float):
        return self.currency_id._format_price(float(amount))

    def _format_most(self):
        code = self.currency_id.name
        return self._format(from_minor(largest_minor(code), code))

    def _format_example(self):
        return self._format(self.minimum_amount or 10)

    def _get_step(self):
        """What amounts differ by at least, at Stripe and in Odoo."""
        at_stripe = float(smallest_step(self.currency_id.name))
        return max(at_stripe, self.currency_id.rounding)

    def _describe_step(self):
        return self.env._(
            "Amounts in %(currency)s must be multiples of %(step)s.",
            currency=self.currency_id.name,
            step=f"{self._get_step():g}",
        )
