from dataclasses import dataclass

# In the context of our own code only: no remote call can carry an object like this.
REQUESTER_KEY = "checkout_requester"
_LOGGED = {"tracking_disable": False, "mail_create_nolog": False, "mail_notrack": False}


@dataclass(frozen=True)
class Requester:
    """Who asked for what our code does as superuser: the author of what is logged."""

    partner_id: int


def get_requester(env):
    """:return: The :class:`Requester`, or nothing where other code is at work."""
    requester = env.context.get(REQUESTER_KEY)
    return requester if isinstance(requester, Requester) else None


def is_logged(env):
    """Whether our code is at work in a company that keeps an audit trail."""
    return bool(get_requester(env)) and env.company.restrictive_audit_trail


def with_audit_trail(records):
    """The records, so that what our code does to them is logged like a person's work
    where the company keeps an audit trail; that code logs nothing elsewhere.
    """
    return records.with_context(**_LOGGED) if is_logged(records.env) else records
