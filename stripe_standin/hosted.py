"""Stripe's hosted page `/c/pay/ID`, where a customer pays or goes back."""

import functools
from dataclasses import dataclass, field

from flask import Blueprint, redirect, render_template, request

from . import methods, money
from .checks import check_email
from .errors import StripeError
from .resources import sessions

FIELDS = ("email", "name", "phone", "country", "number", "expiry", "cvc")
COUNTRIES = {
    "US": "United States", "AT": "Austria", "BE": "Belgium", "CA": "Canada",
    "CH": "Switzerland", "DE": "Germany", "ES": "Spain", "FR": "France",
    "GB": "United Kingdom", "IT": "Italy", "JP": "Japan", "NL": "Netherlands",
    "SE": "Sweden",
}  # fmt: skip
TEST_NUMBERS = (
    ("4242 4242 4242 4242", "paid"),
    ("4000 0000 0000 0002", "declined"),
    ("4000 0000 0000 9995", "insufficient funds"),
    ("4000 0000 0000 0259", "paid, disputed later"),
)


@dataclass
class Form:
    """What the customer typed, and what is wrong with it."""

    values: dict
    errors: dict = field(default_factory=dict)
    message: str = ""

    def customer(self):
        """The customer for `sessions.pay`; empty fields are None."""
        names = ("email", "name", "phone", "country")
        return {name: self.values[name].strip() or None for name in names}


def hosted_blueprint(world):
    """The routes of the page."""
    blueprint = Blueprint("hosted", __name__, template_folder="templates")
    routes = (
        ("/c/pay/<object_id>", "GET", show),
        ("/c/pay/<object_id>", "POST", submit),
        ("/receipts/<object_id>", "GET", receipt),
    )
    for path, method, view in routes:
        answer = functools.partial(_answer, world, view)
        blueprint.add_url_rule(path, view.__name__, answer, methods=[method])
    return blueprint


def _answer(world, view, object_id):
    with world.lock:
        world.schedule.run_due()
        merchant = world.owner(object_id)
        if not merchant:
            return render_template("message.html", state="unknown"), 404
        answer = view(merchant, merchant.find(object_id))
    return answer() if callable(answer) else answer


def show(merchant, session):
    """The page of an open session, or what became of it."""
    return _page(session, Form(_prefilled(session)))


def submit(merchant, session):
    """The customer pays: back to the merchant, or the page again (402)."""
    form = Form({name: request.form.get(name, "") for name in FIELDS})
    event = _pay(merchant, session, form)
    if not event:
        return _page(session, form), 402
    return functools.partial(_go_back, merchant.world, session, event)


def receipt(merchant, charge):
    """What `receipt_url` leads to."""
    return render_template(
        "receipt.html",
        charge=charge,
        merchant=merchant.settings.merchant_name,
        amount=money.formatted(charge["amount"], charge["currency"]),
    )


def _go_back(world, session, event):
    world.deliveries.wait_for_first_try(event)
    return redirect(_success_url(session), 303)


def _prefilled(session):
    values = dict.fromkeys(FIELDS, "")
    return {**values, "email": session["customer_email"] or "", "country": "US"}


def _pay(merchant, session, form):
    """The event of a completed session, or None with the reasons in the form."""
    if session["status"] != "open":
        return None
    _validate(form)
    if form.errors:
        return None
    try:
        method = methods.method_for(form.values["number"], session["currency"])
        return sessions.pay(merchant, session, method, form.customer())
    except StripeError as error:
        form.errors["number"] = form.message = error.message
        return None


def _validate(form):
    values, wrong = form.values, form.errors
    try:
        check_email(values["email"].strip(), "email")
    except StripeError:
        wrong["email"] = "Your email is incomplete."
    if not values["name"].strip():
        wrong["name"] = "Your name is missing."
    digits = "".join(c for c in values["number"] if c.isdigit())
    if not digits:
        wrong["number"] = "Your card number is incomplete."
    if digits == methods.DEBIT_NUMBER:
        return
    if not _is_expiry(values["expiry"]):
        wrong["expiry"] = "Your card's expiration date is incomplete."
    if not (values["cvc"].isdigit() and len(values["cvc"]) in (3, 4)):
        wrong["cvc"] = "Your card's security code is incomplete."


def _is_expiry(text):
    month, _, year = text.replace(" ", "").partition("/")
    if not (month + year).isdigit():
        return False
    return 1 <= int(month or 0) <= 12 and len(year) in (2, 4)


def _page(session, form):
    if session["status"] != "open":
        return render_template(
            "message.html",
            state=session["status"],
            back=session["cancel_url"],
            merchant=session["branding_settings"]["display_name"],
        )
    return render_template(
        "pay.html",
        session=session,
        merchant=session["branding_settings"]["display_name"],
        amount=money.formatted(session["amount_total"], session["currency"]),
        lines=[_line(line) for line in session["_line_items"]],
        form=form,
        countries=COUNTRIES,
        numbers=_numbers(session),
        takes_debits=len(session["payment_method_types"]) > 1,
    )


def _line(line):
    return {
        "name": line["description"],
        "text": line["_text"],
        "quantity": line["quantity"],
        "amount": money.formatted(line["amount_total"], line["currency"]),
    }


def _numbers(session):
    if len(session["payment_method_types"]) < 2:
        return TEST_NUMBERS
    return (*TEST_NUMBERS, (methods.DEBIT_NUMBER, "bank debit, stays processing"))


def _success_url(session):
    return session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
