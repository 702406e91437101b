#!/usr/bin/env python3
"""Measures Lxss against the host it runs on, both sides in one run, and writes docs/performance.md.

    bench/lxss_bench.py                                      # everything, as text
    bench/lxss_bench.py --quick                              # under three minutes
    bench/lxss_bench.py --only scaling,servers --json FILE
    bench/lxss_bench.py --write docs/performance.md --json FILE
    bench/lxss_bench.py --from FILE --write docs/performance.md   # no measuring

The sides take turns, round by round, so that a change in the machine's mood hits both; the median
of the rounds counts. What a side lacks and cannot install is left out, with a message.
"""

import argparse
import dataclasses
import importlib
import json
import os
import pathlib
import shlex
import signal
import sys
import time

from benchlib import materials, page
from benchlib.side import Side
from benchlib.table import Table

# In the order of the page. `model` wants the figures of `scaling` and `syscalls`.
SECTIONS = ["syscalls", "scaling", "floor", "host_calls", "servers", "workloads", "latency", "growth",
            "memory", "model"]


@dataclasses.dataclass
class Context:
    """What a section is given."""
    sides: list
    rounds: int
    quick: bool
    slice_ms: int      # how long one figure of one round is measured
    programs: pathlib.Path
    host_process: str  # the program file of the guest's host processes
    tables: dict       # by name, of the sections before
    patience: float    # seconds that a measurement waits for a quiet moment


def parse_arguments():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     epilog="Sections: " + ", ".join(SECTIONS))
    names = lambda text: text.split(",")
    parser.add_argument("--programs", type=pathlib.Path, default=root / "build/release/bench",
                        help="directory of the built measuring programs (ninja target: benchmarks)")
    parser.add_argument("--runner", type=shlex.split, default=[str(root / "build/release/bin/lxss"), "-e"],
                        help="prefix that runs a command in the guest; empty: native only")
    parser.add_argument("--only", type=names, default=SECTIONS, help="sections, separated by commas")
    parser.add_argument("--skip", type=names, default=[], help="sections, separated by commas")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, sizes and programs")
    parser.add_argument("--patience", type=float, default=0.1,
                        help="seconds that each measurement waits for a moment when nothing else runs")
    parser.add_argument("--host-process", default="lxcore", help="the program file of the guest's host processes")
    parser.add_argument("--json", "--output", type=pathlib.Path, help="write the results as JSON")
    parser.add_argument("--write", type=pathlib.Path, help="write the results as a page (Markdown) and its plot")
    parser.add_argument("--from", dest="source", type=pathlib.Path, help="take the results of an earlier run, "
                        "except those of sections named by --only")
    options = parser.parse_args()
    unknown = set(options.only + options.skip) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    if options.source and options.only is SECTIONS:
        options.only = []
    return options


def measure(options, tables):
    context = Context([Side("native", [])], options.rounds or (3 if options.quick else 7), options.quick,
                      40 if options.quick else 100, options.programs, options.host_process, tables, options.patience)
    if options.runner:
        context.sides.append(Side("guest", options.runner))
    missing = materials.missing(options.programs)
    if missing:
        sys.exit(f"{options.programs} lacks {', '.join(missing)}: ninja -C build/release benchmarks makes them")
    try:
        archive = materials.pack(options.programs)
        for side in context.sides:
            side.set_up(archive)
        for name in SECTIONS:
            left_out = options.only is SECTIONS and options.quick and name == "model"
            if name not in options.only or name in options.skip or left_out:
                continue
            start = time.monotonic()
            for table in importlib.import_module(f"benchlib.sections.{name}").measure(context):
                tables[table.name] = table
                print(table.text(), flush=True)
            print(f"({name}: {time.monotonic() - start:.0f} s)\n", flush=True)
    finally:
        for side in context.sides:
            side.tear_down()


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    result = json.loads(options.source.read_text()) if options.source else {"tables": []}
    tables = {table["name"]: Table.from_json(table) for table in result["tables"]}
    if options.only:
        result |= {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": os.uname().release,
                   "cpus": os.cpu_count(), "load": os.getloadavg()[0],
                   "quick": options.quick, "rounds": options.rounds}
        try:
            measure(options, tables)
        finally:
            result["tables"] = [table.to_json() for table in tables.values()]
            if options.json:
                options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.write:
        page.write(options.write, result, tables)


if __name__ == "__main__":
    main()
