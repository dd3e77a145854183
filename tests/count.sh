#!/bin/sh
# Adds up what cmocka wrote into the logs given: prints "PASSED FAILED". A log without a summary is of a program that
# crashed, and counts as one failure.
set -u
passed=0 failed=0
for log; do
    # shellcheck disable=SC2046
    set -- $(awk '/^\[  PASSED  \].* test\(s\)/ { sub(/ test\(s\).*/, ""); passed += $NF; seen = 1 }
                  /^\[  FAILED  \].* test\(s\)/ { sub(/ test\(s\).*/, ""); failed += $NF }
                  END { if (!seen) failed += 1; print passed + 0, failed + 0 }' "$log" 2>/dev/null || echo 0 1)
    passed=$((passed + $1)) failed=$((failed + $2))
done
echo "$passed $failed"
