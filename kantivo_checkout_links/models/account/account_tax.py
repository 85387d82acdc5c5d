from odoo import api, models
from odoo.exceptions import UserError


class AccountTax(models.Model):
    _inherit = "account.tax"

    @api.ondelete(at_uninstall=False)
    def _unlink_except_checkout(self):
        """What was sold with a tax must not be posted without it."""
        for model in ("checkout.payment", "checkout.link", "checkout.gateway"):
            records_sudo = self.env[model].sudo()  # of any company
            used_sudo = records_sudo.with_context(active_test=False).search(
                [("tax_ids", "in", self.ids)], limit=1
            )
            if used_sudo:
                self._refuse_deletion(used_sudo)

    def _refuse_deletion(self, record_sudo):
        raise UserError(
            self.env._(
                "%(taxes)s can't be deleted because checkout links use it (%(what)s). "
                "Archive it instead.",
                taxes=", ".join(self.mapped("name")),
                what=record_sudo.display_name,
            )
        )
