"""Throughput of 1, 2, 4, ... busy processes, each on objects of its own (scaling.cc)."""

import os

from benchlib.side import in_turns, median, wait_for_quiet, workers
from benchlib.table import Column, Table, ratio

ROWS = ["getppid", "stat", "open+close", "pread-4K", "pwrite-4K", "pipe-1B", "unix-socket",
        "mmap-cycle", "create+unlink", "fork+wait", "vfork+exec"]
NOTE = """Operations a second of one process, and of several together; `scaling` is the quotient.
Each process has its own files, pipes, sockets and memory."""


def counts():
    return [1] + [n for n in (2, 4, 8, 16) if n <= (os.cpu_count() or 1)]


def measure(context):
    figures = {}
    with workers(context.sides, "scaling") as worker:
        for number in range(context.rounds):
            for row in ROWS:
                for processes in counts():
                    for side in in_turns(context.sides, number):
                        wait_for_quiet(context.patience)
                        answer = worker[side.name].ask(f"{row} {processes} {context.slice_ms}")
                        figures.setdefault((row, side.name, processes), []).append(answer.get("per_second"))
    medians = {key: median(values) for key, values in figures.items()}
    return [table(medians)]


def table(medians):
    rows = []
    for name in ROWS:
        row = {"name": name}
        for side in ("native", "guest"):
            single = medians.get((name, side, 1))
            row[f"{side}_1"] = single
            for processes in counts()[1:]:
                several = medians.get((name, side, processes))
                row[f"{side}_{processes}"] = several
                row[f"{side}_scaling_{processes}"] = ratio(several, single)
        for processes in counts():
            row[f"ratio_{processes}"] = ratio(row.get(f"guest_{processes}"), row.get(f"native_{processes}"))
        rows.append(row)
    columns = []
    for processes in counts():
        columns += [Column(f"native_{processes}", f"native {processes}", "{:,.0f}"),
                    Column(f"guest_{processes}", f"guest {processes}", "{:,.0f}"),
                    Column(f"ratio_{processes}", f"guest/native {processes}", "{:.2f}", "more")]
    for processes in counts()[1:]:
        columns += [Column(f"native_scaling_{processes}", f"native scaling {processes}"),
                    Column(f"guest_scaling_{processes}", f"guest scaling {processes}", "{:,.2f}", "more")]
    return Table("scaling", "Several busy processes", columns, rows, NOTE)
