"""Stripe's vocabularies, each with its source. Facts only: no code that decides."""

from typing import NamedTuple

from odoo.tools.translate import LazyGettext, LazyTranslate

_lt = LazyTranslate(__name__)

# The API version the official package pins; sent with every call, so that an upgrade of
# the package can't move it unnoticed. https://docs.stripe.com/api/versioning
API_VERSION = "2026-10-28.endive"

# Seconds. Work in the background waits longer than a web request does, which keeps one
# of the server's workers.
API_TIMEOUT = 10
API_RETRIES = 1
REQUEST_TIMEOUT = 3.5
# Connections are kept for the next call. An idle one is given up before Stripe's side
# may close it, in seconds.
IDLE_SECONDS = 30
MAX_CONNECTIONS = 32  # as many as Odoo has threads for requests

# After so many calls in a row without an answer, a process asks nothing for payers for
# so many seconds.
SILENT_CALLS = 3
SILENT_SECONDS = 10

# How many payers may have Stripe asked at once in a server that has threads and no
# worker processes; each of them has two of its 64 connections to the database.
THREADED_TURNS = 8
# Seconds that a payer may wait for a turn, and between two looks.
TURN_PATIENCE = 2
TURN_INTERVAL = 0.05
# A worker that waited rests from waiting for so many times as long.
TURN_REST = 4
# Seconds after which a payer may try again: where Stripe failed; at most, where too
# many pay at the same time; and from and to, where too many start and don't pay.
RETRY_AFTER = 4
MOST_RETRY_AFTER = 10
BRAKE_RETRY_AFTER = (20, 60)

# Lifetime of a Checkout Session, in minutes. Stripe takes 30 minutes to 24 hours.
# https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at
SESSION_MINUTES = 60
# Where places are limited, a second attempt must still find the 30 minutes, and so must
# Stripe, by its own clock.
LIMITED_SESSION_MINUTES = 35
LEAST_SESSION_MINUTES = 31

# Seconds. Stripe's clock is known to the second, less the way of an answer; within the
# larger of the two there is no need to look at a server's clock.
CLOCK_TOLERANCE = 5
MAX_CLOCK_OFFSET = 60

# How many checkouts one request may have ended at Stripe; the processor ends the rest.
PAYER_EXPIRIES = 3
MERCHANT_EXPIRIES = 20

# A payer may read the page for long; the form is worth a day.
NONCE_HOURS = 24

# Seconds between two questions about one payment from its return page, and until the
# page looks again: sooner while an answer must be about to come.
RETURN_PAGE_INTERVAL = 5
RETURN_PAGE_POLLS = {"checking": 2, "open": 6, "processing": 6, "unknown": 6}

# https://docs.stripe.com/webhooks#verify-manually
SIGNATURE_TOLERANCE = 300
# Stripe's largest events are far below this; anything above isn't read.
MAX_EVENT_BYTES = 1024 * 1024
# What a new payment of a link is shown with in a preview of its entries, where the
# customer chooses the amount, and about what Stripe keeps of a card payment.
# https://stripe.com/pricing
SAMPLE_AMOUNT = 100.0
SAMPLE_FEE_SHARE = 0.03

# The form of the pay page has a few short fields.
MAX_FORM_BYTES = 16 * 1024
# The longest amount with any grouping, currency and spaces around it.
MAX_AMOUNT_LENGTH = 40
# https://docs.stripe.com/api/metadata
MAX_METADATA_LENGTH = 500
# A reference or campaign in a link's address: what a column of a list can show.
MAX_TRACKING_LENGTH = 100
# https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible
MAX_ID_LENGTH = 255

# Decimals of Stripe's minor unit where they differ from the usual two.
# https://docs.stripe.com/currencies#zero-decimal
# ISK and UGX take two decimals, which are always 00.
# https://docs.stripe.com/currencies#special-cases
ZERO_DECIMAL_CURRENCIES = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()
)
THREE_DECIMAL_CURRENCIES = frozenset("BHD JOD KWD OMR TND".split())

# The smallest step of an amount, in minor units, where it isn't 1: ISK and UGX take no
# fractions, the three-decimal currencies end in 0.
MINOR_UNIT_STEP = {
    "ISK": 100,
    "UGX": 100,
    "BHD": 10,
    "JOD": 10,
    "KWD": 10,
    "OMR": 10,
    "TND": 10,
}

# How many digits of minor units an amount may have with every payment method: eight,
# unless the currency is one of these. Cards alone take more.
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
AMOUNT_DIGITS = 8
AMOUNT_DIGITS_BY_CURRENCY = {"COP": 10, "IDR": 12, "INR": 9}

