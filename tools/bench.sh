#!/bin/sh
# `make bench`: measures, measures the peer when PEER says so, and shows both beside the targets.
# bench.sh [accept]; RINGFENCE_BUILD is the build folder, RINGFENCE_ENGINE the machine, as in tools/emulate.sh. On those of
# Bochs a figure is exact; on any other it is cycles, which no other run repeats: nothing is held against them.
#
# accept: measures the exit paths on both engines and writes them as what tests/system/test_bench.c expects from now on.
set -eu

build=${RINGFENCE_BUILD:-build}
engine=${RINGFENCE_ENGINE:-bochs-vmx}
bench=$build/bench
export RINGFENCE_BUILD="$build" RINGFENCE_ENGINE="$engine"

die() {
    echo "bench: $*" >&2
    exit 1
}

# The paths of one CPU through the hypervisor, on each engine. What is below 10 is a clock's granularity and no path; a
# guest that waits for a timer looks at the clock some ticks apart.
accept() {
    for engine in bochs-vmx bochs-svm; do
        expected=tests/bench/expected.$engine
        rm -f "$bench/figures.$engine"
        exits=test_exits
        [ "$engine" = bochs-svm ] || exits='test_exits*'
        for cases in "$exits" test_restart; do
            RINGFENCE_ENGINE=$engine RINGFENCE_FIGURES=figures.$engine "$bench/measure" "$cases" >"$bench/log.$engine" 2>&1 || {
                cat "$bench/log.$engine" >&2
                die "the paths on $engine could not be measured"
            }
        done
        awk -v engine="$engine" '
            BEGIN {
                print "# What each path takes, in ticks of " engine " (a tick is an instruction), built by Debian 12'"'"'s gcc."
                print "# Held by tests/system/test_bench.c to 5 %; written by make bench-accept."
            }
            $2 != "absent" && $3 >= ($1 ~ /^(timer|walk)/ ? 100 : 20) { print $1, $3 }' "$bench/figures.$engine" >"$expected.tmp"
        mv "$expected.tmp" "$expected"
        echo "bench: $expected holds $(grep -vc '^#' "$expected") paths"
    done
}

# A peer's image runs until its last line; its own clock of wall time only catches what hangs.
run_peer() {
    RINGFENCE_LIMIT=${RINGFENCE_LIMIT:-900} "$bench/measure" peer "bench-peer-$1" "$2" "$3" >"$bench/log.$1" 2>&1 || {
        cat "$bench/log.$1" >&2
        die "the peer's run $1 failed"
    }
}

mkdir -p "$bench"
case ${1:-measure} in
accept)
    accept
    exit 0
    ;;
measure) ;;
*) die "'$1', expected nothing or accept" ;;
esac

case ${PEER:-} in
'' | kvm) ;;
*) die "PEER=$PEER is not known, expected kvm" ;;
esac

rm -f "$bench/figures" "$bench/figures.peer"
status=0
echo "bench: measuring on $engine, some minutes"
"$bench/measure" >"$bench/log" 2>&1 || {
    status=1
    grep -aE '^\[  (FAILED|ERROR)|^ERROR:|^---- ' "$bench/log" >&2 || true
}
if [ "${PEER:-}" = kvm ]; then
    echo "bench: measuring the peer, KVM, on the same machine, some more minutes"
    run_peer exits "$bench/peer.iso" 1
    run_peer smp "$bench/peer-smp.iso" 2
fi
tools/bench-report.sh "$bench" "$build/ringfence.elf" "$engine" "$build"
[ $status -eq 0 ] || die "a measurement failed: $bench/log"
