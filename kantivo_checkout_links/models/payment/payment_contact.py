from odoo import api, fields, models
from odoo.exceptions import UserError

from ...aside import do_aside
from ...kinds import FEE_KINDS
from ..ledger.entry_reversal import is_owed

PAYER_TEXTS = ("customer_name", "customer_email", "customer_phone")


class CheckoutPayment(models.Model):
    """Who paid, found later than the money, and how that decides about taxes."""

    _inherit = "checkout.payment"

    fiscal_position_id = fields.Many2one(
        "account.fiscal.position",
        compute="_compute_fiscal_position_id",
        help="Maps taxes and accounts. It can't be changed once the payment is posted.",
    )

    # === COMPUTE METHODS === #

    @api.depends(
        "map_taxes",
        "customer_country_id",
        "partner_id.country_id",
        "partner_id.property_account_position_id",
        "partner_id.vat",
        "movement_ids.move_id",
        "movement_ids.reclassified_line_ids",
    )
    def _compute_fiscal_position_id(self):
        """Of the entry in force; while there is none, by who the customer is."""
        for payment in self:
            lines = payment._get_sale_lines()
            payment.fiscal_position_id = (
                lines.move_id.fiscal_position_id
                if lines
                else payment._find_fiscal_position()
            )

    # === ACTION METHODS === #

    def action_view_contact_wizard(self):
        """Ask which contact the payer is."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Customer Contact"),
            "res_model": "checkout.contact.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_payment_id": self.id, "dialog_size": "medium"},
        }

    def action_set_contact(self, partner):
        """Say who paid, here and on the journal items; post what waited for it.

        Items that are hashed or of a closed period stay as they are: what is owed there
        moves to the contact's receivable account by a journal entry.

        :param res.partner partner: A contact that this payment's company may use.
        :raise UserError: if it is another company's, or not one contact.
        """
        self.ensure_one()
        self.check_access("read")
        self._check_record(partner, "res.partner")
        self.env["checkout.link"].check_access("write")  # not read-only users
        partner.check_access("read")
        if partner.company_id and partner.company_id not in self.company_id.parent_ids:
            raise UserError(
                self.env._("%s belongs to another company.", partner.display_name)
            )
        user = self.env.user
        self.gateway_id.sudo()._work_exclusively(  # posting needs it
            lambda gateway: self.with_env(gateway.env)._set_contact(
                partner.with_env(gateway.env), user.with_env(gateway.env)
            )
        )
        self.invalidate_recordset()

    # === BUSINESS METHODS - FISCAL POSITION === #

    def _get_sale_lines(self):
        """The journal items of the charge, as they are in force; none if it waits."""
        charges = self.movement_ids._get_charges()
        return charges.filtered("move_id")._get_posted_lines()

    def _find_fiscal_position(self):
        """The position that an invoice to the customer would have."""
        positions = self.env["account.fiscal.position"].with_company(self.company_id)
        if not self.map_taxes:
            return positions
        partner = self.partner_id
        address = partner.browse(partner.address_get(["delivery"])["delivery"])
        position = positions._get_fiscal_position(partner, delivery=address)
        if position or partner.country_id:
            return position
        country_id = self.customer_country_id.id  # nothing else is known of the payer
        return positions._get_fiscal_position(partner.new({"country_id": country_id}))

    # === BUSINESS METHODS - CONTACT === #

    def _prepare_contact_vals(self, customer: dict):
        """The contact of who paid, by the gateway's policy. Where it can't be made, the
        money is posted without it, and the reason is kept.

        :param dict customer: As for `_match_checkout_payer`.
        """
        partner, problem = do_aside(
            self.env["res.partner"],
            lambda partners: (
                partners._match_checkout_payer(
                    self.gateway_id, customer, self.company_id
                ).id
            ),
        )
        return {"partner_id": partner, "contact_problem": problem}

    def _propose_contact(self):
        """The contact that a user may accept: the one with the customer's address."""
        partners = self.env["res.partner"]
        email = partners._get_payer_email(self.customer_email)
        return partners._find_payer(email, self.company_id) if email else partners

    def _match_contact_again(self):
        """Set the contacts that couldn't be made when the money came."""
        for payment in self:
            customer = {name: payment[name] for name in PAYER_TEXTS}
            customer["customer_country_id"] = payment.customer_country_id.id
            vals = payment._prepare_contact_vals(customer)
            partner = self.env["res.partner"].browse(vals["partner_id"] or ())
            if partner:
                _done, vals["contact_problem"] = do_aside(
                    payment, lambda paid, partner=partner: paid._assign(partner)
                )
            payment._write_changes({"contact_problem": vals["contact_problem"]})

    def _set_contact(self, partner, user):
        self._assign(partner, user)
        self.env["checkout.poster"]._post_waiting(self.gateway_id)

    def _assign(self, partner, user=None):
        """Write the contact wherever it belongs, and post nothing yet.

        :param res.users user: Who says so; empty where the sync found it.
        """
        self.write({"partner_id": partner.id, "contact_problem": False})
        movements = self.movement_ids.filtered(lambda m: m.kind not in FEE_KINDS)
        self._write_contact(movements)
        # The entry itself has the item it needs: nothing is to be made of this.
        movements.statement_line_id.with_context(
            skip_account_move_synchronization=True
        ).write({"partner_id": partner.id})
        self.env["checkout.reclassification"]._move_owed(movements)
        if user:
            self.gateway_id._do_aside(
                lambda moves: self._note_contact(moves, user),
                self._get_moves(movements),
            )

    def _get_moves(self, movements):
        return movements.move_id | movements.reclassification_move_ids

    def _write_contact(self, movements):
        """Write the contact on all items that Odoo lets change, and nothing else."""
        free = [self._get_free_lines(movement) for movement in movements]
        lines = self.env["account.move.line"].union(*free)
        owed = lines.filtered(is_owed)
        with self.env.protecting([lines._fields["analytic_distribution"]], lines):
            owed.write({"partner_id": self.partner_id.commercial_partner_id.id})
            (lines - owed).write({"partner_id": self.partner_id.id})

    def _get_free_lines(self, movement):
        """The journal items of a movement that can still get another contact.

        What a reclassification takes back keeps the contact of what it takes back: if
        one of the entries can't change, only the items in force may.
        """
        moves = self._get_moves(movement)
        sealed = moves.filtered(self._is_sealed)
        lines = movement._get_posted_lines() if sealed else moves.line_ids
        return lines - sealed.line_ids

    def _note_contact(self, moves, user):
        """Say in the chatter of the payment and its entries who did it."""
        body = self.env._(
            "%(user)s set the contact of %(payment)s to %(contact)s.",
            user=user.name,
            payment=self.name,
            contact=self.partner_id.display_name,
        )
        author_id = user.partner_id.id
        self._message_log(body=body, author_id=author_id)
        moves._message_log_batch(dict.fromkeys(moves.ids, body), author_id=author_id)

    @api.model
    def _is_sealed(self, move):
        """Whether the contact of an entry's items can't change: it is hashed, or its
        period is closed.
        """
        closed = move._get_violated_lock_dates(move.date, has_tax=False)
        return bool(move.inalterable_hash or closed)
