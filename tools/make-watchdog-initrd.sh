#!/bin/sh
# Adds the kernel's own drivers for watchdogs to the demo's initial RAM disk: make-watchdog-initrd.sh INITRD OUT
#
# They come from the package of the kernel that tools/fetch-kernel.sh took, as /lib/watchdog.ko and /lib/wdat_wdt.ko. A
# kernel unpacks one archive behind the other, so nothing of INITRD changes. Reproducible, as INITRD is.
set -eu

die() {
    echo "make-watchdog-initrd: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: make-watchdog-initrd.sh INITRD OUT"
initrd=$1 out=$2
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
[ -r "$initrd" ] || die "$initrd cannot be read"
[ -r "$cache/vmlinuz-6.1.package" ] || die "$cache/vmlinuz-6.1.package is missing: tools/fetch-kernel.sh makes it"
package=$(cut -d ' ' -f 1 "$cache/vmlinuz-6.1.package")

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
"$(dirname "$0")/fetch-file.sh" bookworm "$package" \
    "lib/modules/${package#linux-image-}/kernel/drivers/watchdog" "$work/modules.tar"
mkdir -p "$work/all" "$work/tree/lib"
tar -C "$work/all" -xf "$work/modules.tar"
for module in watchdog wdat_wdt; do
    cp "$work/all/$module.ko" "$work/tree/lib/" || die "package $package has no $module.ko"
done
chmod -R u=rwX,go=rX "$work/tree"
find "$work/tree" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-946684800}" {} +
(cd "$work/tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible --owner=0:0) | gzip -9n >"$work/more"
cat "$initrd" "$work/more" >"$out.tmp"
mv "$out.tmp" "$out"
