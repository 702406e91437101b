#!/usr/bin/env python3
"""kill -9 of single pico processes in the middle of heavy load: what does each death cost?

A load of pipes, files, sockets, forks and signals runs in an instance. Again and again the host
kills one of its processes, any but the monitor. The instance must live on, its other processes
too, or stop with one sentence that says what was torn, which is counted.

    tests/crash/kill_pico_processes.py --lxss build/release/bin/lxss --kills 500
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

LOAD = r"""
cd "$(mktemp -d)" || exit 1
pipes() { while :; do head -c 300000 /dev/zero | tr '\0' x | wc -c > /dev/null; done; }
files() {
  while :; do
    echo text > "f.$1" && mv "f.$1" "g.$1" && cat "g.$1" > /dev/null && rm -f "g.$1"
    mkdir -p "d.$1/e" && ls -R . > /dev/null && rm -r "d.$1"
  done
}
forks() { while :; do (:) & (:) & wait; done; }
signals() { trap : USR1; while :; do kill -USR1 $$; sleep 0.001 & kill $! 2> /dev/null; wait; done; }
# What is killed is begun anew by the outer shell.
while :; do
  pipes & files 1 & files 2 & forks & signals &
  while [ "$(jobs -r | wc -l)" -ge 5 ]; do sleep 0.05; done
  kill $(jobs -p) 2> /dev/null
  wait
done
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lxss", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    return parser.parse_args()


def parent_of(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat[stat.rindex(")") + 2:].split()[1])


def kernels(program):
    """{pid: parent} of all processes that run this kernel image."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.readlink(entry / "exe").removesuffix(" (deleted)") == str(program):
                found[int(entry.name)] = parent_of(int(entry.name))
        except OSError:
            pass
    return found


class Instance:
    def __init__(self, lxss):
        self.lxss = lxss.resolve()
        self.kernel = self.lxss.parent / "lxcore"
        self.loads = []

    def run(self, *command, timeout=60):
        return subprocess.run([self.lxss, "-u", "root", "-e", *command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)

    def start(self):
        for load in self.loads:
            load.kill()
            load.wait()
        self.loads = [subprocess.Popen([self.lxss, "-u", "root", "-e", "/bin/bash", "-c", LOAD],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL) for _ in range(2)]
        time.sleep(1)

    def processes(self):
        """(monitor, [pico processes])"""
        all_of_them = kernels(self.kernel)
        monitors = [pid for pid, parent in all_of_them.items() if parent not in all_of_them]
        if not monitors:
            return None, []
        monitor = monitors[0]
        return monitor, [pid for pid, parent in all_of_them.items() if parent == monitor]

    def log(self):
        home = pathlib.Path(os.environ.get("LXSS_HOME", pathlib.Path.home() / ".lxss"))
        logs = [path for path in home.rglob("*.log") if path.is_file()]
        return "\n".join(path.read_text(errors="replace") for path in logs)

    def answers(self):
        try:
            result = self.run("/bin/sh", "-c",
                              "echo a | cat && echo b > /tmp/alive && cat /tmp/alive && (exit 0)")
        except subprocess.TimeoutExpired:
            return False
        return result.stdout.split() == [b"a", b"b"]


def main():
    arguments = parse_arguments()
    choose = random.Random(arguments.seed)
    print(f"seed {arguments.seed}")
    instance = Instance(arguments.lxss)
    instance.start()
    kills = stops = hangs = 0
    reasons = {}
    while kills < arguments.kills:
        monitor, pico = instance.processes()
        if monitor is None or not pico:
            instance.start()
            continue
        victim = choose.choice(pico)
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills += 1
        time.sleep(choose.uniform(0, 0.05))
        looks = kills % 10 == 0 or not pathlib.Path(f"/proc/{monitor}").exists()
        if not looks:
            continue
        time.sleep(0.3)
        if not pathlib.Path(f"/proc/{monitor}").exists():
            stops += 1
            sentences = [line for line in instance.log().splitlines() if "the instance stops" in line]
            reason = sentences[-1] if sentences else "no sentence in the log"
            reason = reason[reason.find("while"):] if "while" in reason else reason
            reasons[reason] = reasons.get(reason, 0) + 1
            if not sentences:
                print(instance.log()[-4000:])
                return 1
            instance.start()
        elif not instance.answers():
            if pathlib.Path(f"/proc/{monitor}").exists():
                hangs += 1
                print(f"after {kills} kills the instance does not answer", file=sys.stderr)
                return 1
    for load in instance.loads:
        load.kill()
    inside = [line for line in instance.log().splitlines() if "such deaths" in line]
    print(f"{kills} kills: the instance stopped {stops} times; {len(inside)} met lxcore")
    if inside:
        print("last:", inside[-1])
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        print(f"  {count}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