# Stripe's minimum for a charge by settlement currency, in major units, as its page said
# in November 2026. A gateway's can be changed: it depends on account and method.
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MINIMUM_AMOUNTS = {
    "AED": 2.0,
    "ARS": 0.5,
    "AUD": 0.5,
    "BRL": 0.5,
    "CAD": 0.5,
    "CHF": 0.5,
    "COP": 0.5,
    "CZK": 15.0,
    "DKK": 2.5,
    "EUR": 0.5,
    "GBP": 0.3,
    "HKD": 4.0,
    "HUF": 175.0,
    "IDR": 0.5,
    "ILS": 0.5,
    "INR": 0.5,
    "JPY": 50.0,
    "KRW": 50.0,
    "MXN": 10.0,
    "MYR": 2.0,
    "NOK": 3.0,
    "NZD": 0.5,
    "PHP": 0.5,
    "PLN": 2.0,
    "RON": 2.0,
    "RUB": 0.5,
    "SEK": 3.0,
    "SGD": 0.5,
    "THB": 10.0,
    "USD": 0.5,
    "ZAR": 0.5,
}

# Stripe's error for a charge below its minimum.
# https://docs.stripe.com/error-codes#amount-too-small
TOO_SMALL = "amount_too_small"

# The longest texts that Stripe takes: a title is also the description of its intent.
# https://docs.stripe.com/api/payment_intents/create#create_payment_intent-description
MAX_TITLE_LENGTH = 1000
# Any other text.
MAX_TEXT_LENGTH = 5000

# Checkout Session's `payment_status` values that mean "the money is there".
# https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-payment_status
PAID_STATUSES = frozenset({"paid", "no_payment_required"})

# The other statuses of a session, its intent and its charge that say how far a payment
# has come. https://docs.stripe.com/api/charges/object#charge_object-status
SESSION_STATUSES = frozenset({"open", "complete", "expired"})
PAYMENT_STATUSES = PAID_STATUSES | {"unpaid"}
UNPAID_CHARGE_STATUSES = frozenset({"pending", "failed"})
CHARGE_STATUSES = UNPAID_CHARGE_STATUSES | {"succeeded"}
INTENT_STATUSES = frozenset(
    "requires_payment_method requires_confirmation requires_action processing "
    "requires_capture canceled succeeded".split()
)

# Statuses of an intent whose session is complete but unpaid, once the bank said no.
# https://docs.stripe.com/payments/paymentintents/lifecycle
FAILED_INTENT_STATUSES = frozenset({"requires_payment_method", "canceled"})

# A thin event's `object`, and what stands before the type of a snapshot event there.
# https://docs.stripe.com/event-destinations#thin-events
THIN_EVENT = "v2.core.event"
THIN_PREFIX = "v1."

# Stripe delivers within seconds; later than this, something held it up.
LATE_EVENT_SECONDS = 900
# The brake on starting checkouts. Within so many minutes of its start none is ended to
# make room for others; paid ones count for as long as starts are remembered.
BRAKE_MINUTES = 10
BRAKE_MEMORY_MINUTES = 60
# How many can be started and not paid meanwhile: of a link, and from one address, which
# a whole office may share. Each payment makes room for some more.
LINK_STARTS = 300
CLIENT_STARTS = 50
STARTS_PER_PAYMENT = 5
# From which part of that on a link is crowded, and to which part the oldest are ended.
CROWDED_PART = 0.9
ROOM_PART = 0.8
FLOOD_NOTICE_HOURS = 24
# Days that expired checkouts are kept.
CHECKOUT_DAYS = 90
PURGE_BATCH = 1000

# How long the contents of finished events are worth keeping, in days.
PAYLOAD_DAYS = 90
PRUNE_BATCH = 10_000
# What is older is written on a link, but its followers get no notification.
ANNOUNCEMENT_HOURS = 24

# Event types we act on. Each makes us read again the object that it is about. Left out
# are those that add nothing (charge.refunded, charge.refund.updated).
# https://docs.stripe.com/api/events/types
HANDLED_EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "charge.succeeded",
    "charge.updated",  # the balance transaction, and with it the fee, may come late
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "payout.created",
    "payout.updated",
    "payout.paid",
    "payout.failed",
    "payout.canceled",
    "payout.reconciliation_completed",
)

# Those that say no more of a payment than that it is paid.
PAID_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "charge.succeeded",
    }
)

# The `balance_type` of what `/v1/balance` shows as available and pending.
# https://docs.stripe.com/api/balance_transactions/object#balance_transaction_object-balance_type
PAYMENTS_BALANCE = "payments"

# Stripe adds statuses without a new API version. What has one that isn't known here
# keeps Stripe's word, and its money follows the balance transactions.
# https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible
UNKNOWN = "unknown"
UNKNOWN_STATE = (UNKNOWN, "Unknown")

