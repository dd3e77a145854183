#!/bin/sh
# Fills a tree for an initial RAM disk with Debian's own KVM and Debian's own QEMU: kvm-tree.sh TREE
# kvm-tree.sh fetch: only gets what must come over the network, so that later nobody has to wait for it.
#
# Nothing but files of Debian packages: the kernel's modules in /kvm with QEMU's ROMs, QEMU with its libraries, busybox.
# The kernel package is the one that tools/fetch-kernel.sh took; it is then vmlinuz-6.1 in the cache. QEMU and busybox
# are this computer's. /init is the caller's, and begins with what /kvm/start does: the modules, with NESTED (0 or 1).
set -eu

die() {
    echo "kvm-tree: $*" >&2
    exit 1
}

[ $# -eq 1 ] || die "usage: kvm-tree.sh TREE | fetch"
tree=$1
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
qemu=$(command -v qemu-system-x86_64) || die "no QEMU here (package qemu-system-x86)"
busybox=$(command -v busybox) || die "no busybox here (package busybox-static)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
[ -s "$cache/vmlinuz-6.1.package" ] || tools/fetch-kernel.sh 6.1 "$work/kernel"
package=$(cut -d ' ' -f 1 "$cache/vmlinuz-6.1.package")
for folder in virt/lib arch/x86/kvm; do
    tools/fetch-file.sh bookworm "$package" "lib/modules/${package#linux-image-}/kernel/$folder" "$work/modules.tar"
    mkdir -p "$work/modules"
    tar -C "$work/modules" -xf "$work/modules.tar"
done
[ "$tree" != fetch ] || exit 0

mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/tmp" "$tree/kvm"
cp "$busybox" "$tree/bin/busybox"
cp "$qemu" "$tree/bin/qemu"
for module in irqbypass kvm kvm-intel kvm-amd; do
    cp "$work/modules/$module.ko" "$tree/kvm/" || die "package $package has no $module.ko"
done
# The libraries where the loader looks for them, and the loader where the program names it.
ldd "$qemu" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p' | sort -u |
    while read -r library; do
        mkdir -p "$tree$(dirname "$library")"
        cp -L "$library" "$tree$library"
    done
for rom in bios-256k.bin vgabios-stdvga.bin linuxboot_dma.bin multiboot_dma.bin multiboot.bin; do
    for directory in /usr/share/seabios /usr/share/qemu /usr/lib/ipxe/qemu; do
        [ ! -e "$directory/$rom" ] || cp -L "$directory/$rom" "$tree/kvm/"
    done
done
[ -e "$tree/kvm/bios-256k.bin" ] || die "no bios-256k.bin here (package seabios)"
cat >"$tree/kvm/start" <<END
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox insmod /kvm/irqbypass.ko
busybox insmod /kvm/kvm.ko
busybox insmod /kvm/kvm-intel.ko nested=\$NESTED 2>/dev/null || busybox insmod /kvm/kvm-amd.ko nested=\$NESTED
END
