from datetime import timedelta

from odoo import fields, models

from ...const import CLOCK_TOLERANCE, MAX_CLOCK_OFFSET


class CheckoutGateway(models.Model):
    """Stripe's clock. What Stripe dates or limits is compared by it, not by this
    server's: that one may be minutes or hours off.
    """

    _inherit = "checkout.gateway"

    clock_offset = fields.Integer(
        "Clock Offset (s)",
        readonly=True,
        copy=False,
        help="The number of seconds that Stripe's clock is ahead of this server's.",
    )

    # === BUSINESS METHODS === #

    def _get_stripe_now(self):
        """What time it is at Stripe, in UTC, as Odoo keeps moments.

        Of several gateways any will do: it is one server's clock that is off.
        """
        return fields.Datetime.now() + timedelta(seconds=self[:1].clock_offset)

    def _update_clock(self, client):
        """Keep what Stripe's last answer said of its clock. As superuser."""
        offset = client.clock_offset
        if offset is None or abs(offset - self.clock_offset) <= CLOCK_TOLERANCE:
            return
        self.clock_offset = offset

    def _correct_start(self, client):
        """Correct the start by what Stripe's last answer said of its clock."""
        self._update_clock(client)
        self._correct_sync_from()

    def _correct_sync_from(self):
        """A start that was now by this server's clock, and is still to come at Stripe,
        is now: what moves in between would be in no opening balance and never read.
        """
        if self._get_stripe_now() < self.sync_from <= fields.Datetime.now():
            self.sync_from = self._get_stripe_now()

    def _describe_clock(self):
        """In words, if this server's clock is wrong; nothing if it is right."""
        seconds = abs(self.clock_offset)
        if seconds <= MAX_CLOCK_OFFSET:
            return False
        return self.env._(
            "This server's clock differs from Stripe's by %s minutes. Payments are not "
            "affected, but other parts of Odoo are. Please set the clock.",
            max(round(seconds / 60), 1),
        )
