#!/bin/sh
# Runs the programs of tests/system/test_guests.c on every machine in every interrupt mode, and writes the table of what
# came out: support.sh TEST_PROGRAM OUT.
#
# SUPPORT_MACHINES, SUPPORT_MODES and SUPPORT_GUESTS (names of tests, "debian_6_1") choose what is run; "none" runs nothing.
# The logs of all others stay, and the table is made of all of them: so it can be run in parts, and a part again.
# $RINGFENCE_JOBS of them run at a time (default 2).
set -eu

die() {
    echo "support: $*" >&2
    exit 1
}

one=
if [ "${1:-}" = --one ] && [ $# -eq 5 ]; then
    program=$2 one="$3 $4 $5"
else
    [ $# -eq 2 ] || die "usage: support.sh TEST_PROGRAM OUT"
    program=$1 out=$2
fi
build=${RINGFENCE_BUILD:-build}
logs=$build/support
cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
all_machines='bochs-vmx bochs-svm qemu-svm qemu-svm-uefi'
all_modes='direct virtual'
# QEMU 7.2 now and then saves a wrong RFLAGS when a guest exits, and what runs long enough there crashes: there each program
# may have so many tries, and the table says which one it took. Bochs repeats itself exactly.
qemu_tries=3

# The test's name, the file in the cache that tells the version, and what a person calls the program.
guests='debian_6_1|vmlinuz-6.1|Debian cloud kernel 6.1, `boot = linux`
debian_6_12|vmlinuz-6.12|Debian cloud kernel 6.12, `boot = linux`
debian_real_time|vmlinuz-6.1-rt|Debian real-time kernel, `boot = linux`
linux_by_pvh|vmlinuz-6.1|Debian cloud kernel 6.1, `boot = pvh`
memory_above_4_gib|vmlinuz-6.1|the same with memory above 4 GiB
multiboot2_kernel||Ringfence itself, `boot = multiboot2`
grub|grub-coreboot-bin_i386-coreboot|GRUB at its prompt, `boot = multiboot1`
seabios|seabios_bios-256k.bin|SeaBIOS at its boot prompt, `boot = firmware`
ipxe|ipxe_ipxe.lkrn|iPXE at its prompt, `boot = firmware`
memtest|memtest86+_memtest86+x64.bin|memtest86+, `boot = linux`'
all_guests=$(echo "$guests" | cut -d '|' -f 1)

# Whether a log has a test as OK, SKIPPED or FAILED, as cmocka writes it.
log_says() { grep -q "^\[ *$2 *\] test_$3\$" "$1"; }

# A failing guest is a result, not an error; a run that names no test is one.
run_one() {
    machine=$1 mode=$2 guest=$3
    log=$logs/$machine-$mode-$guest.log
    case $machine in qemu*) tries=$qemu_tries ;; *) tries=1 ;; esac
    rm -f "$log" "$log".try-*
    for try in $(seq "$tries"); do
        {
            echo "support: image $(sha256sum "$build/ringfence.elf" | cut -c 1-12), try $try"
            RINGFENCE_ENGINE=$machine RINGFENCE_INTERRUPTS=$mode RINGFENCE_GUESTS_ONLY=test_$guest "$program" 2>&1 || true
        } >"$log.tmp"
        grep -q '^\[==========\] 1 test(s) run\.' "$log.tmp" || die "$program did not finish; see $log.tmp"
        mv "$log.tmp" "$log"
        ! log_says "$log" FAILED "$guest" || [ "$try" -eq "$tries" ] || { cp "$log" "$log.try-$try"; continue; }
        break
    done
    printf 'support: %-14s %-8s %-20s %s\n' "$machine" "$mode" "$guest" "$(result "$machine" "$mode" "$guest")"
}

# What a cell of the table says.
result() {
    log=$logs/$1-$2-$3.log
    if [ ! -r "$log" ]; then
        echo '?'
    elif log_says "$log" OK "$3"; then
        case $(sed -n '1s/.*, try //p' "$log") in 1) echo yes ;; 2) echo 'yes (2nd try)' ;; *) echo 'yes (3rd try)' ;; esac
    elif log_says "$log" SKIPPED "$3"; then
        echo -
    else
        echo '**no**'
    fi
}