# A refund's `status`. https://docs.stripe.com/api/refunds/object#refund_object-status
REFUND_STATES = [
    ("pending", "Pending"),
    ("requires_action", "Requires Action"),
    ("succeeded", "Refunded"),
    ("failed", "Failed"),
    ("canceled", "Canceled"),
]
# https://docs.stripe.com/api/refunds/create#create_refund-reason
REFUND_REASONS = [
    ("requested_by_customer", "Requested by the customer"),
    ("duplicate", "Duplicate"),
    ("fraudulent", "Fraudulent"),
]

# A dispute's `status`. https://docs.stripe.com/api/disputes/object#dispute_object-status
DISPUTE_STATES = [
    ("warning_needs_response", "Inquiry: Needs Response"),
    ("warning_under_review", "Inquiry: Under Review"),
    ("warning_closed", "Inquiry Closed"),
    ("needs_response", "Needs Response"),
    ("under_review", "Under Review"),
    ("appeal_needs_response", "Appeal: Needs Response"),
    ("appeal_under_review", "Appeal: Under Review"),
    ("won", "Won"),
    ("lost", "Lost"),
    ("prevented", "Prevented"),
]
# While it is in one of these, the customer's money isn't the merchant's.
CONTESTED_STATES = frozenset(
    "needs_response under_review appeal_needs_response appeal_under_review lost".split()
)
# Over, and what is withheld then stays gone; of one that is prevented, that may be
# nothing.
LOST_STATES = frozenset({"lost", "prevented"})
# Over: what isn't back by then stays gone, also of one that was won in part.
CLOSED_STATES = LOST_STATES | {"won"}
RESPONSE_STATES = frozenset(
    "warning_needs_response needs_response appeal_needs_response".split()
)

# Where the tax is due on less as soon as what was paid is gone again, by law: there a
# lost dispute takes it back by itself. Elsewhere that has conditions, which a person
# has to know of, such as six months in the United Kingdom (VAT Notice 700/18). In the
# EU, Article 90 (1) of Directive 2006/112/EC has the base reduced on total or partial
# non-payment; by 90 (2) each member state sets the conditions.
TAKE_BACK_LAWS = {
    # https://www.ris.bka.gv.at/GeltendeFassung.wxe?Abfrage=Bundesnormen&Gesetzesnummer=10004873
    "AT": "§ 16 (1), (3) no. 1 UStG 1994",
    # https://www.fedlex.admin.ch/eli/cc/2009/615/de#art_41
    "CH": "Art. 41 (1) MWSTG",
    # https://www.gesetze-im-internet.de/ustg_1980/__17.html
    "DE": "§ 17 (1), (2) no. 1 UStG",
    # https://wetten.overheid.nl/BWBR0002629#HoofdstukVI_Afdeling1_Artikel29
    "NL": "Art. 29 (1), (2) Wet OB 1968",
}

# A payout's `status`. https://docs.stripe.com/api/payouts/object#payout_object-status
PAYOUT_STATES = [
    ("pending", "Pending"),
    ("in_transit", "In Transit"),
    ("paid", "Paid"),
    ("failed", "Failed"),
    ("canceled", "Canceled"),
]

# Domains that lead nowhere on the internet.
# https://www.iana.org/assignments/special-use-domain-names
PRIVATE_DOMAINS = (
    ".example",
    ".home.arpa",
    ".internal",
    ".invalid",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
    ".test",
)


class Permission(NamedTuple):
    """Something that a restricted key may be allowed or not."""

    resource: str  # by its path in Stripe's package
    operation: str
    title: str  # as on Stripe's page of restricted keys, where it isn't translated
    purpose: LazyGettext
    needed: bool  # without it payments can't be taken and posted


# https://docs.stripe.com/keys/restricted-api-keys
PERMISSIONS = (
    Permission(
        "checkout.sessions",
        "create",
        "Checkout Sessions: Write",
        _lt("to take payments"),
        True,
    ),
    Permission(
        "payment_intents",
        "list",
        "PaymentIntents: Read",
        _lt("to see whether a payment succeeded"),
        True,
    ),
    Permission(
        "charges",
        "list",
        "Charges and Refunds: Read",
        _lt("to post payments"),
        True,
    ),
    Permission(
        "balance_transactions",
        "list",
        "Balance Transactions: Read",
        _lt("to post fees and other changes of the balance"),
        True,
    ),
    Permission(
        "balance",
        "retrieve",
        "Balance: Read",
        _lt("to check the balance"),
        True,
    ),
    Permission(
        "events",
        "list",
        "Events: Read",
        _lt("to catch up on missed events"),
        True,
    ),
    Permission(
        "refunds",
        "create",
        "Charges and Refunds: Write",
        _lt("to refund from Odoo"),
        False,
    ),
    Permission(
        "payouts",
        "list",
        "Payouts: Read",
        _lt("to list the transactions of payouts"),
        False,
    ),
    Permission("disputes", "list", "Disputes: Read", _lt("to follow disputes"), False),
    Permission(
        "webhook_endpoints",
        "create",
        "Webhook Endpoints: Write",
        _lt("to create the webhook for you"),
        False,
    ),
)

