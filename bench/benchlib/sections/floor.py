"""What the host's part of an operation costs under lxcore's filter and shared table (floor.cc)."""

from benchlib.side import median, wait_for_quiet, workers
from benchlib.table import Column, Table, ratio

ROWS = ["read-4K", "pread-4K", "write-4K", "pwrite-4K", "open+read+close", "create+unlink", "tcp-send+recv",
        "tcp-accept", "epoll_wait-16-ready", "served-request", "mmap-cycle", "fork+wait"]
VARIANTS = ["program", "calls", "table", "filter", "floor"]
NOTE = """ns for one operation. `native` is a native program; `calls` makes the host calls that lxcore should make for it,
`+ table` with a descriptor table shared with another process, `+ filter` under lxcore's system call filter; `floor`
has both. Where lxcore has the answer itself (stat, open, pipes, UNIX sockets) the floor is no host call at all."""


def measure(context):
    figures = {}
    with workers(context.sides, "floor") as worker:
        for number in range(min(context.rounds, 2) if context.quick else context.rounds):
            for row in ROWS:
                for side, variant in [("native", v) for v in VARIANTS] + [("guest", "program")]:
                    if side not in worker:
                        continue
                    wait_for_quiet(context.patience)
                    answer = worker[side].ask(f"{row} {variant} {context.slice_ms}")
                    key = "guest" if side == "guest" else variant
                    figures.setdefault(row, {}).setdefault(key, []).append(answer.get("ns"))
    rows = []
    for name in ROWS:
        row = {key: median(values) for key, values in figures[name].items()}
        rows.append({"name": name, **row,
                     "floor_ratio": ratio(row.get("floor"), row.get("program")),
                     "guest_ratio": ratio(row.get("guest"), row.get("program")),
                     "above": ratio(row.get("guest"), row.get("floor"))})
    columns = [Column("program", "native", "{:,.0f}"), Column("calls", "calls", "{:,.0f}"),
               Column("table", "+ table", "{:,.0f}"), Column("filter", "+ filter", "{:,.0f}"),
               Column("floor", "floor", "{:,.0f}"), Column("guest", "guest", "{:,.0f}"),
               Column("floor_ratio", "floor/native", "{:.2f}"),
               Column("guest_ratio", "guest/native", "{:.2f}", "less"),
               Column("above", "guest/floor", "{:.2f}", "less")]
    return [Table("floor", "The floor: the host's part", columns, rows, NOTE)]
