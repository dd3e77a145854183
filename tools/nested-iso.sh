#!/bin/sh
# Makes a machine within a machine: a CD image that boots Debian's own kernel, and there, under its KVM with nested
# virtualisation, Debian's QEMU with another CD image: nested-iso.sh OUT.iso IMAGE.iso CPUS MEMORY
# MEMORY (MiB) is of the inner machine, whose COM1 is that of the outer one.
set -eu

die() {
    echo "nested-iso: $*" >&2
    exit 1
}

[ $# -eq 4 ] || die "usage: nested-iso.sh OUT.iso IMAGE.iso CPUS MEMORY"
out=$1 image=$2 cpus=$3 memory=$4
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
mkdir -p "$(dirname "$out")"
tree=$(mktemp -d "$out.tree.XXXXXX")
trap 'rm -rf "$tree" "$out.initrd"' EXIT
trap 'exit 130' INT TERM HUP
tools/kvm-tree.sh "$tree"
cp "$image" "$tree/image.iso"
cat >"$tree/init" <<END
#!/bin/busybox sh
NESTED=1
. /kvm/start
exec </dev/ttyS0 >/dev/ttyS0 2>&1
busybox stty raw -echo 115200
qemu -accel kvm -cpu host -M q35 -smp $cpus -m $memory -nodefaults -no-user-config -vga std -display none -serial stdio \
    -global apic-common.vapic=off -no-reboot -L /kvm -cdrom /image.iso
busybox poweroff -f
END
chmod 755 "$tree/init"
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --owner=0:0) >"$out.initrd"
# The kernel's own lines go to the screen: the serial line is the inner machine's.
tools/bench-iso.sh "$out" "linux /boot/vmlinuz console=tty0 quiet panic=-1 mitigations=off cryptomgr.notests ${NESTED_WORDS:-}
initrd /boot/initrd" "vmlinuz=$cache/vmlinuz-6.1" "initrd=$out.initrd"
