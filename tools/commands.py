"""The commands of ``python3 -m tools``: each takes its arguments, returns a status."""

import sys

from tools import account_tests as accounting
from tools import (
    cache,
    check_stripe,
    database,
    ground,
    postgres,
    project,
    suites,
    translations,
    wheel,
)
from tools import ci as integration
from tools import compat as compatibility
from tools import demo as demonstration
from tools import fuzz as fuzzing
from tools import histories as random_histories
from tools import lint as linters
from tools import screenshots as pictures
from tools.console import Problem, say


def setup(arguments: list[str]) -> int:
    """Fetch and build all that the other commands need."""
    with ground.ready() as odoo:
        database.template(odoo)
        say(f"Ready. Odoo: {odoo.source}. Cache: {cache.folder()}")
    return 0


def test(arguments: list[str]) -> int:
    """Run the test suites; arguments go to pytest."""
    with ground.ready() as odoo:
        return 0 if suites.run(odoo, arguments) else 1


def lint(arguments: list[str]) -> int:
    """Check style, Odoo's conventions and forbidden names."""
    return 0 if linters.run() else 1


def ci(arguments: list[str]) -> int:
    """Run all checks and all tests, as .ci/run does."""
    with ground.ready() as odoo:
        return 0 if integration.run(odoo) else 1


def checks(arguments: list[str]) -> int:
    """Run lint, wheel, a fresh installation by Odoo's own runner, and compat."""
    with ground.ready() as odoo:
        return 0 if integration.run_checks(odoo) else 1


def compat(arguments: list[str]) -> int:
    """Test the addon beside website, payment_stripe, sale, OCA's widget and others."""
    with ground.ready() as odoo:
        return 0 if compatibility.run(odoo, arguments) else 1


def histories(arguments: list[str]) -> int:
    """Compare the ledger with Stripe after 300 random histories, or one seed's."""
    with ground.ready() as odoo:
        return 0 if random_histories.run(odoo, arguments) else 1


def faults(arguments: list[str]) -> int:
    """Break Odoo, PostgreSQL and Stripe under load, and count the money after each."""
    with ground.ready() as odoo:
        result = suites.run_faults(odoo, arguments)
        suites.print_verdict(result)
        return 0 if result.good else 1


def fuzz(arguments: list[str]) -> int:
    """Send 100,000 odd requests to all public addresses, or those of one seed."""
    with ground.ready() as odoo:
        return 0 if fuzzing.run(odoo, arguments) else 1


def account_tests(arguments: list[str]) -> int:
    """Run Odoo's own account tests without and with the addon, and compare."""
    with ground.ready() as odoo:
        return 0 if accounting.run(odoo, arguments) else 1


def bench(arguments: list[str]) -> int:
    """Measure the addon beside Odoo's own payments; arguments name rows."""
    with ground.ready() as odoo:
        command = [odoo.python, "-m", "benchmarks", *arguments]
        return ground.talk(command, cwd=project.ROOT, env=odoo.environment())


def check_contract(arguments: list[str]) -> int:
    """Compare Stripe itself, in test mode, with what we believe of it."""
    check_stripe.check_keys()
    with ground.ready() as odoo:
        return 0 if check_stripe.run(odoo, arguments) else 1


def build_wheel(arguments: list[str]) -> int:
    """Build the addon's wheel into dist/, and check that Odoo installs it."""
    with ground.ready() as odoo:
        return 0 if wheel.run(odoo) else 1


def pot(arguments: list[str]) -> int:
    """Write the addon's translation template."""
    with ground.ready() as odoo:
        translations.write_template(odoo)
    return 0


def demo(arguments: list[str]) -> int:
    """Show a shop, its payments, refund, payout and entries; stays up until Ctrl-C."""
    return demonstration.run(arguments)


def screenshots(arguments: list[str]) -> int:
    """Take the pictures of the documentation again, from the demo's shop."""
    return pictures.run(arguments)


def shell(arguments: list[str]) -> int:
    """Open Odoo's shell on the demo database."""
    name = project.database_name("demo")
    with ground.ready() as odoo:
        if name not in postgres.databases():
            raise Problem(
                "There is no demo database yet. Run make demo, without --once, first."
            )
        options = (f"--database={name}", "--no-http", "--log-level=warn")
        command = odoo.command("shell", *options, *arguments)
        return ground.talk(command, env=odoo.environment())


def run(arguments: list[str]) -> int:
    """Run any program with this Odoo's Python, PostgreSQL and browser at hand."""
    if not arguments:
        raise Problem('Say which program, for example: make run ARGS="psql --list"')
    with ground.ready() as odoo:
        return ground.talk(arguments, env=odoo.environment())


def clean(arguments: list[str]) -> int:
    """Delete the cache folder, the databases and the private PostgreSQL server."""
    ground.clean()
    return 0


def explain(arguments: list[str]) -> int:
    """Say what each command does."""
    print(_usage())
    return 0


def complain(name: str) -> int:
    """Answer to a command that does not exist."""
    print(f"There is no command {name}.\n{_usage()}", file=sys.stderr)
    return 2


COMMANDS = {
    "help": explain,
    "setup": setup,
    "demo": demo,
    "screenshots": screenshots,
    "test": test,
    "compat": compat,
    "histories": histories,
    "fuzz": fuzz,
    "faults": faults,
    "account-tests": account_tests,
    "check-stripe": check_contract,
    "bench": bench,
    "lint": lint,
    "shell": shell,
    "run": run,
    "pot": pot,
    "wheel": build_wheel,
    "checks": checks,
    "ci": ci,
    "clean": clean,
}


def _usage() -> str:
    lines = [f"  {name:13} {COMMANDS[name].__doc__}" for name in COMMANDS]
    heading = 'make COMMAND, or make COMMAND ARGS="…"; COMMAND is one of:'
    return "\n".join([heading, *lines])
