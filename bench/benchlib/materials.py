"""What both sides are given: the measuring programs, a small C project and a tree of files."""

import io
import tarfile

PROGRAMS = ["syscalls", "scaling", "growth", "floor", "host_calls", "latency"]
PROJECT_FILES = 20
TREE_FILES = 1000


def _add_text(tar, name, text):
    data = text.encode()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _add_project(tar):
    names = [f"unit{i}" for i in range(PROJECT_FILES)]
    for i, name in enumerate(names):
        functions = "".join(
            f"int f{i}_{k}(const char *s) {{ return (int)strlen(s) * {k} + printf(\"%s\", s); }}\n"
            for k in range(40))
        _add_text(tar, f"project/{name}.c",
                  f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n{functions}")
    _add_text(tar, "project/main.c", "int main(void) { return 0; }\n")
    objects = " ".join(f"{name}.o" for name in names + ["main"])
    _add_text(tar, "project/Makefile",
              f"CC = gcc\nCFLAGS = -O1\nprogram: {objects}\n\tgcc -o $@ $^\nclean:\n\trm -f *.o program\n")


def _add_tree(tar):
    for i in range(TREE_FILES):
        _add_text(tar, f"tree/d{i % 50}/file{i}.txt", f"line {i}\n" * (i % 100 + 1))


def missing(programs):
    return [name for name in PROGRAMS if not (programs / name).exists()]


def pack(programs):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in PROGRAMS:
            tar.add(programs / name, arcname=name)
        _add_project(tar)
        _add_tree(tar)
    return archive.getvalue()
