#!/bin/sh
# Builds everything that is shipped twice, in two copies of the source tree at different paths, and compares every byte:
# build-twice.sh DIRECTORY
set -eu

[ $# -eq 1 ] || {
    echo "usage: build-twice.sh DIRECTORY" >&2
    exit 2
}
directory=$1
rm -rf "$directory"
mkdir -p "$directory/one" "$directory/a/longer/path/two"
products="ringfence.elf ringfence.iso guests/hello.elf guests/heartbeat.elf guests/bench.elf guests/initrd"

for copy in "$directory/one" "$directory/a/longer/path/two"; do
    # What git would ship, whether or not it is committed yet; a tree without git is taken as it is.
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . -name "$(basename "${BUILD:-build}")" -prune -o -type f -print0
    fi | tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -C "$copy"
    targets=
    for product in $products; do targets="$targets out/$product"; done
    # shellcheck disable=SC2086
    env -u MAKEFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u BUILD \
        make -s -C "$copy" BUILD=out $targets >"$directory/log" 2>&1 || {
        cat "$directory/log" >&2
        echo "build-twice: the build in $copy failed" >&2
        exit 1
    }
done

bad=0
for product in $products; do
    cmp "$directory/one/out/$product" "$directory/a/longer/path/two/out/$product" || bad=1
done
[ $bad -eq 0 ] || {
    echo "build-twice: two builds of the same source differ" >&2
    exit 1
}
echo "build-twice: $(echo "$products" | wc -w) files are the same, byte for byte, from two places"
rm -rf "$directory"
