"""A pseudoterminal with a command behind it: type, and expect patterns within a time."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time


class Terminal:
    def __init__(self, command, timeout=60, rows=24, columns=80):
        self.timeout = timeout
        self.text = ""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read_more(self, deadline):
        """Adds what comes next to `text`; False at the end or when the time is over."""
        ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Waits for `pattern`, takes everything up to its end away, and returns the match."""
        deadline = time.monotonic() + self.timeout
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            if not self.read_more(deadline):
                raise AssertionError(f"expected {pattern!r}, the terminal shows {self.text!r}")

    def exit_code(self):
        """Reads to the end and returns the command's return code."""
        deadline = time.monotonic() + self.timeout
        while self.read_more(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))
