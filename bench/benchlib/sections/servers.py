"""Servers with their clients on the same side, over loopback: redis, nginx, PostgreSQL."""

import contextlib
import re
import shlex
import sys

from benchlib import packages, ports
from benchlib.side import in_turns, median, wait_for_quiet
from benchlib.table import Table, ratio, sides_columns

NGINX_CONFIGURATION = """
worker_processes 1;
pid DIR/nginx.pid;
error_log DIR/nginx.log crit;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  keepalive_requests 1000000;
  server { listen 127.0.0.1:PORT; root DIR/www; }
}
"""


def run_figure(side, script, pattern):
    """The number that `pattern` finds in a client's output."""
    process = side.bash(script, timeout=120)
    found = re.findall(pattern, process.stdout.decode(errors="replace"), re.MULTILINE)
    if process.returncode != 0 or not found:
        print(f"{side.name}: {script}: {process.stderr.decode(errors='replace')[-300:]}", file=sys.stderr)
        return {}
    return found


class Redis:
    name = "redis"
    packages = ["redis-server", "redis-tools"]

    def __init__(self, side, quick):
        self.side, self.port = side, ports.free_port()
        # redis-benchmark's own options: connections, requests sent at once, number of requests.
        few = 4 if quick else 1
        self.cases = {"redis, 50 connections": f"-c 50 -n {60000 // few}",
                      "redis, 50 connections, 16 at once": f"-c 50 -P 16 -n {400000 // few}",
                      "redis, 1 connection": f"-c 1 -n {20000 // few}"}

    def server(self):
        return ports.server(self.side, ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                        "--appendonly", "no", "--dir", self.side.directory], self.port)

    def figures(self):
        for name, options in self.cases.items():
            lines = run_figure(self.side, f"redis-benchmark -p {self.port} -t get,set --csv {options}",
                               r'^"(SET|GET)","([0-9.]+)"')
            for command, figure in lines:
                yield f"{name}: {command.lower()}", float(figure)


class Nginx:
    name = "nginx"
    packages = ["nginx-light", "apache2-utils"]

    def __init__(self, side, quick):
        self.side, self.port = side, ports.free_port()
        few = 4 if quick else 1
        self.cases = {"nginx, new connections": f"-c 20 -n {8000 // few}",
                      "nginx, kept alive": f"-k -c 20 -n {30000 // few}"}

    @contextlib.contextmanager
    def server(self):
        directory = f"{self.side.directory}/nginx"
        text = NGINX_CONFIGURATION.replace("DIR", directory).replace("PORT", str(self.port))
        self.side.bash(f"mkdir -p {directory}/www && head -c 1000 /dev/zero >{directory}/www/index.html && "
                       f"chmod -R a+rX . && printf %s {shlex.quote(text)} >{directory}/nginx.conf")
        with ports.server(self.side, ["/usr/sbin/nginx", "-p", directory, "-c", f"{directory}/nginx.conf",
                                      "-g", "daemon off;"], self.port):
            yield

    def figures(self):
        for name, options in self.cases.items():
            found = run_figure(self.side, f"ab -q {options} http://127.0.0.1:{self.port}/index.html",
                               r"^Requests per second: +([0-9.]+)")
            if found:
                yield name, float(found[0])


class Postgres:
    name = "pgbench"
    packages = ["postgresql", "postgresql-contrib"]

    def __init__(self, side, quick):
        self.side, self.port = side, ports.free_port()
        seconds = 2 if quick else 4
        self.cases = {"pgbench, read only": f"-S -c 4 -j 2 -T {seconds}",
                      "pgbench, TPC-B like": f"-c 4 -j 2 -T {seconds}"}
        self.programs = side.text("ls -d /usr/lib/postgresql/*/bin | tail -n 1")

    def as_postgres(self, script):
        """PostgreSQL refuses to be root."""
        if self.side.text("id -u") != "0":
            return ["bash", "-c", script]
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "bash", "-c", script]

    @contextlib.contextmanager
    def server(self):
        directory = f"{self.side.directory}/postgres"
        self.side.bash(f"chmod a+rx . && rm -rf {directory} && mkdir {directory} && "
                       f"{{ [ $(id -u) != 0 ] || chown postgres: {directory}; }}")
        made = self.side.run(self.as_postgres(
            f"cd {directory} && {self.programs}/initdb -D data -U bench -A trust --no-sync"), timeout=180)
        if made.returncode != 0:
            raise RuntimeError(f"{self.side.name}: initdb: {made.stderr.decode(errors='replace')[-300:]}")
        with ports.server(self.side, self.as_postgres(
                f"cd {directory} && exec {self.programs}/postgres -D data -p {self.port} -k {directory} "
                "-c fsync=off -c listen_addresses=127.0.0.1"), self.port):
            filled = self.side.run(self.as_postgres(self.client("-i -s 5 -q")), timeout=180)
            if filled.returncode != 0:
                raise RuntimeError(f"{self.side.name}: pgbench -i: {filled.stderr.decode(errors='replace')[-300:]}")
            yield

    def client(self, options):
        return f"cd / && {self.programs}/pgbench -h 127.0.0.1 -p {self.port} -U bench {options} postgres"

    def figures(self):
        for name, options in self.cases.items():
            script = " ".join(shlex.quote(word) for word in self.as_postgres(self.client(options)))
            found = run_figure(self.side, script, r"^tps = ([0-9.]+)")
            if found:
                yield name, float(found[0])


def measure_server(context, kind):
    if not all(packages.have(side, kind.packages) for side in context.sides):
        return []
    figures = {}
    with contextlib.ExitStack() as stack:
        both = {}
        try:
            for side in context.sides:
                both[side.name] = kind(side, context.quick)
                stack.enter_context(both[side.name].server())
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return []
        for number in range(min(context.rounds, 5)):
            for side in in_turns(context.sides, number):
                wait_for_quiet(context.patience)
                for name, figure in both[side.name].figures():
                    figures.setdefault(name, {}).setdefault(side.name, []).append(figure)
    rows = []
    for name, values in figures.items():
        row = {side: median(list_) for side, list_ in values.items()}
        rows.append({"name": name, **row, "ratio": ratio(row.get("guest"), row.get("native"))})
    return [Table(kind.name, kind.name, sides_columns("1/s", "more", "{:,.0f}"), rows)]


def measure(context):
    kinds = [Redis, Nginx] if context.quick else [Redis, Nginx, Postgres]
    return [table for kind in kinds for table in measure_server(context, kind)]
