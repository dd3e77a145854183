#!/bin/sh
# Fills a tree for an initial RAM disk with Debian's own KVM and Debian's own QEMU: kvm-tree.sh TREE
#
# Nothing but files of Debian packages: the kernel's modules in /kvm with QEMU's ROMs, QEMU with its libraries, busybox.
# The kernel package is the one that tools/fetch-kernel.sh took; it is then vmlinuz-6.1 in the cache. QEMU and busybox
# are this computer's. /init is the caller's, and begins with what /kvm/start does: the modules, with NESTED (0 or 1).
set -eu

die() {
    echo "kvm-tree: $*" >&2
    exit 1
}

[ $# -eq 1 ] || die "usage: kvm-tree.sh TREE"
tree=$1
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
modules="virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-intel arch/x86/kvm/kvm-amd"
qemu=$(command -v qemu-system-x86_64) || die "no QEMU here (package qemu-system-x86)"
busybox=$(command -v busybox) || die "no busybox here (package busybox-static)"

# The modules must be of the kernel's own package.
fetch_modules() {
    package=$(cut -d ' ' -f 1 "$cache/vmlinuz-6.1.package")
    version=$(cut -d ' ' -f 2 "$cache/vmlinuz-6.1.package")
    stamp=$cache/kvm-$version
    if [ -d "$stamp" ]; then return; fi
    fetch=$(mktemp -d "$cache/kvm.XXXXXX")
    trap 'rm -rf "$fetch"' EXIT
    mkdir -p "$fetch/lists/partial" "$fetch/cache/archives/partial" "$fetch/tree" "$fetch/kvm"
    mirror=${RINGFENCE_MIRROR:-http://deb.debian.org/debian}
    keyring=${RINGFENCE_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
    echo "deb [arch=amd64 signed-by=$keyring] $mirror bookworm main" >"$fetch/sources.list"
    # The same private use of apt as in tools/fetch-kernel.sh: this machine's package setup is neither read nor changed.
    for step in "update" "download $package=$version"; do
        # shellcheck disable=SC2086
        (cd "$fetch" && apt-get -q -o Dir::Etc::sourcelist="$fetch/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
            -o Dir::State::lists="$fetch/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$fetch/cache" \
            -o APT::Architecture=amd64 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none $step) \
            >"$fetch/log" 2>&1 || {
            cat "$fetch/log" >&2
            die "package $package $version could not be fetched: 'tools/fetch-kernel.sh 6.1 FILE --refresh' takes the present one"
        }
    done
    dpkg-deb -x "$fetch"/*.deb "$fetch/tree"
    for module in $modules; do
        cp "$fetch"/tree/lib/modules/*/kernel/"$module.ko" "$fetch/kvm/" || die "package $package has no $module"
    done
    mv "$fetch/kvm" "$stamp"
    rm -rf "$fetch"
    trap - EXIT
}

mkdir -p "$cache"
[ -s "$cache/vmlinuz-6.1.package" ] || {
    tools/fetch-kernel.sh 6.1 "$tree/kernel"
    rm "$tree/kernel"
}
fetch_modules

mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/tmp" "$tree/kvm"
cp "$busybox" "$tree/bin/busybox"
cp "$qemu" "$tree/bin/qemu"
for module in $modules; do cp "$stamp/${module##*/}.ko" "$tree/kvm/"; done
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
