from datetime import timedelta

from odoo import api, models
from odoo.fields import Domain

from ...const import MERCHANT_EXPIRIES, PAYER_EXPIRIES
from ...stripe_client import StripeError
from ...utils import SOFT_RELOAD, notify

# A payment that ended without money leaves its place to others.
PLACELESS_STATES = ("failed", "expired")


class CheckoutLink(models.Model):
    """The places of a link that takes a limited number of payments.

    A payment keeps its place. An open checkout only holds one: until it
    expires, or until Stripe has confirmed that it was ended sooner.
    """

    _inherit = "checkout.link"

    # === ACTION METHODS === #

    def action_release_places(self):
        """End the checkouts that hold places. A place is free once Stripe confirms it;
        where Stripe doesn't answer, the processor goes on asking.
        """
        self.check_access("write")
        links_sudo = self.sudo()  # payments are read-only for merchants
        checkouts_sudo = links_sudo._search_checkouts(Domain.TRUE)
        checkouts_sudo._request_expiry()
        return self._notify_release(self._end_all_at_once(checkouts_sudo))

    @api.model
    def _end_all_at_once(self, checkouts):
        """End checkouts in a merchant's request; of very many only the first.

        :return: Whether Stripe confirmed that all are over.
        """
        confirmed = [len(checkouts) <= MERCHANT_EXPIRIES]
        try:
            for checkout in checkouts[:MERCHANT_EXPIRIES]:
                with checkout.gateway_id._take_turn() as turn:
                    confirmed.append(checkout._end_at_once(turn))
        except StripeError:
            return False
        return all(confirmed)

    @api.model
    def _notify_release(self, is_confirmed):
        """The notification after *Release*, which reloads the form.

        :param bool is_confirmed: Whether Stripe confirmed that all places are free.
        """
        if is_confirmed:
            message = self.env._("Released. Customers can start a new payment.")
        else:
            message = self.env._(
                "Some places could not be released yet: a customer has just paid, or "
                "Stripe has not responded. Odoo keeps trying. A place is free once "
                "Stripe confirms."
            )
        kind = "success" if is_confirmed else "warning"
        return notify(kind, message, sticky=not is_confirmed, next=SOFT_RELOAD)

    # === BUSINESS METHODS - PLACES === #

    def _has_place(self):
        """Whether one more payment may start. Counts a checkout past its time until
        Stripe confirms that it has expired.
        """
        if not self.max_payments:
            return True
        domain = [("link_id", "=", self.id), ("state", "not in", PLACELESS_STATES)]
        taken = self.env["checkout.payment"].search_count(
            domain, limit=self.max_payments
        )
        return taken < self.max_payments

    def _get_crowds(self):
        """The limited links without a free place.

        :return: By link: `full` if payments have all places, else `held`; and for the
            latter until when the first of the open checkouts lasts.
        """
        crowds = {}
        for link, (taken, held, until) in self._count_places().items():
            if taken >= link.max_payments:
                crowds[link] = ("full", False)
            elif taken + held >= link.max_payments:
                crowds[link] = ("held", until)
        return crowds

    def _count_places(self):
        """By limited link: places taken, places held, and the first end of the latter.

        A checkout past its time isn't counted: the next payer's request may ask Stripe.
        """
        limited = self._origin.filtered("max_payments")
        if not limited:
            return {}
        groups = self.env["checkout.payment"]._read_group(
            Domain("link_id", "in", limited.ids)
            & (self._get_taken_domain() | self._get_held_domain()),
            ["link_id", "state"],
            ["__count", "session_expires_at:min"],
        )
        places = dict.fromkeys(limited, (0, 0, False))
        for link, state, count, until in groups:
            taken, held, first = places[link]
            if state == "open":
                places[link] = (taken, count, until)
            else:
                places[link] = (taken + count, held, first)
        return places

    @api.model
    def _get_taken_domain(self):
        return Domain("state", "not in", ("open", *PLACELESS_STATES))

    def _get_held_domain(self):
        now = self.gateway_id._get_stripe_now()
        return Domain("state", "=", "open") & Domain("session_expires_at", ">", now)

    def _search_checkouts(self, domain, limit=None):
        """The open checkouts of these links that match."""
        own = Domain("link_id", "in", self.ids) & Domain("state", "=", "open")
        return self.env["checkout.payment"].search(own & domain, limit=limit)

    def _find_checkout_to_continue(self, form_uuid):
        """The open checkout that a payer may go on with: their own, or the only one
        where only one place is left, since Stripe lets only one of all who try pay.

        :param str form_uuid: The number in the payer's nonce; nothing without one.
        """
        if not form_uuid and not self.max_payments:
            return self.env["checkout.payment"]
        is_at_stripe = Domain("stripe_checkout_session_id", "!=", False)
        is_over = is_at_stripe & Domain("session_url", "=", False)
        usable = self._get_held_domain() & ~is_over
        usable &= Domain("expiry_requested", "=", False)
        own = Domain("form_uuid", "=", form_uuid) if form_uuid else Domain.FALSE
        if found := self._search_checkouts(usable & own, limit=1):
            return found
        crowd, _until = self._get_crowds().get(self, (False, False))
        if crowd != "held":
            return self.env["checkout.payment"]
        held = self._search_checkouts(self._get_held_domain(), limit=2)
        return held.filtered_domain(usable) if len(held) == 1 else held.browse()

    def _free_places(self, turn):
        """Ask Stripe to end checkouts that hold a place in vain: those past their time,
        and those that were given up for another amount.

        :param Turn turn: The payer's.
        :return: Whether a place has become free.
        """
        now = self.gateway_id._get_stripe_now()
        useless = self._in_merchants_lang()._search_checkouts(
            Domain("session_expires_at", "<=", now)
            | Domain("expiry_requested", "=", True),
            limit=PAYER_EXPIRIES,
        )
        try:
            return any(checkout._end_at_once(turn) for checkout in useless)
        except StripeError:
            return False

    def _get_retry_moment(self):
        """From when on a payer who finds all places held may try again, rounded up to
        the minute.
        """
        now = self.gateway_id._get_stripe_now()
        _crowd, until = self._get_crowds().get(self, (False, False))
        until = (until or now) + timedelta(seconds=59)
        return until.replace(second=0)
