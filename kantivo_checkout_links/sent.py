"""What anybody may send, before anything is done with it."""

import re
import unicodedata

_WORD = re.compile(r"[\w-]+", re.ASCII)


def as_text(sent):
    """What was sent, if it is text; nothing of a file or of a text with a NUL, which
    PostgreSQL doesn't take.
    """
    return sent if isinstance(sent, str) and "\0" not in sent else ""


def without_invisible(text):
    """A text without what can't be seen, such as soft hyphens and marks of direction.

    https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def first_word(text):
    """A token or id without what a mail or messenger left around it: `kcl_x).` is
    `kcl_x`.
    """
    found = _WORD.search(without_invisible(text))
    return found[0] if found else ""
