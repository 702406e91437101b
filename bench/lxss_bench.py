#!/usr/bin/env python3
"""Times system calls and whole programs natively and in a guest, side by side.

The two sides take turns, round by round, so that a change in the machine's mood hits both; the
median of the rounds counts. The guest should run the same distribution release as the host, with
bash, gcc, make, git, python3 and tar installed; what a side lacks is left out.

    bench/lxss_bench.py --programs build/release/bench                       # native only
    bench/lxss_bench.py --programs build/release/bench --runner "lxss -e" --output result.json
"""

import argparse
import io
import json
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import sys
import tarfile
import time

COMMAND_TIMEOUT_SECONDS = 900
IDLE_SHELLS = 5
PROJECT_FILES = 20
TREE_FILES = 1000

# Each runs under `bash -c` in a directory that holds `project` and `tree`.
WORKLOADS = {
    "python3 start": ("python3", "for i in 1 2 3 4 5 6 7 8 9 10; do /usr/bin/python3 -c pass; done", 10),
    "make -j2, 20 files": ("gcc", "cd project && make -s clean && make -s -j2", 1),
    "bash, 500 x /bin/true": ("bash", "for i in $(seq 500); do /bin/true; done", 1),
    "tar pack and unpack": ("tar", "rm -rf copy && mkdir copy && tar -cf - tree | tar -xf - -C copy", 1),
    "git init, add, commit": ("git", "rm -rf tree/.git && cd tree && git init -q . && git add . && "
                                     "git -c user.name=b -c user.email=b@b commit -q -m m", 1),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bench"),
                        help="directory of the built micro-benchmark")
    parser.add_argument("--runner", type=shlex.split, help="prefix that runs a command in the guest")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement")
    parser.add_argument("--host-process", default="lxcore",
                        help="the program file of the guest's host processes")
    parser.add_argument("--skip", action="append", default=[], choices=["micro", "workloads", "memory"])
    parser.add_argument("--output", type=pathlib.Path, help="write the results as JSON")
    return parser.parse_args()


def add_text(tar, name, text):
    data = text.encode()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def materials(programs):
    """A tar of the micro-benchmark, a small C project and a tree of files: the same for both sides."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(programs / "syscalls", arcname="syscalls")
        names = [f"unit{i}" for i in range(PROJECT_FILES)]
        for i, name in enumerate(names):
            functions = "".join(
                f"int f{i}_{k}(const char *s) {{ return (int)strlen(s) * {k} + printf(\"%s\", s); }}\n"
                for k in range(40))
            add_text(tar, f"project/{name}.c",
                     f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n{functions}")
        add_text(tar, "project/main.c", "int main(void) { return 0; }\n")
        objects = " ".join(f"{name}.o" for name in names + ["main"])
        add_text(tar, "project/Makefile",
                 f"CC = gcc\nCFLAGS = -O1\nprogram: {objects}\n\tgcc -o $@ $^\nclean:\n\trm -f *.o program\n")
        for i in range(TREE_FILES):
            add_text(tar, f"tree/d{i % 50}/file{i}.txt", f"line {i}\n" * (i % 100 + 1))
    return archive.getvalue()


class Side:
    """Where commands run: natively (empty prefix) or in the guest."""

    def __init__(self, name, prefix):
        self.name = name
        self.prefix = prefix
        self.directory = ""

    def run(self, command, **options):
        return subprocess.run(self.prefix + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=COMMAND_TIMEOUT_SECONDS, **options)

    def set_up(self, archive):
        made = self.run(["mktemp", "-d", "/tmp/lxss-bench.XXXXXX"], check=True)
        self.directory = made.stdout.decode().strip()
        self.run(["tar", "-x", "-f", "-", "-C", self.directory], input=archive, check=True)

    def tear_down(self):
        if self.directory:
            self.run(["rm", "-rf", self.directory])

    def bash(self, script):
        return self.run(["bash", "-c", f"cd {shlex.quote(self.directory)} && {script}"])

    def has(self, program):
        return self.bash(f"command -v {program}").returncode == 0


def interleaved(sides, rounds, measure):
    """{side name: median of `measure(side)`}, or None where it failed."""
    figures = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            figures[side.name].append(measure(side))
    return {name: None if None in values else statistics.median(values) for name, values in figures.items()}


def measure_micro(sides, rounds):
    rows = {}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            output = side.run([f"{side.directory}/syscalls"]).stdout.decode()
            for line in output.splitlines():
                figure = json.loads(line)
                rows.setdefault(figure["name"], {}).setdefault(side.name, []).append(figure["ns"])
    return [{"name": name, "unit": "ns", **{side: statistics.median(figures[side]) for side in figures}}
            for name, figures in rows.items()]


def time_script(side, script, repetitions):
    """Milliseconds for one repetition, measured inside by bash, so that starting bash is left out."""
    timed = f"start=$EPOCHREALTIME; {{ {script}; }} >/dev/null || exit 1; cd /; echo $start $EPOCHREALTIME"
    process = side.bash(timed)
    if process.returncode != 0:
        print(f"{side.name}: {process.stderr.decode(errors='replace')}", file=sys.stderr)
        return None
    start, end = (float(word) for word in process.stdout.split()[-2:])
    return (end - start) * 1000 / repetitions


def measure_workloads(sides, rounds):
    rows = []
    for name, (needs, script, repetitions) in WORKLOADS.items():
        able = [side for side in sides if side.has(needs)]
        if able:
            figures = interleaved(able, rounds, lambda side: time_script(side, script, repetitions))
            rows.append({"name": name, "unit": "ms", **figures})
    return rows


def proportional_set_size_kib(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def executable(pid):
    """The host's name of a process's program file; pico processes run the kernel image."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def all_pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def guest_host_processes(program):
    """Host processes of the instance: those that run `program`, and their descendants."""
    parents = {pid: parent(pid) for pid in all_pids()}
    found = {pid for pid in parents if executable(pid) == program}
    while True:
        more = {pid for pid, ppid in parents.items() if ppid in found} - found
        if not more:
            return found
        found |= more


