#!/bin/sh
# Runs inside an instance: makes, links, renames, removes and syncs files below $1 for ever.
# What it has synced it appends to $1/promised, itself synced before it goes on: "name size".
set -u
cd "$1" || exit 1
n=$(($(wc -l < promised 2>/dev/null || echo 0)))
while :; do
  n=$((n + 1))
  size=$((n * 37 % 9000))
  rm -rf "dir.$n"  # of the round that was killed
  head -c "$size" /dev/zero > "tmp.$n"
  sync "tmp.$n"
  mv "tmp.$n" "file.$n"
  mkdir "dir.$n" && ln -s "../file.$n" "dir.$n/link" && ln "file.$n" "dir.$n/hard"
  sync "dir.$n" .
  echo "$n $size" >> promised
  sync promised
  old=$((n - 50))
  if [ "$old" -gt 0 ] && [ $((old % 2)) -eq 0 ]; then
    # Names that are not promised come and go.
    touch "scratch.$n" && mv "scratch.$n" "scratch" && rm -f scratch
  fi
done
