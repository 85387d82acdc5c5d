import secrets
from contextlib import contextmanager

from psycopg2.errors import LockNotAvailable

from odoo import SUPERUSER_ID, Command, api, fields, models, modules
from odoo.addons.base.models.res_partner import _tz_get
from odoo.exceptions import UserError, ValidationError

from .. import stripe_client
from ..const import ADVISORY_LOCK, LOCK_TIMEOUT


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
        help="Starts with whsec_. One a line: during a change keep the old one as well.",
    )
    webhook_secret_value = fields.Text(copy=False, groups=fields.NO_ACCESS)
    webhook_token = fields.Char(
        required=True,
        copy=False,
        default=lambda self: f"kwh_{secrets.token_urlsafe(18)}",
        groups=fields.NO_ACCESS,
    )
    webhook_url = fields.Char("Webhook URL", compute="_compute_webhook_url")
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

    # Accounting
    journal_id = fields.Many2one(
        "account.journal",
        "Stripe Journal",
        domain="[('type', '=', 'bank')]",
        check_company=True,
        copy=False,
        help="A bank journal of its own: its balance is the balance at Stripe.",
    )
    currency_id = fields.Many2one(
        "res.currency",
        "Settlement Currency",
        compute="_compute_currency_id",
        store=True,
        precompute=True,
    )
    tz = fields.Selection(
        _tz_get,
        "Time Zone",
        required=True,
        default=lambda self: self.env.company.partner_id.tz or self.env.user.tz or "UTC",
        help="Decides which day a payment near midnight is booked on.",
    )
    credit_to = fields.Selection(
        [("revenue", "Revenue"), ("receivable", "Receivable")],
        "Payments Credit",
        required=True,
        default="revenue",
        help="Revenue: sale and tax are booked at once. Receivable: the payment waits on the "
        "customer's account for an invoice.",
    )
    income_account_id = fields.Many2one(
        "account.account",
        compute="_compute_company_accounts",
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
        help="Included in what is paid: the total is never more than the link's amount.",
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
        compute="_compute_company_accounts",
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

    link_ids = fields.One2many("checkout.link", "gateway_id", "Links")
    payment_count = fields.Integer(compute="_compute_payment_count")

    _account_uniq = models.UniqueIndex(
        "(stripe_account_id, livemode, currency_id) WHERE stripe_account_id IS NOT NULL",
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
        for gateway_sudo in self.sudo():  # the token is part of an address merchants copy
            token = gateway_sudo.webhook_token
            gateway_sudo.webhook_url = (
                f"{gateway_sudo.get_base_url()}/checkout/webhook/{token}"
            )

    @api.depends("secret_key_value")
    def _compute_livemode(self):
        for gateway in self:
            gateway.livemode = stripe_client.is_live_key(gateway.secret_key_value or "")

    @api.depends("journal_id.currency_id", "company_id.currency_id")
    def _compute_currency_id(self):
        for gateway in self:
            gateway.currency_id = (
                gateway.journal_id.currency_id or gateway.company_id.currency_id
            )

    @api.depends("company_id")
    def _compute_company_accounts(self):
        for gateway in self:
            company = gateway.company_id
            gateway.income_account_id = company.income_account_id
            gateway.transfer_account_id = company.transfer_account_id

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
            self.env["checkout.payment"]._read_group(
                [("gateway_id", "in", self.ids)], ["gateway_id"], ["__count"]
            )
        )
        for gateway in self:
            gateway.payment_count = counts.get(gateway, 0)

    # === CONSTRAINT METHODS === #

    @api.constrains("partner_policy", "credit_to")
    def _check_partner_policy(self):
        for gateway in self:
            if gateway.credit_to == "receivable" and gateway.partner_policy == "none":
                raise ValidationError(
                    self.env._(
                        "A receivable needs to know who owes it: choose to find or create "
                        "contacts, or credit revenue instead."
                    )
                )

    @api.constrains("journal_id")
    def _check_journal(self):
        for gateway in self:
            if gateway.journal_id and gateway.journal_id.type != "bank":
                raise ValidationError(
                    self.env._("The Stripe journal must be a bank journal.")
                )

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """Posting starts out on for live keys and off for test keys."""
        for vals in vals_list:
            key = (vals.get("secret_key") or "").strip()
            vals.setdefault("post_entries", stripe_client.is_live_key(key))
        return super().create(vals_list)

    def write(self, vals):
        """A change of mode sets posting anew, unless the same call says otherwise."""
        changed = self.filtered(lambda gateway: gateway._changes_mode(vals))
        res = super().write(vals)
        if changed and "post_entries" not in vals:
            changed.write({"post_entries": changed[0].livemode})
        return res

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        if self.env["checkout.payment"].search_count(
            [("gateway_id", "in", self.ids)], limit=1
        ):
            raise UserError(
                self.env._(
                    "This gateway has payments, and they stay in the books. Archive it "
                    "instead."
                )
            )

    # === ACTION METHODS === #

    def action_test_connection(self):
        """Ask Stripe who the key belongs to, and say in plain words what is right or wrong.

        :return: A notification for the web client.
        """
        self.ensure_one()
        self.check_access("write")
        gateway_sudo = self.sudo()  # the key is out of the user's reach
        try:
            message = gateway_sudo._test_connection()
        except stripe_client.StripeError as error:
            message = gateway_sudo._describe_failure(error)
            gateway_sudo._set_connection("failed", message)
            return self._notify("danger", message)
        gateway_sudo._set_connection("connected", message)
        return self._notify("success", message)

    def action_create_accounting(self):
        """Make the Stripe journal and the accounts that are still missing."""
        for gateway in self:
            gateway.check_access("write")
            gateway._create_missing_accounting()

    def action_sync(self):
        """Read from Stripe what no webhook told, and book it.

        :raise UserError: if Stripe can't be reached or refuses the key.
        """
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

        :raise ValidationError: if it is no server-side key, or belongs to another account
            or mode while this gateway has payments.
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
        self_sudo.write({"secret_key_value": key, "connection_state": "untested"})

    def _check_same_account(self, key):
        """Payments stay with the account they were paid into."""
        if not key or not self.payment_count:
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
        """The account of a key, False where it can't be known now."""
        try:
            return stripe_client.StripeClient(key).retrieve_account()["id"]
        except stripe_client.StripeError:
            return False

    def _set_webhook_secrets(self, lines):
        """Take new signing secrets; a masked line keeps the secret it stands for."""
        self_sudo = self.sudo()  # the values are out of everybody's reach
        known = {self._mask(secret): secret for secret in self_sudo._get_webhook_secrets()}
        values = [known.get(line, line) for line in lines]
        if any(not value.startswith("whsec_") for value in values):
            raise ValidationError(
                self.env._("A signing secret starts with whsec_. Put one on each line.")
            )
        self_sudo.webhook_secret_value = "\n".join(values)

    def _get_webhook_secrets(self):
        return (self.webhook_secret_value or "").split()

    def _changes_mode(self, vals):
        key = (vals.get("secret_key") or "").strip()
        return stripe_client.is_key(key) and (
            stripe_client.is_live_key(key) != self.livemode
        )

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

    def _test_connection(self):
        """Check the key and learn whose it is.

        :return: What is right, in plain words.
        :raise StripeError: if the key is no good.
        :raise UserError: if it belongs to another account than the payments.
        """
        client = self._get_client()
        balance = client.retrieve_balance()
        account = self._retrieve_account(client)
        if account:
            self._set_account(account["id"])
        return "\n".join(self._describe_connection(account, balance))

    def _retrieve_account(self, client):
        """The account, or nothing for a restricted key that may not read it."""
        try:
            return client.retrieve_account()
        except stripe_client.StripeError as error:
            if error.kind == "permission":
                return {}
            raise

    def _set_account(self, account_id):
        if self.payment_count and self.stripe_account_id not in (False, account_id):
            raise UserError(
                self.env._("The key belongs to another account than the payments here.")
            )
        self.stripe_account_id = account_id

    def _describe_connection(self, account, balance):
        currencies = {row["currency"].upper() for row in balance["available"]}
        yield self.env._("Stripe accepts the key: %s.", self._describe_mode())
        if account:
            yield self.env._("Account: %s", account["id"])
        yield self.env._("Stripe settles in: %s", ", ".join(sorted(currencies)))
        if self.currency_id.name not in currencies:
            yield self.env._(
                "Careful: the journal is in %s, which this account doesn't settle in.",
                self.currency_id.name,
            )

    def _describe_mode(self):
        if self.livemode:
            return self.env._("live mode, real money")
        return self.env._("test mode, no real money")

    def _describe_failure(self, error):
        """A failed call in words for the person who can mend it."""
        sentences = {
            "auth": self.env._(
                "Stripe doesn't accept the key. Copy it again from Developers › API keys."
            ),
            "unreachable": self.env._(
                "Stripe didn't answer. Check this server's way to the internet, then try "
                "again."
            ),
            "busy": self.env._("Stripe is busy. Try again in a minute."),
            "permission": self.env._("The key lacks a permission."),
        }
        sentence = sentences.get(error.kind)
        return self.env._("%s (Stripe: %s)", sentence, error) if sentence else str(error)

    def _set_connection(self, state, message):
        self.write({"connection_state": state, "connection_message": message})

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

    # === BUSINESS METHODS - ACCOUNTING === #

    def _create_missing_accounting(self):
        """Give the gateway a journal of its own and the accounts that it lacks."""
        if not self.journal_id:
            self.journal_id = self.env["account.journal"].create(
                self._prepare_journal_vals()
            )
        for field_name, spec in self._get_account_specs().items():
            if not self[field_name]:
                self[field_name] = self.env["account.account"].create(
                    self._prepare_account_vals(*spec)
                )

    def _prepare_journal_vals(self):
        return {
            "name": self.name,
            "type": "bank",
            "code": self._get_free_journal_code(),
            "company_id": self.company_id.id,
        }

    def _get_free_journal_code(self):
        taken = set(
            self.env["account.journal"]
            .with_context(active_test=False)
            .search([("company_id", "=", self.company_id.id)])
            .mapped("code")
        )
        return next(
            code
            for code in ("STRP", *(f"STR{number}" for number in range(1, 100)))
            if code not in taken
        )

    def _get_account_specs(self):
        """Name, type and whether it reconciles, of each account by the field it fills."""
        return {
            "fee_account_id": (self.env._("Stripe Fees"), "expense", False),
            "dispute_account_id": (
                self.env._("Stripe Disputes"),
                "asset_current",
                True,
            ),
            "dispute_loss_account_id": (
                self.env._("Chargeback Losses"),
                "expense",
                False,
            ),
            "review_account_id": (self.env._("Stripe Review"), "asset_current", True),
        }

    def _prepare_account_vals(self, name, account_type, reconcile):
        start = {"expense": "650000", "asset_current": "119000"}[account_type]
        accounts = self.env["account.account"].with_company(self.company_id)
        return {
            "name": name,
            "account_type": account_type,
            "reconcile": reconcile,
            "code": accounts._search_new_account_code(start),
            "company_ids": [Command.set(self.company_id.ids)],
        }

    # === BUSINESS METHODS - ONE WRITER AT A TIME === #

    @contextmanager
    def _exclusive(self):
        """This gateway as superuser in a transaction that starts once nobody else writes.

        The lock is taken in a cursor of its own, *before* the working cursor's snapshot: a
        lock inside the same transaction would let it work on what was true before the lock.
        Everything is committed at the end, and by :meth:`_commit` on the way. A test has a
        single transaction, so there it is the caller's own.

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
            lock_cr.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            lock_cr.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", [ADVISORY_LOCK, self.id]
            )
        except LockNotAvailable as error:
            raise UserError(
                self.env._("This gateway is being worked on. Try again in a minute.")
            ) from error

    def _as_superuser(self, env):
        """The gateway with its company, time zone and language said, never inherited."""
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
