from odoo import api, fields, models
from odoo.fields import Domain


class CheckoutGateway(models.Model):
    """Test mode, so that play money is never taken for real money."""

    _inherit = "checkout.gateway"

    test_badge = fields.Char("Mode", compute="_compute_test_badge")
    is_test_beside_live = fields.Boolean(
        compute="_compute_is_test_beside_live",
        search="_search_is_test_beside_live",
        help="Its payments are excluded from lists and totals.",
    )

    # === COMPUTE METHODS === #

    @api.depends_context("lang")
    @api.depends("livemode")
    def _compute_test_badge(self):
        for gateway in self:
            gateway.test_badge = not gateway.livemode and self.env._("Test")

    @api.depends("livemode", "company_id")
    def _compute_is_test_beside_live(self):
        tests = self._origin.filtered_domain(self._get_tests_beside_live())
        for gateway in self:
            gateway.is_test_beside_live = gateway._origin in tests

    def _search_is_test_beside_live(self, operator, value):
        if operator != "in":
            return NotImplemented
        domain = self._get_tests_beside_live()
        return domain if True in value else ~domain

    @api.model
    def _get_tests_beside_live(self):
        """Gateways in test mode whose company, or a parent of it, has a live one."""
        gateways_sudo = self.sudo()  # a parent's, which a user of a branch can't see
        live_sudo = gateways_sudo._search_served([("livemode", "=", True)])
        return Domain("livemode", "=", False) & Domain(
            "company_id", "child_of", live_sudo.company_id.ids
        )


class CheckoutLink(models.Model):
    _inherit = "checkout.link"

    test_badge = fields.Char(related="gateway_id.test_badge")


class CheckoutPayment(models.Model):
    _inherit = "checkout.payment"

    test_badge = fields.Char(related="gateway_id.test_badge")


class CheckoutRefund(models.Model):
    _inherit = "checkout.refund"

    test_badge = fields.Char(related="gateway_id.test_badge")


class CheckoutDispute(models.Model):
    _inherit = "checkout.dispute"

    test_badge = fields.Char(related="gateway_id.test_badge")


class CheckoutPayout(models.Model):
    _inherit = "checkout.payout"

    test_badge = fields.Char(related="gateway_id.test_badge")


class CheckoutMovement(models.Model):
    _inherit = "checkout.movement"

    test_badge = fields.Char(related="gateway_id.test_badge")
