#!/bin/sh
# Makes GRUB itself into a guest: make-grub-guest.sh COREBOOT_MODULES_TAR OUT
#
# An ELF file for boot = multiboot1 with GRUB's own commands, a console on the serial port and a prompt. The modules are
# those of Debian's grub-coreboot-bin; the PC's would call the BIOS.
set -eu

die() {
    echo "make-grub-guest: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: make-grub-guest.sh COREBOOT_MODULES_TAR OUT"
tar=$1 out=$2
command -v grub-mkimage >/dev/null || die "grub-mkimage is missing (package grub-common)"

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/modules"
tar -C "$work/modules" -xf "$tar"
cat >"$work/early.cfg" <<END
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
END
grub-mkimage -d "$work/modules" -O i386-coreboot -p /boot/grub -c "$work/early.cfg" -o "$work/grub.elf" \
    serial terminal normal echo ls lsmmap lsacpi boot multiboot multiboot2 linux minicmd help reboot halt
mv "$work/grub.elf" "$out"
