#!/bin/sh
# Runs every program of tests/system/test_guests.c on every machine in every interrupt mode, and writes the table of what
# came out: support.sh TEST_PROGRAM OUT. SUPPORT_MACHINES and SUPPORT_MODES name fewer of them.
set -eu

die() {
    echo "support: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: support.sh TEST_PROGRAM OUT"
program=$1 out=$2
machines=${SUPPORT_MACHINES:-bochs-vmx bochs-svm qemu-svm qemu-svm-uefi}
modes=${SUPPORT_MODES:-direct virtual}
logs=${RINGFENCE_BUILD:-build}/support
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
mkdir -p "$logs"

# The test's name, the file in the cache that tells the version, and what a person calls the program.
guests='test_debian_6_1|vmlinuz-6.1|Debian cloud kernel 6.1, `boot = linux`
test_debian_6_12|vmlinuz-6.12|Debian cloud kernel 6.12, `boot = linux`
test_debian_real_time|vmlinuz-6.1-rt|Debian real-time kernel, `boot = linux`
test_linux_by_pvh|vmlinuz-6.1|Debian cloud kernel 6.1, `boot = pvh`
test_memory_above_4_gib|vmlinuz-6.1|the same with memory above 4 GiB
test_multiboot2_kernel||Ringfence itself, `boot = multiboot2`
test_grub|grub-coreboot-bin_i386-coreboot|GRUB at its prompt, `boot = multiboot1`
test_seabios|seabios_bios-256k.bin|SeaBIOS at its boot prompt, `boot = firmware`
test_ipxe|ipxe_ipxe.lkrn|iPXE at its prompt, `boot = firmware`
test_memtest|memtest86+_memtest86+x64.bin|memtest86+, `boot = linux`'

# A failing guest is a result, not an error; a run that names no test is one.
for machine in $machines; do
    for mode in $modes; do
        log=$logs/$machine-$mode.log
        echo "support: $machine, interrupts = $mode"
        RINGFENCE_ENGINE=$machine RINGFENCE_INTERRUPTS=$mode "$program" >"$log" 2>&1 || true
        grep -q '^\[==========\].* test(s) run\.' "$log" || die "$program did not finish; see $log"
    done
done

# What the log of one run says of one test.
result() {
    if grep -q "^\[       OK \] $2\$" "$1"; then
        echo yes
    elif grep -q "^\[  SKIPPED \] $2\$" "$1"; then
        echo -
    else
        echo "**no**"
    fi
}

{
    cat <<'END'
# What runs on what

This file is written by `make support` from a run of every program below, each unmodified as its distribution ships it. "yes":
it came to the line that shows it works (tests/system/test_guests.c says which). "-": this machine, or this program, cannot
have it, and the configuration is refused with the reason. **no**: it should run, and did not.

END
    printf '| guest | version |'
    for machine in $machines; do for mode in $modes; do printf ' %s, %s |' "$machine" "$mode"; done; done
    printf '\n|---|---|'
    for machine in $machines; do for mode in $modes; do printf '%s' '---|'; done; done
    printf '\n'
    echo "$guests" | while IFS='|' read -r test file name; do
        version=
        [ -z "$file" ] || [ ! -r "$cache/$file.package" ] || read -r _ version <"$cache/$file.package"
        printf '| %s | %s |' "$name" "$version"
        for machine in $machines; do
            for mode in $modes; do printf ' %s |' "$(result "$logs/$machine-$mode.log" "$test")"; done
        done
        printf '\n'
    done
    cat <<'END'

memtest86+ runs all of its tests once on the QEMU machines, and the first ones on the Bochs machines, where two of the later
ones take hours. Memory above 4 GiB needs more than a Bochs machine can have.
END
} >"$out.tmp"
mv "$out.tmp" "$out"
echo "support: $out"
! grep -q '\*\*no\*\* |' "$out"
