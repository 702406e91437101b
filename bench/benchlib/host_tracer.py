"""Counts the system calls that host processes make, by perf and the host's tracepoint.

A call of the guest that traps is not among them (the filter ends it first); the host's sigreturn
that ends its handling is.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

HEADERS = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"]
EVENT = "raw_syscalls:sys_enter"


def call_names():
    for header in map(pathlib.Path, HEADERS):
        if header.exists():
            found = re.findall(r"#define __NR_(\w+) (\d+)", header.read_text())
            return {int(number): name for name, number in found}
    return {}


def unavailable():
    """Why calls cannot be counted here; empty if they can."""
    if not shutil.which("perf"):
        return "perf is not installed (Debian: linux-perf)"
    tried = subprocess.run(["perf", "stat", "-e", EVENT, "true"], capture_output=True)
    if tried.returncode != 0:
        return "perf may not use the tracepoint raw_syscalls (it needs root, tracefs and kernel.perf_event_paranoid)"
    return ""


def host_pids(name, seconds=5, but=()):
    """Host processes whose command name is this, except some; waits for the first."""
    end = time.monotonic() + seconds
    while True:
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in but:
                try:
                    if pathlib.Path(f"/proc/{entry}/comm").read_text().strip() == name:
                        found.append(int(entry))
                except OSError:
                    pass
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


class Counted:
    """Counts while its block runs: `calls` is then {name: number}."""

    def __init__(self, pids):
        self.pids = pids
        self.calls = collections.Counter()

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.data = f"{self.directory.name}/data"
        self.control = [os.path.join(self.directory.name, name) for name in ("control", "answer")]
        for fifo in self.control:
            os.mkfifo(fifo)
        self.process = subprocess.Popen(
            ["perf", "record", "-q", "-B", "-N", "-i", "-m", "8M", "-e", EVENT, "-D", "-1", "--control", "fifo:" + ",".join(self.control),
             "-o", self.data, "-p", ",".join(map(str, self.pids))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.commands = open(self.control[0], "w")
        self.answers = open(self.control[1])
        self._tell("enable")
        return self

    def _tell(self, word):
        self.commands.write(f"{word}\n")
        self.commands.flush()
        self.answers.readline()

    def __exit__(self, *_):
        self._tell("disable")
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.commands.close()
        self.answers.close()
        text = subprocess.run(["perf", "script", "-i", self.data, "-F", "trace"], capture_output=True,
                              text=True).stdout
        names = call_names()
        for number in re.findall(r"^\s*NR (\d+) ", text, re.MULTILINE):
            self.calls[names.get(int(number), number)] += 1
        self.directory.cleanup()
