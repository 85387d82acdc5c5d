"""``make histories``: many random histories of an account, or one by its seed.

The tests run a few of them each time; here it is 300. A seed means the same history
only in the same state of the code, so its commit is printed too.
"""

import os

from tools import database, project, suites
from tools.console import Problem, say
from tools.ground import Odoo

COUNT = 300
_TESTS = f"{project.ADDON}/tests/test_histories.py"


def run(odoo: Odoo, arguments: list[str]) -> bool:
    """Run them; what they come to is printed.

    :param arguments: A seed, to replay one history; else none.
    :return: Whether the ledger agrees with Stripe in all of them.
    :raise Problem: if the seed is no number.
    """
    os.environ.update(_settings(arguments))
    with (
        database.passing_for_tests(odoo, "histories") as name,
        suites.inside_odoo(odoo, name) as options,
    ):
        # The result is printed; and no time limit is meant for so many at once.
        result = suites.run_pytest(odoo, [*options, "-s", "--timeout=0", _TESTS])
    say(f"Commit: {project.commit()}")
    suites.print_verdict(result)
    return result.good


def _settings(arguments: list[str]) -> dict[str, str]:
    if not arguments:
        return {"CHECKOUT_HISTORIES": str(COUNT)}
    if not arguments[0].isdecimal():
        raise Problem(f"{arguments[0]} is no seed: make histories ARGS=7")
    return {"CHECKOUT_HISTORY": arguments[0]}
