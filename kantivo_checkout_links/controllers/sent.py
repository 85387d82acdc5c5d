"""What anybody may send, before anything is done with it."""


def as_text(sent):
    """What was sent, if it is text; nothing of a file or of a text with a NUL, which
    PostgreSQL doesn't take.
    """
    return sent if isinstance(sent, str) and "\0" not in sent else ""
