from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...kinds import DERIVED_KINDS

PREVIEW = Markup(
    '<table class="table table-sm"><thead><tr><th>%s</th><th>%s</th>'
    '<th class="text-end">%s</th><th class="text-end">%s</th></tr></thead>'
    "<tbody>%s</tbody></table>"
)
ROW = Markup(
    '<tr><td>%s</td><td>%s</td><td class="text-end">%s</td>'
    '<td class="text-end">%s</td></tr>'
)


class CheckoutPayment(models.Model):
    """What a test payment would post, since test payments are not posted."""

    _inherit = "checkout.payment"

    posting_preview = fields.Html(compute="_compute_posting_preview")

    # === COMPUTE METHODS === #

    @api.depends_context("lang", "uid")
    @api.depends("livemode", "movement_ids.state")
    def _compute_posting_preview(self):
        for payment in self:
            movements = payment._origin._filter_unposted()
            payment.posting_preview = bool(movements) and payment._preview(movements)

    # === BUSINESS METHODS === #

    def _filter_unposted(self):
        """The movements of a test payment that would be entries in live mode. A refund
        reverses what was posted, so nothing can be said of it.
        """
        if self.livemode:
            return self.movement_ids.browse()
        return self.movement_ids.filtered(
            lambda m: m.state == "skipped" and m.kind not in DERIVED_KINDS
        ).sorted(lambda m: (m.occurred_at, m.id))

    def _preview(self, movements):
        """The items of the entries, or why there could be none."""
        gateway_sudo = self.gateway_id._as_superuser(self.env)  # as the poster is
        env = gateway_sudo.with_context(lang=self.env.lang).env
        poster = env["checkout.poster"]
        try:
            vals_list = [
                poster._prepare_entry_vals(movement)
                for movement in movements.with_env(env)
            ]
        except UserError as error:
            return Markup("<p>%s</p>") % str(error)
        items = [item for vals in vals_list for _cmd, _id, item in vals["line_ids"]]
        return self._render_preview(env, items)

    @api.model
    def _render_preview(self, env, items):
        heads = (
            self.env._("Account"),
            self.env._("Label"),
            self.env._("Debit"),
            self.env._("Credit"),
        )
        rows = (self._render_item(env, item) for item in items)
        return PREVIEW % (*heads, Markup("").join(rows))

    @api.model
    def _render_item(self, env, item):
        account = env["account.account"].browse(item["account_id"])
        balance, currency = item["balance"], env.company.currency_id
        return ROW % (
            f"{account.code or ''} {account.name}",
            item.get("name") or "",
            currency.format(balance) if balance > 0 else "",
            currency.format(-balance) if balance < 0 else "",
        )
