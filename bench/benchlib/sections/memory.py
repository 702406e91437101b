"""Memory that an idle shell takes, as the host counts it (proportional set size)."""

import os
import pathlib
import subprocess

from benchlib.table import Table, ratio, sides_columns

IDLE_SHELLS = 5
TIMEOUT_SECONDS = 60


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
        shell = side.start(["bash", "-c", "echo ready; read -r line; true"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        shell.stdout.readline()
        shells.append(shell)
    return shells


def end_shells(shells):
    for shell in shells:
        shell.communicate(b"\n", timeout=TIMEOUT_SECONDS)


def measure(context):
    row = {"name": "an idle bash"}
    for side in context.sides:
        if not side.prefix:
            shells = idle_shells(side)
            total = sum(proportional_set_size_kib(shell.pid) for shell in shells)
            end_shells(shells)
            row[side.name] = total / IDLE_SHELLS
            continue
        first = idle_shells(side)
        before = sum(map(proportional_set_size_kib, guest_host_processes(context.host_process)))
        second = idle_shells(side)
        after = sum(map(proportional_set_size_kib, guest_host_processes(context.host_process)))
        end_shells(first + second)
        if after > before:
            row[side.name] = (after - before) / IDLE_SHELLS
    row["ratio"] = ratio(row.get("guest"), row.get("native"))
    return [Table("memory", "Memory", sides_columns("KiB", "less"), [row])]
