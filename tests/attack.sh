#!/bin/sh
# Runs all attacks and writes what became of them: attack.sh PROGRAM FILE MACHINE...
# $RINGFENCE_JOBS groups at a time (default 2). A group that held on a machine is in $RINGFENCE_BUILD/attack and not run
# again while nothing of it was built anew, so that a run that was broken off goes on. RINGFENCE_ATTACK_ONLY is a pattern
# for the groups to run, and then FILE stays as it is. Fails when something else came of an attack than must.
set -u
rows=${RINGFENCE_BUILD:-build}/attack

# One group on one machine.
if [ "${1:-}" = --one ]; then
    program=$2 machine=$3 group=$4
    name=$rows/$(echo "$machine" | tr / -).$group
    # What was built after it says nothing of the present source.
    if [ -e "$name.tsv" ]; then
        newer=$(find "$program" "$rows"/../ringfence.elf "$rows"/../guests/*.elf -newer "$name.tsv")
        [ -n "$newer" ] || exit 0
        rm "$name.tsv"
    fi
    if RINGFENCE_ATTACK_MACHINE=$machine RINGFENCE_ATTACK_ONLY=$group RINGFENCE_ATTACK_ROWS=$name.tsv.new \
        "$program" >"$name.log" 2>&1; then
        mv "$name.tsv.new" "$name.tsv"
        printf 'ok   %-18s %s\n' "$machine" "$group"
        exit 0
    fi
    printf 'FAIL %-18s %s, see %s\n' "$machine" "$group" "$name.log"
    exit 1
fi

[ $# -ge 3 ] || {
    echo "usage: attack.sh PROGRAM FILE MACHINE..." >&2
    exit 2
}
program=$1 file=$2
shift 2
mkdir -p "$rows"
rm -f "$rows"/*.tsv.new
groups=$("$program" --list | while read -r group; do
    # shellcheck disable=SC2254
    case $group in ${RINGFENCE_ATTACK_ONLY:-*}) echo "$group" ;; esac
done)
status=0
for machine; do for group in $groups; do printf '%s %s\n' "$machine" "$group"; done; done |
    xargs -r -L 1 -P "${RINGFENCE_JOBS:-2}" "$0" --one "$program" || status=1

# The rows of a machine in one file, those of a group that failed with them.
lines=
for machine; do
    name=$rows/$(echo "$machine" | tr / -)
    for group in $groups; do cat "$name.$group.tsv" "$name.$group.tsv.new" 2>/dev/null; done >"$name.rows"
    lines="$lines $name.rows"
done

# A row's name is its group, its attack, and how often that came before. What changes with each build is left out.
table() {
    # shellcheck disable=SC2086
    awk -F '\t' -v machines="$*" '
        BEGIN { for (i = 1; i < ARGC; i++) columns[ARGV[i]] = i }
        {
            key = $1 "\t" $2 "\t" seen[FILENAME, $1, $2]++
            if (!(key in rank)) { rank[key] = ++rows; order[rows] = key }
            gsub(/ \(rip [0-9a-f]*\)| at rip [0-9a-f]*| \(cr0 [^)]*\)|, which is not the partition.s/, "", $3)
            cell[key, columns[FILENAME]] = $3
        }
        END {
            count = split(machines, name, " ")
            printf "| group | attack |"; for (i = 1; i <= count; i++) printf " %s |", name[i]
            printf "\n|---|---|"; for (i = 1; i <= count; i++) printf "---|"; printf "\n"
            for (r = 1; r <= rows; r++) {
                split(order[r], part, "\t")
                printf "| %s | `%s` |", part[1], part[2]
                for (i = 1; i <= count; i++) printf " %s |", (order[r], i) in cell ? cell[order[r], i] : "-"
                printf "\n"
            }
        }' $lines
}

{
    echo "# What became of each attack"
    echo
    echo "Written by \`make attack\`, not by hand. A column is a machine, /virtual: with modelled interrupts where it could have"
    echo "direct ones; the SVM machines have no others. Beside the guest that attacks run a heartbeat and a canary. *refused*: the"
    echo "guest was told so, or nothing came of it, and it lived on to say that all its checks held."
    echo
    table "$@"
} >"$rows/table.md"
grep -n 'WRONG\|NO ANSWER' "$rows/table.md" && status=1
[ $status -ne 0 ] || [ -n "${RINGFENCE_ATTACK_ONLY:-}" ] || cp "$rows/table.md" "$file"
echo "attack: $rows/table.md"
exit $status
