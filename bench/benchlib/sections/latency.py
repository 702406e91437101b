"""How long a process's stat takes while another runs a hostile loop (latency.cc)."""

import contextlib
import pathlib
import selectors
import subprocess
import sys
import tempfile

from benchlib.side import Worker, in_turns, median, stop
from benchlib.table import Column, Table

# Loops, each alone; the guest's runs in a directory of a drive where it says so.
LOOPS = ["idle", "spin", "poll-of-a-million", "dup2-high-and-fork", "create", "create, on a drive",
         "sendfile-to-full-terminal", "list-5000", "fork", "rename", "write-and-sync", "pipe-64K", "semaphore-sets",
         "links", "queued-signals"]
IN_QUICK_MODE = ["idle", "spin", "poll-of-a-million", "dup2-high-and-fork", "create", "create, on a drive",
                 "sendfile-to-full-terminal"]
READY_SECONDS = 30
NOTE = """Times of one `stat` of a cached file in us, called without a pause: the median call, and the 99.9th
percentile of the longest call in each 200 us (a stall counts for each that it outlasts), while one other process of
the same side runs the loop. `spin` only computes: what it costs is the host's scheduler. `above` is the guest's
99.9th percentile less native's, in us."""


@contextlib.contextmanager
def hostile(side, loop, directory):
    """The loop, until the block ends; gives whether it runs."""
    command = [f"{side.directory}/latency", loop, *([directory] if directory else [])]
    process = side.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = bool(selector.select(READY_SECONDS)) and process.stdout.readline() == b"ready\n"
        if not ready:
            print(f"{side.name}: the loop '{loop}' did not begin", file=sys.stderr)
        yield ready
    finally:
        stop(process)


def on_a_drive(side, directory):
    """The host's directory as the side sees it: the drive C: of the guest is the host's root."""
    return f"/mnt/c{directory}" if side.prefix else str(directory)


def measure(context):
    loops = IN_QUICK_MODE if context.quick else LOOPS
    seconds = 0.5 if context.quick else 1.5
    figures = {}
    with tempfile.TemporaryDirectory() as drive:
        pathlib.Path(drive).chmod(0o777)
        for number in range(1 if context.quick else min(context.rounds, 3)):
            for loop in loops:
                for side in in_turns(context.sides, number):
                    with Worker(side, "latency") as victim, contextlib.ExitStack() as stack:
                        victim.ask("0.05")
                        if loop != "idle":
                            directory = on_a_drive(side, drive) if loop.endswith("drive") else None
                            if not stack.enter_context(hostile(side, loop.split(",")[0], directory)):
                                continue
                        figures.setdefault((loop, side.name), []).append(victim.ask(f"{seconds}"))
    rows = []
    for loop in loops:
        row = {"name": loop}
        for side in context.sides:
            for key in ("p50", "p999", "worst"):
                value = median([answer.get(key) for answer in figures.get((loop, side.name), [])])
                row[f"{side.name}_{key}"] = value / 1000 if value is not None else None
        if row.get("native_p999") is not None and row.get("guest_p999") is not None:
            row["above"] = row["guest_p999"] - row["native_p999"]
        rows.append(row)
    columns = [Column(f"{side}_{key}", f"{side}, {label}", "{:,.1f}")
               for side in ("native", "guest") for key, label in (("p50", "p50"), ("p999", "p99.9"), ("worst", "worst"))]
    return [Table("latency", "A stat beside a hostile loop", columns + [Column("above", "above", "{:+,.0f}", "less")],
                  rows, NOTE)]
