"""Run rows and write what they showed: ``python -m benchmarks [ROW …] [--quick]``."""

import argparse
import sys
import time

from benchmarks import machine, results, shop
from benchmarks.kit import Bench
from benchmarks.rows import ROWS
from tools import ground, project
from tools.command import end_cleanly_on_sigterm
from tools.console import Problem, print_problem, say


def main(words: list[str]) -> int:
    """Run what the words name and return the exit status."""
    arguments = _parse(words)
    commit = project.commit()  # before RESULTS.md changes
    with ground.ready() as odoo:
        bench = shop.prepare(odoo, arguments.quick, arguments.million)
        failed = [name for name in arguments.rows if not _run(bench, name, commit)]
    if failed:
        say(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def _parse(words: list[str]):
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument(
        "--quick", action="store_true", help="small sizes; RESULTS.md stays as it is"
    )
    parser.add_argument(
        "--million", action="store_true", help="fill databases with 1,000,000 payments"
    )
    arguments = parser.parse_args(words)
    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    arguments.rows = arguments.rows or list(ROWS)
    return arguments


def _run(bench: Bench, name: str, commit: str) -> bool:
    """Measure one row, print it and, at full size, keep it."""
    started = time.monotonic()
    try:
        section = ROWS[name].measure(bench)
    except (AssertionError, Problem) as error:
        say(f"{name}: FAILED: {error}")
        return False
    seconds = time.monotonic() - started
    made = f"Commit {commit}, {time.strftime('%Y-%m-%d')}, {seconds:.0f} s."
    text = section.render(name, made)
    print(f"\n{text}", flush=True)
    if not bench.quick:
        results.keep(name, text, machine.describe(bench.odoo))
    return True


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print_problem(problem)
        sys.exit(2)
