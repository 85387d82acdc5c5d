import hashlib
import logging
import re
import secrets
import uuid
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import psycopg2
from markupsafe import Markup, escape

from odoo import fields
from odoo.http import request
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import format_time

from ..aside import log_error
from ..clients import read_client
from ..const import (
    LINK_LOCK,
    MAX_AMOUNT_LENGTH,
    NONCE_HOURS,
    RETRY_AFTER,
    RETURN_PAGE_POLLS,
    TOO_SMALL,
)
from ..models.gateway.storefront import Storefront
from ..models.payment.link_paying import FORM_SCOPE, RESUME_SCOPE
from ..models.payment.payment_tracking import TRACKING_FIELDS
from ..texts import NAME_LENGTH, to_line
from ..utils import as_text, linkify

_logger = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parents[1] / "static/src/pay"
# In the addresses of the style sheet and the script, which browsers keep for long.
VERSION = hashlib.sha256(
    b"".join((STATIC / name).read_bytes() for name in ("pay.css", "pay.js"))
).hexdigest()[:12]

# Stands in a page that is kept in memory, where each payer's own values go. No one else
# can know it.
BLANK = secrets.token_hex(12)

# Nothing from another host, nothing in a frame, no foreign script or style.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'%s; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)

# Of the picture for previews, for a week.
PREVIEW_CACHING = "public, max-age=604800"
# How previews name a language. https://ogp.me/#optional
OPEN_GRAPH_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")

# A description of more characters fills a phone, so that the button is below it.
LONG_DESCRIPTION = 500
# All that amounts are formatted by; a whole currency takes a millisecond to read.
CURRENCY_FIELDS = ("name", "symbol", "position", "rounding", "decimal_places")
# What the return page shows for these states; the others are shown as they are.
RETURN_STATES = {
    "partially_refunded": "refunded",
    "disputed": "paid",
}


# Odoo repeats the whole request then.
REPEATED_BY_ODOO = (psycopg2.IntegrityError, *PG_CONCURRENCY_EXCEPTIONS_TO_RETRY)


class UnsavedError(Exception):
    """The database takes no changes now, such as with a full disk."""


class PayForm(NamedTuple):
    """What a payer sends with the form of the pay page, as text. A field of the form is
    a field here; each is empty if it is missing or isn't text.

    `render_form` shows it again, `render_failure` has it sent again.

    :ivar choice: The suggested amount that the payer chose, by its name.
    :ivar given_email: The email address that the payer's address had, if any.
    :ivar contact: The signature of a personal link.
    :ivar lang: The language that the address asks for, such as "de" or "pt-BR".
    """

    nonce: str = ""
    amount: str = ""
    choice: str = ""
    email: str = ""
    given_email: str = ""
    name: str = ""
    reference: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    contact: str = ""
    lang: str = ""

    @classmethod
    # A form is not a model. pylint: disable-next=method-required-super
    def read(cls, params: dict) -> "PayForm":
        """The form in the parameters of a request, which may hold anything."""
        texts = {name: as_text(params.get(name)) for name in cls._fields}
        texts["amount"] = as_text(params.get("amount"), MAX_AMOUNT_LENGTH)
        return cls(**texts)


EMPTY_FORM = PayForm()
# What the form carries without showing it.
KEPT_FIELDS = (*TRACKING_FIELDS, "given_email", "contact", "lang")


