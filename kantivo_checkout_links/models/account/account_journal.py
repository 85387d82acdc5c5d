from odoo import api, models
from odoo.exceptions import UserError

# What says which account and currency the money at Stripe is in.
FROZEN_FIELDS = frozenset(("currency_id", "default_account_id", "type"))


class AccountJournal(models.Model):
    _inherit = "account.journal"

    # === CRUD METHODS === #

    def write(self, vals):
        """Override of `account`: the journal of a Stripe account stays as it
        is, since its account's balance is the balance at Stripe.
        """
        changed = self.filtered(lambda journal: journal._is_changed_by(vals))
        changed._check_no_checkout_movement()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_checkout(self):
        self._check_no_checkout_movement()

    # === BUSINESS METHODS === #

    def _fill_bank_cash_dashboard_data(self, dashboard_data):
        """Override of `account`: a Stripe journal's card says whether it agrees."""
        res = super()._fill_bank_cash_dashboard_data(dashboard_data)
        for gateway_sudo in self._get_checkout_gateways_sudo():
            card = dashboard_data[gateway_sudo.journal_id.id]
            card.update(gateway_sudo._prepare_card())
        return res

    def open_action(self):
        """Override of `account`: the transactions of a Stripe journal are movements."""
        gateway_sudo = self._get_checkout_gateways_sudo()
        if not gateway_sudo or self.env.context.get("action_name"):
            return super().open_action()
        return {
            **self.env["ir.actions.act_window"]._for_xml_id(
                "kantivo_checkout_links.checkout_movement_action"
            ),
            "domain": [("gateway_id", "=", gateway_sudo.id)],
            "context": {},  # of a test gateway too
        }

    def action_view_checkout_gateway(self):
        """The gateway of a Stripe journal, where it is compared with Stripe."""
        gateway_sudo = self._get_checkout_gateways_sudo()
        return gateway_sudo.with_env(self.env)._get_records_action()

    def _get_checkout_gateways_sudo(self):
        """The gateways whose journals these are.

        As superuser: who sees a journal's card may see its state, and nothing else.
        """
        gateways_sudo = self.env["checkout.gateway"].sudo()
        return gateways_sudo._search_served([("journal_id", "in", self.ids)])

    # === HELPERS === #

    def _is_changed_by(self, vals):
        return any(
            self._fields[name].convert_to_write(self[name], self) != vals[name]
            for name in vals.keys() & FROZEN_FIELDS
        )

    def _check_no_checkout_movement(self):
        """:raise UserError: if Stripe transactions are posted here."""
        for gateway_sudo in self._get_checkout_gateways_sudo():
            if gateway_sudo._has_posted():
                raise UserError(
                    self.env._(
                        "“%(journal)s” holds the Stripe transactions of the gateway "
                        "“%(gateway)s”, so it can't be deleted, and its type, account "
                        "and currency can't be changed. To use another journal, create "
                        "a new gateway.",
                        journal=gateway_sudo.journal_id.name,
                        gateway=gateway_sudo.name,
                    )
                )
