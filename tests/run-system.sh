#!/bin/sh
# Runs the system tests of tests/system/cases: run-system.sh DIRECTORY-OF-PROGRAMS. One machine after the other, on each
# RINGFENCE_JOBS programs at a time (default 2). MACHINES names fewer machines. Prints one line a program, all of a failing
# one, what was not run and why, and a total. Fails when one did.
set -u

if [ "${1:-}" = --one ]; then
    program=$2 machine=$3 log=$2.$3.log
    start=$(date +%s)
    RINGFENCE_ENGINE=$machine "$program" >"$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - start))
    # shellcheck disable=SC2046
    set -- $(tests/count.sh "$log")
    if [ $status -eq 0 ] && [ "$2" -eq 0 ] && [ "$1" -gt 0 ]; then
        printf 'ok   %-24s %-14s %s tests, %s s\n' "$(basename "$program")" "$machine" "$1" "$seconds"
        exit 0
    fi
    { printf 'FAIL %-24s %-14s %s tests passed, %s failed\n' "$(basename "$program")" "$machine" "$1" "$2"; cat "$log"; } >"$log.show"
    cat "$log.show"
    rm -f "$log.show"
    exit 1
fi

[ $# -eq 1 ] || {
    echo "usage: run-system.sh DIRECTORY-OF-PROGRAMS"
    exit 2
}
programs=$1
cases=tests/system/cases
# On a computer with nested virtualisation the real thing takes the place of Bochs's VT-x.
best=$(tools/emulate.sh choose)
status=0 logs= ran=0
for machine in ${MACHINES:-bochs-vmx bochs-svm qemu-svm qemu-svm-uefi bochs-vmx-kvm}; do
    list=$(sed 's/#.*//' $cases | awk -v machine="$machine" '$1 !~ /\// { for (i = 2; i <= NF; i++) if ($i == machine) print $1 }')
    actual=$machine
    [ "$machine" != bochs-vmx ] || actual=$best
    for name in $list; do
        rm -f "$programs/test_$name.$actual.log"
        logs="$logs $programs/test_$name.$actual.log"
        ran=$((ran + 1))
    done
    printf '%s\n' $list | xargs -r -P "${RINGFENCE_JOBS:-2}" -I '{}' "$0" --one "$programs/test_{}" "$actual" || status=1
done
for file in tests/system/test_*.c; do
    name=$(basename "$file" .c)
    grep -q "^${name#test_} " $cases || { echo "FAIL $name is not in $cases"; status=1; }
done
awk '/^#/ { next } /#/ { name = $1; sub(/.*# */, ""); printf "skip %-32s elsewhere: %s\n", name, $0 }' $cases
# shellcheck disable=SC2046,SC2086
set -- $(tests/count.sh $logs)
echo "system: $1 tests passed in $ran runs, $2 failed"
[ $status -eq 0 ] && [ "$2" -eq 0 ] && [ "$1" -gt 0 ]
