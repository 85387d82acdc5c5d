"""What Checkout Links relies on of Stripe: one suite for the stand-in and for Stripe.

``make test`` runs it against the stand-in, ``make check-stripe STRIPE_KEY=sk_test_…``
against the test mode of a Stripe account. Each test drives the addon's own
``stripe_client``, so a difference between the two is seen where it would hurt.

Beliefs that only real Stripe can prove, that is, where the stand-in was written after
the documentation and agrees with it by construction. This suite proves:

* A create with an unknown parameter is refused for its key first (403) and only then
  for the parameter (400), and makes nothing: ``ask_permission`` stands on it.
  https://docs.stripe.com/keys/restricted-api-keys names the 403, no page the order.
  Needs STRIPE_RESTRICTED_KEY, a key with no permission at all.
* The refusal of ``GET /v1/account`` names the account: ``retrieve_account`` reads it
  there. Seen in messages people quote, documented nowhere.
* A session has no ``payment_intent`` until the payer submits.
  https://docs.stripe.com/changelog/2022-08-01/deferred-paymentintent-checkout-session
* Metadata in ``payment_intent_data`` ends on the intent, ``{CHECKOUT_SESSION_ID}`` is
  kept literally, four levels are expanded. Needs BY_HAND=1: somebody pays the page.
  https://docs.stripe.com/payments/checkout/custom-success-page
* The balance transaction, and with it the fee, may come after the charge.
  https://docs.stripe.com/payments/payment-intents/asynchronous-capture
* A repeated idempotency key answers the same object, another request with it fails.
  https://docs.stripe.com/api/idempotent_requests
* ISK takes two decimals that are 00, MGA none.
  https://docs.stripe.com/currencies#special-cases
* Every type in ``HANDLED_EVENTS`` can be subscribed to in the pinned version.
  https://docs.stripe.com/api/webhook_endpoints/create

It cannot prove, since it takes days, a bank or Stripe's own doing:

* ``charge.updated`` is delivered when the balance transaction comes.
  https://docs.stripe.com/payments/payment-intents/asynchronous-capture
* A bank debit's balance transaction comes with its success, not with its start.
  No source; the stand-in's setting ``debit_balance_transaction`` has both.
* The balance transactions of an automatic payout can be listed by it, and add up to
  it. https://docs.stripe.com/payouts/reconciliation
* A failed payout and a failed refund give the money back in a
  ``failure_balance_transaction``. https://docs.stripe.com/api/payouts/object
* A lost dispute has no balance transaction of its own, a won one has a second one,
  category ``dispute_reversal``. https://docs.stripe.com/disputes/how-disputes-work
* The redirect waits up to ten seconds for the delivery of the completed session.
  https://docs.stripe.com/checkout/fulfillment
* The remainder of a payout in HUF or TWD stays in the balance.
  https://docs.stripe.com/currencies#special-cases
"""

# Environment variables by which ``make check-stripe`` sends the suite to Stripe.
KEY = "CHECK_STRIPE_KEY"
RESTRICTED_KEY = "CHECK_STRIPE_RESTRICTED_KEY"
PAID_BY_HAND = "CHECK_STRIPE_BY_HAND"
