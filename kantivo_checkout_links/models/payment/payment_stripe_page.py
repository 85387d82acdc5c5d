from odoo import api, fields, models


class CheckoutPayment(models.Model):
    """What Stripe's page and the card statement say, as the link said it when the
    payment started. A payment that an earlier version started has none of these.
    """

    _inherit = "checkout.payment"

    submit_type = fields.Char("Button", readonly=True)
    statement_descriptor_suffix = fields.Char("On Card Statements", readonly=True)
    excluded_payment_method_types = fields.Char(
        "Excluded Payment Methods",
        readonly=True,
        help="Stripe's types of the excluded methods, separated by commas.",
    )

    # === BUSINESS METHODS - STARTING === #

    @api.model
    def _prepare_frozen_vals(self, link):
        return {
            **super()._prepare_frozen_vals(link),
            "submit_type": link._get_submit_type(),
            "statement_descriptor_suffix": link._get_statement_suffix(),
            "excluded_payment_method_types": link.excluded_payment_method_types,
        }

    def _prepare_session_params(self) -> dict:
        params = super()._prepare_session_params()
        if self.submit_type:
            params["submit_type"] = self.submit_type
        if suffix := self.statement_descriptor_suffix:
            params["payment_intent_data"]["statement_descriptor_suffix"] = suffix
        if types := self.excluded_payment_method_types:
            params["excluded_payment_method_types"] = types.split(",")
        return params