class PayPage:
    """One request for a link's public page: its link, its language, its answers.

    :ivar form: What the payer has sent or, before, what the address starts it with.
    :ivar link_sudo: The link of the address, as superuser since payers have no rights;
        empty if there is none.
    """

    def __init__(self, token, form=EMPTY_FORM):
        self.token = as_text(token)
        self.form = form
        self.link_sudo = request.env["checkout.link"]._find_by_token(self.token)
        self.path = f"/checkout/{self.link_sudo.access_token or self.token}"
        # Odoo keeps them in memory, with all that is asked of a language here.
        self.installed = list(request.env["res.lang"]._get_active_by("code").values())
        self.payer_lang = self._match_lang()
        self._speak_for(self.link_sudo)
        self.resume_state = False
        self.csp_nonce = secrets.token_urlsafe(12)

    # === PAYING === #

    def make_nonce(self, form_uuid, scope=FORM_SCOPE):
        """A form's number, signed: its ticket, or the way back to it."""
        expires_at = fields.Datetime.now() + timedelta(hours=NONCE_HOURS)
        return self.link_sudo._sign_nonce(scope, form_uuid, expires_at)

    def read_nonce(self, nonce, scope=FORM_SCOPE):
        """The form's number in a nonce of this link; nothing if forged or old."""
        return self.link_sudo._read_nonce(scope, nonce)

    def pay(self, form_uuid):
        """Start a form's payment, and send the payer to Stripe.

        :param str form_uuid: The form's own number.
        :return: The 303 to Stripe's page, or a page that says why not.
        :raise UserError: if the typed amount can't be paid.
        :raise StripeError: if Stripe doesn't answer, refuses, or can't be asked now.
        :raise UnsavedError: if the database takes no changes; no one can pay then.
        """
        if self.form.email and not self.link_sudo._read_email(self.form.email):
            error = self.env._("Enter a valid email address, or none.")
            return self.render_form(form_uuid, error, "email")
        spoken = dict.fromkeys(filter(None, (self.payer_lang.id, self.lang.id)))
        langs = request.env["res.lang"].sudo().browse(spoken)  # payers have no rights
        amount = self.link_sudo._get_amount_to_pay(
            self.form.amount, langs, self.form.choice
        )
        with self.saving(), self.link_sudo.gateway_id._take_turn() as turn:
            payment_sudo = self.start_payment(turn, form_uuid, amount)
            if not payment_sudo:
                return self.render_closed()
            return self.send_to_stripe(turn, payment_sudo)

    @contextmanager
    def saving(self):
        """Undo what a database that takes no changes has left half done.

        :raise UnsavedError: then, with a transaction that can read.
        """
        try:
            yield
        except REPEATED_BY_ODOO:
            raise
        except psycopg2.Error as error:
            log_error(_logger, "The database takes no changes", error)
            self.env.cr.rollback()
            raise UnsavedError from error

    def start_payment(self, turn, form_uuid, amount: float):
        """The committed payment of a form; empty if the link takes none now.

        :param Turn turn: The payer's.
        :param float amount: What is to be paid, in the link's currency.
        """
        payment_sudo = self._start_and_commit(turn, form_uuid, amount)
        if payment_sudo or not self.link_sudo._free_places(turn):
            return payment_sudo
        return self._start_and_commit(turn, form_uuid, amount)

    def _start_and_commit(self, turn, form_uuid, amount: float):
        with turn.alone(LINK_LOCK, self.link_sudo.id):
            client = read_client(request.httprequest.environ)
            given = self.link_sudo._read_given(self.form._asdict())
            payment_sudo = self.link_sudo._start_payment(
                form_uuid, amount, self.payer_lang.code, client, given
            )
            # Stripe must not know a payment that a crash could make us forget, and no
            # one waits for a place while Stripe is asked.
            self.env.cr.commit()  # pylint: disable=invalid-commit
        return payment_sudo

    def send_to_stripe(self, turn, payment_sudo):
        """The 303 to Stripe's page; the form again if the checkout is over."""
        url = payment_sudo._open_session(turn)
        if not url:
            over = self.env._("This checkout has expired. Please start again.")
            return self.render_form(None, over)
        return self._secure(request.redirect(url, code=303, local=False))

    def find_payment(self, session_id):
        """The payment a return page may speak of, as superuser; empty if none."""
        token = self.link_sudo.access_token or self.token
        return self.env["checkout.payment"]._find_for_return(token, session_id)

    # === ANSWERS === #

    def render_pay_page(self, resume):
        """The pay page as a payer opens it, with what its address gives.

        :param resume: The nonce of a payment that is to be continued, or anything else;
            empty if the address has none, which is when the script may know one.
        """
        self._prefill()
        if not resume:
            self.resume_state = "ask"
            return self.render_form(None)
        form_uuid = self.read_nonce(as_text(resume), RESUME_SCOPE)
        found_sudo = self.link_sudo._find_checkout_to_continue(form_uuid)
        is_own = bool(found_sudo) and found_sudo.form_uuid == form_uuid
        self.resume_state = "taken" if is_own else "refused"
        return self.render_form(form_uuid)

    def _prefill(self):
        """Start the form with what the address gives; ignore what can't be right."""
        email = self.link_sudo._read_email(self.form.email)
        amount = self.link_sudo._read_prefilled_amount(self.form.amount)
        choice = self.link_sudo._find_suggestion(amount)
        is_typed = amount is not None and not choice
        self.form = self.form._replace(
            choice=choice,
            email=email,
            given_email=email,
            name=to_line(self.form.name, NAME_LENGTH) or "",
            amount=self._format_plain(amount) if is_typed else "",
        )

    def render_form(self, form_uuid, error=False, wrong_field=False):
        """The pay page; with 422 if what was sent needs another look.

        :param str form_uuid: The number of the payer's form before, if any: it may
            have a payment that holds a place, and is continued. Where that is another
            payer's, this form has a number of its own: only theirs ends their checkout
            for another amount. Of another payer's the page shows the amount alone.
        :param str error: What to correct, in words for the payer.
        :param str wrong_field: The name of the field that it is about, if of one.
        """
        link_sudo = self.link_sudo
        open_sudo = link_sudo._find_checkout_to_continue(form_uuid)
        if not link_sudo._is_payable() or not (open_sudo or link_sudo._is_open()):
            return self.render_closed()
        is_own = bool(open_sudo) and open_sudo.form_uuid == form_uuid
        number = form_uuid if is_own else str(uuid.uuid4())
        values = {
            **self._get_link_values(),
            **self._get_given_values(open_sudo if is_own else open_sudo.browse()),
            **self._get_amount_values(open_sudo),
            "error": error,
            "wrong_field": wrong_field,
            "action": self.path,
            "resume_state": self.resume_state,
        }
        signed = {
            "nonce": self.make_nonce(number),
            "resume_nonce": self.make_nonce(number, RESUME_SCOPE),
        }
        if not error and not open_sudo and not any(self.form):
            return self._render_once("pay_page", values, signed)
        return self._render("pay_page", {**values, **signed}, 422 if error else 200)

    def render_closed(self):
        """The link takes no payment now: permanently, or until a place is free."""
        link_sudo = self.link_sudo
        crowd, _until = link_sudo._get_crowds().get(link_sudo, ("held", False))
        if crowd == "held" and link_sudo._is_payable():
            return self._render_held()
        return self._render_unavailable()

    def _render_held(self):
        """Someone else is paying: the page says when a place may be free again."""
        link_sudo = self.link_sudo
        moment, zone = link_sudo._get_retry_moment(), link_sudo.gateway_id.tz
        clock = Markup("<time datetime='%sZ'>%s</time>") % (
            moment.isoformat(),
            format_time(self.env, moment, zone, "HH:mm", self.lang.code),
        )
        values = {
            "page_state": "held",
            "heading": link_sudo.name,
            "text": self.env._("Someone is paying right now. Try again at %s.", clock),
            "zone": zone,
            "resume_state": self.resume_state,
            "again_url": self._get_own_address(),
            "retry": False,
        }
        return self._render("message_page", values, 409)

    def _get_own_address(self):
        """The page's path, with what the address or the payer gave."""
        names = (*TRACKING_FIELDS, "contact", "email", "name", "lang")
        given = {name: getattr(self.form, name) for name in names}
        query = urlencode({name: text for name, text in given.items() if text})
        return f"{self.path}?{query}" if query else self.path

    def _render_unavailable(self):
        link_sudo = self.link_sudo
        values = {
            "page_state": "unavailable",
            "heading": link_sudo.name,
            "text": link_sudo._describe_closed_to_payer(),
            "retry": False,
        }
        return self._render("message_page", values, 410)

    def render_failure(self, error):
        """Stripe made no session: what the payer can do about it, if anything."""
        link_sudo = self.link_sudo
        if error.code == TOO_SMALL and link_sudo.amount_type == "open":
            return self.render_form(None, link_sudo._describe_too_small(), "amount")
        text = self._describe_trouble(error)
        if error.is_passing:
            return self._render_retry(text, error.retry_after or RETRY_AFTER)
        return self._render_trouble(text, False)

    def render_unsaved(self):
        """The database takes no changes now: the same form again, in a moment."""
        text = self.env._("Nothing was charged. Please try again in a moment.")
        return self._render_retry(text, RETRY_AFTER)

    def _render_retry(self, text, seconds):
        """One button sends the same form again; a program may do so by itself."""
        kept = {name: text for name, text in self.form._asdict().items() if text}
        form = {"action": self.path, "kept": kept}
        answer = self._render_trouble(text, form)
        answer.headers["Retry-After"] = str(seconds)
        return answer

    def _render_trouble(self, text, retry):
        values = {
            "page_state": "retry",
            "heading": self.env._("Something went wrong"),
            "text": text,
            "retry": retry,
        }
        return self._render("message_page", values, 503)

    def render_not_found(self):
        """Says nothing about what exists, and not in a language that would. To the same
        payer it is the same page, to the byte, for each such address.
        """
        company_sudo = request.env.company.sudo()  # payers have no rights
        self._speak(company_sudo.partner_id.lang)
        self.storefront, self.link_sudo = Storefront(), self.link_sudo.browse()
        self.csp_nonce = ""
        values = {
            "page_state": "not_found",
            "heading": self.env._("Page not found"),
            "text": self.env._("Please check the link and try again."),
            "retry": False,
        }
        return self._render("message_page", values, 404)

    def render_return(self, payment_sudo):
        """What Stripe says of a payment, without personal data, in the language in
        which it was paid.
        """
        langs = request.env["res.lang"]._get_active_by("code")
        self.payer_lang = langs[payment_sudo.lang] or self.payer_lang
        self._speak_for(payment_sudo)
        state = self._read_state(payment_sudo)
        link_sudo, refunded = payment_sudo.link_id, payment_sudo.amount_refunded
        currency = payment_sudo.currency_id.with_context(lang=self.lang.code)
        values = {
            "state": RETURN_STATES.get(state, state),
            "title": payment_sudo.link_name,
            "amount_display": currency._format_price(payment_sudo.amount),
            "refunded_display": refunded and currency._format_price(refunded),
            "message": link_sudo.success_message,
            "success_url": link_sudo.success_url,
            "retry_url": link_sudo._is_payable()
            and f"{self.path}?{payment_sudo._get_resume_query()}",
            "reference": payment_sudo.name,
            "poll_seconds": RETURN_PAGE_POLLS.get(state, 0),
        }
        return self._render("return_page", values)

    # === PREVIEW === #

    def get_preview(self):
        """The picture for previews of the link, a PNG; empty if there is none."""
        return self.link_sudo and self.link_sudo._get_preview_picture()

    def answer_picture(self, picture: bytes):
        """A picture that may be kept: its address changes when it does."""
        answer = request.make_response(picture, [("Content-Type", "image/png")])
        self._secure(answer).headers["Cache-Control"] = PREVIEW_CACHING
        return answer

    def _get_preview_url(self):
        """The absolute address of the picture, since chats take no other."""
        version = self.storefront.preview
        url = self.link_sudo.url
        return version and url and f"{url}/preview.png?v={version}"

    # === HELPERS === #

    def _read_state(self, payment_sudo):
        try:
            with self.saving():
                return payment_sudo._refresh_for_return()
        except UnsavedError:
            return "unknown"

    def _describe_trouble(self, error):
        if error.reason == "crowded":
            return self.env._(
                "Many people are paying right now. Nothing was charged. Please try "
                "again in a few seconds."
            )
        if error.reason == "braked":
            return self.env._(
                "Many payments were started here and not finished. Nothing was "
                "charged. Please try again in a minute."
            )
        if error.is_passing:
            return self.env._(
                "The payment service didn't respond in time. Nothing was charged. "
                "Please try again in a moment."
            )
        return self.env._(
            "The payment service can't process this payment right now. Nothing was "
            "charged. Please contact the merchant."
        )

    def _get_link_values(self):
        """What the pay page shows of its link: texts, and amounts as they are read."""
        link_sudo = self.link_sudo
        currency = link_sudo.currency_id
        currency.fetch(CURRENCY_FIELDS)
        minimum, maximum = link_sudo.minimum_amount, link_sudo.maximum_amount
        return {
            "title": link_sudo.name,
            "description": linkify(link_sudo.description or ""),
            "is_long": len(link_sudo.description or "") > LONG_DESCRIPTION,
            "amount_type": link_sudo.amount_type,
            "is_donation": link_sudo._is_donation(),
            "tax_kind": link_sudo.includes_tax and self.storefront.tax_kind,
            "amount_display": link_sudo._format_asked(),
            "currency_symbol": currency.symbol,
            "currency_code": currency.name,
            "symbol_before": currency.position == "before",
            "minimum_display": minimum and link_sudo._format(minimum),
            "maximum_display": maximum and link_sudo._format(maximum),
            "amount_placeholder": self._format_plain(0),
        }

    def _get_given_values(self, own_sudo):
        """What the form holds besides the amount: as the payer or the address gave it,
        else as the payer's own started payment has it.
        """
        own_email = own_sudo.customer_email or ""
        own = {name: own_sudo[name] for name in TRACKING_FIELDS}
        own["given_email"] = own_email if own_sudo.email_prefilled else ""
        kept = {name: getattr(self.form, name) or own.get(name) for name in KEPT_FIELDS}
        return {
            "email_input": self.form.email or own_email,
            "asks_email": bool(self.form.email or own_email or kept["given_email"]),
            "name_input": self.form.name or own_sudo.customer_name or "",
            "kept": {name: text for name, text in kept.items() if text},
        }

    def _get_amount_values(self, open_sudo):
        """An open amount as it was typed or chosen last: in the payer's form, in the
        payment that is continued, else by the merchant.
        """
        link_sudo, form = self.link_sudo, self.form
        if link_sudo.amount_type == "fixed":
            return {"amount_input": "", "choices": ()}
        typed, choice = form.amount, form.choice
        if not typed and not choice:
            amount = open_sudo.amount or (not form.nonce and link_sudo.preset_amount)
            choice = link_sudo._find_suggestion(amount)
            typed = self._format_plain(amount) if amount and not choice else ""
        choices = [
            {"name": name, "amount": link_sudo._format(amount), "on": name == choice}
            for name, amount in link_sudo._get_suggestions().items()
        ]
        return {"amount_input": typed, "choices": choices}

    def _format_plain(self, amount: float):
        digits = self.link_sudo.currency_id.decimal_places
        lang = self.env["res.lang"].browse(self.lang.id)
        return lang.format(f"%.{digits}f", amount)

    def _match_lang(self):
        """The installed language, of any region, that the address asks for, or else
        the payer's browser likes best; nothing if none of them is installed.
        """
        langs = self._get_langs_by_tag()
        asked = self.form.lang.replace("_", "-")
        for tag, quality in ((asked, 1), *request.httprequest.accept_languages):
            found = langs.get(tag.lower()) or langs.get(tag.lower().partition("-")[0])
            if quality and found:
                return found
        return request.env["res.lang"]._get_data(code=False)

    def _get_langs_by_tag(self):
        langs = {lang.code.partition("_")[0]: lang for lang in reversed(self.installed)}
        for name in ("iso_code", "code"):  # of a language's variants, one is just "de"
            langs |= {
                (lang[name] or "").replace("_", "-").lower(): lang
                for lang in self.installed
            }
        return langs

    def _speak_for(self, record_sudo):
        """Answer for the merchant of a link or a payment; for none if it is empty."""
        self.storefront = Storefront()
        if record_sudo:
            gateway_sudo, company_sudo = record_sudo.gateway_id, record_sudo.company_id
            self.storefront = gateway_sudo._get_storefront(company_sudo)
        self._speak(self.storefront.lang)

    def _speak(self, merchants_lang):
        """Answer in the payer's language if the pages have it, else in the merchant's,
        else in English, the language that they are written in.
        """
        self.lang = self._choose_lang(merchants_lang)
        self.lang_tag, self.direction = self._get_lang_tag()
        request.update_context(lang=self.lang.code)
        self.env = request.env
        self.link_sudo = self.link_sudo.with_context(lang=self.lang.code)

    def _choose_lang(self, merchants_lang):
        if self.payer_lang and self._has_texts(self.payer_lang):
            return self.payer_lang
        langs = request.env["res.lang"]._get_active_by("code")
        merchants = langs[merchants_lang]
        if merchants and self._has_texts(merchants):
            return merchants
        return langs["en_US"] or merchants or self.installed[0]

    def _has_texts(self, lang):
        return self.link_sudo._has_page_texts(lang.code)

    def _get_lang_tag(self):
        """Language and direction of the words that are shown."""
        if not self._has_texts(self.lang):
            return "en", "ltr"
        return self.lang.code.replace("_", "-"), self.lang.direction

    def _get_locale(self):
        """The language of the words for previews; False if they don't know it."""
        locale = "en_US" if self.lang_tag == "en" else self.lang.code
        return bool(OPEN_GRAPH_LOCALE.fullmatch(locale)) and locale

    def _render(self, template, values, status=200):
        values["page"] = self._get_page_values(self.csp_nonce)
        body = self.link_sudo._render_page(template, values)
        return self._secure(request.make_response(body, status=status))

    def _render_once(self, template, values, signed: dict):
        """A page that is the same for all but for what is signed for each payer.

        :param dict signed: Values by name, put into the page that is kept in memory.
        """
        blanks = {name: f"{BLANK}_{name}_{BLANK}" for name in ("csp_nonce", *signed)}
        values = {**values, **blanks}
        values["page"] = self._get_page_values(blanks["csp_nonce"])
        key = hashlib.sha256(repr(values).encode()).hexdigest()
        body = str(self.link_sudo._render_page_once(template, key, values))
        for name, value in {"csp_nonce": self.csp_nonce, **signed}.items():
            body = body.replace(blanks[name], value)
        return self._secure(request.make_response(body))

    def _get_page_values(self, csp_nonce):
        """What every public page needs: language, colors, and whose page it is."""
        storefront = self.storefront
        return {
            "lang": self.lang_tag,
            "dir": self.direction,
            "version": VERSION,
            "csp_nonce": csp_nonce,
            "brand": storefront.brand,
            "test_mode": not storefront.livemode,
            "company_name": storefront.company_name,
            "merchant": storefront.merchant,
            "logo": storefront.logo,
            "icon_letter": quote(escape(storefront.company_name[:1].upper())),
            "canonical_url": self.link_sudo.url,
            "preview_url": self._get_preview_url(),
            "locale": self._get_locale(),
            "path": self.link_sudo and self.path,
        }

    def _secure(self, response):
        """Keep the page to itself. No `form-action`: that would stop the 303."""
        response.headers.update(
            {
                "Content-Security-Policy": self._get_policy(),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                "X-Robots-Tag": "noindex",
            }
        )
        return response

    def _get_policy(self):
        allowed = self.csp_nonce and f" 'nonce-{self.csp_nonce}'"
        return CONTENT_SECURITY_POLICY % allowed
