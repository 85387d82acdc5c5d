"""What must hold between Checkout Links and the modules that its users have beside it.

Run by ``make compat``, which has them all in one database, on a real server.
"""
