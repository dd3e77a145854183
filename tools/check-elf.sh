#!/bin/sh
# Checks the linked hypervisor: check-elf.sh ELF
# No memory both writable and executable, nothing left for a loader to resolve, inside its place, found by GRUB.
set -eu

if [ $# -ne 1 ] || [ ! -r "$1" ]; then
    echo "usage: check-elf.sh ELF" >&2
    exit 2
fi
elf=$1
limit=$((0x400000))
bad=0
export LC_ALL=C
readelf -W -h "$elf" >/dev/null || exit 1

fail() {
    echo "check-elf: $elf: $*" >&2
    bad=1
}

# One line a loaded segment: VirtAddr PhysAddr MemSiz flags. readelf prints flags in the fixed form "RWE".
segments=$(readelf -W -l "$elf" | awk '$1 == "LOAD" {
    flags = ""; for (i = 7; i < NF; i++) flags = flags $i; print $3, $4, $6, flags }')
[ -n "$segments" ] || fail "no segment to load, expected at least one"
end=0 total=0 names=
while read -r virtual physical size flags; do
    [ -n "$virtual" ] || continue
    case $flags in
    *W*E*) fail "segment at $virtual is writable and executable ($flags), expected one of the two" ;;
    esac
    total=$((total + size))
    [ $((physical + size)) -le $end ] || end=$((physical + size))
    names="$names $flags"
done <<END
$segments
END
[ $end -le $limit ] || fail "ends at $(printf '%#x' $end), expected at most $(printf '%#x' $limit)"

# Name and flags of each section; the flags' column is empty for some.
sections=$(readelf -W -S "$elf" | sed -n 's/^ *\[ *[0-9]*\] *//p' |
    awk 'NF == 10 && $7 ~ /^[A-Za-z]+$/ { print $1, $7 }')
for name in $(echo "$sections" | awk '$2 ~ /W/ && $2 ~ /X/ { print $1 }'); do
    fail "section $name is writable and executable"
done
[ -z "$(readelf -W -r "$elf" | sed -n 's/^Relocation section/x/p')" ] || fail "has relocations, expected none"
for kind in INTERP DYNAMIC; do
    readelf -W -l "$elf" | grep -q "^ *$kind " && fail "has a segment $kind, expected none"
done
for symbol in $(readelf -W -s "$elf" | awk '$7 == "UND" && $8 != "" { print $8 }'); do
    fail "symbol $symbol is not defined"
done

# The multiboot2 header's magic, little-endian, must be in the first 32 KiB, where the loader searches.
head -c 32768 "$elf" | grep -qaP '\xd6\x50\x52\xe8' || fail "no multiboot2 header in the first 32 KiB"

[ $bad -eq 0 ] || exit 1
echo "check-elf: $elf: $((total / 1024)) KiB in segments$names, ends at $(printf '%#x' $end)"
