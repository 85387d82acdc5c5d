import logging

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.http import request

from odoo.addons.account.models.product import ACCOUNT_DOMAIN
from odoo.addons.base.models.res_partner import _tz_get

from ... import stripe_client
from ...const import MINIMUM_AMOUNTS
from ...taxes import is_neutral
from ...utils import SOFT_RELOAD, notify
from ..checkout_base import WITH_ARCHIVED

GATEWAY_MANAGERS = "account.group_account_manager"

_logger = logging.getLogger(__name__)


class CheckoutGateway(models.Model):
    """One Stripe account in one mode, settling in one currency into one journal.

    Here: its fields and what may change in them. Beside it, by concern: `gateway_keys`
    (masked keys), `gateway_setup` (the steps), `gateway_connection` (what a key may
    do), `gateway_endpoint` (the webhook), `gateway_accounting` (journal and accounts),
    `gateway_balance` (what was read of the balance), `gateway_disputes` (tax of
    losses), `gateway_health`, `gateway_clock`, `gateway_lock`, `gateway_signing`,
    `gateway_page` and `storefront` (what payers see of a merchant). Above
    it: `ledger/statement`, `payment/livemode`, and all of `processing`.
    """

    _name = "checkout.gateway"
    _description = "Stripe Gateway"
    _inherit = ["checkout.guarded", "mail.thread", "mail.activity.mixin"]
    _order = "sequence, id"
    _check_company_auto = True
    _check_company_domain = models.check_company_domain_parent_of

    name = fields.Char(required=True, default="Stripe")
    active = fields.Boolean(default=True)
    archived_at = fields.Datetime(
        compute="_compute_archived_at",
        store=True,
        precompute=True,
        help="Payments made through its links after this time are late.",
    )
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        default=lambda self: self.env.user,
        help="Gets an activity when something needs attention.",
    )

    stripe_account_id = fields.Char(readonly=True, copy=False)

    # Accounting
    journal_id = fields.Many2one(
        "account.journal",
        "Stripe Journal",
        domain="[('type', '=', 'bank'), ('bank_account_id', '=', False)]",
        check_company=True,
        copy=False,
        help="A dedicated bank journal. Its balance is your balance at Stripe.",
    )
    has_other_entries = fields.Boolean(
        compute="_compute_has_other_entries",
        store=True,
        help="Whether the journal held other money when it was last looked through.",
    )
    journal_warning = fields.Char(compute="_compute_journal_warning")
    currency_id = fields.Many2one(
        "res.currency",
        "Settlement Currency",
        compute="_compute_currency_id",
        store=True,
        precompute=True,
        readonly=False,
        help=(
            "The journal's currency. Without a journal, the currency of the journal to "
            "be created."
        ),
    )
    tz = fields.Selection(
        _tz_get,
        "Time Zone",
        required=True,
        default=lambda self: (
            self.env.company.partner_id.tz or self.env.user.tz or "UTC"
        ),
        help="Determines the date of payments made around midnight.",
    )
    credit_to = fields.Selection(
        [("revenue", "Revenue"), ("receivable", "Receivable")],
        "Post Payments To",
        required=True,
        default="revenue",
        help=(
            "Revenue: the sale and its tax are posted immediately. Receivable: the "
            "payment stays open on the customer's account until it is reconciled with "
            "an invoice."
        ),
    )
    income_account_id = fields.Many2one(
        "account.account",
        compute="_compute_income_account_id",
        store=True,
        readonly=False,
        check_company=True,
        domain=ACCOUNT_DOMAIN,
    )
    receivable_account_id = fields.Many2one(
        "account.account",
        check_company=True,
        domain="[('account_type', '=', 'asset_receivable')]",
        help="Leave empty to use each customer's own receivable account.",
    )
    tax_ids = fields.Many2many(
        "account.tax",
        "checkout_gateway_tax_rel",
        string="Sales Taxes",
        context=WITH_ARCHIVED,
        check_company=True,
        domain="[('type_tax_use', '=', 'sale')]",
        compute="_compute_tax_ids",
        store=True,
        readonly=False,
        precompute=True,
        help=(
            "Included in the price, so customers never pay more than the link's "
            "amount. Used for new links. The company's default sales tax is suggested."
        ),
    )
    fee_account_id = fields.Many2one("account.account", check_company=True)
    fee_tax_ids = fields.Many2many(
        "account.tax",
        "checkout_gateway_fee_tax_rel",
        string="Taxes on Fees",
        context=WITH_ARCHIVED,
        check_company=True,
        domain="[('type_tax_use', '=', 'purchase')]",
        help=(
            "A tax that Stripe reports with a fee is posted as reported. A "
            "reverse-charge tax is posted on every fee."
        ),
    )
    fee_tax_is_added = fields.Boolean(compute="_compute_fee_tax_is_added")
    fee_tax_invoiced = fields.Boolean(
        "Tax Is on Stripe's Invoice",
        help=(
            "Turn this on if Stripe's monthly invoice shows this tax but Stripe "
            "doesn't report it with each fee. The tax is then included in each fee. "
            "Otherwise, a fee without a reported tax is posted without tax."
        ),
    )
    fee_analytics = fields.Boolean(
        "Analytic Distribution on Fees",
        default=True,
        help="Fees get the analytic distribution of the payment's link.",
    )
    fee_partner_id = fields.Many2one(
        "res.partner",
        "Fee Vendor",
        check_company=True,
        help="The vendor contact for Stripe.",
    )
    dispute_account_id = fields.Many2one(
        "account.account",
        "Disputes Account",
        check_company=True,
        help="Holds the money that Stripe withholds while a dispute is open.",
    )
    dispute_loss_account_id = fields.Many2one(
        "account.account",
        "Lost Disputes Account",
        check_company=True,
        help="If empty, a lost dispute reverses the sale, like a refund.",
    )
    transfer_account_id = fields.Many2one(
        "account.account",
        compute="_compute_transfer_account_id",
        store=True,
        readonly=False,
        check_company=True,
        help="Payouts stay here until they are reconciled with your bank statement.",
    )
    review_account_id = fields.Many2one(
        "account.account",
        check_company=True,
        help="Holds transactions that need your review.",
    )

    # Policies
    partner_policy = fields.Selection(
        [
            ("create", "Create"),
            ("match", "Match only"),
            ("none", "Don't link"),
        ],
        "Customer Contacts",
        required=True,
        default="create",
        help=(
            "Customers are matched by email address with the contacts of the company "
            "and with shared contacts. Create: a contact is created if none matches."
        ),
    )
    minimum_amount = fields.Monetary(
        "Stripe's Minimum",
        compute="_compute_minimum_amount",
        store=True,
        readonly=False,
        help=(
            "The smallest payment that Stripe accepts in the settlement currency. "
            "Links with a lower amount show a warning."
        ),
    )
    post_entries = fields.Boolean(
        "Post Journal Entries",
        copy=False,
        help="Off for test keys, so that test payments don't reach your accounting.",
    )
    sync_from = fields.Datetime(
        required=True,
        default=fields.Datetime.now,
        copy=False,
        help="Earlier transactions are posted as one opening balance.",
    )
    # Other programs know it by this name, so it stays: third-party transactions.
    foreign_movements = fields.Selection(
        [("book", "Post for review"), ("skip", "Ignore")],
        "Third-Party Transactions",
        required=True,
        default="book",
        help=(
            "Transactions of other software on the same Stripe account. Post for "
            "review: they are posted to the review account for you to clear. Ignore: "
            "they are not posted, so the balances can't be compared in full."
        ),
    )

    # Health
    last_sync_at = fields.Datetime("Last Sync", readonly=True, copy=False)
    sync_error = fields.Char("Last Sync Error", readonly=True, copy=False)

    link_ids = fields.One2many(
        "checkout.link",
        "gateway_id",
        "Links",
        groups="account.group_account_invoice,account.group_account_readonly",
    )

    _account_uniq = models.UniqueIndex(
        "(stripe_account_id, livemode, currency_id) "
        "WHERE stripe_account_id IS NOT NULL",
        "A gateway for this Stripe account, mode and currency already exists.",
    )
    _journal_uniq = models.UniqueIndex(
        "(journal_id) WHERE journal_id IS NOT NULL",
        "This journal belongs to another gateway. Each gateway needs its own journal.",
    )

    # === COMPUTE METHODS === #

    @api.depends("active")
    def _compute_archived_at(self):
        now = fields.Datetime.now()
        for gateway in self:
            archived_since = gateway.archived_at or now
            gateway.archived_at = not gateway.active and archived_since

    @api.depends("journal_id.currency_id", "company_id.currency_id")
    def _compute_currency_id(self):
        for gateway in self:
            company_currency = gateway.company_id.currency_id
            if gateway.journal_id:
                currency = gateway.journal_id.currency_id or company_currency
            else:
                currency = gateway.currency_id or company_currency
            gateway.currency_id = currency

    @api.depends("journal_id")
    def _compute_has_other_entries(self):
        """Looked through when it is chosen, and by the daily check."""
        for gateway in self:
            others = [
                ("journal_id", "=", gateway.journal_id.id),
                ("checkout_movement_ids", "=", False),
            ]
            # Some who may set up a gateway have no rights in accounting.
            moves_sudo = self.env["account.move"].sudo()
            gateway.has_other_entries = gateway.journal_id and bool(
                moves_sudo.search_count(others, limit=1)
            )

    @api.depends("has_other_entries", "journal_id")
    @api.depends_context("lang")
    def _compute_journal_warning(self):
        """Once other money is in the journal, it can't be separated any more."""
        for gateway in self:
            gateway.journal_warning = gateway.has_other_entries and self.env._(
                "“%s” holds journal entries that don't come from Stripe, so its "
                "balance can't match Stripe's. Choose a new journal instead.",
                gateway.journal_id.name,
            )

    @api.depends("currency_id")
    def _compute_minimum_amount(self):
        for gateway in self:
            gateway.minimum_amount = MINIMUM_AMOUNTS.get(gateway.currency_id.name, 0)

    @api.depends("company_id")
    def _compute_income_account_id(self):
        for gateway in self:
            gateway.income_account_id = gateway.company_id.income_account_id

    @api.depends("company_id")
    def _compute_tax_ids(self):
        for gateway in self:
            gateway.tax_ids = gateway._get_default_tax()

    @api.depends("company_id")
    def _compute_transfer_account_id(self):
        for gateway in self:
            gateway.transfer_account_id = gateway.company_id.transfer_account_id

    def _get_default_tax(self):
        """The company's sales tax, or of the company that it is a branch of."""
        company = self.company_id
        root_sudo = company.root_id.sudo()  # a user of a branch can't read it
        return company.account_sale_tax_id or root_sudo.account_sale_tax_id.sudo(False)

    @api.depends("fee_tax_ids")
    def _compute_fee_tax_is_added(self):
        """Whether the taxes add to a fee, which a reverse charge doesn't."""
        for gateway in self:
            gateway.fee_tax_is_added = not is_neutral(gateway.fee_tax_ids)

    # === CONSTRAINT METHODS === #

    @api.constrains("partner_policy", "credit_to")
    def _check_partner_policy(self):
        for gateway in self:
            if gateway.credit_to == "receivable" and gateway.partner_policy == "none":
                raise ValidationError(
                    self.env._(
                        "A receivable needs a contact. Set Customer Contacts to Create "
                        "or Match only, or post payments to revenue instead."
                    )
                )

    @api.constrains("journal_id")
    def _check_journal(self):
        for gateway in self:
            reason = gateway.journal_id and gateway._get_journal_obstacle()
            if reason:
                raise ValidationError(reason)

    def _get_journal_obstacle(self):
        """Why the journal's balance could never be the balance at Stripe, if so."""
        journal = self.journal_id
        if journal.type != "bank":
            return self.env._("The Stripe journal must be a bank journal.")
        if journal.bank_account_id:
            return self.env._(
                "“%s” is the journal of a bank account. Stripe's money isn't in that "
                "account until it is paid out. Create a journal for Stripe.",
                journal.name,
            )
        if journal.bank_statements_source not in (False, "undefined"):
            return self.env._(
                "“%s” receives statements from a bank. Stripe transactions need a "
                "journal of their own.",
                journal.name,
            )
        return False

    @api.constrains("stripe_account_id", "livemode", "journal_id", "currency_id")
    def _check_account_free(self):
        """Two gateways for the same money would post it twice."""
        for gateway in self:
            gateway._check_no_twin(gateway.stripe_account_id)

    def _check_no_twin(self, account_id):
        """:raise ValidationError: if another gateway is for the same account, mode and
        currency. An account that isn't known yet is checked once it is.
        """
        if account_id and self._has_twin(account_id):
            raise ValidationError(
                self.env._(
                    "A gateway for this Stripe account, mode and currency (%s) already "
                    "exists. It may be archived. Use that gateway, or choose a journal "
                    "in another currency that the account settles in.",
                    self.currency_id.name,
                )
            )

    def _has_twin(self, account_id):
        gateways_sudo = self.sudo().with_context(active_test=False)  # of any company
        domain = [
            ("id", "!=", self.id),
            ("stripe_account_id", "=", account_id),
            ("livemode", "=", self.livemode),
            ("currency_id", "=", self.currency_id.id),
        ]
        return bool(gateways_sudo.search_count(domain, limit=1))

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """Posting starts out on for live keys and off for test keys."""
        for vals in vals_list:
            if not vals.get("sync_from", True):
                del vals["sync_from"]  # it is now, then
            key = (vals.get("secret_key") or "").strip()
            vals.setdefault("post_entries", stripe_client.is_live_key(key))
        return super().create(vals_list)

    def write(self, vals):
        """A change of mode resets posting, unless the same call sets it.
        Archiving ends the checkouts that are open.

        :raise UserError: if journal, company or currency of posted payments are
            changed, or the start of a gateway that has its opening balance.
        :raise AccessError: if it is given to a company that the user isn't in.
        """
        self.check_access("write")
        self._check_frozen(vals)
        reread = self._filter_other_sync_from(vals)
        if reread:
            reread._check_sync_from(vals["sync_from"])
        changed = self.filtered(lambda gateway: gateway._changes_mode(vals))
        archived = self.filtered("archived_at")
        res = super().write(vals)
        self.check_access("write")  # or another company's links were paid to the user
        if changed and "post_entries" not in vals:
            changed.write({"post_entries": changed[0].livemode})
        (self.filtered("archived_at") - archived)._expire_open_sessions()
        if reread:
            reread_sudo = reread.sudo()  # only our code sets these
            reread_sudo.write({"transactions_read_to": False, "opening_done": False})
        return res

    def _check_frozen(self, vals):
        """What is posted stays where they are."""
        changed = self.filtered(
            lambda gateway: any(
                name in vals and gateway[name].id != vals[name]
                for name in ("journal_id", "company_id", "currency_id")
            )
        )
        if changed._has_posted():
            raise UserError(
                self.env._(
                    "Payments are already posted here, so the journal, company and "
                    "currency can't be changed. Create a new gateway instead."
                )
            )

    def _filter_other_sync_from(self, vals):
        """The gateways with an opening balance that are to start at another time."""
        if "sync_from" not in vals:
            return self.browse()
        sync_from = fields.Datetime.to_datetime(vals["sync_from"])
        return self.filtered(lambda g: g.opening_done and g.sync_from != sync_from)

    def _check_sync_from(self, sync_from):
        """The opening balance is that of one moment; another would post money twice or
        never. Where it was nothing, so was all that moved before: it may be read too.

        :raise UserError: if that moment has to stay.
        """
        sync_from = fields.Datetime.to_datetime(sync_from)
        movements_sudo = self.env["checkout.movement"].sudo()  # of any company
        opening = [("gateway_id", "in", self.ids), ("kind", "=", "opening")]
        is_later = any(not sync_from or sync_from > g.sync_from for g in self)
        if is_later or movements_sudo.search_count(opening, limit=1):
            raise UserError(
                self.env._(
                    "“Sync From” can't be set to a later time because everything since "
                    "then is synced, and it can't be set to an earlier time once an "
                    "opening balance is posted. Clear the opening balance from the "
                    "review account instead."
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        if self._has_payments():
            raise UserError(
                self.env._(
                    "This gateway can't be deleted because it has payments. Archive it "
                    "instead."
                )
            )

    # === BUSINESS METHODS - USE === #

    def _has_payments(self):
        payments_sudo = self.env["checkout.payment"].sudo()  # of any company
        domain = [("gateway_id", "in", self.ids)]
        return bool(payments_sudo.search_count(domain, limit=1))

    def _has_posted(self):
        movements_sudo = self.env["checkout.movement"].sudo()  # of any company
        domain = [("gateway_id", "in", self.ids), ("move_id", "!=", False)]
        return bool(movements_sudo.search_count(domain, limit=1))

    def _is_used(self):
        """Whether payments or posted movements are here: those are of one account.

        So are another gateway's payments that settled in this one's currency.
        """
        movements_sudo = self.env["checkout.movement"].sudo()  # of any company
        own = Domain("gateway_id", "in", self.ids)
        kept = Domain("move_id", "!=", False) | Domain("payment_id", "!=", False)
        return self._has_payments() or bool(
            movements_sudo.search_count(own & kept, limit=1)
        )

    # === BUSINESS METHODS - STRIPE === #

    @api.model
    def _search_served(self, domain):
        """Gateways among those whose money is posted: also archived ones, whose
        refunds, disputes and payouts still come.

        It is asked for here and not by the context, which all further work would get.
        """
        return self.search(Domain("active", "in", (True, False)) & Domain(domain))

    @api.model
    def _get_gateway_managers(self):
        """Whom to ask for a gateway: at most three people."""
        group_sudo = self.env.ref(GATEWAY_MANAGERS).sudo()
        managers = group_sudo.all_user_ids.filtered(
            lambda user: user.active and self.env.company in user.company_ids
        )
        return managers[:3] or self.env.ref("base.user_admin")

    def _get_client(self):
        """The client with this gateway's key. To be called as superuser.

        :raise StripeError: if there is no key, or a live one would leave Stripe.
        """
        self.ensure_one()
        if not self.secret_key_value:
            raise stripe_client.StripeError(
                self.env._("The gateway has no secret key yet."), "auth"
            )
        return self._make_client(self.secret_key_value)

    @api.model
    def _make_client(self, key):
        """A client with any key: one that is brief where a web request waits for it.

        :raise StripeError: if a live key would leave Stripe.
        """
        if request:
            return stripe_client.RequestClient(key)
        return stripe_client.StripeClient(key)

    def _describe_failure(self, error):
        """A failed call in words for the person who can fix it."""
        sentences = {
            "auth": self.env._(
                "Stripe doesn't accept the key. Copy it again from Developers › API "
                "keys."
            ),
            "unreachable": self.env._(
                "Stripe didn't respond. Check this server's internet connection, then "
                "try again."
            ),
            "busy": self.env._("Stripe is busy. Try again in a minute."),
            "permission": self.env._("The key lacks a permission."),
        }
        sentence = sentences.get(error.reason)
        return (
            self.env._("%(what)s (Stripe: %(why)s)", what=sentence, why=error)
            if sentence
            else str(error)
        )

    def _expire_open_sessions(self):
        """Ask Stripe, in the background, to end the checkouts that are still open."""
        payments_sudo = self.env["checkout.payment"].sudo()  # of any company
        payments_sudo._expire_open([("gateway_id", "in", self.ids)])

    # === HELPERS === #

    def _notify(self, kind, message):
        return notify(kind, message, next=SOFT_RELOAD)
