"""The cases: real programs in a real distribution, driven through the launcher.

A case takes a Session and raises on failure; its docstring says what it shows. `needs` names
programs of the guest without which it is skipped. Cases run in the order in which they stand here:
`apt_installs` brings what later ones need.
"""

import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile

from busybox import root_tar, static_busybox

CASES = []
DEFAULT_TIMEOUT_SECONDS = 120


class Skip(Exception):
    pass


def case(timeout=DEFAULT_TIMEOUT_SECONDS, needs=()):
    def register(function):
        function.timeout, function.needs = timeout, needs
        CASES.append(function)
        return function
    return register


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_equal(seen, expected):
    check(seen == expected, f"{seen!r}, expected {expected!r}")


def check_contains(text, *parts):
    for part in parts:
        check(part in text, f"no {part!r} in {text!r}")


# --- programs without a terminal -----------------------------------------------------------------

@case(needs=("ps", "mount"))
def overview(lxss):
    """The first things that one looks at."""
    output = lxss.output("bash", "-lc", "uname -a; id; cat /etc/os-release; ls -la /; ps aux; mount")
    check_contains(output, "Linux", "x86_64", "uid=", "PRETTY_NAME=", "etc", "usr", "PID", " on / type ",
                   "proc on /proc type proc ")


@case()
def pipelines(lxss):
    check_equal(lxss.bash("seq 1000 | grep 7 | sort -rn | head -n 3 | tr '\\n' ' '"), "997 987 979 ")
    check_equal(lxss.bash("yes | head -n 100000 | wc -l"), "100000\n")
    check_equal(lxss.bash("set -o pipefail; false | cat; echo $?"), "1\n")


@case()
def here_documents(lxss):
    check_equal(lxss.bash("name=world; cat <<END\nhello $name\nEND\ncat <<< again"), "hello world\nagain\n")
    check_equal(lxss.bash("diff <(echo a) <(echo a) && echo same"), "same\n")


@case()
def background_jobs(lxss):
    check_equal(lxss.bash("sleep 100 & pid=$!; kill $pid; wait $pid; echo $?"), "143\n")
    check_equal(lxss.bash("for i in 1 2 3; do (exit $i) & wait $!; echo $?; done"), "1\n2\n3\n")
    check_equal(lxss.bash("trap 'echo bye' EXIT; trap 'echo got' USR1; kill -USR1 $$"), "got\nbye\n")


@case(timeout=300)
def true_500(lxss):
    check_equal(lxss.bash("for i in $(seq 500); do /bin/true || exit 1; done; echo done"), "done\n")


@case(needs=("shuf",))
def coreutils(lxss):
    lxss.bash("""set -e; d=$(mktemp -d); cd $d
        mkdir -p a/b; echo text > a/b/file; cp -a a c; mv c d; ln -s a/b/file link; ln a/b/file hard
        test "$(cat link)" = text; test "$(stat -c %h hard)" = 2; chmod 600 hard; test "$(stat -c %a hard)" = 600
        touch -d '2001-02-03 04:05:06 UTC' hard; test "$(date -u -r hard +%Y)" = 2001
        dd if=/dev/zero of=zeros bs=64k count=16 status=none; test "$(stat -c %s zeros)" = 1048576
        test "$(sha256sum < zeros | cut -c1-8)" = 30e14955
        df . > /dev/null; du -sk . > /dev/null; realpath link | grep -q /a/b/file
        seq 10 | shuf | sort -n | paste -sd, | grep -qx 1,2,3,4,5,6,7,8,9,10
        timeout 0.1 sleep 10 && exit 1; test $? = 124; rm -r $d""")


@case(needs=("find", "grep", "sed", "awk"))
def text_tools(lxss):
    check_equal(lxss.bash("""set -e; d=$(mktemp -d); cd $d; for i in $(seq 30); do echo "line $i" > f$i; done
        find . -type f -name 'f1*' | wc -l; grep -l 'line 2' * | wc -l; sed -n 's/line //p' f7
        cat f* | awk '{ sum += $2 } END { print sum }'; find . -type f -print0 | xargs -0 cat | wc -l
        rm -r $d"""), "11\n11\n7\n465\n30\n")


