"""Housekeeping of the project: set-up of Odoo and PostgreSQL, tests, lint, demo.

Run it as ``python3 -m tools COMMAND`` from the repository's root (or by ``make``).
It needs nothing but Python's standard library; what it installs goes to a cache
folder outside the repository.
"""
