"""Whole programs, timed inside by bash, so that starting bash is left out."""

import sys

from benchlib import packages
from benchlib.side import interleaved
from benchlib.table import Table, ratio, sides_columns

# name: (Debian packages, script in a directory that holds `project` and `tree`, repetitions)
WORKLOADS = {
    "find": ([], "find tree -type f -size +1k -newer tree/d1", 1),
    "grep -r": ([], "grep -r -c 'line 99' tree", 1),
    "cp -r and rm -r": ([], "cp -r tree copy && rm -r copy", 1),
    "rm -r": ([], "rm -r doomed", 1),
    "tar pack and unpack": ([], "rm -rf copy && mkdir copy && tar -cf - tree | tar -xf - -C copy", 1),
    "bash, 500 x /bin/true": ([], "for i in $(seq 500); do /bin/true; done", 1),
    "python3 start": (["python3-minimal"], "for i in 1 2 3 4 5 6 7 8 9 10; do /usr/bin/python3 -c pass; done", 10),
    "make -j2, 20 files": (["gcc", "libc6-dev", "make"], "cd project && make -s clean && make -s -j2", 1),
    "git init, add, commit": (["git"], "rm -rf tree/.git && cd tree && git init -q . && git add . && "
                              "git -c user.name=b -c user.email=b@b commit -q -m m", 1),
    "node script": (["nodejs"], "node script.js", 1),
}
PREPARATIONS = {"rm -r": "rm -rf doomed && cp -r tree doomed"}
IN_QUICK_MODE = ["find", "grep -r", "rm -r", "tar pack and unpack", "bash, 500 x /bin/true"]

NODE_SCRIPT = """
const fs = require('fs'), http = require('http');
const serve = http.createServer((request, response) => response.end('x'.repeat(1000)));
const get = port => new Promise(done => http.get({port, host: '127.0.0.1', agent}, response =>
  response.on('data', () => {}).on('end', done)));
const agent = new http.Agent({keepAlive: true});
(async () => {
  for (let i = 0; i < 500; ++i) {
    await fs.promises.writeFile('node.tmp', 'x'.repeat(i * 10));
    await fs.promises.readFile('node.tmp');
    await fs.promises.stat('node.tmp');
  }
  await new Promise(done => serve.listen(0, '127.0.0.1', done));
  for (let i = 0; i < 500; ++i) await get(serve.address().port);
  process.exit(0);
})();
"""


def time_script(side, name, script, repetitions):
    """Milliseconds of one repetition."""
    prepare = PREPARATIONS.get(name, "true")
    timed = (f"{prepare}; start=$EPOCHREALTIME; {{ {script}; }} >/dev/null || exit 1; end=$EPOCHREALTIME; "
             "echo $start $end")
    process = side.bash(timed)
    if process.returncode != 0:
        print(f"{side.name}: {name}: {process.stderr.decode(errors='replace')}", file=sys.stderr)
        return None
    start, end = (float(word) for word in process.stdout.split()[-2:])
    return (end - start) * 1000 / repetitions


def measure(context):
    rows = []
    for side in context.sides:
        side.run(["tee", f"{side.directory}/script.js"], input=NODE_SCRIPT.encode())
    for name, (needs, script, repetitions) in WORKLOADS.items():
        if context.quick and name not in IN_QUICK_MODE:
            continue
        if not all(packages.have(side, needs) for side in context.sides):
            continue
        figures = interleaved(context.sides, context.rounds,
                              lambda side: time_script(side, name, script, repetitions))
        rows.append({"name": name, **figures, "ratio": ratio(figures.get("guest"), figures.get("native"))})
    versions = {side.name: side.text("node --version 2>/dev/null") for side in context.sides}
    note = ""
    if len(set(versions.values())) > 1:
        note = "The sides' versions of node differ: " + ", ".join(f"{k} {v or 'none'}" for k, v in versions.items()) + "."
    return [Table("workloads", "Whole programs", sides_columns("ms", "less"), rows, note)]
