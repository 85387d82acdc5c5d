"""What is done beside the money, and what is said of errors.

A contact, a reminder, a message or a mail may fail for reasons that are no concern of
a payment's: a rule that addresses are unique, a mail server that is away.
"""

import logging

import psycopg2

from odoo.exceptions import ConcurrencyError, UserError

from .stripe_client import StripeError

_logger = logging.getLogger(__name__)


def describe_error(env, error):
    """Why something failed, for a person to read. What the database or Python says of
    it may quote customers' data and is of no help; it is left out.
    """
    if isinstance(error, (UserError, StripeError)):
        return str(error)
    return env._(
        "An unexpected error occurred (%s). See the server log for details.",
        type(error).__name__,
    )


def log_error(logger, what, error):
    """Log an error for the administrator; of the database's, only which kind it is."""
    if isinstance(error, psycopg2.Error):
        logger.error("%s: %s", what, type(error).__name__)
    elif not isinstance(error, (UserError, StripeError)):
        logger.error(what, exc_info=error)


def do_aside(records, work):
    """Do something that must never undo what was done for money before it. Mails are
    left to Odoo's queue, which may fail as it likes.

    :param callable work: Takes the records.
    :return: What `work` returned, and False; or None, and why it failed.
    """
    records.env.flush_all()  # what isn't side work fails as ever
    try:
        with records.env.cr.savepoint():
            return work(records.with_context(mail_notify_force_send=False)), False
    except (psycopg2.OperationalError, ConcurrencyError):
        raise  # the whole transaction is tried again
    except Exception as error:
        log_error(_logger, f"Side work of {records} failed", error)
        return None, describe_error(records.env, error)
