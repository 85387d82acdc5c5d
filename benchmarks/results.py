"""The tables of ``RESULTS.md``: one section for each row, replaced when it is run."""

import re
from dataclasses import dataclass, field
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
_SECTION = re.compile(r"(?m)^(?=## )")


@dataclass
class Section:
    """What a row showed.

    :param title: What was measured, in a few words.
    :param columns: Headings of its table.
    :param lines: Its table: texts, as many as there are columns.
    :param notes: Sentences below the table: how it was measured, what is not in it.
    """

    title: str
    columns: tuple[str, ...]
    lines: list[tuple] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def add(self, *cells) -> None:
        """Add a line to the table."""
        assert len(cells) == len(self.columns), cells
        self.lines.append(cells)

    def render(self, name: str, made: str) -> str:
        """The section as Markdown.

        :param name: The row's name, by which it can be run alone.
        :param made: When, at which commit and in what time it was measured.
        """
        table = [self.columns, ["---"] * len(self.columns), *self.lines]
        rows = [f"| {' | '.join(map(str, cells))} |" for cells in table]
        notes = [f"- {note}" for note in (*self.notes, made)]
        return "\n".join([f"## {name}: {self.title}", "", *rows, "", *notes, ""])


def keep(name: str, text: str, machine: str) -> None:
    """Put a section into RESULTS.md, in the place of its last measurement."""
    before = RESULTS.read_text() if RESULTS.exists() else ""
    RESULTS.write_text(merge(before, name, text, machine))


def merge(before: str, name: str, text: str, machine: str) -> str:
    """The file's text with one section replaced, under the machine it ran on."""
    sections = {_name_of(part): part.strip() for part in _SECTION.split(before)[1:]}
    sections[name] = text.strip()
    ordered = [sections[key] for key in sorted(sections, key=_place)]
    return "\n\n".join([f"{_HEAD}\n{machine}", *ordered]) + "\n"


def _name_of(section: str) -> str:
    return section.removeprefix("## ").partition(":")[0]


def _place(name: str) -> int:
    from benchmarks.rows import ROWS  # which need this module

    return list(ROWS).index(name) if name in ROWS else len(ROWS)


_HEAD = """\
# Measured

Written by `make bench`; `make bench ARGS="webhook page"` measures some rows only. Both
sides of a comparison are measured in one run, in turns; figures are medians. `NOTES.md`
says what the profiles taught.
"""


def ratio(ours: float, theirs: float) -> str:
    """How many times as much one is as the other."""
    value = ours / theirs if theirs else float("inf")
    return f"{value:.2f}x" if value < 10 else f"{value:.0f}x"


def milliseconds(seconds: float) -> str:
    """A time, with as many digits as are worth reading."""
    value = seconds * 1000
    return f"{value:.2f} ms" if value < 1 else f"{value:,.{1 if value < 10 else 0}f} ms"


def verdict(reached: bool) -> str:
    """Whether a goal is reached, in a word."""
    return "yes" if reached else "**no**"
