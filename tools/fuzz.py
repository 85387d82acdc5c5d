"""``make fuzz``: odd requests to all public addresses, many of them.

``make test`` sends a few hundred, the same each time. A seed gives the same ones again,
in the same state of the code.
"""

import os
import secrets

from tools import suites
from tools.console import Problem, say
from tools.ground import Odoo

COUNT = 100_000
_TESTS = "tests/test_fuzz.py"


def run(odoo: Odoo, arguments: list[str]) -> bool:
    """Send them; what the answers were is printed.

    :param arguments: A seed, and how many; both may be left out.
    :return: Whether no answer was a failure, and nothing came of any.
    :raise Problem: if one of them is no number.
    """
    if not all(argument.isdecimal() for argument in arguments):
        raise Problem("Say a seed, and how many: make fuzz ARGS='7 1000'")
    given = [int(argument) for argument in arguments]
    seed, count = [*given, *[secrets.randbelow(10**6), COUNT][len(given) :]][:2]
    os.environ.update(FUZZ_SEED=str(seed), FUZZ_INPUTS=str(count))
    say(f"Fuzz: {count} inputs of seed {seed}")
    result = suites.run_pytest(odoo, ["-p", "no:odoo", "-s", "--timeout=0", _TESTS])
    suites.print_verdict(result)
    return result.good