# Each reason once, with the cells that it is for: machine, mode, and the guests unless it is for all of them.
reasons() {
    for machine in $all_machines; do
        for mode in $all_modes; do
            for guest in $all_guests; do
                log=$logs/$machine-$mode-$guest.log
                [ ! -r "$log" ] || sed -n "s/^skipped: \(.*\)/\1|$machine $mode|$guest/p" "$log" | head -n 1
            done
        done
    done | awk -F '|' -v all="$(echo "$all_guests" | wc -l)" '
        !($1 in columns) { reasons[++reason_count] = $1; columns[$1] = 0 }
        !(($1, $2) in count) { column[$1, ++columns[$1]] = $2 }
        { count[$1, $2]++; names[$1, $2] = names[$1, $2] " " $3 }
        END {
            for (r = 1; r <= reason_count; r++) {
                reason = reasons[r]
                printf "- %s:", reason
                for (c = 1; c <= columns[reason]; c++) {
                    where = column[reason, c]
                    printf("%s %s (%s)", (c > 1 ? "," : ""), where,
                        (count[reason, where] == all ? "all" : substr(names[reason, where], 2)))
                }
                print ""
            }
        }'
}

builds() {
    for log in "$logs"/*-*-*.log; do
        [ ! -r "$log" ] || sed -n '1s/^support: image \([0-9a-f]*\),.*/\1/p' "$log"
    done | LC_ALL=C sort -u | paste -s -d ' '
}

table() {
    cat <<'END'
# What runs on what

This file is written by `make support` from a run of every program below, each unmodified as its distribution ships it. "yes":
it came to the line that shows it works (tests/system/test_guests.c says which). "-": this machine, or this program, cannot
have it: the reasons are below. **no**: it should run, and did not. "?": not run yet. QEMU 7.2's own AMD-V now and then
saves a wrong RFLAGS when a guest exits, after which that guest crashes: there a program has up to three tries, and the table
says which one it took. The columns: machine, then the partition's `interrupts`.

END
    printf '| guest | version |'
    for machine in $all_machines; do for mode in $all_modes; do printf ' %s %s |' "$machine" "$mode"; done; done
    printf '\n|---|---|'
    for machine in $all_machines; do for mode in $all_modes; do printf '%s' '---|'; done; done
    printf '\n'
    echo "$guests" | while IFS='|' read -r guest file name; do
        version=
        [ -z "$file" ] || [ ! -r "$cache/$file.package" ] || read -r _ version <"$cache/$file.package"
        printf '| %s | %s |' "$name" "$version"
        for machine in $all_machines; do
            for mode in $all_modes; do printf ' %s |' "$(result "$machine" "$mode" "$guest")"; done
        done
        printf '\n'
    done
    printf '\nWhy "-":\n\n'
    reasons
    cat <<'END'

memtest86+ runs all of its tests once over all of its memory; on the Bochs machines with two million instructions a second,
because two of its tests wait. GRUB's `reboot`, a triple fault, is not tried on bochs-svm: Bochs 2.7 ends itself there.

END
    printf 'Results are of these builds of ringfence.elf (SHA-256): %s.\n' "$(builds)"
}

[ -z "$one" ] || {
    # shellcheck disable=SC2086
    run_one $one
    exit 0
}
mkdir -p "$logs"
if [ "${SUPPORT_MACHINES:-}" != none ]; then
    for machine in ${SUPPORT_MACHINES:-$all_machines}; do
        for mode in ${SUPPORT_MODES:-$all_modes}; do
            for guest in ${SUPPORT_GUESTS:-$all_guests}; do echo "$machine $mode $guest"; done
        done
    done | xargs -L 1 -P "${RINGFENCE_JOBS:-2}" "$0" --one "$program"
fi
table >"$out.tmp"
mv "$out.tmp" "$out"
echo "support: $out"
! grep -q '| \*\*no\*\* |' "$out"