@case(needs=("tar", "gzip", "xz"))
def archives(lxss):
    lxss.bash("""set -e; d=$(mktemp -d); cd $d; cp -r /etc tree 2>/dev/null || true
        for z in z J; do tar -c${z}f a.tar tree; mkdir out; tar -x${z}f a.tar -C out
        diff -r --no-dereference tree out/tree; rm -r out; done
        seq 100000 > n; gzip -k n; zcat n.gz | cmp - n; xz -k n; xz -dc n.xz | cmp - n; rm -rf $d""")


@case(needs=("perl",))
def perl(lxss):
    script = """my $pid = fork // die; exit 3 if !$pid; waitpid $pid, 0; print $? >> 8, "\\n";
        print join(",", sort { $a <=> $b } map { $_ * 2 } 3, 1, 2), "\\n" """
    check_equal(lxss.output("perl", "-e", script), "3\n2,4,6\n")


@case()
def standard_streams(lxss):
    """Pipes and files as input, output and error."""
    process = lxss.run("bash", "-c", "cat; echo error >&2", input="through\n")
    check_equal((process.stdout, process.stderr), ("through\n", "error\n"))
    with tempfile.TemporaryFile("w+") as source, tempfile.TemporaryFile("w+") as target:
        source.write("from a file\n")
        source.seek(0)
        subprocess.run(lxss.command("cat"), stdin=source, stdout=target, check=True, timeout=60)
        target.seek(0)
        check_equal(target.read(), "from a file\n")
    large = "x" * (8 << 20)
    check_equal(lxss.run("cat", input=large).stdout, large)
    check_equal(lxss.run("cat", input="").stdout, "")
    writer = subprocess.Popen(lxss.command("yes"), stdout=subprocess.PIPE)
    writer.stdout.read(1000)
    writer.stdout.close()
    check_equal(writer.wait(60), -signal.SIGPIPE)


@case()
def exit_codes(lxss):
    for code in (0, 1, 7, 255):
        check_equal(lxss.run("sh", "-c", f"exit {code}").returncode, code)
    check_equal(lxss.run("no-such-program").returncode, 127)
    check_equal(lxss.run("/etc/passwd").returncode, 126)


