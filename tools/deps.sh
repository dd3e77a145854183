#!/bin/sh
# Installs the Debian packages that a purpose needs: deps.sh build|run|test|coverage|proof. Silent when all are there.
set -eu

build="gcc libc6-dev make binutils grub-common"
image="grub-pc-bin grub-efi-amd64-bin xorriso mtools cpio gzip lz4 zstd busybox-static debian-archive-keyring"
emulators="bochs bochs-term bochsbios vgabios qemu-system-x86 ovmf seabios bsdutils"
units="libcmocka-dev libzydis-dev acpica-tools"
checks="$units clang libclang-rt-14-dev"

purpose=${1:-run}
case $purpose in
build) wanted=$build ;;
run) wanted="$build $image $emulators" ;;
test) wanted="$build $image $emulators $checks" ;;
coverage) wanted="$build $units gcovr" ;;
proof) wanted="$build frama-c-base why3 z3 cvc4" ;;
*)
    echo "deps: purpose '$purpose' is not known, expected build, run, test, coverage or proof" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: not a Debian system; the programs of these packages must be there: $wanted" >&2
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: missing packages:$missing" >&2
        echo "deps: neither root nor sudo here; as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
    as_root=sudo
fi

echo "deps: '$purpose' needs packages that are not installed:$missing"
echo "deps: installing them now:${as_root:+ sudo} apt-get install --no-install-recommends"
export DEBIAN_FRONTEND=noninteractive
# The package list of a fresh system is empty; a stale one is only refreshed when the first try fails.
# shellcheck disable=SC2086
if ! $as_root apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1; then
    $as_root apt-get update -qq
    $as_root apt-get install -qq -y --no-install-recommends $missing
fi
echo "deps: done"
