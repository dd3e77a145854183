#!/bin/sh
# Makes the peer to compare with: a CD image that boots Debian's own kernel with its own KVM and Debian's own QEMU in an
# initial RAM disk, and there runs a multiboot1 guest. bench-peer.sh OUT.iso GUEST.elf WORD...
#
# The words become the guest's command line. Nothing but files of Debian packages goes in, beside the guest and the
# script /init: the kernel package is the one that tools/fetch-kernel.sh took; QEMU and busybox are this machine's.
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
modules="virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-intel arch/x86/kvm/kvm-amd"
qemu=$(command -v qemu-system-x86_64) || die "no QEMU here (package qemu-system-x86)"
busybox=$(command -v busybox) || die "no busybox here (package busybox-static)"

# The modules must be of the kernel's own package.
fetch_modules() {
    package=$(cut -d ' ' -f 1 "$cache/vmlinuz-6.1.package")
    version=$(cut -d ' ' -f 2 "$cache/vmlinuz-6.1.package")
    stamp=$cache/kvm-$version
    if [ -d "$stamp" ]; then return; fi
    fetch=$(mktemp -d "$cache/peer.XXXXXX")
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

mkdir -p "$(dirname "$out")" "$cache"
[ -s "$cache/vmlinuz-6.1.package" ] || tools/fetch-kernel.sh 6.1 "$out.kernel"
fetch_modules

tree=$(mktemp -d "$out.tree.XXXXXX")
trap 'rm -rf "$tree" "$out.initrd"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/tmp" "$tree/kvm"
cp "$busybox" "$tree/bin/busybox"
cp "$qemu" "$tree/bin/qemu"
cp "$guest" "$tree/guest.elf"
for module in $modules; do cp "$stamp/${module##*/}.ko" "$tree/kvm/"; done
# The libraries where the loader looks for them, and the loader where the program names it.
ldd "$qemu" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p' | sort -u |
    while read -r library; do
        mkdir -p "$tree$(dirname "$library")"
        cp -L "$library" "$tree$library"
    done
for rom in bios-256k.bin linuxboot_dma.bin multiboot_dma.bin multiboot.bin; do
    for directory in /usr/share/seabios /usr/share/qemu /usr/lib/ipxe/qemu; do
        [ ! -e "$directory/$rom" ] || cp -L "$directory/$rom" "$tree/kvm/"
    done
done
[ -e "$tree/kvm/bios-256k.bin" ] || die "no bios-256k.bin here (package seabios)"

# vapic: QEMU would have itself told of every access to the TPR, to patch old Windows; that is no figure of KVM.
cat >"$tree/init" <<END
#!/bin/busybox sh
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox insmod /kvm/irqbypass.ko
busybox insmod /kvm/kvm.ko
busybox insmod /kvm/kvm-intel.ko nested=0 2>/dev/null || busybox insmod /kvm/kvm-amd.ko nested=0
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
