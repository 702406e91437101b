#!/bin/sh
# kill -9 at any instant: starts an instance with a writer, kills all of its host processes after a
# random time, starts it again and checks the tree; repeatedly.
#
# usage: kill_volfs_writer.sh DISTRIBUTION [ROUNDS]
# Wants `lxss` in the PATH, and in LXSS_HOST_PROCESSES a command that prints the host ids of this
# instance's processes and of no others.
set -eu
distribution=$1
rounds=${2:-20}
here=$(cd "$(dirname "$0")" && pwd)
directory=/var/tmp/crash-test
processes=${LXSS_HOST_PROCESSES:?a command that prints the host ids of the processes to kill}

run() { lxss -d "$distribution" -u root --exec "$@"; }
install() { run /bin/sh -c "cat > $directory/$1" < "$here/$1"; }

run /bin/mkdir -p "$directory"
install volfs_writer.sh
install volfs_checker.sh
round=0
while [ "$round" -lt "$rounds" ]; do
  round=$((round + 1))
  run /bin/sh "$directory/volfs_writer.sh" "$directory" > /dev/null 2>&1 &
  writer=$!
  milliseconds=$(($(od -An -N2 -tu2 /dev/urandom) % 3000 + 200))
  sleep "$(printf '%d.%03d' $((milliseconds / 1000)) $((milliseconds % 1000)))"
  # shellcheck disable=SC2046
  kill -9 $($processes) 2> /dev/null || true
  wait "$writer" 2> /dev/null || true
  if run /bin/sh "$directory/volfs_checker.sh" "$directory"; then
    echo "round $round: killed after $milliseconds ms, nothing lost"
  else
    echo "round $round: killed after $milliseconds ms, promised files are LOST" >&2
    exit 1
  fi
done
run /bin/rm -rf "$directory"
