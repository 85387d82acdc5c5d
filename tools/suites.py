"""``make test``: the test suites, with one honest verdict.

A skipped test counts as a failed one: Odoo's browser tests, for example, skip
themselves silently where no server or no browser is found. So does each warning that
Odoo logs while its tests run.
"""

import os
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stripe_standin.control_client import Standin
from tools import cache, database, odoo_log, project
from tools.console import Problem, say
from tools.ground import Odoo, call

# What tests in Odoo's own process read: where Stripe is, for each process of tests.
STANDIN_VARIABLE = "CHECKOUT_STANDIN_URL"
# Processes that share the tests of a whole suite in Odoo; each has a copy of the
# database.
_PROCESSES = 2
_NOTHING_SELECTED = 5
_FAULTS = "tests/faults"
_PASSED, _SKIPPED, _FAILED = range(3)
_TAKES_A_VALUE = {"-k", "-m", "-p", "-o", "-W", "--tb", "--maxfail", "--durations"}


@dataclass(frozen=True)
class Suite:
    """A folder of tests.

    :param inside_odoo: Whether they run in Odoo's own process, on a database.
    :param has_servers: Whether they start servers, whose logs are searched then.
    """

    name: str
    folder: str
    inside_odoo: bool = False
    has_servers: bool = False

    @property
    def exists(self) -> bool:
        return (project.ROOT / self.folder).is_dir()


SUITES = (
    Suite("tools", "tools/tests"),
    Suite("standin", "stripe_standin/tests"),
    Suite("contract", "stripe_contract"),
    Suite("addon", f"{project.ADDON}/tests", inside_odoo=True),
    Suite("system", "tests", has_servers=True),
)


@dataclass(frozen=True)
class Result:
    """What one suite, or all of them, came to."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: bool = False

    def __add__(self, other: "Result") -> "Result":
        return Result(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.broken or other.broken,
        )

    @property
    def good(self) -> bool:
        """Something ran, all of it passed, and nothing was left out."""
        bad = self.failed or self.skipped or self.broken
        return bool(self.passed) and not bad


def run(odoo: Odoo, arguments: list[str]) -> bool:
    """Run the suites that exist with pytest and print the verdict.

    :param arguments: For pytest. Paths among them limit the run to their suites.
    :return: Whether all went well.
    :raise Problem: if a file of tests among them does not exist.
    """
    check_files(arguments)
    total = run_all(odoo, arguments)
    print_verdict(total)
    return total.good


def run_all(odoo: Odoo, arguments: list[str]) -> Result:
    """Run the suites that exist, or those named among pytest's arguments."""
    total = Result()
    for suite in filter(lambda suite: suite.exists, SUITES):
        wanted = arguments_for(suite, arguments)
        if wanted is not None:
            total += _timed(odoo, suite, wanted)
    return total


def run_faults(odoo: Odoo, arguments: list[str]) -> Result:
    """Run the faults under load, each for as long as it takes."""
    chosen = ["-o", "python_files=fault_*.py", "--timeout=0", _FAULTS]
    return _run_without_odoo(odoo, [*chosen, *arguments])


def check_files(arguments: list[str]) -> None:
    """Refuse a file that no suite has: pytest would say so once for each suite.

    :raise Problem: naming it.
    """
    for argument in _words(arguments):
        if ".py" in argument and not _is_of_a_suite(argument):
            raise Problem(f"No suite has the tests {argument}: is the path right?")


def print_verdict(total: Result) -> None:
    """Say how many tests passed and failed; skipped ones failed."""
    if total == Result():
        say("No test was chosen, which counts as failed: is the name right?")
    if total.skipped:
        say(f"{total.skipped} tests were skipped, which counts as failed")
    if total.broken and not total.failed:
        say("A suite ended before its tests did, which counts as failed")
    failed = total.failed + total.skipped or int(not total.good)
    print(f"{total.passed} passed, {failed} failed", flush=True)


def arguments_for(suite: Suite, arguments: list[str]) -> list[str] | None:
    """The arguments for that suite, or None if they name only others' tests."""
    paths = list(_paths(arguments))
    mine = [part for path in paths if (part := _part_of(suite, path))]
    if paths and not mine:
        return None
    options = [argument for argument in arguments if argument not in paths]
    return [*options, *(mine or [suite.folder])]


def _paths(arguments: list[str]) -> Iterator[str]:
    return filter(_is_of_a_suite, _words(arguments))


