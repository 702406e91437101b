#!/usr/bin/env python3
"""Prints which share of programs' system calls went directly, without a trap (pico/README.md).

    bench/direct_share.py --runner "build/release/bin/lxss -u root -e" [--directory DIR] [NAME...]

Each workload runs in the guest, twice: the first makes its code known to call often, the second is
counted, by /proc/lxss before and after. What is not installed there is left out. Programs that
Debian has no package of - a busybox with musl, a server in Go - are taken from --directory, as
busybox-musl and go-server.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys

WORKLOADS = {
    "bash": ("bash", """for i in $(seq 300); do x=$(echo $i); read y < /proc/self/stat; done; cat /etc/* 2>/dev/null | wc -c
        for f in /usr/bin/*; do [ -x $f ] && [ -d $f ] || :; done"""),
    "python3": ("python3", """python3 - <<'END'
import os, subprocess, tempfile, threading
for directory, _, names in os.walk('/usr/lib'):
    for name in names[:20]:
        os.stat(os.path.join(directory, name), follow_symlinks=False)
with tempfile.TemporaryDirectory() as directory:
    for i in range(2000):
        with open(f'{directory}/{i % 50}', 'w') as file: file.write('x' * i)
        with open(f'{directory}/{i % 50}') as file: file.read()
threads = [threading.Thread(target=lambda: [os.getppid() for _ in range(2000)]) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
END"""),
    "node": ("node", """node -e '
const fs = require("fs"), http = require("http");
for (let i = 0; i < 3000; i++) { fs.writeFileSync("/tmp/node-share", "x".repeat(i)); fs.readFileSync("/tmp/node-share"); }
let left = 500; const server = http.createServer((q, r) => r.end("hello")).listen(0, () => { const go = () => http.get({port: server.address().port}, r => { r.resume(); r.on("end", () => --left ? go() : server.close()); }); go(); });'"""),
    "gcc": ("gcc", """cd $(mktemp -d); for i in 1 2 3 4 5 6; do echo '#include <stdio.h>
        #include <stdlib.h>
        int main(void) { return puts("x"); }' > a.c; gcc -O2 -c a.c; gcc -o a a.o; ./a >/dev/null; done; rm -r $PWD"""),
    "git": ("git", """export HOME=$(mktemp -d); cd $HOME; git init -q r; cd r; git config user.name n; git config user.email n@n
        for i in $(seq 300); do echo $i > f$i; done; git add .; git commit -q -m a; for i in 1 2 3 4; do echo $i >> f1; git commit -q -am $i; done
        git clone -q . ../copy; git log | wc -l; git status --short; rm -r $HOME"""),
    "redis": ("redis-server", """cd /tmp; redis-server --port 7391 --save '' --daemonize no >/dev/null & p=$!
        until redis-cli -p 7391 ping >/dev/null 2>&1; do :; done
        redis-benchmark -p 7391 -c 20 -n 20000 -t get,set -q; kill $p; wait"""),
    "nginx": ("nginx", """d=$(mktemp -d); chmod 755 $d; mkdir $d/html; head -c 5000 /dev/zero > $d/html/f; chmod -R a+rX $d
        echo "daemon off; pid $d/pid; error_log $d/e; events {} http { access_log $d/a; server { listen 127.0.0.1:7392; root $d/html; } }" > $d/c
        nginx -c $d/c & p=$!; until (exec 3<>/dev/tcp/127.0.0.1/7392) 2>/dev/null; do :; done
        for i in $(seq 3000); do exec 3<>/dev/tcp/127.0.0.1/7392; printf 'GET /f HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null; done; kill $p; wait; rm -r $d"""),
    "busybox-musl": ("$DIRECTORY/busybox-musl", """b=$DIRECTORY/busybox-musl; $b sh -c 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); read x < /proc/self/stat; [ -e /etc/passwd ]; done'
        $b find /usr/lib >/dev/null; $b dd if=/dev/zero of=/dev/null bs=100 count=5000 2>/dev/null; $b tar -cf - /etc 2>/dev/null | $b gzip | $b wc -c"""),
    "go-server": ("$DIRECTORY/go-server", """$DIRECTORY/go-server & p=$!; until (exec 3<>/dev/tcp/127.0.0.1/8099) 2>/dev/null; do :; done
        for i in $(seq 3000); do exec 3<>/dev/tcp/127.0.0.1/8099; printf 'GET /f HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null; done; kill $p; wait"""),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runner", type=shlex.split, required=True, help="prefix that runs a command in the guest")
    parser.add_argument("--directory", default="/opt/lxss-bench", help="in the guest")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each run")
    parser.add_argument("workload", nargs="*", metavar="NAME", help=f"of {', '.join(WORKLOADS)} (default: all)")
    options = parser.parse_args()

    def bash(script):
        command = [*options.runner, "bash", "-c", f"DIRECTORY={shlex.quote(options.directory)}\n{script}"]
        process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=options.timeout)
        return process.returncode, process.stdout

    def counts():
        text = bash("cat /proc/lxss")[1].split()
        return dict(zip(text[::2], map(int, text[1::2])))

    worst = 100.0
    print(f"{'':14}{'calls':>10}{'trapped':>10}{'direct':>9}")
    for name in options.workload or WORKLOADS:
        program, script = WORKLOADS[name]
        if bash(f"command -v {program}")[0] != 0:
            print(f"{name:14}not installed")
            continue
        bash(script)
        before = counts()
        status, _ = bash(script)
        after = counts()
        direct, trapped = (after[key] - before[key] for key in ("direct_calls", "trapped_calls"))
        share = 100 * direct / max(1, direct + trapped)
        worst = min(worst, share)
        print(f"{name:14}{direct + trapped:>10}{trapped:>10}{share:>8.2f}%" + (f"  exit code {status}" if status else ""))
        sys.stdout.flush()
    return 0 if worst >= 99 else 1


if __name__ == "__main__":
    sys.exit(main())
