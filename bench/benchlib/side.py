"""The two sides of every measurement: natively, and in the guest."""

import contextlib
import json
import os
import selectors
import shlex
import signal
import statistics
import subprocess
import sys
import time

COMMAND_TIMEOUT_SECONDS = 900


class Side:
    """Where commands run: natively (empty prefix) or in the guest, in a directory of their own."""

    def __init__(self, name, prefix):
        self.name = name
        self.prefix = prefix
        self.directory = ""

    def run(self, command, timeout=COMMAND_TIMEOUT_SECONDS, **options):
        return subprocess.run(self.prefix + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, **options)

    def start(self, command, **options):
        """A process that stays; who starts it ends it with `stop`."""
        return subprocess.Popen(self.prefix + command, **options)

    def set_up(self, archive):
        made = self.run(["mktemp", "-d", "/tmp/lxss-bench.XXXXXX"], check=True)
        self.directory = made.stdout.decode().strip()
        self.run(["tar", "-x", "-f", "-", "-C", self.directory], input=archive, check=True)

    def tear_down(self):
        if self.directory:
            self.run(["rm", "-rf", self.directory])

    def bash(self, script, **options):
        return self.run(["bash", "-c", f"cd {shlex.quote(self.directory)} && {script}"], **options)

    def has(self, program):
        return self.bash(f"command -v {program}").returncode == 0

    def text(self, script):
        return self.bash(script).stdout.decode(errors="replace").strip()


def stop(process, seconds=10):
    """Ends a started process: politely, then for good. A launcher passes the signal on."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()


class Worker:
    """One of the measuring programs, kept running: a request a line, an answer in JSON a line."""

    def __init__(self, side, program, *arguments):
        self.side = side
        self.command = [f"{side.directory}/{program}", *arguments]
        self.process = None

    def ask(self, request, seconds=60):
        """The answer as a dictionary; empty if the program died or took too long."""
        if self.process is None:
            self.process = self.side.start(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.process.stdin.write(f"{request}\n".encode())
            self.process.stdin.flush()
            line = self._line(seconds)
        except OSError:
            line = b""
        if line:
            return json.loads(line)
        print(f"{self.side.name}: no answer to '{request}'", file=sys.stderr)
        self.close()
        return {}

    def _line(self, seconds):
        line = b""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0, end - time.monotonic())):
                    return b""
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    return b""
                line += data
        return line

    def close(self):
        if self.process is None:
            return
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self.process.stdin.close()
            self.process.wait(10)
        stop(self.process)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def workers(sides, program):
    """{side name: worker} for all sides."""
    with contextlib.ExitStack() as stack:
        yield {side.name: stack.enter_context(Worker(side, program)) for side in sides}


def running():
    """How many threads of the machine run or want to, the caller included."""
    with open("/proc/stat") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("procs_running"))


def wait_for_quiet(patience, needed=3, pause=0.005):
    """Until nothing else has run for some looks in a row, or patience ends: a busy machine still gets its figures."""
    end = time.monotonic() + patience
    quiet = 0
    while quiet < needed and time.monotonic() < end:
        quiet = quiet + 1 if running() <= 1 else 0
        time.sleep(pause)
    return quiet >= needed


def in_turns(sides, number):
    """The sides in the order of a round: who begins changes."""
    return sides if number % 2 == 0 else list(reversed(sides))


def interleaved(sides, rounds, measure, patience=0):
    """{side name: median of `measure(side)`}; a side where it failed is left out."""
    figures = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in in_turns(sides, number):
            if None not in figures[side.name]:
                wait_for_quiet(patience)
                figures[side.name].append(measure(side))
    return {name: statistics.median(values) for name, values in figures.items()
            if values and None not in values}


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None
