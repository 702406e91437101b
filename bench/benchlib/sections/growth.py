"""The cost of operations as a function of how much there is (growth.cc)."""

import math

from benchlib.side import in_turns, median, wait_for_quiet, workers
from benchlib.table import Column, Table, ratio

# Operation / of what there is much: the largest size that is asked for.
ROWS = {
    "wait-one/zombies": 10_000, "reap-any/zombies": 10_000, "reap-each/zombies": 10_000, "fork/zombies": 10_000,
    "kill/processes": 10_000,
    "dup+close/descriptors": 100_000, "fork/descriptors": 100_000, "dup2+close/number": 1_000_000,
    "fork/highest-number": 1_000_000, "poll/descriptors": 100_000,
    "mmap-cycle/areas": 100_000, "mprotect/areas": 100_000, "fork/areas": 100_000,
    "create/files": 100_000, "create+unlink/files": 100_000, "stat/files": 100_000, "stat-missing/files": 100_000,
    "readdir/files": 100_000, "readdir+stat/files": 100_000, "rename/files": 100_000, "unlink/files": 100_000,
    "link+unlink/links": 40_000, "unlink/links": 40_000,
    "semget/sets": 30_000, "semctl/sets": 30_000,
    "wake/waiters": 1_000,
    "epoll_wait/items": 100_000, "epoll-ready/items": 100_000, "epoll_ctl/items": 100_000,
    "sigqueue/queued": 90_000, "timer/timers": 90_000, "lock/locks": 10_000,
    "mount/mounts": 10_000, "stat/mounts": 10_000,
}
SIZES = [10, 1_000, 100_000]
QUICK_SIZES = [10, 1_000]
SETUP_SECONDS = 4
ANSWER_SECONDS = 60
# An exponent this much above native's, and a cost that is not below native's, are worth a look.
TOLERANCE = 0.15
NOTE = """`A/B` is the cost of A beside many B, in ns for one operation (for all of what `poll` polls). The size is what
could be made within some seconds. The exponent is that of a power law through the smallest and the largest size that
both sides reached about; `*` marks rows where the guest's is higher than native's by more than 0.15 and the guest
is not faster at the largest size. Directory entries are cached, except names asked for the first time
(`stat-missing`); to drop a host's caches would disturb others."""


def exponent(points):
    """Of cost as a power of size, between the ends; 0 for one that falls."""
    points = sorted(points.items())
    if len(points) < 2 or points[0][1] <= 0 or points[-1][0] <= points[0][0]:
        return None
    (small, low), (large, high) = points[0], points[-1]
    return max(0.0, math.log(high / low) / math.log(large / small))


def wanted_sizes(context, largest):
    sizes = QUICK_SIZES if context.quick else SIZES
    return sorted({min(size, largest) for size in sizes} | (set() if context.quick else {largest}))[-3:] \
        if largest > 1000 else [size for size in sizes if size <= largest]


def measure_row(context, worker, name, largest):
    """{side: {size: ns}}"""
    found = {side.name: {} for side in context.sides}
    for size in [10, *[s for s in wanted_sizes(context, largest) if s != 10]]:
        samples = {}
        for number in range(1 if size > 1000 or context.quick else min(context.rounds, 3)):
            reachable = size
            for side in in_turns(context.sides, number):
                wait_for_quiet(context.patience)
                answer = worker[side.name].ask(f"{name} {reachable} {SETUP_SECONDS}", ANSWER_SECONDS)
                if answer:
                    reachable = min(reachable, answer["size"])
                    samples.setdefault(side.name, {}).setdefault(answer["size"], []).append(answer["ns"])
        for side, by_size in samples.items():
            reached = max(by_size)
            found[side][reached] = median(by_size[reached])
    return found


def table_row(name, found):
    row = {"name": name}
    for side, points in found.items():
        ends = sorted(points.items())
        if ends:
            row[f"{side}_small"], row[f"{side}_large"] = ends[0][1], ends[-1][1]
            row[f"{side}_size"] = ends[-1][0]
            row[f"{side}_exponent"] = exponent(points)
    sizes = [row.get(f"{side}_size") for side in ("native", "guest")]
    if None not in sizes and min(sizes) > 0.8 * max(sizes):
        row["ratio"] = ratio(row["guest_large"], row["native_large"])
    native, guest = row.get("native_exponent"), row.get("guest_exponent")
    if native is not None and guest is not None:
        row["flag"] = "*" if guest > native + TOLERANCE and row["guest_large"] > row["native_large"] else ""
    row["points"] = {side: sorted(points.items()) for side, points in found.items()}
    return row


def measure(context):
    rows = []
    with workers(context.sides, "growth") as worker:
        for name, largest in ROWS.items():
            rows.append(table_row(name, measure_row(context, worker, name, largest)))
    columns = []
    for side in ("native", "guest"):
        columns += [Column(f"{side}_small", f"{side}, 10", "{:,.0f}"),
                    Column(f"{side}_large", f"{side}, many", "{:,.0f}"),
                    Column(f"{side}_size", "many", "{:,}"),
                    Column(f"{side}_exponent", "exponent", "{:.2f}")]
    columns += [Column("ratio", "ratio at many", "{:.2f}", "less"), Column("flag", "grows faster")]
    return [Table("growth", "Costs as a function of how much there is", columns, rows, NOTE)]
