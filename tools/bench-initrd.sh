#!/bin/sh
# Makes the initial RAM disk of the Linux that is measured: bench-initrd.sh OUT INIT
# INIT is a static program. The kernel brings /dev/console along.
set -eu

[ $# -eq 2 ] || {
    echo "usage: bench-initrd.sh OUT INIT" >&2
    exit 2
}
mkdir -p "$(dirname "$1")"
tree=$(mktemp -d "$1.tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT
trap 'exit 130' INT TERM HUP
cp "$2" "$tree/init"
chmod 755 "$tree" "$tree/init"
# As large as a real one, 2 MiB, because the loader and the kernel have to copy it.
head -c 2080000 /dev/zero >"$tree/filler"
find "$tree" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-946684800}" {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible --owner=0:0) >"$1.tmp"
mv "$1.tmp" "$1"