def _words(arguments: list[str]) -> Iterator[str]:
    """The arguments that are neither options nor the values of options."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before not in _TAKES_A_VALUE and not argument.startswith("-"):
            yield argument


def _is_of_a_suite(path: str) -> bool:
    return any(_part_of(suite, path) for suite in SUITES)


def _part_of(suite: Suite, path: str) -> str | None:
    """What a path holds of that suite: a part, the whole suite, or nothing."""
    place = (project.ROOT / path.partition("::")[0]).resolve()
    folder = project.ROOT / suite.folder
    if folder.is_relative_to(place):
        return suite.folder
    return path if place.exists() and place.is_relative_to(folder) else None


def _timed(odoo: Odoo, suite: Suite, arguments: list[str]) -> Result:
    begin, since = time.monotonic(), time.time()
    if suite.inside_odoo:
        result = _run_inside_odoo(odoo, suite, arguments)
    else:
        result = _run_without_odoo(odoo, arguments)
    if suite.has_servers:
        result += _find_leaks(since)
    seconds = time.monotonic() - begin
    say(
        f"Suite {suite.name}: {result.passed} passed, {result.failed} failed,"
        f" {result.skipped} skipped in {seconds:.1f} s"
    )
    return result


def _run_without_odoo(odoo: Odoo, arguments: list[str]) -> Result:
    # Without this, pytest-odoo would load Odoo into tests that must do without.
    return run_pytest(odoo, ["-p", "no:odoo", *arguments])


def _run_inside_odoo(odoo: Odoo, suite: Suite, arguments: list[str]) -> Result:
    processes = _PROCESSES if suite.folder in arguments else 1
    with (
        database.passing_for_tests(odoo, suite.name) as name,
        inside_odoo(odoo, name, processes) as options,
    ):
        log = cache.log_file(name)
        # Python's warnings go to the log, instead of pytest's summary.
        logged = ["--odoo-log-level=warn", f"--odoo-extra=logfile={log}"]
        options += ["-p", "no:warnings", *logged, *_shared(processes)]
        return run_pytest(odoo, [*options, *arguments]) + _judge(log)


def _shared(processes: int) -> list[str]:
    if processes == 1:
        return []
    # In our order, the longest file is not the last.
    order = ("--dist=loadfile", "--no-loadscope-reorder")
    return [f"--numprocesses={processes}", *order]


def _judge(log: Path) -> Result:
    """Warnings in Odoo's log, to which both processes append, as failed tests; and
    what belongs in no log.
    """
    bad = [*odoo_log.warnings(log), *odoo_log.leaks(log)]
    print("\n".join(bad), end="\n" if bad else "")
    if bad:
        say(f"Odoo logged {len(bad)} bad lines, which count as failed; log: {log}")
    return Result(failed=len(bad))


def _find_leaks(since: float) -> Result:
    """What this clone's servers have logged since then and shouldn't, as failures. Not
    those of `make compat`, which CI runs at the same time.
    """
    compat = project.database_name("compat")
    servers = cache.logs_of_servers(project.database_name(""), since)
    logs = [log for log in servers if not log.name.startswith(compat)]
    bad = [f"{log.name}: {line}" for log in logs for line in odoo_log.leaks(log)]
    print("\n".join(bad), end="\n" if bad else "")
    if bad:
        say(f"Servers logged {len(bad)} lines that belong in no log")
    return Result(failed=len(bad))


@contextmanager
def inside_odoo(odoo: Odoo, name: str, processes: int = 1) -> Iterator[list[str]]:
    """Options for pytest to run tests in Odoo's own process, on that database.

    One stand-in for Stripe serves a process meanwhile: its start takes a second.
    """
    with ExitStack() as stack:
        started = [
            stack.enter_context(Standin.start(python=odoo.python))
            for _ in range(processes)
        ]
        os.environ[STANDIN_VARIABLE] = " ".join(standin.url for standin in started)
        try:
            yield [
                "--odoo-http",
                f"--odoo-config={odoo.config()}",
                f"--odoo-database={name}",
                f"--odoo-extra=db-filter=^{name}$",
            ]
        finally:
            del os.environ[STANDIN_VARIABLE]


def run_pytest(odoo: Odoo, arguments: list[str]) -> Result:
    """Run pytest in the repository, with this Odoo's Python."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [odoo.python, "-m", "pytest", f"--junitxml={report}", *arguments]
        status = call(
            [str(part) for part in command],
            cwd=project.ROOT,
            env=odoo.environment(),
        )
        return read(report, status)


def read(report: Path, status: int) -> Result:
    """Counts of a JUnit report; a run that wrote none, or died, is broken."""
    if not report.exists():
        return Result(broken=True)
    # A test with subtests has several entries: the worst one counts.
    worst: dict[tuple, int] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        key = (case.get("classname"), case.get("name"))
        worst[key] = max(worst.get(key, _PASSED), _outcome(case))
    counts = Counter(worst.values())
    failed = counts[_FAILED]
    ended_well = status in (0, _NOTHING_SELECTED) or (status == 1 and failed)
    return Result(counts[_PASSED], failed, counts[_SKIPPED], broken=not ended_well)


def _outcome(case: ElementTree.Element) -> int:
    if case.find("failure") is not None or case.find("error") is not None:
        return _FAILED
    return _SKIPPED if case.find("skipped") is not None else _PASSED
