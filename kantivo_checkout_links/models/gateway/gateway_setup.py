import logging

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.i18n import format_list

from ... import stripe_client
from .gateway_connection import SIGNS

_logger = logging.getLogger(__name__)

# Without one of these, some movement would have to wait.
POSTING_ACCOUNTS = (
    "fee_account_id",
    "transfer_account_id",
    "dispute_account_id",
    "review_account_id",
)
# Stripe bills European merchants from Ireland, with tax only there.
# https://support.stripe.com/questions/tax-on-stripes-fees
STRIPE_COUNTRY = "IE"
# How the web client shows the worst of some findings.
NOTIFICATIONS = {"problem": "danger", "warning": "warning"}


class CheckoutGateway(models.Model):
    """Setting a gateway up, step by step: key, connection, accounts, webhook, link."""

    _inherit = "checkout.gateway"

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
    key_refused = fields.Boolean(
        readonly=True,
        copy=False,
        help="Whether Stripe refused the key when it was last asked in the background.",
    )
    shared_account = fields.Selection(
        [("ask", "Waiting for your choice"), ("decided", "Decided")],
        "Shared with Odoo's Provider",
        readonly=True,
        copy=False,
        help="Set if Odoo's own Stripe provider takes payments on the same account.",
    )
    can_copy_key = fields.Boolean(compute="_compute_can_copy_key")
    fee_tax_hint = fields.Char(compute="_compute_fee_tax_hint")
    step_key = fields.Boolean(compute="_compute_steps")
    step_test = fields.Boolean(compute="_compute_steps")
    step_accounts = fields.Boolean(compute="_compute_steps")
    step_webhook = fields.Boolean(compute="_compute_steps")
    step_link = fields.Boolean(compute="_compute_steps")
    steps_done = fields.Boolean(compute="_compute_steps")

    # === COMPUTE METHODS === #

    @api.depends_context("uid")
    @api.depends("secret_key_value", "company_id")
    def _compute_can_copy_key(self):
        for gateway in self:
            gateway.can_copy_key = not gateway.secret_key and bool(
                gateway._get_own_provider()
            )

    @api.depends_context("lang")
    @api.depends("fee_tax_ids", "company_id")
    def _compute_fee_tax_hint(self):
        for gateway in self:
            gateway.fee_tax_hint = gateway._lacks_reverse_charge() and self.env._(
                "Stripe bills its fees from Ireland without tax. A company in %s "
                "usually owes that tax itself (reverse charge). Ask your accountant, "
                "then choose the tax under “Taxes on Fees”.",
                gateway._get_fiscal_country().name,
            )

    def _lacks_reverse_charge(self):
        """Whether a company in the EU may owe a tax on fees that isn't posted."""
        country = self._get_fiscal_country()
        is_posted = self.fee_tax_ids and not self.fee_tax_is_added
        is_in_union = "EU" in (country.country_group_codes or ())
        return is_in_union and country.code != STRIPE_COUNTRY and not is_posted

    @api.depends("secret_key_value", "webhook_secret_value", "connection_state")
    def _compute_steps(self):
        """Which steps are done; a webhook is only asked for where it can work."""
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
            ) and (gateway.step_webhook or not gateway._is_reachable())

    def _is_reachable(self):
        """Whether Stripe could deliver events to this server, so that a webhook can be
        asked for.
        """
        return not self._describe_unreachable(self.get_base_url())

    def _has_accounts(self):
        """Whether everything that Stripe knows of could be posted."""
        return bool(self.journal_id and not self._get_missing_accounts())

    def _get_missing_accounts(self):
        """The fields without which some transaction would have to wait."""
        names = POSTING_ACCOUNTS
        if self.credit_to == "revenue":
            names = ("income_account_id", *names)
        return [name for name in names if not self[name]]

    # === ACTION METHODS === #

    def action_test_connection(self):
        """Ask Stripe what the key opens, and say in plain words what is right or wrong.

        :return: A notification for the web client.
        :raise UserError: if too many have Stripe asked at the same time.
        """
        self.ensure_one()
        self.check_access("write")
        gateway_sudo = self.sudo()  # the key is out of the user's reach
        with self._take_merchants_turn():
            try:
                findings = gateway_sudo._examine_key()
            except stripe_client.StripeError as error:
                findings = [("problem", gateway_sudo._describe_failure(error))]
        gateway_sudo._set_connection(findings)
        return self._notify_findings(findings)

    def action_create_webhook(self):
        """Have Stripe deliver events to this database, in place of an old webhook.

        :return: A notification for the web client.
        :raise UserError: with the reasons, if Stripe can't reach us or refuses.
        """
        self.ensure_one()
        self.check_access("write")
        with (
            self._take_merchants_turn(),
            self.sudo()._exclusive() as gateway_sudo,  # the key is out of reach
        ):
            gateway_sudo._connect_endpoint()
        self.invalidate_recordset()
        return self._notify(
            "success", self.env._("Stripe now sends events to this Odoo server.")
        )

    def action_connect_webhook(self):
        """What the buttons do: as `action_create_webhook`, but where Stripe can't reach
        this server, the reasons are a message and no error.

        :return: A notification for the web client.
        :raise UserError: if Stripe refuses.
        """
        self.ensure_one()
        self.check_access("write")
        if problem := self._describe_unreachable(self.get_base_url()):
            return self._notify("warning", problem)
        return self.action_create_webhook()

    def action_create_accounting(self):
        """Fill the Stripe journal and the accounts that are still missing.

        :return: A notification where the merchant has to choose an account.
        :raise UserError: if a company has no chart of accounts.
        """
        for gateway in self:
            gateway.check_access("write")
            gateway._create_missing_accounting()
        missing = {name for gateway in self for name in gateway._get_missing_accounts()}
        if not missing:
            return None
        return self._notify("warning", self._describe_missing(missing))

    def _describe_missing(self, missing):
        labels = [self._fields[name]._description_string(self.env) for name in missing]
        return self.env._(
            "Choose these yourself on the Accounting tab: %s. Your chart of accounts "
            "has no account that clearly fits.",
            format_list(self.env, sorted(labels)),
        )

    def action_copy_provider_key(self):
        """Take the secret key of Odoo's own Stripe provider of the same company.

        :raise UserError: if there is none that the user may read.
        """
        self.ensure_one()
        self.check_access("write")
        provider = self._get_own_provider()
        if not provider:
            raise UserError(
                self.env._("No Stripe payment provider with a key was found.")
            )
        self.secret_key = provider.stripe_secret_key

    def action_post_third_party(self):
        """Post what other software moves on the account, for review."""
        self._decide_on_third_party("book")

    def action_ignore_third_party(self):
        """Leave out what other software moves on the account."""
        self._decide_on_third_party("skip")

    def action_view_new_link(self):
        """The form of a new link that is paid through this gateway."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "checkout.link",
            "views": [(False, "form")],
            "context": {"default_gateway_id": self.id},
        }

    # === BUSINESS METHODS === #

    def _ensure_accounts(self, client):
        """Find out whose the keys of this company's gateways are, so that those of one
        account know what the others have signed before anything is posted.

        :raise StripeError: if Stripe can't be asked with this gateway's key.
        """
        self._ensure_account(client)
        untested = self._search_served(
            [
                ("id", "!=", self.id),
                ("company_id", "=", self.company_id.id),
                ("livemode", "=", self.livemode),
                ("stripe_account_id", "=", False),
                ("secret_key_value", "!=", False),
            ]
        )
        for gateway in untested:
            try:
                gateway._ensure_account(gateway._get_client())
            except stripe_client.StripeError as error:
                _logger.info("Gateway %s: no account yet: %s", gateway.id, error)

    def _ensure_account(self, client):
        """Find out whose the key is where it was never tested, so that the gateways of
        an account know of each other. Not where that would make two for one balance.

        :raise StripeError: if Stripe can't be asked.
        """
        if self.stripe_account_id:
            return
        account_id = self._read_account_id(client)
        if account_id and not self._has_twin(account_id):
            self.stripe_account_id = account_id

    @api.model
    def _read_account_id(self, client):
        """The account of a client's key; False where a restricted key doesn't say.

        :raise StripeError: if the key is no good or Stripe can't be asked.
        """
        try:
            return client.retrieve_account()["id"]
        except stripe_client.StripeError as error:
            if error.reason == "permission":
                return False
            raise

    def _set_account(self, account_id):
        """Keep whose the key is.

        :param account_id: Stripe's id, or nothing where a restricted key doesn't say.
        :raise UserError: if it isn't the account of what is paid or posted here.
        """
        if not account_id:
            return
        if self._is_used() and self.stripe_account_id not in (False, account_id):
            raise UserError(
                self.env._(
                    "The key belongs to a different account than the payments or "
                    "posted transactions of this gateway."
                )
            )
        self._check_no_twin(account_id)
        self.stripe_account_id = account_id

    def _ask_if_same_account(self, key):
        """Whether a key is known to be of the account of this gateway. As
        superuser.
        """
        if key == self.secret_key_value:
            return True
        is_other_mode = stripe_client.is_live_key(key) != self.livemode
        if is_other_mode or not self.stripe_account_id:
            return False
        try:
            account_id = self._read_account_id(self._make_client(key))
        except stripe_client.StripeError:
            return False  # it can't take payments either
        return account_id == self.stripe_account_id

    def _set_shared_account(self, shared):
        """:param bool shared: Whether Odoo's provider uses this account."""
        if not shared:
            self.shared_account = False
        elif not self.shared_account:
            self.shared_account = "ask"

    def _decide_on_third_party(self, policy):
        self.foreign_movements = policy
        self.sudo().shared_account = "decided"  # only our code sets it

    def _get_own_provider(self):
        """Odoo's own Stripe provider of this company, if the user may read its key."""
        if not self.env.user.has_group("base.group_system"):
            return None
        providers = self._get_providers(
            [("company_id", "parent_of", self.company_id.id)]
        )
        return providers[:1]

    def _set_connection(self, findings):
        failed = any(level == "problem" for level, _sentence in findings)
        lines = [f"{SIGNS[level]} {sentence}" for level, sentence in findings]
        self.write(
            {
                "connection_state": "failed" if failed else "connected",
                "connection_message": "\n".join(lines),
                "key_refused": failed and self.key_refused,
            }
        )

    def _set_key_refused(self, reason):
        self._set_connection([("problem", reason)])
        self.key_refused = True

    # === HELPERS === #

    def _notify_findings(self, findings):
        """What needs a person, or that nothing does."""
        levels = {level for level, _sentence in findings}
        notification_type = next(
            (name for level, name in NOTIFICATIONS.items() if level in levels),
            "success",
        )
        texts = [text for level, text in findings if level in NOTIFICATIONS]
        return self._notify(
            notification_type,
            " ".join(texts) or self.env._("Connection OK."),
        )
