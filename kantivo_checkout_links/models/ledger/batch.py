"""Posting many entries at once, where Odoo writes to each of them."""

# The context's key of a batch that is being posted.
BATCH_KEY = "checkout_batch"
# What Odoo writes to the entry of each new statement line. Only the first says anything
# that the entry was not created with.
LINE_VALUES = {"statement_line_id", "narration", "name"}

LINK_ENTRIES = """
    UPDATE account_move SET statement_line_id = line.id
    FROM account_bank_statement_line line
    WHERE line.move_id = account_move.id AND account_move.id = ANY(%s)
"""


class Batch:
    """The entries whose statement lines are being created. No remote call can carry one
    in its context.
    """

    def __init__(self):
        self.move_ids = []


def get_batch(env):
    """The batch that is being posted, if there is one."""
    batch = env.context.get(BATCH_KEY)
    return batch if isinstance(batch, Batch) else None
