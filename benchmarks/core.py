"""Odoo's own payments, as they are set up and done without this addon.

A ``payment.transaction`` of Odoo's demo provider: what a real provider costs besides
(asking it, or checking its signature) is left out. It is set done and post-processed,
which posts the payment; a receipt posts the sale with its tax, and both are reconciled.
There is no entry for the fee: Odoo has none.
"""

from benchmarks import specimen

PROVIDER = "demo"
AMOUNT = 110.0


def start_transactions(env, count: int, code: str = PROVIDER):
    """Transactions of payers who are on the provider's page, a contact each."""
    provider = env["payment.provider"].search([("code", "=", code)], limit=1)
    partners = env["res.partner"].create(
        [{"name": f"Payer {n}", "email": f"p{n}@example.com"} for n in range(count)]
    )
    done = env["payment.transaction"].search_count([])
    transactions = env["payment.transaction"].create(
        [
            {
                "provider_id": provider.id,
                "payment_method_id": provider.payment_method_ids[:1].id,
                "reference": f"bench-{code}-{done + number}",
                "amount": AMOUNT,
                "currency_id": partner.env.company.currency_id.id,
                "partner_id": partner.id,
                "operation": "online_direct",
            }
            for number, partner in enumerate(partners)
        ]
    )
    env.cr.commit()
    env.invalidate_all()
    return transactions


def clone_transactions(env, count: int) -> None:
    """Transactions of the Stripe provider, number 1 to `count`, of one contact."""
    (transaction,) = start_transactions(env, 1, "stripe")
    tokens = {transaction.reference: "bench-stripe-{}"}
    tables = {transaction._table: transaction.ids}
    specimen.Cloner(env.cr, tokens, tables, []).clone(1, count)
    env.cr.commit()


def finish(transactions) -> None:
    """Set them done and post them, one after the other, as Odoo's scheduler does."""
    for transaction in transactions:
        transaction._set_done()
        transaction._post_process()
        _post_receipt(transaction)
        transaction.env.cr.commit()


def _post_receipt(transaction) -> None:
    """Post the sale, paid by the transaction's payment.

    Odoo can't do it by ``invoice_ids``, whose domain has no receipts.
    """
    taxes = [(6, 0, _get_tax_ids(transaction))]
    line = {"name": "Sale", "price_unit": AMOUNT, "tax_ids": taxes}
    receipt = transaction.env["account.move"].create(
        {
            "move_type": "out_receipt",
            "partner_id": transaction.partner_id.id,
            "ref": transaction.reference,
            "invoice_line_ids": [(0, 0, line)],
        }
    )
    receipt.action_post()
    lines = receipt.line_ids + transaction.payment_id.move_id.line_ids
    owed = lines.filtered(lambda i: i.account_type == "asset_receivable")
    owed.reconcile()


def _get_tax_ids(transaction) -> list[int]:
    """The tax that the specimen's sale has."""
    gateways = transaction.env["checkout.gateway"].search([("tax_ids", "!=", False)])
    return gateways[:1].tax_ids.ids


def check(transactions) -> None:
    """Each has a posted receipt, paid by a posted payment."""
    moves = transactions.env["account.move"]
    for transaction in transactions:
        payment = transaction.payment_id
        receipt = moves.search(
            [("ref", "=", transaction.reference), ("move_type", "=", "out_receipt")]
        )
        assert payment.move_id.state == receipt.state == "posted", transaction.reference
        assert receipt.amount_total == AMOUNT
        assert receipt.amount_tax == 10
        assert receipt.payment_state in ("paid", "in_payment"), receipt.payment_state
