from odoo import http
from odoo.exceptions import UserError

from .pay_page import PayPage
from .sent import as_text


class CheckoutPay(http.Controller):
    """What a payer sees before and after Stripe's own page."""

    @http.route(
        "/checkout/<string:token>",
        type="http",
        auth="public",
        methods=["GET"],
        save_session=False,
        sitemap=False,
    )
    def pay_page(self, token, **_kwargs):
        """The pay page. Makes nothing: previews and crawlers come here too."""
        page = PayPage(token)
        if not page.link_sudo:
            return page.render_not_found()
        if not page.link_sudo._is_open():
            return page.render_unavailable()
        return page.render_form()

    @http.route(
        "/checkout/<string:token>",
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,  # the signed nonce takes its place: payers may have no cookies
        save_session=False,
    )
    def pay(self, token, nonce="", amount="", **_kwargs):
        """Begin a payment and send the payer to Stripe with a 303."""
        page = PayPage(token)
        nonce, amount = as_text(nonce), as_text(amount)
        if not page.link_sudo:
            return page.render_not_found()
        if not (payment_uuid := page.read_nonce(nonce)):
            return page.render_form(amount, page.env._("Please check and send again."))
        try:
            payment_sudo = page.begin_payment(payment_uuid, amount)
        except UserError as error:
            return page.render_form(amount, str(error))
        return page.send_to_stripe(payment_sudo, nonce, amount)

    @http.route(
        "/checkout/<string:token>/return",
        type="http",
        auth="public",
        methods=["GET"],
        save_session=False,
        sitemap=False,
    )
    def return_page(self, token, session_id="", **_kwargs):
        """Where Stripe sends the payer back to: what Stripe says of this payment."""
        page = PayPage(token)
        payment_sudo = page.find_payment(as_text(session_id))
        if not payment_sudo:
            return page.render_not_found()
        return page.render_return(payment_sudo)
