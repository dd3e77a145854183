#!/bin/sh
# What the unit tests and the fuzz corpus reach of core/ and drivers/virt/: run.sh DIRECTORY SEEDS. Prints the files that
# are reached least and the totals of each room; DIRECTORY/files.txt has every file, DIRECTORY/lines.txt the lines and
# branches that nothing reached. Fails when a test does, or when the totals are below COVER_LINES and COVER_BRANCHES
# percent.
set -u
here=$(dirname "$0")

# One program: run.sh --one LOG PROGRAM ARGUMENT...
if [ "$1" = --one ]; then
    log=$2
    shift 2
    "$@" >"$log" 2>&1 && exit 0
    echo "FAIL coverage: $*"
    tail -20 "$log"
    exit 1
fi

dir=$1 seeds=$2
find "$dir/counted" -name '*.gcda' -delete
# What is left of files that are gone counts for nothing.
find "$dir/counted" -name '*.gcno' | while read -r notes; do
    source=${notes#"$dir/counted/"}
    [ -e "${source%.gcno}.c" ] || rm -f "$notes"
done
mkdir -p "$dir/log"
{
    for source in "$here"/../unit/test_*.c; do
        name=$(basename "$source" .c)
        echo "$dir/log/$name $dir/unit/$name"
    done
    for source in "$here"/../fuzz/fuzz_*.c; do
        name=$(basename "$source" .c | sed 's/^fuzz_//')
        set --
        [ -d "$here/../fuzz/corpus/$name" ] && set -- "$here/../fuzz/corpus/$name"
        [ -d "$seeds/$name" ] && set -- "$@" "$seeds/$name"
        [ $# -gt 0 ] && echo "$dir/log/fuzz_$name $dir/fuzz/$name $*"
    done
} >"$dir/programs"
xargs -P "$(nproc)" -L 1 "$0" --one <"$dir/programs" || {
    echo "coverage: a test failed"
    exit 1
}

gcovr --root . --object-directory "$dir/counted" --filter 'core/' --filter 'drivers/virt/' \
    --json "$dir/coverage.json" "$dir/counted" || exit 1
gcovr --root . -a "$dir/coverage.json" --csv "$dir/coverage.csv" || exit 1
{
    echo "Lines:"
    gcovr --root . -a "$dir/coverage.json" --txt || exit 1
    echo "Branches:"
    gcovr --root . -a "$dir/coverage.json" --branches --txt || exit 1
} >"$dir/lines.txt"

# Columns: file, lines, lines covered, percent, branches, branches covered, percent.
awk -F, 'function percent(part, all) { return all ? 100 * part / all : 100 }
         NR > 1 { printf "%-36s %6.1f %% of %5d lines %6.1f %% of %5d branches\n",
                  $1, percent($3, $2), $2, percent($6, $5), $5 }' "$dir/coverage.csv" | sort -rn -k 7,7 >"$dir/files.txt"
tail -20 "$dir/files.txt"
awk -F, -v lines="${COVER_LINES:-90}" -v branches="${COVER_BRANCHES:-85}" '
    function percent(part, all) { return all ? 100 * part / all : 0 }
    function row(name) {
        printf "%-16s %6.1f %% of %5d lines %6.1f %% of %5d branches\n", name, percent(lc[name], lt[name]), lt[name],
               percent(bc[name], bt[name]), bt[name]
    }
    function add(name) { lt[name] += $2; lc[name] += $3; bt[name] += $5; bc[name] += $6 }
    NR > 1 { add($1 ~ /^core\// ? "core/" : "drivers/virt/"); add("together") }
    END {
        row("core/"); row("drivers/virt/"); row("together")
        low = percent(lc["together"], lt["together"]) < lines || percent(bc["together"], bt["together"]) < branches
        printf "coverage: %s: at least %d %% of lines and %d %% of branches are wanted\n", low ? "too low" : "ok", lines,
               branches
        exit low
    }' "$dir/coverage.csv"
