from odoo import models


class CheckoutPayment(models.Model):
    _inherit = "checkout.payment"

    def _on_paid(self):
        """Remind the link's responsible to send what was paid for."""
        super()._on_paid()
        self.activity_schedule(
            "mail.mail_activity_data_todo",
            summary=self.env._("Send %s", self.link_name),
            user_id=self.link_id.user_id.id or self.gateway_id.user_id.id,
        )
