#!/bin/sh
# Makes a machine within a machine: a CD image that boots Debian's own kernel, and there, under its KVM with nested
# virtualisation, Debian's QEMU with another CD image: nested-iso.sh OUT.iso IMAGE.iso CPUS MEMORY [OPTION]...
# MEMORY (MiB) is of the inner machine, whose COM1 is that of the outer one. OPTION: one more of the outer kernel's.
set -eu

[ $# -ge 4 ] || {
    echo "nested-iso: usage: nested-iso.sh OUT.iso IMAGE.iso CPUS MEMORY [OPTION]..." >&2
    exit 1
}
out=$1 image=$2 cpus=$3 memory=$4
shift 4
# The kernel's own lines go to the screen: the serial line is the inner machine's.
tools/kvm-iso.sh "$out" 1 "console=tty0 $*" "image.iso=$image" <<END
exec </dev/ttyS0 >/dev/ttyS0 2>&1
busybox stty raw -echo 115200
qemu -accel kvm -cpu host -M q35 -smp $cpus -m $memory -nodefaults -no-user-config -vga std -display none -serial stdio \\
    -global apic-common.vapic=off -no-reboot -L /kvm -cdrom /image.iso
END