# Waiting times between attempts at one event, in minutes; after the last one it has
# failed, which a person sees and retries.
RETRY_MINUTES = (1, 2, 5, 10, 30, 60, 120, 240, 480, 960)

# First keys of the advisory locks, any constants of ours. The second key is a gateway,
# the number of a payer's turn, a link and a payment; of who reads a gateway's objects
# from Stripe and applies them, and of who syncs it, the gateway.
ADVISORY_LOCK = 1262703691
TURN_LOCK = 1262703692
LINK_LOCK = 1262703693
RETURN_LOCK = 1262703694
READING_LOCK = 1262703695
SYNC_LOCK = 1262703696
LOCK_TIMEOUT = "30s"

# How often a batch is started again when a request changed one of its rows meanwhile.
WORK_ATTEMPTS = 5
# Events are processed and posted in batches; the first ones are small, so that the
# first entries of a burst are there at once.
FIRST_BATCHES = (10, 25, 50)
EVENT_BATCH = 100
EXPIRY_BATCH = 100
POST_BATCH = 50

# Stripe keeps events for 30 days. https://docs.stripe.com/api/events
EVENT_DAYS = 30
# The sync reads again what it may have read before, since lists are not in commit
# order.
SYNC_OVERLAP_HOURS = 3
STRIPE_PAGE = 100
# How many calls a gateway makes at once. Stripe takes 25 a second from test keys, and
# 100 from live ones. https://docs.stripe.com/rate-limits
CALLS_AT_ONCE = 8
# Seconds before calls are made, and made again where Stripe had too much to do.
RATE_PAUSES = (0, 1, 2, 4)
# Balance transactions are read in periods of so many days and rows at most, so that a
# crash has little to do again, and taken some rows at a time.
SYNC_PIECE_DAYS = 7
SYNC_PERIOD_ROWS = 1000
SYNC_PIECE_ROWS = 100
# Minutes after which a sync is due again: less than the scheduled action's interval.
SYNC_MINUTES = 10
# Stripe reports the end of a checkout by itself; it is asked so many minutes later if
# it didn't, and about anything that isn't over at most so often, in hours.
SESSION_GRACE_MINUTES = 15
RECHECK_HOURS = 24

# A rate of exchange that is older than this, in days, is worth a warning.
RATE_DAYS = 35

# Days after a month's end until it is closed by a statement: by then Stripe has entered
# nearly all of it.
CLOSING_DAYS = 3

# https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-locale
CHECKOUT_LOCALES = frozenset(
    "bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms "
    "mt nb nl pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW".split()
)

# Payment methods by the name a payer knows.
# https://docs.stripe.com/api/payment_methods/object#payment_method_object-type
METHOD_NAMES = {
    "acss_debit": "Pre-authorized debit",
    "bacs_debit": "Bacs Direct Debit",
    "bancontact": "Bancontact",
    "card": "Card",
    "ideal": "iDEAL",
    "klarna": "Klarna",
    "link": "Link",
    "paypal": "PayPal",
    "sepa_debit": "SEPA Direct Debit",
    "us_bank_account": "Bank account (ACH)",
}

# === STRIPE'S PAGE === #

# Characters of a card statement's line: the account's prefix, "* " and a link's suffix.
# A prefix has at most ten. https://docs.stripe.com/get-started/account/statement-descriptors
STATEMENT_LENGTH = 22
UNKNOWN_PREFIX_LENGTH = 10
# Where a button has to say that the customer pays: members of the European Union and of
# the European Economic Area. https://eur-lex.europa.eu/eli/dir/2011/83/oj, article 8
EEA_COUNTRIES = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO "
    "SE SI SK".split()
)

# === SUGGESTED AMOUNTS === #

# More would be below the button on a phone.
MAX_SUGGESTIONS = 6

# === WHAT PRICES INCLUDE === #

# Where what a price includes is called goods and services tax.
# https://taxsummaries.pwc.com/quick-charts/value-added-tax-vat-rates
GST_COUNTRIES = ("AU", "IN", "NZ", "SG")
# Where it has another name, or several; everywhere else it is value added tax.
OTHER_TAX_COUNTRIES = ("BR", "CA", "HK", "JP", "MY", "PK", "PR", "US")
