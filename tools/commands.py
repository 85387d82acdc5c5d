"""The commands of ``python3 -m tools``: each takes its arguments, returns a status."""

from tools import cache, database, ground, project, suites
from tools.console import say


def setup(arguments: list[str]) -> int:
    """Fetch and build all that the other commands need."""
    with ground.ready() as odoo:
        database.template(odoo)
        say(f"Ready. Odoo: {odoo.source}. Cache: {cache.folder()}")
    return 0


def test(arguments: list[str]) -> int:
    """Run the three test suites; arguments go to pytest."""
    with ground.ready() as odoo:
        return 0 if suites.run(odoo, arguments) else 1


def shell(arguments: list[str]) -> int:
    """Open Odoo's shell on the demo database."""
    with ground.ready() as odoo:
        name = project.database_name("demo")
        return ground.talk(
            odoo.command("shell", f"--database={name}", "--no-http", *arguments),
            env=odoo.environment(),
        )


def run(arguments: list[str]) -> int:
    """Run any program with this Odoo's Python, PostgreSQL and browser at hand."""
    with ground.ready() as odoo:
        return ground.talk(arguments, env=odoo.environment())


def clean(arguments: list[str]) -> int:
    """Delete the cache folder and the private PostgreSQL server."""
    ground.clean()
    return 0


COMMANDS = {
    command.__name__: command for command in (setup, test, shell, run, clean)
}


def usage() -> str:
    """One line for each command."""
    lines = [f"  {name:8} {COMMANDS[name].__doc__}" for name in COMMANDS]
    return "\n".join(["python3 -m tools COMMAND, one of:", *lines])
