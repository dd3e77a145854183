#!/bin/sh
# Proves what tests/proof/proofs lists with Frama-C, and prints for each file how many of its goals are proven:
# proof.sh BUILD [accept] [NAME...]. Fails when less is proven than the list says; `accept` writes the list anew.
set -eu
build=$1 list=tests/proof/proofs accept=
shift
[ "${1:-}" = accept ] && accept=1 && shift
names=" $* "
out=$build/proof
mkdir -p "$out"

command -v frama-c >/dev/null || {
    echo "proof: frama-c is missing: run tools/deps.sh proof" >&2
    exit 1
}
export WHY3CONFIG="$out/why3.conf"
why3 config detect >"$out/why3.log" 2>&1

common="-machdep gcc_x86_64 -c11"
include="-cpp-extra-args=-I. -cpp-extra-args=-std=gnu17"

# "PROVED UNPROVED" of a log in which WP says "Proved goals: 5 / 6".
wp_counts() { awk '/^\[wp\] Proved goals:/ { proved = $4; total = $6 } END { if (total) print proved, total - proved }' "$1"; }

# The same of a table of properties: those that the code has to keep. A function's precondition counts where it is called;
# what libc's and range.h's contracts promise in return is not Eva's to prove, and what is never reached has no value.
eva_counts() {
    awk -F'\t' 'NR > 1 && $1 !~ /^FRAMAC_SHARE/ && $5 !~ /clause$|postcondition|^precondition$/ {
            if ($6 == "Valid") proved++
            else if ($6 !~ /Dead|Unreachable|Considered/) { unproved++; print $2 ":" $3 ": " $5 ": " $7 >"/dev/stderr" }
        }
        END { if (proved) print proved, unproved + 0 }' "$1"
}

prove() { # NAME METHOD OPTIONS...: fills $counts; what is not proven goes to $out/NAME.open
    name=$1 method=$2
    shift 2
    rm -f "$out/$name.csv"
    # shellcheck disable=SC2086
    case $method in
    wp)
        frama-c $common $include "tests/proof/$name.c" -wp -wp-rte -wp-prover z3,cvc4 -wp-timeout 120 "$@" \
            >"$out/$name.log" 2>&1 || return 1
        counts=$(wp_counts "$out/$name.log")
        grep -E '^\[wp\] \[(Failed|Timeout|Unknown|Stepout)\]|: (Unknown|Timeout|Failed)$' "$out/$name.log" \
            >"$out/$name.open" || true
        ;;
    eva)
        frama-c $common $include "tests/proof/$name.c" -rte -then -eva -eva-no-print -eva-split-return full "$@" \
            -then -report-csv "$out/$name.csv" >"$out/$name.log" 2>&1 || return 1
        counts=$(eva_counts "$out/$name.csv" 2>"$out/$name.open")
        ;;
    *)
        echo "proof: $list: method '$method' of $name is not known, expected wp or eva" >&2
        return 1
        ;;
    esac
    [ -n "$counts" ]
}

failed=0 all_proved=0 all=0
: >"$out/proofs"
while read -r name method proved_before open_before options; do
    case $name in '#') echo "$name $method $proved_before $open_before $options" >>"$out/proofs" && continue ;; esac
    case "$names" in
    "  " | *" $name "*) ;;
    *) grep "^$name " "$list" >>"$out/proofs" && continue ;;
    esac
    # shellcheck disable=SC2086
    if ! prove "$name" "$method" $options; then
        echo "proof: $name: frama-c fails, see $out/$name.log:" >&2
        tail -n 3 "$out/$name.log" >&2
        failed=1
        continue
    fi
    proved=${counts% *} open=${counts#* }
    printf '%-18s %-4s %5d / %d proven\n' "$name" "$method" "$proved" $((proved + open))
    sed 's/^/    open: /' "$out/$name.open"
    all_proved=$((all_proved + proved)) all=$((all + proved + open))
    printf '%-17s %-3s %4d %d %s\n' "$name" "$method" "$proved" "$open" "$options" | sed 's/ *$//' >>"$out/proofs"
    if [ -z "$accept" ] && { [ "$proved" -lt "$proved_before" ] || [ "$open" -gt "$open_before" ]; }; then
        echo "proof: $name: expected at least $proved_before proven and at most $open_before open (make proof-accept takes it as it is)" >&2
        failed=1
    fi
done <"$list"

echo "proof: $all_proved / $all goals proven; what they rest on (tests/proof/README.md):"
sed -n '/^## What is assumed/,/^## /{/^- /p;/^  /p}' tests/proof/README.md
[ -z "$accept" ] || [ "$failed" -ne 0 ] || cp "$out/proofs" "$list"
exit $failed
