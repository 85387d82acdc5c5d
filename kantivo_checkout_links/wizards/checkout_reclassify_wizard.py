import json

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.misc import format_date

from ..models.checkout_base import WITH_ARCHIVED


class CheckoutReclassifyWizard(models.TransientModel):
    """Which account and taxes a movement should have been posted with.

    Nothing is read as superuser here: a program may name a movement of any company.
    """

    _name = "checkout.reclassify.wizard"
    _description = "Reclassify a Stripe Transaction"
    _check_company_auto = True

    movement_id = fields.Many2one(
        "checkout.movement", "Stripe Transaction", required=True, readonly=True
    )
    company_id = fields.Many2one(related="movement_id.company_id", related_sudo=False)
    currency_id = fields.Many2one(related="movement_id.currency_id", related_sudo=False)
    amount = fields.Monetary(related="movement_id.amount", related_sudo=False)
    kind = fields.Selection(related="movement_id.kind", related_sudo=False)
    account_id = fields.Many2one(
        "account.account",
        required=True,
        check_company=True,
        compute="_compute_posted",
        store=True,
        readonly=False,
        precompute=True,
    )
    tax_ids = fields.Many2many(
        "account.tax",
        string="Included Taxes",
        context=WITH_ARCHIVED,
        check_company=True,
        compute="_compute_posted",
        store=True,
        readonly=False,
        precompute=True,
    )
    date = fields.Date(required=True, default=fields.Date.context_today)
    obstacle = fields.Char(compute="_compute_preview")
    preview = fields.Text(compute="_compute_preview")

    # === COMPUTE METHODS === #

    @api.depends("movement_id")
    def _compute_posted(self):
        """Starts with what was posted."""
        reclassification = self.env["checkout.reclassification"]
        for wizard in self:
            base = reclassification._get_base(wizard.movement_id)
            wizard.account_id = base.account_id
            wizard.tax_ids = base.tax_ids

    @api.depends("movement_id", "account_id", "tax_ids", "date")
    def _compute_preview(self):
        """The journal entries as they would be posted, or why they can't be."""
        for wizard in self:
            wizard.movement_id.check_access("read")
            wizard.obstacle = wizard.preview = False
            try:
                wizard.preview = json.dumps(wizard._prepare_preview())
            except UserError as error:
                wizard.obstacle = str(error)

    # === ACTION METHODS === #

    def action_reclassify(self):
        """Post the journal entry that was shown, and open it."""
        self.ensure_one()
        move = self.movement_id.action_reclassify(
            self.account_id, self.tax_ids, self.date
        )
        return move._get_records_action(name=self.env._("Journal Entry"))

    # === BUSINESS METHODS === #

    def _prepare_preview(self):
        """What Odoo's widget for journal entries shows."""
        labels = {
            "account": self.env._("Account"),
            "taxes": self.env._("Taxes"),
            "debit": self.env._("Debit"),
            "credit": self.env._("Credit"),
        }
        columns = [{"field": name, "label": label} for name, label in labels.items()]
        for column in columns[2:]:
            column["class"] = "text-end text-nowrap"
        return {
            "groups_vals": [
                self._prepare_group(vals) for vals in self._prepare_moves()
            ],
            "options": {"discarded_number": "", "columns": columns},
        }

    def _prepare_moves(self):
        """The values of the very entries that are posted then."""
        if not (self.account_id and self.date):
            return []
        account, taxes = self.account_id._origin, self.tax_ids._origin
        self.movement_id._check_may_reclassify(account, taxes)
        entries = self.env["checkout.reclassification"]._prepare_entries(
            self.movement_id, account, taxes, self.date
        )
        return [vals for _movement, _lines, vals in entries]

    def _prepare_group(self, vals):
        return {
            "group_name": f"{format_date(self.env, vals['date'])} · {vals['ref']}",
            "items_vals": [
                (0, 0, self._prepare_row(item))
                for _command, _id, item in vals["line_ids"]
            ],
        }

    def _prepare_row(self, item):
        account = self.account_id.browse(item["account_id"])
        taxes = self.env["checkout.entry.tax"]._get_taxes_in([item])
        balance = item["balance"]
        return {
            "account": account.display_name,
            "taxes": ", ".join(taxes.mapped("name")),
            "debit": self._format(balance) if balance > 0 else "",
            "credit": self._format(-balance) if balance < 0 else "",
        }

    def _format(self, amount):
        return self.company_id.currency_id.format(amount)