def idle_shells(side):
    """Starts shells that say when they are ready and then wait for their input."""
    shells = []
    for _ in range(IDLE_SHELLS):
        shell = subprocess.Popen(side.prefix + ["bash", "-c", "echo ready; read -r line; true"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        shell.stdout.readline()
        shells.append(shell)
    return shells


def end_shells(shells):
    for shell in shells:
        shell.communicate(b"\n", timeout=COMMAND_TIMEOUT_SECONDS)


def measure_memory(sides, word):
    row = {"name": "memory of an idle bash", "unit": "KiB"}
    for side in sides:
        if not side.prefix:
            shells = idle_shells(side)
            total = sum(proportional_set_size_kib(shell.pid) for shell in shells)
            end_shells(shells)
            row[side.name] = total / IDLE_SHELLS
            continue
        first = idle_shells(side)
        before = sum(map(proportional_set_size_kib, guest_host_processes(word)))
        second = idle_shells(side)
        after = sum(map(proportional_set_size_kib, guest_host_processes(word)))
        end_shells(first + second)
        if after > before:
            row[side.name] = (after - before) / IDLE_SHELLS
    return [row]


def print_table(rows):
    print(f"{'':28}{'native':>17}{'guest':>17}{'ratio':>9}")
    for row in rows:
        native, guest = row.get("native"), row.get("guest")
        figures = "".join(f"{f'{figure:,.1f} ' + row['unit'] if figure else '-':>17}" for figure in (native, guest))
        ratio = f"{guest / native:.2f}" if native and guest else "-"
        print(f"{row['name']:28}{figures}{ratio:>9}")


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    archive = materials(options.programs)
    sides = [Side("native", [])]
    if options.runner:
        sides.append(Side("guest", options.runner))
    rows = []
    try:
        for side in sides:
            side.set_up(archive)
        if "micro" not in options.skip:
            rows += measure_micro(sides, options.rounds)
        if "workloads" not in options.skip:
            rows += measure_workloads(sides, options.rounds)
        if "memory" not in options.skip:
            rows += measure_memory(sides, options.host_process)
    finally:
        for side in sides:
            side.tear_down()
    print_table(rows)
    if options.output:
        result = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": os.uname().release,
                  "cpus": os.cpu_count(), "rounds": options.rounds, "rows": rows}
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
