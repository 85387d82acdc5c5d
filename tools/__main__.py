"""The command line: ``python3 -m tools COMMAND [ARGUMENTS]``."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 (older ones cannot read the rest)
    sys.exit("This needs Python 3.10 to 3.13, for example: make demo PYTHON=python3.12")

from tools import commands
from tools.command import end_cleanly_on_sigterm
from tools.console import Problem, print_problem


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status."""
    command = commands.COMMANDS.get(arguments[0] if arguments else "help")
    if not command:
        return commands.complain(arguments[0])
    end_cleanly_on_sigterm()
    try:
        return command(arguments[1:])
    except Problem as problem:
        print_problem(problem)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
