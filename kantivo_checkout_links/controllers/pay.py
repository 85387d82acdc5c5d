from odoo import http
from odoo.exceptions import UserError

from ..const import MAX_FORM_BYTES
from ..stripe_client import StripeError
from ..utils import as_text
from .pay_page import PayForm, PayPage, UnsavedError

# Without a session, payers get no cookie.
PUBLIC = {
    "type": "http",
    "auth": "public",
    "max_content_length": MAX_FORM_BYTES,
    "save_session": False,
}
# A page that search engines don't get a list of.
PUBLIC_PAGE = {**PUBLIC, "methods": ["GET"], "sitemap": False}


class CheckoutPay(http.Controller):
    """What a payer sees before and after Stripe's own page."""

    @http.route("/checkout/<string:token>", **PUBLIC_PAGE)
    def pay_page(self, token, resume="", **kwargs):
        """The pay page. Makes nothing: previews and crawlers come here too."""
        page = PayPage(token, PayForm.read(kwargs))
        if not page.link_sudo:
            return page.render_not_found()
        return page.render_pay_page(resume)

    @http.route(
        "/checkout/<string:token>",
        methods=["POST"],
        csrf=False,  # the signed nonce takes its place: payers may have no cookies
        **PUBLIC,
    )
    def pay(self, token, **kwargs):
        """Start a payment and send the payer to Stripe with a 303."""
        page = PayPage(token, PayForm.read(kwargs))
        if not page.link_sudo:
            return page.render_not_found()
        if not (form_uuid := page.read_nonce(page.form.nonce)):
            error = page.env._("Please check your entry and try again.")
            return page.render_form(None, error)
        try:
            return page.pay(form_uuid)
        except UserError as error:
            return page.render_form(form_uuid, str(error), "amount")
        except StripeError as error:
            return page.render_failure(error)
        except UnsavedError:
            return page.render_unsaved()

    @http.route("/checkout/<string:token>/preview.png", **PUBLIC_PAGE)
    def preview_picture(self, token, **_kwargs):
        """The picture that a chat shows for a link; the payer's browser loads none."""
        page = PayPage(token)
        picture = page.get_preview()
        return page.answer_picture(picture) if picture else page.render_not_found()

    @http.route("/checkout/<string:token>/return", **PUBLIC_PAGE)
    def return_page(self, token, session_id="", **_kwargs):
        """Where Stripe sends the payer back to: what Stripe says of this payment."""
        page = PayPage(token)
        payment_sudo = page.find_payment(as_text(session_id))
        if not payment_sudo:
            return page.render_not_found()
        return page.render_return(payment_sudo)
