"""Checkout Links beside Odoo's own payments, and beside itself with more data.

``make bench`` runs all rows and writes ``RESULTS.md``, and with ``ARGS="webhook page"``
it runs some. Each row is a file in ``rows/``: it measures both sides in one run, in
turns, and fails unless the work was done (rows, entries, balances).
"""
