#!/bin/sh
# Adds a program to the demo's initial RAM disk, as /bin/NAME: make-initrd.sh INITRD PROGRAM OUT
#
# A kernel unpacks one archive behind the other, so nothing of INITRD changes.
set -eu

[ $# -eq 3 ] || {
    echo "usage: make-initrd.sh INITRD PROGRAM OUT" >&2
    exit 2
}
work=$(mktemp -d "$3.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/tree/bin"
cp "$2" "$work/tree/bin/"
strip "$work/tree/bin/"*
chmod 755 "$work/tree" "$work/tree/bin" "$work/tree/bin/"*
find "$work/tree" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-946684800}" {} +
(cd "$work/tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible --owner=0:0) | gzip -9n >"$work/more"
cat "$1" "$work/more" >"$3.tmp"
mv "$3.tmp" "$3"
