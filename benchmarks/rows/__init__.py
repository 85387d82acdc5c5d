"""The rows, in order of their value: a name for the command line, a file each."""

from benchmarks.rows import (
    checkout,
    entries,
    gateways,
    memory,
    page,
    posting,
    users,
    webhook,
)

ROWS = {
    "entries": entries,
    "webhook": webhook,
    "page": page,
    "checkout": checkout,
    "users": users,
    "posting": posting,
    "memory": memory,
    "gateways": gateways,
}
