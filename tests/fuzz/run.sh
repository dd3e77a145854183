#!/bin/sh
# Runs fuzz targets: run.sh learn|repeat DIRECTORY LIMIT NAME... `learn` goes on from what earlier runs have found;
# `repeat` begins with the tree's inputs alone and a fixed seed, so that every computer tries the same inputs in the same
# order. LIMIT is a time for each (60s), or a number of inputs (20000x). For each target one line with what it did; for one
# that failed the end of its log, the input that broke it and how to run it again. FUZZ_JOBS targets run at a time. Fails
# when one did.
set -u
here=$(dirname "$0")

# One target: run.sh --one learn|repeat DIRECTORY LIMIT NAME
one() {
    mode=$1 dir=$2 limit=$3 name=$4 alike=
    log=$dir/log/$name.log learned=$dir/corpus/$name
    case $limit in
    *x) until=-runs=${limit%x} ;;
    *) until=-max_total_time=${limit%s} ;;
    esac
    if [ "$mode" = repeat ]; then
        learned=$dir/short/$name
        rm -rf "$learned"
        until="$until -seed=1 -reload=0 -timeout=100"
        # Comparisons of addresses steer the mutator too; some containers do not let them be fixed.
        setarch -R true 2>/dev/null && alike="setarch -R"
    else
        until="$until -timeout=10"
    fi
    mkdir -p "$dir/log" "$learned" "$dir/crashes"
    set -- "$learned"
    for given in "$here/corpus/$name" "$dir/seeds/$name"; do
        [ -d "$given" ] && set -- "$@" "$given"
    done
    [ -f "$here/$name.dict" ] && set -- "-dict=$here/$name.dict" "$@"
    start=$(date +%s)
    # shellcheck disable=SC2086
    ASAN_OPTIONS=quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 \
        $alike "$dir/bin/$name" $until -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/crashes/$name-" "$@" >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\) .*/\1 edges, \2 features/p' "$log" | tail -1)
    if [ $status -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
        printf 'ok   %-20s %10s executions in %4s s, %s\n' "$name" "$runs" $(($(date +%s) - start)) "$cover"
        return 0
    fi
    echo "FAIL $name (exit status $status, log $log)"
    grep -v '^#' "$log" | tail -40
    found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
    [ -n "$found" ] && echo "FAIL $name: run again with: $dir/bin/$name $found"
    return 1
}

if [ "$1" = --one ]; then
    one "$2" "$3" "$4" "$5"
    exit
fi
mode=$1 dir=$2 limit=$3
shift 3
case $mode in
learn | repeat) ;;
*) echo "fuzz: '$mode', expected learn or repeat" >&2; exit 1 ;;
esac
[ $# -gt 0 ] || { echo "fuzz: no target" >&2; exit 1; }
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-2}" -I NAME "$0" --one "$mode" "$dir" "$limit" NAME
status=$?
if [ $status -eq 0 ]; then
    echo "fuzz: $# targets, none failed"
    exit 0
fi
echo "fuzz: a target failed"
exit 1
