"""The machine of a measurement, in general terms."""

import os
import platform

from tools import postgres

_KIB_PER_GIB = 2**20
_SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers")


def describe(odoo) -> str:
    """Cores, memory, PostgreSQL and its settings, in one paragraph."""
    values = [postgres.query(f"SHOW {name}").strip() for name in _SETTINGS]
    version, fsync, synchronous, buffers = values
    return (
        f"Machine: {cores()} cores, {_memory():.0f} GB of memory, Python"
        f" {platform.python_version()}, PostgreSQL {version.split()[0]} with fsync"
        f" {fsync}, synchronous_commit {synchronous}, shared_buffers {buffers} (writes"
        " look cheaper than in production, for both sides)."
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _memory() -> float:
    with open("/proc/meminfo") as file:
        return int(file.readline().split()[1]) / _KIB_PER_GIB
