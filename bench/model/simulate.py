"""A simulation of cores that run operations side by side: what more cores would do.

Each core repeats the operations of a mix. An operation is private time, then its shared lines and
its locks, one after the other, and private time again. A lock is held by one core at a time, first
come first served; a core that gets it from another pays for the handover. A shared line is a lock
whose hold is a transfer between caches, or hardly anything if the core had it last. A hold that is
below 1 is a share of the operation's time.

No preemption, no memory bandwidth, no distances between sockets: what the figures show is which
shared thing saturates first, and about where.
"""

import heapq
import random

OPERATIONS = 6000  # of all cores together, of one simulation; more if a core would not see its whole mix


class Resource:
    """A lock or a line."""

    def __init__(self, local, remote):
        self.local, self.remote = local, remote
        self.free_at = 0.0
        self.last = None
        self.busy = 0.0

    def take(self, core, now, hold):
        """When the core is through with it."""
        start = max(now, self.free_at)
        cost = hold + (self.local if self.last in (None, core) else self.remote)
        self.last = core
        self.free_at = start + cost
        self.busy += cost
        return self.free_at


def steps_of(operation, time_ns, inputs, pick):
    """(private time, [(resource, hold)]) of an operation that takes `time_ns` alone."""
    shared = [(name, None) for name in operation["lines"]]
    for name, hold in operation["locks"]:
        value = pick(inputs["host"][hold] if isinstance(hold, str) else hold)
        shared.append((name, value * time_ns if value < 1 else value))
    held = sum(hold for _, hold in shared if hold)
    return max(time_ns - held, 0.05 * time_ns), shared


def simulate(operations, weights, times, inputs, cores, pick, seed=1):
    """(operations a second of all cores, share of time for which each shared thing was busy)."""
    chance = random.Random(seed)
    names = list(weights)
    steps = {name: steps_of(operations[name], times[name], inputs, pick) for name in names}
    local, transfer = pick(inputs["line_local"]), pick(inputs["line_transfer"])
    handover = pick(inputs["lock_handover"])
    resources = {}
    for _, shared in steps.values():
        for name, hold in shared:
            if hold is None:
                writes = pick(inputs["host"]["descriptor_line"])
                resources.setdefault(name, Resource(local * writes, transfer * writes))
            else:
                resources.setdefault(name, Resource(0, handover))
    # Events in the order of time: (when, core, what is left of the operation).
    queue = [(chance.random() * 100, core, []) for core in range(cores)]
    heapq.heapify(queue)
    done, now = 0, 0.0
    mix = [name for name in names for _ in range(weights[name])]
    decks = [[] for _ in range(cores)]
    wanted = max(OPERATIONS, 2 * cores * len(mix))
    while done < wanted + cores:
        now, core, left = heapq.heappop(queue)
        if not left:
            done += 1
            if not decks[core]:
                decks[core] = chance.sample(mix, len(mix))
            private, shared = steps[decks[core].pop()]
            parts = len(shared) + 1
            spread = private / parts * (0.9 + 0.2 * chance.random())
            left = [step for name, hold in shared for step in (("run", spread), (name, hold or 0))] + [("run", spread)]
        kind, amount = left[0]
        if kind == "run":
            heapq.heappush(queue, (now + amount, core, left[1:]))
        else:
            heapq.heappush(queue, (resources[kind].take(core, now, amount), core, left[1:]))
    return done / now * 1e9, {name: min(1.0, resource.busy / now) for name, resource in resources.items()}


def low(range_):
    return range_[0]


def likely(range_):
    return range_[1]


def high(range_):
    return range_[2]


def scaling(kernel, mix, times, inputs, cores, pick=likely):
    """(throughput of that many cores as a multiple of one's, the busiest shared thing and its share)."""
    operations, weights = inputs["kernels"][kernel], inputs["mixes"][mix]
    single, _ = simulate(operations, weights, times, inputs, 1, pick)
    several, busy = simulate(operations, weights, times, inputs, cores, pick)
    name = max(busy, key=busy.get, default="")
    return several / single, name, busy.get(name, 0.0)
