"""Servers on loopback, on ports of their own, that are always stopped."""

import contextlib
import socket
import subprocess
import time

from benchlib.side import stop


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port, seconds):
    """Whether something accepts connections within the time; both sides use the host's network."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


@contextlib.contextmanager
def server(side, command, port):
    """A server in the foreground of the side; says why if it does not answer."""
    process = side.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        if not answers(port, 20):
            stop(process)
            raise RuntimeError(f"{side.name}: {command[0]} does not answer on its port")
        yield process
    finally:
        stop(process)
