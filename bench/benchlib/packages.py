"""Debian packages that a side needs: installed once, without starting the services they bring."""

import shlex
import sys

# dpkg's way to say that no service may be started (invoke-rc.d asks it).
INSTALL = """
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\\nexit 101\\n' >$policy && chmod 755 $policy && trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -q --no-install-recommends PACKAGES ||
  { apt-get update -q && apt-get install -y -q --no-install-recommends PACKAGES; }
"""
SECONDS = 900
_known = {}


def _installed(side, package):
    """Whether dpkg or, for what came by another name, the path has it."""
    script = f"dpkg -s {shlex.quote(package)} 2>/dev/null | grep -q '^Status: install ok installed'"
    return side.bash(script).returncode == 0


def have(side, names):
    """Whether the side has the packages, after trying to install what is missing."""
    missing = [name for name in names if (side.name, name) not in _known and not _installed(side, name)]
    if missing:
        print(f"{side.name}: installing {' '.join(missing)}", file=sys.stderr)
        words = " ".join(shlex.quote(name) for name in missing)
        process = side.run(["bash", "-c", INSTALL.replace("PACKAGES", words)], timeout=SECONDS)
        if process.returncode != 0:
            reason = process.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            print(f"{side.name}: {' '.join(missing)} cannot be had ({reason[0]}); what needs it is left out",
                  file=sys.stderr)
    for name in missing:
        _known[side.name, name] = _installed(side, name)
    return all(_known.setdefault((side.name, name), True) for name in names)
