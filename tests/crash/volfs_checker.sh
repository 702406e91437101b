#!/bin/sh
# Runs inside an instance: everything that volfs_writer.sh was promised below $1 is there, and the
# tree can be walked and removed. Exit status 0 if so.
set -u
cd "$1" || exit 1
failures=0
fail() {
  echo "lost: $*" >&2
  failures=$((failures + 1))
}
# The last line may be incomplete: it was not promised then.
while read -r n size; do
  [ -n "${size:-}" ] || continue
  [ "$(stat -c %s "file.$n" 2>/dev/null)" = "$size" ] || fail "file.$n ($size)"
  [ "$(readlink "dir.$n/link")" = "../file.$n" ] || fail "dir.$n/link"
  [ "dir.$n/hard" -ef "file.$n" ] || fail "dir.$n/hard"
done < promised
find . -type f -newermt 2000-01-01 > /dev/null || fail "walk"
[ "$failures" -eq 0 ]
