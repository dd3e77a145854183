#!/bin/sh
# Runs all attacks, one machine after the other, and writes what became of them: attack.sh PROGRAM FILE MACHINE...
# A machine whose lines are in $RINGFENCE_BUILD/attack already is not attacked again, so that a run that was broken off
# goes on; remove that folder to begin anew. Fails when something else came of an attack than must.
set -u
[ $# -ge 3 ] || {
    echo "usage: attack.sh PROGRAM FILE MACHINE..." >&2
    exit 2
}
program=$1 file=$2
shift 2
rows=${RINGFENCE_BUILD:-build}/attack
status=0 lines=
for machine; do
    name=$(echo "$machine" | tr / -)
    lines="$lines $rows/$name.tsv"
    [ ! -e "$rows/$name.done" ] || continue
    RINGFENCE_ATTACK_MACHINE=$machine "$program" || status=1
    [ $status -ne 0 ] || : >"$rows/$name.done"
done

# A row's name is its group, its attack, and how often that came before. What changes with each build is left out.
table() {
    # shellcheck disable=SC2086
    awk -F '\t' -v machines="$*" '
        FNR == 1 { delete seen; column++ }
        {
            key = $1 "\t" $2 "\t" seen[$1 $2]++
            if (!(key in rank)) { rank[key] = ++rows; order[rows] = key }
            gsub(/ \(rip [0-9a-f]*\)| at rip [0-9a-f]*| \(cr0 [^)]*\)|, which is not the partition.s/, "", $3)
            cell[key, column] = $3
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
