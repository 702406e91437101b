"""How many system calls of the host each operation costs, on both sides (host_calls.cc)."""

import sys

from benchlib import host_tracer, packages
from benchlib.sections import servers
from benchlib.side import Worker
from benchlib.table import Column, Table

ROWS = ["stat", "open+close", "open+read+close", "read-4K", "pread-4K", "write-4K", "create+close+unlink",
        "mkdir+rmdir", "rename", "pipe-1B", "unix-send+recv", "tcp-send+recv", "tcp-connect+accept+close",
        "epoll_wait-16-ready", "served-request", "mmap-cycle", "fork+wait"]
# Enough that a site of the guest that is called often has been rewritten.
WARM_UP = {"fork+wait": 150}
COUNT = {"fork+wait": 50}
NOTE = """Calls of the host for one operation; natively that is what the program calls. `rt_sigreturn` counts
calls of the guest that trapped instead of going directly; a fork's child is not counted."""


def describe(calls, count):
    parts = [f"{name} {number / count:.3g}" for name, number in calls.most_common() if number / count >= 0.05]
    return ", ".join(parts)


def count_rows(side):
    name = f"lxbench-{side.name}"[:15]
    figures = {}
    before = host_tracer.host_pids(name, 0)
    with Worker(side, "host_calls", name) as worker:
        worker.ask("stat 1")
        pids = host_tracer.host_pids(name, but=before)
        for row in ROWS:
            if not worker.ask(f"{row} {WARM_UP.get(row, 1000)}"):
                break
            count = COUNT.get(row, 500)
            with host_tracer.Counted(pids) as counted:
                worker.ask(f"{row} {count}")
            figures[row] = (sum(counted.calls.values()) / count, describe(counted.calls, count))
    return figures


def count_requests(side):
    """Of servers, for one of their clients' requests."""
    figures = {}
    for kind, process, row, script in (
            (servers.Redis, "redis-server", "redis, a get of 50 connections",
             "redis-benchmark -p {} -t get -q -c 50 -n 5000"),
            (servers.Nginx, "nginx", "nginx, a page, kept alive", "ab -q -k -c 20 -n 5000 http://127.0.0.1:{}/index.html"),
            (servers.Nginx, "nginx", "nginx, a page, new connection", "ab -q -c 20 -n 5000 http://127.0.0.1:{}/index.html")):
        if not packages.have(side, kind.packages):
            continue
        before = host_tracer.host_pids(process, 0)
        instance = kind(side, True)
        with instance.server():
            command = script.format(instance.port)
            side.bash(command)
            with host_tracer.Counted(host_tracer.host_pids(process, but=before)) as counted:
                side.bash(command)
            figures[row] = (sum(counted.calls.values()) / 5000, describe(counted.calls, 5000))
    return figures


def measure(context):
    why = host_tracer.unavailable()
    if why:
        print(f"host calls are not counted: {why}", file=sys.stderr)
        return []
    figures = {side.name: count_rows(side) | ({} if context.quick else count_requests(side))
               for side in context.sides}
    rows = []
    for name in dict.fromkeys(name for side in figures.values() for name in side):
        row = {"name": name}
        for side in figures:
            if name in figures[side]:
                row[side], row[f"{side}_calls"] = figures[side][name]
        rows.append(row)
    columns = [Column("native", "native"), Column("guest", "guest", "{:,.2f}", "less"),
               Column("native_calls", "native's"), Column("guest_calls", "guest's")]
    return [Table("host_calls", "Host calls for one operation", columns, rows, NOTE)]
