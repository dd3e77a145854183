#!/bin/sh
# Prints what the hypervisor weighs, room by room: size.sh BUILD. Lines: of code, without blank lines and comments.
set -eu
build=${1:-build}
printf '%-14s %6s %8s %8s %8s %8s\n' room files lines text data bss
for room in boot core arch/x86_64 drivers; do
    files=$(find "$room" -name '*.[chS]' | sort)
    # shellcheck disable=SC2086
    lines=$(cat $files | awk '
        { gsub(/^[ \t]+|[ \t]+$/, "") }
        comment { if (/\*\//) comment = 0; next }
        /^\/\*/ { if (!/\*\//) comment = 1; next }
        /^\/\// || /^$/ { next }
        { n++ }
        END { print n + 0 }')
    # shellcheck disable=SC2046
    set -- $(echo "$files" | sed -n "s|\(.*\)\.c\$|$build/hv/\1.o|p; s|.*\.S\$|$build/hv/&.o|p" | xargs ls 2>/dev/null | xargs size | awk 'NR > 1 { t += $1; d += $2; b += $3 } END { print t + 0, d + 0, b + 0 }')
    # shellcheck disable=SC2086
    printf '%-14s %6d %8d %8d %8d %8d\n' "$room" "$(echo $files | wc -w)" "$lines" "$1" "$2" "$3"
done | awk '{ print; files += $2; lines += $3; t += $4; d += $5; b += $6 }
    END { printf "%-14s %6d %8d %8d %8d %8d\n", "all", files, lines, t, d, b }'
