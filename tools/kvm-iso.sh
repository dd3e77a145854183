#!/bin/sh
# Makes a CD image that boots Debian's own kernel with its own KVM and Debian's own QEMU in an initial RAM disk:
# kvm-iso.sh OUT.iso NESTED OPTIONS NAME=FILE <SCRIPT
# NESTED is 0 or 1: whether that KVM's guests may have VT-x or AMD-V. OPTIONS are more of the kernel's; /NAME is the file.
# SCRIPT is what busybox's shell does when the modules are loaded; then the machine is switched off.
set -eu

die() {
    echo "kvm-iso: $*" >&2
    exit 1
}

[ $# -eq 4 ] || die "usage: kvm-iso.sh OUT.iso NESTED OPTIONS NAME=FILE <SCRIPT"
out=$1 nested=$2 options=$3 file=$4
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
mkdir -p "$(dirname "$out")"
tree=$(mktemp -d "$out.tree.XXXXXX")
trap 'rm -rf "$tree" "$out.initrd"' EXIT
trap 'exit 130' INT TERM HUP
tools/kvm-tree.sh "$tree"
cp "${file#*=}" "$tree/${file%%=*}"
{
    printf '#!/bin/busybox sh\nNESTED=%s\n. /kvm/start\n' "$nested"
    cat
    echo 'busybox poweroff -f'
} >"$tree/init"
chmod 755 "$tree/init"
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --owner=0:0) >"$out.initrd"
# The mitigations are off because the CPU that is emulated needs none and Ringfence has none: what is left is the path.
tools/bench-iso.sh "$out" "linux /boot/vmlinuz quiet panic=-1 mitigations=off cryptomgr.notests $options
initrd /boot/initrd" "vmlinuz=$cache/vmlinuz-6.1" "initrd=$out.initrd"
