#!/bin/sh
# Runs the unit test programs given; prints each one's summary, all of a failing one, and a total. Fails when one did.
set -u
seconds=600 # for each; only what hangs takes as long
programs=0 failed=0 tests=0
for program in "$@"; do
    programs=$((programs + 1))
    log=$program.log
    if timeout $seconds "$program" >"$log" 2>&1; then
        count=$(sed -n 's/^\[==========\].* \([0-9]*\) test(s) run\.$/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
        [ "$count" -gt 0 ] || { echo "FAIL $(basename "$program"): ran no test"; failed=$((failed + 1)); continue; }
        tests=$((tests + count))
        printf 'ok   %-28s %s tests\n' "$(basename "$program")" "$count"
    else
        failed=$((failed + 1))
        echo "FAIL $(basename "$program")"
        cat "$log"
    fi
done
echo "unit: $tests tests in $programs programs, $failed programs failed"
[ "$programs" -gt 0 ] && [ "$failed" -eq 0 ]
