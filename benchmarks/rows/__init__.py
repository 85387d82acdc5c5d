"""The rows, in order of their value: a name for the command line, a file each."""

from benchmarks.rows import (
    entries,
    page,
    posting,
    webhook,
)

ROWS = {
    "entries": entries,
    "webhook": webhook,
    "page": page,
    "posting": posting,
}