@case()
def signals_pass_through(lxss):
    """A guest program's signal is the launcher's own end, and the launcher's signals reach the guest."""
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT):
        check_equal(lxss.run("sh", "-c", f"kill -{int(number)} $$").returncode, -number)
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do read -r -t 1; done"
    process = subprocess.Popen(lxss.command("bash", "-c", script), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    check_equal(process.stdout.readline(), "ready\n")
    process.terminate()
    check_equal(process.stdout.read(), "caught\n")
    check_equal(process.wait(60), 5)


# --- the interactive shell -----------------------------------------------------------------------

def prompt(terminal):
    """Starts with a prompt of known text; what is typed does not look like it."""
    terminal.type("PS1='rea''dy> '; PROMPT_COMMAND=; bind 'set enable-bracketed-paste off' 2>/dev/null\r")
    terminal.expect(r"ready> ")


def shell(lxss):
    return lxss.terminal("bash", "--norc", "-i")


@case()
def terminal_basics(lxss):
    with shell(lxss) as terminal:
        prompt(terminal)
        terminal.type("tty; stty size; echo $((6 * 7))\r")
        terminal.expect(r"/dev/(pts/\d+|tty\S*)\r\n24 80\r\n42\r\n")
        terminal.resize(50, 132)
        terminal.type("stty size\r")
        terminal.expect(r"50 132\r\n")
        terminal.type("ech\x7fho ed\x15echo killed\r")
        terminal.expect(r"\nkilled\r\n")
        terminal.type("exit 9\r")
        check_equal(terminal.exit_code(), 9)


@case()
def control_c(lxss):
    with shell(lxss) as terminal:
        prompt(terminal)
        # Announced by the job itself, which then surely is in the foreground.
        terminal.type("sh -c 'echo star\"\"ted; exec sleep 1000'\r")
        terminal.expect(r"started\r\n")
        terminal.type("\x03")
        terminal.expect(r"\^C\r?\n?.*ready> ")
        terminal.type("echo status $?\r")
        terminal.expect(r"status 130\r\n")


@case()
def control_z_and_fg(lxss):
    with shell(lxss) as terminal:
        prompt(terminal)
        # As above: before, the terminal is readline's, which takes no \r for the end of a line.
        terminal.type("sh -c 'echo star\"\"ted; exec cat'\r")
        terminal.expect(r"started\r\n")
        terminal.type("one\r")
        terminal.expect(r"one\r\none\r\n")
        terminal.type("\x1a")
        terminal.expect(r"Stopped\s+sh -c")
        terminal.expect(r"ready> ")
        terminal.type("jobs; fg\r")
        terminal.expect(r"Stopped\s+sh -c.*\r\nsh -c.*\r\n")
        terminal.type("two\r")
        terminal.expect(r"two\r\ntwo\r\n")
        terminal.type("\x04")
        terminal.expect(r"ready> ")
        terminal.type("sleep 1000 &\r")
        terminal.expect(r"\[1\] \d+\r\n")
        # Not `wait`, which is silent about a job that has ended before: until bash has reaped it.
        terminal.type("kill %1; while kill -0 $! 2>/dev/null; do :; done\r")
        terminal.expect(r"Terminated\s+sleep")


@case(timeout=1800)
def apt_installs(lxss):
    """Installs what the later cases use."""
    if lxss.run("-u", "root", "sh", "-c", "command -v apt-get").returncode != 0:
        raise Skip("no apt-get in this distribution")
    lxss.output("-u", "root", "bash", "-c", "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "
                "gcc make git python3 procps less vim-tiny hello libc6-dev", timeout=1700)
    check_equal(lxss.output("hello"), "Hello, world!\n")


@case(needs=("less",))
def less_opens_and_quits(lxss):
    with shell(lxss) as terminal:
        prompt(terminal)
        terminal.type("export TERM=xterm; seq 1000 | less\r")
        terminal.expect(r"\b22\b")
        terminal.type("G")
        terminal.expect(r"\b1000\b")
        terminal.type("q")
        terminal.expect(r"ready> ")


@case(needs=("vi",))
def vi_edits_and_quits(lxss):
    with shell(lxss) as terminal:
        prompt(terminal)
        terminal.type("export TERM=xterm; f=$(mktemp); vi -u NONE $f\r")
        terminal.expect(r"~")
        terminal.type("ihello vi\x1b:wq\r")
        terminal.expect(r"ready> ")
        terminal.type("echo \"[$(cat $f)]\"; rm $f\r")
        terminal.expect(r"\[hello vi\]")


# --- languages and tools -------------------------------------------------------------------------

PYTHON = """
import multiprocessing, subprocess, threading
total = 0
lock = threading.Lock()
def add(n):
    global total
    with lock:
        total += n
threads = [threading.Thread(target=add, args=(n,)) for n in range(50)]
[t.start() for t in threads]; [t.join() for t in threads]
print(total)
print(subprocess.run(['sh', '-c', 'cat; exit 3'], input=b'in', capture_output=True))
def square(n):
    return n * n
if __name__ == '__main__':
    with multiprocessing.Pool(4) as pool:
        print(sum(pool.map(square, range(100))))
"""


@case(needs=("python3",))
def python(lxss):
    output = lxss.bash("f=$(mktemp --suffix .py); cat > $f; python3 $f; rm $f", input=PYTHON)
    check_contains(output, "1225\n", "returncode=3, stdout=b'in'", "328350\n")


PTHREADS = r"""
#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;
static void *add(void *unused) {
  for (int i = 0; i < 100000; i++) { pthread_mutex_lock(&mutex); total++; pthread_mutex_unlock(&mutex); }
  return unused;
}
int main(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, add, 0);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
  printf("%ld\n", total);
}
"""


@case(needs=("gcc",))
def gcc_compiles_threads(lxss):
    script = "set -e; d=$(mktemp -d); cd $d; cat > t.c; gcc -O2 -pthread t.c -o t; ./t; rm -r $d"
    output = lxss.bash(script, input=PTHREADS)
    check_equal(output, "800000\n")


@case(timeout=300, needs=("gcc",))
def sanitizers(lxss):
    """They reserve most of the address space for themselves."""
    script = """set -e; d=$(mktemp -d); cd $d; cat > t.c; export ASAN_OPTIONS=detect_leaks=0
        for s in thread address undefined; do gcc -g -O1 -pthread -fsanitize=$s t.c -o t; ./t; done
        sed -i 's/pthread_mutex_[a-z]*(&mutex);//g' t.c; gcc -g -O1 -pthread -fsanitize=thread t.c -o t; ./t 2>&1 | grep -m1 WARNING
        echo 'int main(int n, char **v) { char a[4]; v = 0; return a[n + 3]; }' > u.c
        gcc -g -fsanitize=address u.c -o u; ./u 2>&1 | grep -o stack-buffer-overflow | head -n 1; rm -r $d"""
    output = lxss.bash(script, input=PTHREADS)
    check_contains(output, "800000\n" * 3 + "WARNING: ThreadSanitizer: data race", "stack-buffer-overflow")


@case()
def guests_go_first_when_the_host_has_no_memory(lxss):
    """The first process of the instance is the last that the host should end."""
    name = f"probe{secrets.token_hex(3)}"
    script = f"cp $(command -v sleep) /tmp/{name}; /tmp/{name} 60 & echo; read line; kill $!; rm /tmp/{name}"
    guest = subprocess.Popen(lxss.command("-e", "sh", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        guest.stdout.readline()
        seen = []
        while not seen:
            check(guest.poll() is None, "the guest has ended")
            for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
                try:
                    if comm.read_text().strip() == name:
                        seen.append(comm.parent)
                except OSError:
                    pass  # it has ended meanwhile
        parent = (seen[0] / "stat").read_text().rpartition(")")[2].split()[1]
        score_of = [int((process / "oom_score_adj").read_text()) for process in (seen[0], pathlib.Path("/proc", parent))]
        check(score_of[0] > score_of[1], f"guest {score_of[0]}, first process {score_of[1]}")
    finally:
        guest.communicate(b"\n", timeout=60)


@case(needs=("python3",))
def system_calls_are_rewritten(lxss):
    """Code that calls often gets direct calls, while it runs, unless config.ini says otherwise."""
    number, jump, trap = "b86e000000", "eb", "0f05"
    program = """if True:
        import ctypes, os
        for i in range(2000): os.getppid()
        print(ctypes.string_at(ctypes.CDLL(None).getppid, 7).hex())"""
    lxss.manage("--shutdown")
    check(lxss.output("python3", "-c", program).startswith(number + jump), "getppid still traps")
    data = pathlib.Path(os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share")
    config = pathlib.Path(os.environ.get("LXSS_HOME") or data / "lxss") / "config.ini"
    before = config.read_text() if config.exists() else None
    try:
        config.write_text((before or "") + "\n[general]\nrewriteSystemCalls = false\n")
        lxss.manage("--shutdown")
        check_equal(lxss.output("python3", "-c", program).strip(), number + trap)
    finally:
        if before is None:
            config.unlink()
        else:
            config.write_text(before)
        lxss.manage("--shutdown")


@case(timeout=300, needs=("python3",))
def rewritten_texts_are_shared_out(lxss):
    """Who has many files that call often does not use up what there is for others."""
    program = """if True:
        import ctypes, mmap, os, sys
        keep = sys.argv[1] == "keep"
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
        code = b"\\x90" * 128 + b"\\xb8\\x6e\\0\\0\\0\\x0f\\x05\\xc3" + b"\\xcc" * 64 + b"\\x90" * 896
        def texts(): return int(open("/proc/lxss").read().split()[-1])
        os.setegid(int(sys.argv[2])); os.seteuid(int(sys.argv[2]))
        rewritten, names = 0, []
        for i in range(int(sys.argv[3])):
            name = f"/tmp/texts-{os.getpid()}-{i}"
            with open(name, "wb") as file: file.write(code.ljust(4096, b"\\x90"))
            file = os.open(name, os.O_RDONLY)
            names.append(name)
            at = libc.mmap(None, 4096, 5, 2, file, 0)
            call = ctypes.CFUNCTYPE(ctypes.c_long)(at + 128)
            for _ in range(400): call()
            rewritten += ctypes.string_at(at + 133, 2) != b"\\x0f\\x05"
            if not keep: libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(4096)); os.close(file)
        print(rewritten, texts())
        for name in names: os.unlink(name)"""

    def make(*arguments):
        return [int(word) for word in lxss.output("-u", "root", "-e", "python3", "-c", program, *arguments).split()]

    lxss.manage("--shutdown")
    kept, texts = make("keep", "1000", "150")
    check(20 <= kept <= 64, f"{kept} texts of one user")
    check(texts <= 80, f"{texts} texts")
    # Those went with the program. Who unmaps what is no longer used may go on.
    rewritten, _ = make("drop", "1001", "150")
    check_equal(rewritten, 150)
    lxss.manage("--shutdown")


@case(timeout=300, needs=("gcc", "make"))
def make_in_parallel(lxss):
    check_equal(lxss.bash("""set -e; d=$(mktemp -d); cd $d
        for i in $(seq 20); do echo "int f$i(void) { return $i; }" > u$i.c; done
        echo 'int f20(void); int main(void) { return f20(); }' > main.c
        printf 'p: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n\\tgcc -o $@ $^\\n' > Makefile
        make -s -j2; ./p || echo $?; make -q && echo up to date; rm -r $d"""), "20\nup to date\n")


@case(timeout=300, needs=("git",))
def git(lxss):
    check_equal(lxss.bash("""set -e; d=$(mktemp -d); cd $d; export HOME=$d
        git config --global user.name n; git config --global user.email n@n
        git init -q repo; cd repo; for i in $(seq 200); do echo $i > f$i; done
        git add .; git commit -q -m first; echo more >> f1; git commit -q -am second
        git log --oneline | wc -l; cd ..; git clone -q repo copy; cd copy; git fsck 2>/dev/null; ls | wc -l
        git status --porcelain; rm -rf $d"""), "2\n200\n")


# --- the launcher's options ----------------------------------------------------------------------

@case()
def option_cd(lxss):
    check_equal(lxss.output("--cd", "/usr", "pwd"), "/usr\n")
    check_equal(lxss.output("--cd", "~", "bash", "-c", "test $PWD = ~ && echo home"), "home\n")
    check(lxss.run("--cd", "/no/such/directory", "pwd").returncode != 0, "a missing directory was accepted")


@case()
def option_user(lxss):
    check_equal(lxss.output("-u", "root", "id", "-u"), "0\n")
    check_equal(lxss.output("-u", "nobody", "id", "-un"), "nobody\n")
    check(lxss.run("-u", "no-such-user", "true").returncode != 0, "an unknown user was accepted")


@case()
def option_list_and_status(lxss):
    check(lxss.manage("--list").stdout.strip() != "", "the list is empty")
    check_equal(lxss.manage("--status").returncode, 0)
    check(lxss.manage("--version").stdout.strip() != "", "no version")
    check_contains(lxss.manage("--help").stdout, "--import", "--unregister")


@case()
def option_distribution(lxss):
    name = lxss.distribution or lxss.manage("--list", "--quiet").stdout.split()[0]
    check_equal(lxss.of(name).output("echo", "x"), "x\n")


def import_busybox(launcher, name, directory, **options):
    busybox = static_busybox()
    if busybox is None:
        raise Skip("no static busybox on the host")
    archive = directory / "busybox.tar"
    archive.write_bytes(root_tar(busybox))
    archive.chmod(0o644)
    return subprocess.run(launcher + ["--import", name, str(directory / "place"), str(archive)],
                          capture_output=True, text=True, timeout=120, **options)


@case()
def import_terminate_unregister(lxss):
    """A busybox of the host becomes a distribution, runs, is exported, and goes."""
    name = f"busybox-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        imported = import_busybox([lxss.launcher], name, directory)
        check_equal((imported.returncode, imported.stderr), (0, ""))
        try:
            guest = lxss.of(name)
            check_contains(lxss.manage("--list").stdout, name)
            check_equal(guest.output("sh", "-c", "ls / | grep -c bin; echo $((2 + 3))"), "1\n5\n")
            check_equal(guest.output("sh", "-c", "seq 100 | sort -n | tail -n 1"), "100\n")
            guest.output("sh", "-c", "echo kept > /root/file")
            check_equal(lxss.manage("--terminate", name).returncode, 0)
            check_equal(guest.output("cat", "/root/file"), "kept\n")
            exported = directory / "export.tar"
            check_equal(lxss.manage("--export", name, str(exported)).returncode, 0)
            members = subprocess.check_output(["tar", "-tf", exported], text=True)
            check("root/file" in members, "the export lacks a file")
            check(import_busybox([lxss.launcher], name, directory).returncode != 0, "a name was taken twice")
        finally:
            check_equal(lxss.manage("--unregister", name).returncode, 0)
        check(name not in lxss.manage("--list").stdout, "it is still listed")


# --- errors --------------------------------------------------------------------------------------

def run_file(lxss, producer):
    """Executes what `producer` prints as a program file, in bash."""
    return lxss.run("bash", "-c", f"f=$(mktemp); {producer} > $f; chmod +x $f; $f; code=$?; rm $f; exit $code")


@case()
def error_not_a_program(lxss):
    process = run_file(lxss, "printf '\\0\\1garbage'")
    check_equal(process.returncode, 126)
    check_contains(process.stderr, "cannot execute binary file")


@case()
def error_truncated_program(lxss):
    process = run_file(lxss, "head -c 200 /bin/true")
    check(process.returncode in (126, 139), f"exit {process.returncode}")
    check(process.stderr != "", "no message")


@case()
def error_missing_interpreter(lxss):
    process = run_file(lxss, "echo '#!/no/such/interpreter'")
    check(process.returncode in (126, 127), f"exit {process.returncode}")
    check_contains(process.stderr, "not found")


@case()
def error_unknown_distribution(lxss):
    process = lxss.of("no-such-distribution").run("true")
    check(process.returncode != 0, "it was accepted")
    check_contains(process.stderr, "no-such-distribution")


@case()
def error_unknown_option(lxss):
    process = lxss.manage("--no-such-option")
    check(process.returncode != 0, "it was accepted")
    check_contains(process.stderr, "--no-such-option")


@case()
def crash_is_reported(lxss):
    process = lxss.run("bash", "-c", "sh -c 'kill -SEGV $$'; echo $?")
    check_equal(process.stdout, "139\n")
    check_contains(process.stderr, "Segmentation fault")


@case(needs=("python3",))
def trace_shows_unknown_calls(lxss):
    process = lxss.run("--trace", "python3", "-c", "import ctypes; ctypes.CDLL(None).syscall(1000)")
    check_equal(process.returncode, 0)
    check(re.search(r"1000.*ENOSYS", process.stderr), "the trace does not show it")


# --- an ordinary user of the host ----------------------------------------------------------------

@case(timeout=300)
def ordinary_host_user(lxss):
    """No privilege on the host is needed to install and run a distribution."""
    if os.geteuid() != 0:
        raise Skip("this is an ordinary user already")
    if not shutil.which("useradd"):
        raise Skip("no useradd on the host")
    user = f"lxss-{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--create-home", user], check=True)
    try:
        entry = pwd.getpwnam(user)
        home = pathlib.Path(entry.pw_dir)
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "USER": user}
        launcher = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
                    lxss.launcher]
        imported = import_busybox(launcher, "own", home, env=environment, cwd=home)
        check_equal((imported.returncode, imported.stderr), (0, ""))
        script = "id -u; touch /root/file && chown 7:7 /root/file && stat -c %u /root/file"
        process = subprocess.run(launcher + ["-d", "own", "-u", "root", "sh", "-c", script],
                                 capture_output=True, text=True, timeout=60, env=environment, cwd=home)
        check_equal((process.stdout, process.stderr), ("0\n7\n", ""))
        subprocess.run(launcher + ["--shutdown"], timeout=60, env=environment, cwd=home)
    finally:
        subprocess.run(["userdel", "--remove", user], stderr=subprocess.DEVNULL)
