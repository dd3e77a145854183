#!/bin/sh
# Makes the peer to compare with: a CD image that boots Debian's own kernel with its own KVM and Debian's own QEMU in an
# initial RAM disk, and there runs a multiboot1 guest. bench-peer.sh OUT.iso GUEST.elf WORD...
#
# The words become the guest's command line.
set -eu

die() {
    echo "bench-peer: $*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: bench-peer.sh OUT.iso GUEST.elf [WORD]..."
out=$1 guest=$2
shift 2
words=$*
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}

mkdir -p "$(dirname "$out")"
tree=$(mktemp -d "$out.tree.XXXXXX")
trap 'rm -rf "$tree" "$out.initrd"' EXIT
trap 'exit 130' INT TERM HUP
tools/kvm-tree.sh "$tree"
cp "$guest" "$tree/guest.elf"

# vapic: QEMU would have itself told of every access to the TPR, to patch old Windows; that is no figure of KVM.
cat >"$tree/init" <<END
#!/bin/busybox sh
NESTED=0
. /kvm/start
cpus=\$(busybox grep -c ^processor /proc/cpuinfo)
echo "bench-peer: KVM of Linux \$(busybox uname -r), \$cpus CPUs"
qemu -accel kvm -cpu host -M pc -smp \$cpus -m 64 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
    -global apic-common.vapic=off -L /kvm -kernel /guest.elf -append '$words bare peer' </dev/null
echo "bench-peer: end"
busybox poweroff -f
END
chmod 755 "$tree/init"
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --owner=0:0) >"$out.initrd"

# The mitigations are off because the CPU that is emulated needs none and Ringfence has none: what is left is the path.
tools/bench-iso.sh "$out" "linux /boot/vmlinuz console=ttyS0,115200 quiet panic=-1 mitigations=off cryptomgr.notests \
tsc_early_khz=100000
initrd /boot/initrd" "vmlinuz=$cache/vmlinuz-6.1" "initrd=$out.initrd"
