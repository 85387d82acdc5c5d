"""Odoo logs each query that fails with all its values. Ours hold what customers typed,
and keys: of those the log gets which error it was.
"""

import logging
from contextlib import contextmanager
from contextvars import ContextVar

# Queries that name one of these are ours wherever they fail.
_OUR_TABLES = "checkout_"
_is_ours = ContextVar("is_ours", default=False)


class _Shorten(logging.Filter):
    """Shortens what is said of queries of ours."""

    def filter(self, record):
        if record.levelno >= logging.ERROR and _holds_values(record):
            record.msg = "A query of Checkout Links failed: %s"
            record.args = (type(record.args[-1]).__name__,)
        return True


def _holds_values(record):
    is_query = isinstance(record.args, tuple) and len(record.args) > 1
    return is_query and (_is_ours.get() or _OUR_TABLES in str(record.args[0]))


logging.getLogger("odoo.sql_db").addFilter(_Shorten())


@contextmanager
def quiet_queries():
    """Have no query that fails in here logged with its values, whichever table it is
    about.
    """
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)
