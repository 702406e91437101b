"""Brings programs into a guest through the standard input of its own tar, busybox's included."""

import io
import subprocess
import tarfile


def copy_in(programs, runner, directory, unpack=None):
    """Unpacks `programs` into the guest's `directory`; `unpack` replaces the guest's tar command."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for program in programs:
            tar.add(program, arcname=program.name)
    subprocess.run(runner + ["mkdir", "-p", directory], check=True)
    subprocess.run(unpack or runner + ["tar", "-x", "-f", "-", "-C", directory],
                   input=archive.getvalue(), check=True)
