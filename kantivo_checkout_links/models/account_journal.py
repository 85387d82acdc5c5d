from odoo import models


class AccountJournal(models.Model):
    _inherit = "account.journal"

    def _fill_bank_cash_dashboard_data(self, dashboard_data):
        """Override of `account`: a Stripe journal's card says whether it agrees."""
        res = super()._fill_bank_cash_dashboard_data(dashboard_data)
        for gateway_sudo in self._get_checkout_gateways_sudo():
            card = dashboard_data[gateway_sudo.journal_id.id]
            card["checkout_agreement"] = gateway_sudo.agreement_state
            card["checkout_agreement_text"] = gateway_sudo._describe_agreement()
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
        }

    def action_view_checkout_gateway(self):
        """The gateway of a Stripe journal, where it is compared with Stripe."""
        gateway_sudo = self._get_checkout_gateways_sudo()
        return gateway_sudo.with_env(self.env)._get_records_action()

    def _get_checkout_gateways_sudo(self):
        """The gateways whose journals these are.

        As superuser: whoever sees a journal's card may see its state, and no more.
        """
        gateways_sudo = self.env["checkout.gateway"].sudo()
        return gateways_sudo.search([("journal_id", "in", self.ids)])
