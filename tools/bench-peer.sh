#!/bin/sh
# Makes the peer to compare with: a CD image that boots Debian's own kernel with its own KVM and Debian's own QEMU, and
# there runs a multiboot1 guest. bench-peer.sh OUT.iso GUEST.elf WORD...
# The words become the guest's command line.
set -eu

[ $# -ge 2 ] || {
    echo "bench-peer: usage: bench-peer.sh OUT.iso GUEST.elf [WORD]..." >&2
    exit 1
}
out=$1 guest=$2
shift 2
# vapic: QEMU would have itself told of every access to the TPR, to patch old Windows; that is no figure of KVM.
tools/kvm-iso.sh "$out" 0 "console=ttyS0,115200 tsc_early_khz=100000" "guest.elf=$guest" <<END
cpus=\$(busybox grep -c ^processor /proc/cpuinfo)
echo "bench-peer: KVM of Linux \$(busybox uname -r), \$cpus CPUs"
qemu -accel kvm -cpu host -M pc -smp \$cpus -m 64 -nodefaults -no-user-config -display none -serial stdio -no-reboot \\
    -global apic-common.vapic=off -L /kvm -kernel /guest.elf -append '$* bare peer' </dev/null
echo "bench-peer: end"
END
