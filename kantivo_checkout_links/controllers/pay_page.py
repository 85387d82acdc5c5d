import binascii
import hashlib
import secrets
import uuid
from pathlib import Path

from odoo.http import request
from odoo.tools import misc

from ..brand import get_palette
from ..const import NONCE_HOURS
from ..stripe_client import StripeError
from .sent import as_text

ADDON = "kantivo_checkout_links"
NONCE_SCOPE = f"{ADDON}.nonce"
STATIC = Path(__file__).resolve().parents[1] / "static/src/pay"
# In the addresses of the style sheet and the script, which browsers keep for long.
VERSION = hashlib.sha256(
    b"".join((STATIC / name).read_bytes() for name in ("pay.css", "pay.js"))
).hexdigest()[:12]

# Nothing from elsewhere, nothing in a frame, no script or style of anybody else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)

# States of a payment whose money came in, all told as the good news they are.
RETURN_STATES = {
    "partially_refunded": "refunded",
    "disputed": "paid",
}


class PayPage:
    """One request for a link's public page: its link, its language, its answers.

    :ivar link_sudo: The link of the address, as superuser since payers have no rights;
        empty if there is none.
    """

    def __init__(self, token):
        self.token = as_text(token)
        self.lang = self._pick_lang()
        request.update_context(lang=self.lang.code)
        self.env = request.env
        self.link_sudo = self.env["checkout.link"]._find_by_token(self.token)
        self.csp_nonce = secrets.token_urlsafe(12)

    # === PAYING === #

    def make_nonce(self):
        """A form's own number, signed: the payment's to be, in place of a cookie."""
        values = [self.link_sudo.id, str(uuid.uuid4())]
        return misc.hash_sign(
            self.env(su=True), NONCE_SCOPE, values, expiration_hours=NONCE_HOURS
        )

    def read_nonce(self, nonce):
        """The payment's number in a form of this link; nothing if forged or old."""
        try:
            values = misc.verify_hash_signed(self.env(su=True), NONCE_SCOPE, nonce)
        except (ValueError, binascii.Error):
            return None
        if not values or values[0] != self.link_sudo.id:
            return None
        return values[1]

    def begin_payment(self, payment_uuid, wish):
        """The committed payment of a form; empty if the link takes none now.

        :param str payment_uuid: The form's own number.
        :param str wish: What the payer typed.
        :raise UserError: if the wish is no good.
        """
        link_sudo = self.link_sudo
        amount = link_sudo._get_amount_to_pay(wish, self.lang)
        payment_sudo = link_sudo._begin_payment(payment_uuid, amount, self.lang.code)
        # Stripe must not know a payment that a crash could make us forget.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return payment_sudo

    def send_to_stripe(self, payment_sudo, nonce, wish):
        """The 303 to Stripe's page, or a page that says why not."""
        if not payment_sudo:
            return self.render_unavailable()
        try:
            url = payment_sudo._open_session()
        except StripeError as error:
            return self.render_retry(error, nonce, wish)
        if not url:
            over = self.env._("That checkout is over. Start a new one here.")
            return self.render_form(wish, over)
        return self._secure(request.redirect(url, code=303, local=False))

    def find_payment(self, session_id):
        """The payment a return page may speak of, as superuser; empty if none."""
        return self.env["checkout.payment"]._find_for_return(self.token, session_id)

    # === ANSWERS === #

    def render_form(self, wish="", error=False):
        """The pay page; with 422 if what was sent needs another look."""
        link_sudo = self.link_sudo
        if not link_sudo._is_open():
            return self.render_unavailable()
        values = {
            **self._get_link_values(),
            "amount_input": wish,
            "error": error,
            "nonce": self.make_nonce(),
            "action": f"/checkout/{self.token}",
        }
        return self._render(
            "pay_page", link_sudo.company_id, values, 422 if error else 200
        )

    def render_unavailable(self):
        """The link takes no payment now: in the merchant's words, if any."""
        link_sudo = self.link_sudo
        text = link_sudo.inactive_message or self.env._(
            "This payment link is no longer available."
        )
        values = {
            "kind": "unavailable",
            "heading": link_sudo.name,
            "text": text,
            "retry": False,
        }
        return self._render("message_page", link_sudo.company_id, values, 410)

    def render_retry(self, error, nonce, wish):
        """Stripe couldn't be had. The same form again, if Stripe may have heard it."""
        values = {
            "kind": "retry",
            "heading": self.env._("That didn't go through"),
            "text": self._describe_trouble(error),
            "retry": {
                "action": f"/checkout/{self.token}",
                "nonce": nonce if error.may_have_acted else self.make_nonce(),
                "amount_input": wish,
            },
        }
        return self._render("message_page", self.link_sudo.company_id, values, 503)

    def render_not_found(self):
        """Says nothing about what exists."""
        values = {
            "kind": "not_found",
            "heading": self.env._("Page not found"),
            "text": self.env._("Please check the link that you were given."),
            "retry": False,
        }
        return self._render("message_page", self.env["res.company"], values, 404)

    def render_return(self, payment_sudo):
        """What Stripe says of a payment, and nobody's data."""
        state = payment_sudo._refresh_for_return()
        unfinished = state in ("open", "processing", "unknown")
        link_sudo = payment_sudo.link_id
        values = {
            "state": RETURN_STATES.get(state, state),
            "title": payment_sudo.link_name,
            "amount_display": payment_sudo.currency_id.format(payment_sudo.amount),
            "refunded_display": self._format_refunded(payment_sudo),
            "message": link_sudo.success_message,
            "success_url": link_sudo.success_url,
            "retry_url": link_sudo._is_payable() and f"/checkout/{self.token}",
            "reference": payment_sudo.name,
            "poll_seconds": 6 if unfinished else 0,
        }
        return self._render("return_page", payment_sudo.company_id, values)

    # === HELPERS === #

    def _describe_trouble(self, error):
        if error.is_passing:
            return self.env._(
                "The payment service didn't answer in time. Nothing was charged. "
                "Please try again in a moment."
            )
        return self.env._(
            "The payment service can't take this payment now. Nothing was charged. "
            "Please tell the merchant."
        )

    def _get_link_values(self):
        link_sudo = self.link_sudo
        currency = link_sudo.currency_id
        return {
            "title": link_sudo.name,
            "description": link_sudo.description or "",
            "amount_type": link_sudo.amount_type,
            "amount_display": link_sudo._format(link_sudo.amount),
            "currency_symbol": currency.symbol,
            "currency_code": currency.name,
            "symbol_before": currency.position == "before",
            "minimum_display": self._format_limit(link_sudo.minimum_amount),
            "maximum_display": self._format_limit(link_sudo.maximum_amount),
            "amount_placeholder": self._get_placeholder(),
        }

    def _format_limit(self, limit):
        return self.link_sudo._format(limit) if limit else False

    def _format_refunded(self, payment_sudo):
        refunded = payment_sudo.amount_refunded
        return refunded and payment_sudo.currency_id.format(refunded)

    def _get_placeholder(self):
        digits = self.link_sudo.currency_id.decimal_places
        return self.lang.format(f"%.{digits}f", 0)

    def _pick_lang(self):
        """The installed language that the payer's browser likes best."""
        installed = request.env["res.lang"].sudo().search([])  # payers have no rights
        wanted = request.httprequest.accept_languages
        by_tag = {lang.code.replace("_", "-"): lang for lang in installed}
        by_tag |= {lang.code.partition("_")[0]: lang for lang in reversed(installed)}
        best = wanted.best_match(list(by_tag)) if wanted else None
        return by_tag.get(best) or installed[:1]

    def _render(self, template, company_sudo, values, status=200):
        values["page"] = self._get_page_values(company_sudo)
        qweb_sudo = self.env["ir.qweb"].sudo()  # to read the template; it does no ORM
        body = qweb_sudo._render(f"{ADDON}.{template}", values, minimal_qcontext=True)
        return self._secure(request.make_response(body, status=status))

    def _get_page_values(self, company_sudo):
        lang = self.lang
        # Without a company nothing may show that the link exists.
        link_sudo = self.link_sudo if company_sudo else self.link_sudo.browse()
        gateway_sudo = link_sudo.gateway_id
        return {
            "lang": lang.code.replace("_", "-"),
            "dir": lang.direction,
            "version": VERSION,
            "csp_nonce": self.csp_nonce,
            "brand": get_palette(company_sudo.primary_color),
            "test_mode": bool(gateway_sudo) and not gateway_sudo.livemode,
            "company_name": company_sudo.name,
            "logo": company_sudo._get_checkout_logo() if company_sudo else False,
            "canonical_url": link_sudo.url,
        }

    def _secure(self, response):
        """Keep the page to itself. No `form-action`: that would stop the 303."""
        response.headers.update(
            {
                "Content-Security-Policy": CONTENT_SECURITY_POLICY % self.csp_nonce,
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                "X-Robots-Tag": "noindex",
            }
        )
        return response
