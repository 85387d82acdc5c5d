"""The processor with a few and with many events waiting: memory, and the rate."""

import json
import os
import sys
import time
from pathlib import Path
from threading import Thread

from benchmarks import fill
from benchmarks.kit import Bench
from benchmarks.results import Section, milliseconds, ratio, verdict
from benchmarks.rows import entries

GOAL_MEMORY, GOAL_RATE = 1.2, 1.5
PATIENCE = 240  # seconds


def measure(bench: Bench) -> Section:
    """The first payments of a short and of a long queue, in a process each."""
    sizes = (60, 200) if bench.quick else (1_000, 100_000)
    processed = 20 if bench.quick else 500
    section = Section(
        "the processor with few and many events waiting",
        ("waiting", "memory, peak", "of it for the work", "a payment", "first entry"),
        notes=(
            f"The first {processed} payments are processed, then the process ends."
            " Memory: resident, of the Odoo process.",
        ),
    )
    found = []
    for waiting in sizes:
        with bench.database("memory") as name, bench.stripe() as stripe:
            stripe.configure(first=1, count=waiting + 1)
            found.append(
                bench.inside(name, work, stripe, waiting=waiting, processed=processed)
            )
        section.add(
            f"{waiting:,}",
            f"{found[-1]['peak']:.0f} MiB",
            f"{found[-1]['grown']:.0f} MiB",
            milliseconds(found[-1]["payment"]),
            f"{found[-1]['first']:.2f} s",
        )
    memory = found[1]["peak"] / found[0]["peak"]
    rate = found[1]["payment"] / found[0]["payment"]
    section.notes += (
        f"Memory {ratio(memory, 1)} (goal <= {GOAL_MEMORY}x):"
        f" {verdict(memory <= GOAL_MEMORY)}. Time a payment {ratio(rate, 1)} (goal <="
        f" {GOAL_RATE}x): {verdict(rate <= GOAL_RATE)}.",
    )
    return section


# -- inside Odoo ----------------------------------------------------------------------


def work(env, waiting: int, processed: int) -> None:
    """Process until so many payments are posted, and print what it took."""
    fill.add_waiting(env, 1, 1)
    entries.process(env)
    fill.add_waiting(env, 2, waiting)
    env.cr.execute("ANALYZE")
    env.cr.commit()
    Thread(target=_report, args=(env.registry, processed, reset_peak())).start()
    entries.process(env)


def _report(registry, processed: int, before: float) -> None:
    """End the process once so many payments are posted."""
    started, first, posted = time.perf_counter(), None, 0
    already = _count(registry)
    while posted < processed:
        time.sleep(0.05)
        if time.perf_counter() > started + PATIENCE:
            print(f"{posted} payments in {PATIENCE} s", file=sys.stderr, flush=True)
            os._exit(1)
        posted = (_count(registry) - already) / 2
        if posted and not first:
            first = time.perf_counter() - started
    now = get_memory()
    figures = {
        "peak": now["VmHWM"],
        "grown": now["VmHWM"] - before,
        "payment": (time.perf_counter() - started) / posted,
        "first": first,
    }
    print(json.dumps(figures), flush=True)
    os._exit(0)


def _count(registry) -> int:
    """Posted movements."""
    with registry.cursor() as cr:
        cr.execute("SELECT count(*) FROM checkout_movement WHERE state = 'posted'")
        return cr.fetchone()[0]


def reset_peak() -> float:
    """Measure the peak (VmHWM) from here; MiB that this process has now."""
    Path("/proc/self/clear_refs").write_text("5")
    return get_memory()["VmRSS"]


def get_memory() -> dict[str, float]:
    """MiB of this process, by the kernel's names."""
    lines = Path("/proc/self/status").read_text().splitlines()
    pairs = [line.split() for line in lines if line.startswith(("VmHWM", "VmRSS"))]
    return {pair[0].rstrip(":"): int(pair[1]) / 1024 for pair in pairs}
