"""The words that the project doesn't use, and where they may stand all the same.

American English, as in Odoo's and Stripe's own documentation. A word is found in
names too: they are taken apart at underscores and capital letters.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tools import project

_KINDS = {".html", ".js", ".md", ".py", ".rst", ".xml"}

# What is said instead of each.
_INSTEAD = {
    "anew": "again",
    "be had": "is available",
    "begun": "started",
    "book": "post",
    "booked": "posted",
    "booking": "posting",
    "books": "posts, accounting, entries",
    "cancelled": "canceled",
    "cancelling": "canceling",
    "colour": "color",
    "colours": "colors",
    "favourite": "favorite",
    "for good": "permanently",
    "learnt": "learned",
    "mend": "fix",
    "mended": "fixed, resolved",
    "mending": "fixing",
    "mends": "fixes",
    "news": "events, messages",
    "nobody": "none, no user",
    "tell": "say, show",
    "telling": "saying, showing",
    "tells": "says, shows",
    "the least is": "the minimum is",
    "the most is": "the maximum is",
    "told": "said, reported",
    "untold": "missing",
    "whatever": "any, regardless of",
    "wish": "typed amount, request",
    "wished": "requested",
    "wishes": "requests",
    "worked off": "processed",
    "works off": "processes",
}
_PHRASES = "|".join(r"[\s#_]+".join(phrase.split()) for phrase in _INSTEAD)
# A name's parts begin after an underscore or with a capital letter.
_UNWANTED = re.compile(
    rf"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))((?i:{_PHRASES}))(?:(?![A-Za-z])|(?=[A-Z]))"
)


@dataclass(frozen=True)
class Permit:
    """Lines in which a word may stand.

    :param files: Pattern of their paths in the repository.
    :param line: Pattern that finds something in them.
    """

    files: str
    line: str
    reason: str

    def covers(self, name: str, line: str) -> bool:
        return fnmatch(name, self.files) and bool(re.search(self.line, line))


_PERMITS = (
    Permit("tools/words.py", "", "this list"),
    Permit("tools/tests/test_words.py", "", "its test"),
    Permit("*", r"""["']book["']""", "a value in the database, which is a contract"),
    Permit("*/migrations/*", "", "names of earlier versions"),
    Permit("tests/test_upgrade.py", "rebook", "names of earlier versions"),
    Permit("CHANGELOG.md", r"\(Not Booked\)|Re-Book", "what earlier versions said"),
    Permit("docs/*", "``book``", "a value in the database, which is a contract"),
    Permit("*.xml", r"fa-book\b", "the name of a picture"),
    Permit("*", r"\bBook\b[*”.:]|\bsay Book\b|_book\b", "a button of Stripe's page"),
    Permit("tools/postgres.py", r"""\["nobody"\]""", "a Unix user"),
)


def find_unwanted(path: Path) -> Iterator[str]:
    """Places of such words in a file, each with what to say instead."""
    if path.suffix in _KINDS:
        name = path.relative_to(project.ROOT).as_posix()
        for number, line, word in _places(path.read_text()):
            if not any(permit.covers(name, line) for permit in _PERMITS):
                instead = _INSTEAD[" ".join(re.split(r"[\s#_]+", word.lower()))]
                yield f"{name}:{number}: says {word!r}; say {instead}"


def _places(text: str) -> Iterator[tuple[int, str, str]]:
    """Number and text of a line, and the word in it."""
    lines = text.split("\n")
    for match in _UNWANTED.finditer(text):
        index = text.count("\n", 0, match.start())
        yield index + 1, lines[index], match[1]
