"""The smallest distribution: a static busybox and a few directories, as a tar."""

import io
import pathlib
import shutil
import subprocess
import tarfile

PASSWD = "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home/guest:/bin/sh\n"
GROUP = "root:x:0:\nguest:x:1000:\n"


def static_busybox():
    """The host's busybox if it is linked statically, else None."""
    path = shutil.which("busybox")
    if path is None or b"/ld-linux" in pathlib.Path(path).read_bytes()[:4096]:
        return None
    return pathlib.Path(path)


def root_tar(busybox):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:

        def add(name, kind, mode=0o755, data=b"", target="", owner=0):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.size, info.linkname = kind, mode, len(data), target
            info.uid = info.gid = owner
            tar.addfile(info, io.BytesIO(data))

        for name in ("bin", "dev", "etc", "home", "mnt", "proc", "root", "sys", "usr", "usr/bin", "var"):
            add(name, tarfile.DIRTYPE)
        add("tmp", tarfile.DIRTYPE, 0o1777)
        add("home/guest", tarfile.DIRTYPE, owner=1000)
        add("etc/passwd", tarfile.REGTYPE, 0o644, PASSWD.encode())
        add("etc/group", tarfile.REGTYPE, 0o644, GROUP.encode())
        add("bin/busybox", tarfile.REGTYPE, 0o755, busybox.read_bytes())
        for applet in subprocess.check_output([busybox, "--list"], text=True).split():
            if applet != "busybox":
                add(f"bin/{applet}", tarfile.SYMTYPE, 0o777, target="busybox")
    return archive.getvalue()
