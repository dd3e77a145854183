#!/bin/sh
# Runs the system test programs given, RINGFENCE_JOBS at a time (default 2), each with its log beside it; prints one
# line a program, all of a failing one, and a total. Fails when one did.
set -u

if [ "${1:-}" = --one ]; then
    program=$2 log=$2.log
    start=$(date +%s)
    "$program" >"$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - start))
    # shellcheck disable=SC2046
    set -- $(tests/count.sh "$log")
    if [ $status -eq 0 ] && [ "$2" -eq 0 ] && [ "$1" -gt 0 ]; then
        printf 'ok   %-28s %s tests, %s s\n' "$(basename "$program")" "$1" "$seconds"
        exit 0
    fi
    { printf 'FAIL %-28s %s tests passed, %s failed\n' "$(basename "$program")" "$1" "$2"; cat "$log"; } >"$log.show"
    cat "$log.show"
    rm -f "$log.show"
    exit 1
fi

[ $# -gt 0 ] || {
    echo "system: no test programs"
    exit 1
}
status=0
printf '%s\n' "$@" | xargs -P "${RINGFENCE_JOBS:-2}" -I '{}' "$0" --one '{}' || status=1
logs=
for program; do logs="$logs $program.log"; done
# shellcheck disable=SC2046,SC2086
set -- $# $(tests/count.sh $logs)
echo "system: $2 tests passed in $1 programs, $3 failed"
[ $status -eq 0 ] && [ "$3" -eq 0 ]
