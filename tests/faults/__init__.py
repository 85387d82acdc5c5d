"""Faults under load: each breaks something while payers pay, then counts the money.

``make faults`` runs them all, ``make faults ARGS="-k kill"`` some. They take minutes
each, so they are no part of ``make test``, whose files have another name.
"""
