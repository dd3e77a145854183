#!/bin/sh
# Makes a CD image whose only menu entry is given: bench-iso.sh OUT MENU [NAME=FILE]...
# MENU is GRUB's commands, one a line; each file lies at /boot/NAME. For machines without Ringfence, to compare with.
set -eu

die() {
    echo "bench-iso: $*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: bench-iso.sh OUT MENU [NAME=FILE]..."
out=$1 menu=$2
shift 2
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/tree/boot/grub"
for file; do
    case $file in
    *=*) cp "${file#*=}" "$work/tree/boot/${file%%=*}" || die "${file#*=} cannot be read" ;;
    *) die "'$file', expected NAME=FILE" ;;
    esac
done
{
    printf 'set timeout=0\nset default=0\nterminal_output console\nmenuentry bench {\n'
    printf '%s\n' "$menu" | sed 's/^/    /'
    printf '    boot\n}\n'
} >"$work/tree/boot/grub/grub.cfg"
# No fixed identity is needed: the image is never shipped.
grub-mkrescue -o "$work/image.iso" --locales= --fonts= --themes= \
    --install-modules="normal multiboot linux iso9660 part_msdos part_gpt fat search search_fs_uuid boot echo" \
    "$work/tree" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "grub-mkrescue failed"
}
mv "$work/image.iso" "$out"
