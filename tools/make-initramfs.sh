#!/bin/sh
# Makes the initial RAM disk of the demo's Linux guest: busybox and one script. make-initramfs.sh OUT
#
# Reproducible: sorted names, owner 0, one time stamp. Device nodes come from devtmpfs, so no root is needed.
set -eu

[ $# -eq 1 ] || {
    echo "usage: make-initramfs.sh OUT" >&2
    exit 2
}
out=$1
busybox=${BUSYBOX:-$(command -v busybox || true)}
if [ -z "$busybox" ] || ! LC_ALL=C readelf -l "$busybox" >/dev/null 2>&1; then
    echo "make-initramfs: no busybox found (package busybox-static)" >&2
    exit 1
fi
if LC_ALL=C readelf -l "$busybox" | grep -q INTERP; then
    echo "make-initramfs: $busybox is linked dynamically, expected a static one (package busybox-static)" >&2
    exit 1
fi

mkdir -p "$(dirname "$out")"
tree=$(mktemp -d "$out.tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp" "$tree/root" "$tree/etc"
cp "$busybox" "$tree/bin/busybox"

for applet in $("$busybox" --list); do
    case $applet in
    busybox | init | linuxrc) ;;
    *) ln -s busybox "$tree/bin/$applet" ;;
    esac
done

cat >"$tree/init" <<'END'
#!/bin/sh
# Process 1: mounts what a shell needs, says that it is there, and keeps a shell on the console.
export PATH=/bin HOME=/root TERM=linux ENV=/root/.shrc
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
hostname ringfence-guest
cd /root
echo "ringfence-guest: ready, $(grep -c ^processor /proc/cpuinfo) CPUs, kernel $(uname -r)"
# poweroff, reboot and halt ask process 1 by a signal. The shell runs beside it, so that a signal is seen at once.
trap 'busybox poweroff -f' USR2
trap 'busybox reboot -f' TERM
trap 'busybox halt -f' USR1
while :; do
    setsid cttyhack sh &
    wait $!
done
END

echo "PS1='guest:\\w# '" >"$tree/root/.shrc"
echo "root:x:0:0:root:/root:/bin/sh" >"$tree/etc/passwd"
chmod -R u=rwX,go=rX "$tree"
chmod 755 "$tree/init" "$tree/bin/busybox"

find "$tree" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-946684800}" {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible --owner=0:0) | gzip -9n >"$out.tmp"
mv "$out.tmp" "$out"
