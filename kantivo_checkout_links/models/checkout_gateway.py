import secrets
from contextlib import contextmanager

from psycopg2.errors import LockNotAvailable

from odoo import SUPERUSER_ID, api, fields, models, modules
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from odoo.addons.base.models.res_partner import _tz_get

from .. import stripe_client
from ..const import ADVISORY_LOCK, LOCK_TIMEOUT
from .checkout_connection import SIGNS

# Without one of these, some movement would have to wait.
BOOKING_ACCOUNTS = (
    "fee_account_id",
    "transfer_account_id",
    "dispute_account_id",
    "review_account_id",
)
# How the web client shows the worst of some findings.
NOTIFICATIONS = {"problem": "danger", "warning": "warning"}


class CheckoutGateway(models.Model):
    """One Stripe account in one mode, settling in one currency into one journal."""

    _name = "checkout.gateway"
    _description = "Stripe Gateway"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "sequence, id"
    _check_company_auto = True
    _check_company_domain = models.check_company_domain_parent_of

    name = fields.Char(required=True, default="Stripe")
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        default=lambda self: self.env.user,
        help="Gets an activity when something needs a person.",
    )

    # Keys: what a form shows is masked; the values are out of everybody's reach.
    secret_key = fields.Char(
        compute="_compute_secret_key",
        inverse="_inverse_secret_key",
        copy=False,
        help="Starts with sk_ or rk_. Stripe shows it under Developers › API keys.",
    )
    secret_key_value = fields.Char(copy=False, groups=fields.NO_ACCESS)
    webhook_secret = fields.Text(
        "Webhook Signing Secret",
        compute="_compute_webhook_secret",
        inverse="_inverse_webhook_secret",
        copy=False,
        help=(
            "Starts with whsec_. One a line: during a change keep the old one as well."
        ),
    )
    webhook_secret_value = fields.Text(copy=False, groups=fields.NO_ACCESS)
    webhook_token = fields.Char(
        required=True,
        copy=False,
        default=lambda self: f"kwh_{secrets.token_urlsafe(18)}",
        groups=fields.NO_ACCESS,
    )
    webhook_url = fields.Char("Webhook URL", compute="_compute_webhook_url")
    webhook_endpoint_id = fields.Char(
        "Webhook Endpoint",
        readonly=True,
        copy=False,
        help="The endpoint at Stripe that Create Webhook made.",
    )
    webhook_endpoint_secret = fields.Char(copy=False, groups=fields.NO_ACCESS)
    livemode = fields.Boolean(
        "Live Mode", compute="_compute_livemode", store=True, compute_sudo=True
    )

    stripe_account_id = fields.Char("Stripe Account", readonly=True, copy=False)
    connection_state = fields.Selection(
        [
            ("untested", "Not tested"),
            ("connected", "Connected"),
            ("failed", "Failed"),
        ],
        "Connection",
        default="untested",
        readonly=True,
        copy=False,
        required=True,
    )
    connection_message = fields.Text("Last Test", readonly=True, copy=False)
    shared_account = fields.Selection(
        [("ask", "Waiting for your choice"), ("decided", "Decided")],
        "Shared with Odoo's Provider",
        readonly=True,
        copy=False,
        help="Set where Odoo's own Stripe provider takes payments on the same account.",
    )
    can_copy_key = fields.Boolean(compute="_compute_can_copy_key")

    # Set-up, step by step
    step_key = fields.Boolean(compute="_compute_steps")
    step_test = fields.Boolean(compute="_compute_steps")
    step_accounts = fields.Boolean(compute="_compute_steps")
    step_webhook = fields.Boolean(compute="_compute_steps")
    step_link = fields.Boolean(compute="_compute_steps")
    steps_done = fields.Boolean(compute="_compute_steps")

    # Accounting
    journal_id = fields.Many2one(
        "account.journal",
        "Stripe Journal",
        domain="[('type', '=', 'bank'), ('bank_account_id', '=', False)]",
        check_company=True,
        copy=False,
        help="A bank journal of its own: its balance is the balance at Stripe.",
    )
    journal_warning = fields.Char(compute="_compute_journal_warning")
    currency_id = fields.Many2one(
        "res.currency",
        "Settlement Currency",
        compute="_compute_currency_id",
        store=True,
        precompute=True,
        readonly=False,
        help="The journal's. Without a journal: of the one that you have created.",
    )
    tz = fields.Selection(
        _tz_get,
        "Time Zone",
        required=True,
        default=lambda self: (
            self.env.company.partner_id.tz or self.env.user.tz or "UTC"
        ),
        help="Decides which day a payment near midnight is booked on.",
    )
    credit_to = fields.Selection(
        [("revenue", "Revenue"), ("receivable", "Receivable")],
        "Payments Credit",
        required=True,
        default="revenue",
        help=(
            "Revenue: sale and tax are booked at once. Receivable: the payment waits "
            "on the customer's account for an invoice."
        ),
    )
    income_account_id = fields.Many2one(
        "account.account",
        compute="_compute_income_account_id",
        store=True,
        readonly=False,
        check_company=True,
        domain="[('internal_group', '=', 'income')]",
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
        check_company=True,
        domain="[('type_tax_use', '=', 'sale')]",
        help=(
            "Included in what is paid: the total is never more than the link's amount."
        ),
    )
    fee_account_id = fields.Many2one(
        "account.account", "Fee Account", check_company=True
    )
    fee_tax_ids = fields.Many2many(
        "account.tax",
        "checkout_gateway_fee_tax_rel",
        string="Taxes on Fees",
        check_company=True,
        domain="[('type_tax_use', '=', 'purchase')]",
    )
    fee_partner_id = fields.Many2one(
        "res.partner", "Fee Vendor", check_company=True, help="Stripe, as your vendor."
    )
    dispute_account_id = fields.Many2one(
        "account.account",
        "Disputes Account",
        check_company=True,
        help="Holds what Stripe withholds while a dispute is open.",
    )
    dispute_loss_account_id = fields.Many2one(
        "account.account",
        "Lost Disputes Account",
        check_company=True,
        help="Empty: a lost dispute reverses the sale, like a refund.",
    )
    transfer_account_id = fields.Many2one(
        "account.account",
        "Transfer Account",
        compute="_compute_transfer_account_id",
        store=True,
        readonly=False,
        check_company=True,
        help="Payouts wait here for the line on your bank statement.",
    )
    review_account_id = fields.Many2one(
        "account.account",
        "Review Account",
        check_company=True,
        help="Movements nobody could explain, until you do.",
    )

    # Policies
    partner_policy = fields.Selection(
        [
            ("create", "Find or create the contact"),
            ("match", "Only find an existing contact"),
            ("none", "No contact"),
        ],
        "Payers as Contacts",
        required=True,
        default="create",
    )
    post_entries = fields.Boolean(
        "Post Journal Entries",
        help="Off for test keys, so that tests don't get into the books.",
    )
    sync_from = fields.Datetime(
        default=fields.Datetime.now,
        copy=False,
        help="Money that moved before is one opening entry.",
    )
    foreign_movements = fields.Selection(
        [("book", "Book for review"), ("skip", "Leave out")],
        "Other Software's Money",
        required=True,
        default="book",
    )

    # Health
    last_event_at = fields.Datetime("Last Event", compute="_compute_last_event_at")
    last_sync_at = fields.Datetime("Last Sync", readonly=True, copy=False)
    sync_error = fields.Char("Last Sync Problem", readonly=True, copy=False)

    link_ids = fields.One2many(
        "checkout.link",
        "gateway_id",
        "Links",
        groups="account.group_account_invoice,account.group_account_readonly",
    )
    payment_count = fields.Integer(compute="_compute_payment_count")

    _account_uniq = models.UniqueIndex(
        "(stripe_account_id, livemode, currency_id) "
        "WHERE stripe_account_id IS NOT NULL",
        "There is a gateway for this Stripe account, mode and currency already.",
    )
    _journal_uniq = models.UniqueIndex(
        "(journal_id) WHERE journal_id IS NOT NULL",
        "This journal belongs to another gateway: each needs its own.",
    )
    _webhook_token_uniq = models.Constraint(
        "UNIQUE (webhook_token)", "The webhook address is taken."
    )

    # === COMPUTE METHODS === #

    @api.depends("secret_key_value")
    def _compute_secret_key(self):
        for gateway_sudo in self.sudo():  # the mask shows eight and four signs only
            gateway_sudo.secret_key = self._mask(gateway_sudo.secret_key_value)

    def _inverse_secret_key(self):
        for gateway in self:
            gateway._set_secret_key((gateway.secret_key or "").strip())

    @api.depends("webhook_secret_value")
    def _compute_webhook_secret(self):
        for gateway_sudo in self.sudo():  # masked, see above
            gateway_sudo.webhook_secret = "\n".join(
                map(self._mask, gateway_sudo._get_webhook_secrets())
            )

    def _inverse_webhook_secret(self):
        for gateway in self:
            gateway._set_webhook_secrets((gateway.webhook_secret or "").split())

    @api.depends("webhook_token")
    def _compute_webhook_url(self):
        # The token is out of reach, but part of an address that merchants copy.
        for gateway_sudo in self.sudo():
            base, token = gateway_sudo.get_base_url(), gateway_sudo.webhook_token
            gateway_sudo.webhook_url = f"{base}/checkout/webhook/{token}"

    @api.depends("secret_key_value")
    def _compute_livemode(self):
        for gateway in self:
            gateway.livemode = stripe_client.is_live_key(gateway.secret_key_value or "")

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
    def _compute_journal_warning(self):
        """Nothing tells other money from money at Stripe once both are in there."""
        for gateway in self:
            journal = gateway.journal_id
            gateway.journal_warning = (
                self.env._(
                    "“%s” holds journal entries that didn't come from Stripe, so its "
                    "balance can't agree with Stripe's. Better choose a new journal.",
                    journal.name,
                )
                if gateway._has_foreign_entries()
                else False
            )

    def _has_foreign_entries(self):
        # Some who may set up a gateway have no rights in accounting.
        domain = [
            ("journal_id", "=", self.journal_id.id),
            ("checkout_movement_ids", "=", False),
        ]
        return bool(
            self.journal_id
            and self.env["account.move"].sudo().search_count(domain, limit=1)
        )

    @api.depends_context("uid")
    @api.depends("secret_key_value", "company_id")
    def _compute_can_copy_key(self):
        for gateway in self:
            gateway.can_copy_key = not gateway.secret_key and bool(
                gateway._get_own_provider()
            )

    @api.depends("secret_key_value", "webhook_secret_value", "connection_state")
    def _compute_steps(self):
        links_sudo = self.env["checkout.link"].sudo()  # of any company of the family
        used = links_sudo.search([("gateway_id", "in", self.ids)]).gateway_id
        for gateway in self:
            gateway.step_key = bool(gateway.secret_key)
            gateway.step_test = gateway.connection_state == "connected"
            gateway.step_accounts = gateway._has_accounts()
            gateway.step_webhook = bool(gateway.webhook_secret)
            gateway.step_link = gateway._origin in used
            gateway.steps_done = (
                gateway.step_test and gateway.step_accounts and gateway.step_link
            ) and gateway.step_webhook

    def _has_accounts(self):
        """Whether everything that Stripe knows of could be booked."""
        accounts = [self[name] for name in BOOKING_ACCOUNTS]
        credited = self.income_account_id or self.credit_to == "receivable"
        return bool(self.journal_id and credited and all(accounts))

    @api.depends("company_id")
    def _compute_income_account_id(self):
        for gateway in self:
            gateway.income_account_id = gateway.company_id.income_account_id

    @api.depends("company_id")
    def _compute_transfer_account_id(self):
        for gateway in self:
            gateway.transfer_account_id = gateway.company_id.transfer_account_id

    def _compute_last_event_at(self):
        latest = dict(
            self.env["checkout.event"]
            .sudo()  # merchants see when, not what
            ._read_group(
                [
                    ("gateway_id", "in", self.ids),
                    ("stripe_event_id", "not like", "sync:%"),
                ],
                ["gateway_id"],
                ["received_at:max"],
            )
        )
        for gateway in self:
            gateway.last_event_at = latest.get(gateway.sudo()._origin, False)

    def _compute_payment_count(self):
        counts = dict(
            self.env["checkout.payment"]
            .sudo()  # how many, not whose: not all who set up a gateway see payments
            ._read_group([("gateway_id", "in", self.ids)], ["gateway_id"], ["__count"])
        )
        for gateway in self:
            gateway.payment_count = counts.get(gateway.sudo()._origin, 0)

    # === CONSTRAINT METHODS === #

    @api.constrains("partner_policy", "credit_to")
    def _check_partner_policy(self):
        for gateway in self:
            if gateway.credit_to == "receivable" and gateway.partner_policy == "none":
                raise ValidationError(
                    self.env._(
                        "A receivable needs to know who owes it: choose to find or "
                        "create contacts, or credit revenue instead."
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
                "account until it is paid out: create a journal for Stripe.",
                journal.name,
            )
        if journal.bank_statements_source not in (False, "undefined"):
            return self.env._(
                "“%s” takes statements from a bank. Stripe's movements need a journal "
                "that nothing else writes to.",
                journal.name,
            )
        return False

    @api.constrains("secret_key_value", "journal_id", "currency_id")
    def _check_account_free(self):
        """Two gateways for the same money would book it twice."""
        for gateway in self:
            gateway._check_no_twin(gateway.stripe_account_id)

    def _check_no_twin(self, account_id):
        """:raise ValidationError: if another gateway is for the same account and mode
        and currency. `account_id` may be unknown: then the key counts alone.
        """
        if self._has_twin(account_id):
            raise ValidationError(
                self.env._(
                    "There is a gateway for this Stripe account, mode and currency "
                    "(%s) already, perhaps an archived one. Use that one, or choose a "
                    "journal in another currency that the account settles in.",
                    self.currency_id.name,
                )
            )

    def _has_twin(self, account_id):
        gateways_sudo = self.sudo().with_context(active_test=False)  # of any company
        marks = {
            "stripe_account_id": account_id,
            "secret_key_value": gateways_sudo.secret_key_value,
        }
        domain = Domain.OR(
            [(name, "=", mark)] for name, mark in marks.items() if mark
        ) & Domain(
            [
                ("id", "!=", self.id),
                ("livemode", "=", self.livemode),
                ("currency_id", "=", self.currency_id.id),
            ]
        )
        return bool(gateways_sudo.search_count(domain, limit=1))

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """Posting starts out on for live keys and off for test keys."""
        for vals in vals_list:
            key = (vals.get("secret_key") or "").strip()
            vals.setdefault("post_entries", stripe_client.is_live_key(key))
        return super().create(vals_list)

    def write(self, vals):
        """A change of mode sets posting anew, unless the same call says otherwise.

        :raise UserError: if the journal or company of booked payments is changed.
        """
        self.check_access("write")
        self._check_frozen(vals)
        changed = self.filtered(lambda gateway: gateway._changes_mode(vals))
        res = super().write(vals)
        if changed and "post_entries" not in vals:
            changed.write({"post_entries": changed[0].livemode})
        return res

    def _check_frozen(self, vals):
        """Books that have begun stay where they are."""
        changed = self.filtered(
            lambda gateway: any(
                name in vals and gateway[name].id != vals[name]
                for name in ("journal_id", "company_id")
            )
        )
        movements_sudo = self.env["checkout.movement"].sudo()  # of any company
        booked = [("gateway_id", "in", changed.ids), ("move_id", "!=", False)]
        if changed and movements_sudo.search_count(booked, limit=1):
            raise UserError(
                self.env._(
                    "Payments are booked here already, so journal and company stay. "
                    "Make a new gateway instead."
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        if self._has_payments():
            raise UserError(
                self.env._(
                    "This gateway has payments, and they stay in the books. Archive it "
                    "instead."
                )
            )

    # === ACTION METHODS === #

    def action_test_connection(self):
        """Ask Stripe what the key opens, and say in plain words what is right or wrong.

        :return: A notification for the web client.
        """
        self.ensure_one()
        self.check_access("write")
        gateway_sudo = self.sudo()  # the key is out of the user's reach
        try:
            findings = gateway_sudo.env["checkout.connection"]._examine(gateway_sudo)
        except stripe_client.StripeError as error:
            findings = [("problem", gateway_sudo._describe_failure(error))]
        gateway_sudo._set_connection(findings)
        return self._notify_findings(findings)

    def action_create_webhook(self):
        """Have Stripe tell this database what happens, in place of an old webhook.

        :return: A notification for the web client.
        :raise UserError: with the reasons, if Stripe can't reach us or refuses.
        """
        self.ensure_one()
        self.check_access("write")
        with self.sudo()._exclusive() as gateway_sudo:  # the key is out of reach
            try:
                gateway_sudo.env["checkout.endpoint"]._connect(gateway_sudo)
            except stripe_client.StripeError as error:
                raise UserError(gateway_sudo._describe_failure(error)) from error
        self.invalidate_recordset()
        return self._notify(
            "success", self.env._("Stripe now tells this Odoo what happens.")
        )

    def action_create_accounting(self):
        """Make the Stripe journal and the accounts that are still missing."""
        for gateway in self:
            gateway.check_access("write")
            gateway.env["checkout.accounting"]._create_missing(gateway)

    def action_copy_provider_key(self):
        """Take the secret key of Odoo's own Stripe provider of the same company.

        :raise UserError: if there is none that the user may read.
        """
        self.ensure_one()
        self.check_access("write")
        provider = self._get_own_provider()
        if not provider:
            raise UserError(self.env._("There is no Stripe provider with a key."))
        self.secret_key = provider.stripe_secret_key

    def action_book_foreign(self):
        """Book what other software moves on the account, for review."""
        self._decide_foreign("book")

    def action_skip_foreign(self):
        """Leave out what other software moves on the account."""
        self._decide_foreign("skip")

    def action_view_new_link(self):
        """The form of a new link that is paid through this gateway."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "checkout.link",
            "views": [(False, "form")],
            "context": {"default_gateway_id": self.id},
        }

    def action_sync(self):
        """Read from Stripe what no webhook told, and book it.

        :raise UserError: if Stripe can't be reached or refuses the key.
        """
        self.env["checkout.link"].check_access("write")  # merchants, not who only reads
        for gateway in self:
            gateway.check_access("read")
            gateway._sync_now()
        return self._notify("success", self.env._("Up to date with Stripe."))

    # === BUSINESS METHODS - KEYS === #

    @api.model
    def _mask(self, secret):
        """Enough of a secret to tell it from another, and no more."""
        if not secret:
            return False
        return f"{secret[:8]}…{secret[-4:]}"

    def _set_secret_key(self, key):
        """Take a new key; the masked one, written back by a form, changes nothing.

        :raise ValidationError: if it is no server-side key, or belongs to another
            account or mode while this gateway has payments.
        """
        if "…" in key:
            return
        if key and not stripe_client.is_key(key):
            raise ValidationError(
                self.env._(
                    "This is not a secret key. It starts with sk_test_, sk_live_, "
                    "rk_test_ or rk_live_; keys that start with pk_ are for browsers."
                )
            )
        self_sudo = self.sudo()  # the value is out of everybody's reach
        self_sudo._check_same_account(key)
        if key != self_sudo.secret_key_value:
            self_sudo.write(self_sudo._prepare_new_key_vals(key))

    def _prepare_new_key_vals(self, key):
        """A new key's account isn't known yet, except where there are payments."""
        account = self.stripe_account_id if self._has_payments() else False
        return {
            "secret_key_value": key,
            "stripe_account_id": account,
            "connection_state": "untested",
            "connection_message": False,
            "shared_account": False,
        }

    def _check_same_account(self, key):
        """Payments stay with the account they were paid into."""
        if not key or not self._has_payments():
            return
        if stripe_client.is_live_key(key) != self.livemode:
            raise ValidationError(
                self.env._(
                    "This gateway has payments in another mode. Make a new gateway for "
                    "this key, so that test and live money stay apart."
                )
            )
        if self._get_account_id(key) not in (False, self.stripe_account_id):
            raise ValidationError(
                self.env._(
                    "This key belongs to another Stripe account than this gateway's "
                    "payments. Make a new gateway for it."
                )
            )

    def _get_account_id(self, key):
        """The account of a key, False where Stripe doesn't tell.

        :raise UserError: if the key is no good or Stripe can't be asked.
        """
        try:
            return stripe_client.StripeClient(key).retrieve_account()["id"]
        except stripe_client.StripeError as error:
            if error.kind == "permission":
                return False
            raise UserError(self._describe_failure(error)) from error

    def _set_webhook_secrets(self, lines):
        """Take new signing secrets; a masked line keeps the secret it stands for."""
        self_sudo = self.sudo()  # the values are out of everybody's reach
        known = {
            self._mask(secret): secret for secret in self_sudo._get_webhook_secrets()
        }
        values = [known.get(line, line) for line in lines]
        if any(not value.startswith("whsec_") for value in values):
            raise ValidationError(
                self.env._("A signing secret starts with whsec_. Put one on each line.")
            )
        self_sudo.webhook_secret_value = "\n".join(values)

    def _get_webhook_secrets(self):
        return (self.webhook_secret_value or "").split()

    def _add_endpoint(self, endpoint_id, secret):
        """Keep a new endpoint and its secret; the old ones stay good. As superuser."""
        secrets_now = [secret, *self._get_webhook_secrets()]
        self.write(
            {
                "webhook_endpoint_id": endpoint_id,
                "webhook_endpoint_secret": secret,
                "webhook_secret_value": "\n".join(secrets_now),
            }
        )

    def _remove_webhook_secret(self, secret):
        """Believe a secret no more. As superuser."""
        kept = [known for known in self._get_webhook_secrets() if known != secret]
        self.webhook_secret_value = "\n".join(kept)

    def _changes_mode(self, vals):
        key = (vals.get("secret_key") or "").strip()
        return stripe_client.is_key(key) and (
            stripe_client.is_live_key(key) != self.livemode
        )

    def _has_payments(self):
        payments_sudo = self.env["checkout.payment"].sudo()  # of any company
        domain = [("gateway_id", "in", self.ids)]
        return bool(payments_sudo.search_count(domain, limit=1))

    # === BUSINESS METHODS - STRIPE === #

    def _get_client(self):
        """The client with this gateway's key. To be called as superuser.

        :raise StripeError: if there is no key, or a live one would leave Stripe.
        """
        self.ensure_one()
        if not self.secret_key_value:
            raise stripe_client.StripeError(
                self.env._("The gateway has no secret key yet."), "auth"
            )
        return stripe_client.StripeClient(self.secret_key_value)

    def _set_account(self, account_id):
        """Keep whose the key is.

        :param account_id: Stripe's id, or nothing where a restricted key doesn't tell.
        :raise UserError: if it isn't the account of the payments that are here.
        """
        if not account_id:
            return
        if self._has_payments() and self.stripe_account_id not in (False, account_id):
            raise UserError(
                self.env._("The key belongs to another account than the payments here.")
            )
        self._check_no_twin(account_id)
        self.stripe_account_id = account_id

    def _has_same_account(self, key):
        """Whether a key opens the balance that this gateway books. As superuser."""
        if stripe_client.is_live_key(key) != self.livemode:
            return False
        if key == self.secret_key_value:
            return True
        try:
            account_id = stripe_client.StripeClient(key).retrieve_account()["id"]
        except stripe_client.StripeError:
            return False  # it can't take payments either
        return account_id == self.stripe_account_id

    def _set_shared_account(self, shared):
        """:param bool shared: Whether Odoo's provider uses this account."""
        if not shared:
            self.shared_account = False
        elif not self.shared_account:
            self.shared_account = "ask"

    def _decide_foreign(self, policy):
        self.write({"foreign_movements": policy, "shared_account": "decided"})

    def _get_own_provider(self):
        """Odoo's own Stripe provider of this company, if the user may read its key."""
        if not self.env.user.has_group("base.group_system"):
            return None
        providers = self.env["checkout.connection"]._get_providers(
            [("company_id", "parent_of", self.company_id.id)]
        )
        return providers[:1]

    def _describe_failure(self, error):
        """A failed call in words for the person who can mend it."""
        sentences = {
            "auth": self.env._(
                "Stripe doesn't accept the key. Copy it again from Developers › API "
                "keys."
            ),
            "unreachable": self.env._(
                "Stripe didn't answer. Check this server's way to the internet, then "
                "try again."
            ),
            "busy": self.env._("Stripe is busy. Try again in a minute."),
            "permission": self.env._("The key lacks a permission."),
        }
        sentence = sentences.get(error.kind)
        return (
            self.env._("%s (Stripe: %s)", sentence, error) if sentence else str(error)
        )

    def _set_connection(self, findings):
        failed = any(level == "problem" for level, _sentence in findings)
        lines = [f"{SIGNS[level]} {sentence}" for level, sentence in findings]
        self.write(
            {
                "connection_state": "failed" if failed else "connected",
                "connection_message": "\n".join(lines),
            }
        )

    def _check_may_sync(self):
        """:raise UserError: while it is open whose books other payments belong in."""
        if self.shared_account == "ask":
            raise UserError(
                self.env._(
                    "Odoo's own Stripe provider uses this account too. Choose on the "
                    "gateway what becomes of its payments here; the sync waits for "
                    "that."
                )
            )

    def _sync_now(self):
        with self.sudo()._exclusive() as gateway_sudo:  # the key is out of reach
            try:
                gateway_sudo.env["checkout.sync"]._sync(gateway_sudo)
            except stripe_client.StripeError as error:
                raise UserError(gateway_sudo._describe_failure(error)) from error

    def _expire_requested_sessions(self):
        """End at Stripe the checkouts whose link was closed or changed meanwhile."""
        payments = self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", self.id),
                ("expiry_requested", "=", True),
                ("state", "=", "open"),
            ]
        )
        for payment in payments:
            payment._expire_at_stripe()
            self._commit()

    # === BUSINESS METHODS - ONE WRITER AT A TIME === #

    @contextmanager
    def _exclusive(self):
        """This gateway as superuser in a transaction that starts once nobody else
        writes.

        The lock is taken in a cursor of its own, *before* the working cursor's
        snapshot: a lock inside the same transaction would let it work on what was true
        before the lock. Everything is committed at the end, and by :meth:`_commit` on
        the way. A test has a single transaction, so there it is the caller's own.

        :raise UserError: if somebody else holds the lock for too long.
        """
        self.ensure_one()
        if modules.module.current_test:
            yield self._as_superuser(self.env)
            return
        with self.env.registry.cursor() as lock_cr:
            self._take_lock(lock_cr)
            with self.env.registry.cursor() as cr:
                yield self._as_superuser(self.env(cr=cr))

    def _take_lock(self, lock_cr):
        try:
            lock_cr.execute(
                "SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT]
            )
            lock_cr.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", [ADVISORY_LOCK, self.id]
            )
        except LockNotAvailable as error:
            raise UserError(
                self.env._("This gateway is being worked on. Try again in a minute.")
            ) from error

    def _as_superuser(self, env):
        """The gateway with company, time zone and language said, never inherited."""
        company = self.sudo().company_id  # the caller may be a payer
        gateway = self.with_env(env(user=SUPERUSER_ID, su=True))
        return gateway.with_company(company).with_context(
            allowed_company_ids=company.ids,
            tz=gateway.tz,
            lang=company.partner_id.lang or "en_US",
            tracking_disable=True,
        )

    @api.model
    def _commit(self):
        """Keep what is done so far. In a test the transaction goes on."""
        if modules.module.current_test:
            self.env.flush_all()
        else:
            self.env.cr.commit()

    # === HELPERS === #

    def _notify_findings(self, findings):
        """What needs a person, or that nothing does."""
        levels = {level for level, _sentence in findings}
        kind = next(
            (kind for level, kind in NOTIFICATIONS.items() if level in levels),
            "success",
        )
        told = [text for level, text in findings if level in NOTIFICATIONS]
        return self._notify(
            kind, " ".join(told) or self.env._("All is well between Odoo and Stripe.")
        )

    def _notify(self, kind, message):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "message": message,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
