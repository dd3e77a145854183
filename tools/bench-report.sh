#!/bin/sh
# Turns what was measured into a table on standard output, bench.json and bench.svg:
# bench-report.sh DIRECTORY ELF ENGINE OUT
#
# DIRECTORY holds figures and, if there was a peer, figures.peer; OUT is where bench.json and bench.svg go. The targets
# come from tests/bench/targets. Fails when a path has grown by more than 5 % over tests/bench/expected.ENGINE.
set -eu

die() {
    echo "bench-report: $*" >&2
    exit 1
}

[ $# -eq 4 ] || die "usage: bench-report.sh DIRECTORY ELF ENGINE OUT"
directory=$1 elf=$2 engine=$3 out=$4
export LC_ALL=C
[ -s "$directory/figures" ] || die "$directory/figures is not there: nothing was measured"
peer=$directory/figures.peer
[ -e "$peer" ] || peer=/dev/null
expected=tests/bench/expected.$engine
[ -e "$expected" ] || expected=/dev/null

# What is loaded and has content, as the linker made it.
image=$(readelf -W -S "$elf" | sed -n 's/^ *\[ *[0-9]*\] *//p' |
    awk '$1 == ".text" || $1 == ".rodata" || $1 == ".data" { print $5 }' |
    while read -r size; do echo $((0x$size)); done | awk '{ sum += $1 } END { print sum + 0 }')
version=$(dpkg-query -W -f '${Version}' bochs 2>/dev/null || echo "of unknown version")
case $engine in
bochs-vmx) machine="Bochs $version, Intel VT-x (corei7_skylake_x), 100 MHz, one tick an instruction" ;;
bochs-svm) machine="Bochs $version, AMD-V (ryzen), 100 MHz, one tick an instruction" ;;
*-kvm) machine="KVM and QEMU inside the emulated machine ${engine%-kvm}" ;;
kvm) machine="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), KVM, cycles of its clock" ;;
*) machine="$engine, cycles of its clock" ;;
esac
tick=cycles
case $engine in *-kvm) ;; bochs-*) tick=ticks ;; esac

awk -v tick="$tick" -v image="$image" -v machine="$machine" -v json="$out/bench.json" -v svg="$out/bench.svg" \
    -v figures="$directory/figures" -v peers="$peer" -v expected="$expected" -f tools/bench-report.awk tests/bench/targets
echo
echo "bench: $out/bench.json and $out/bench.svg are written"
