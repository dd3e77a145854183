#!/bin/sh
# Makes an image that boots from CD and USB stick, BIOS and UEFI: make-iso.sh OUT ELF [CONF [MODULE]...]
#
# CONF becomes the module "ringfence.conf" and comes first; "-" means that there is none. A MODULE is a file, named by
# the last part of its path, or NAME=FILE. Reproducible: one time stamp for all, the volume's identity included.
set -eu

die() {
    echo "make-iso: $*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: make-iso.sh OUT ELF [CONF [MODULE]...]"
out=$1 elf=$2 conf=${3:--}
shift 2
[ $# -eq 0 ] || shift
[ -r "$elf" ] || die "$elf cannot be read"

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
boot=$work/tree/boot
menu=$boot/grub/grub.cfg
mkdir -p "$boot/grub"

add_module() {
    [ -r "$2" ] || die "module $2 cannot be read"
    case $1 in
    *[!A-Za-z0-9._+-]* | '') die "module name '$1': expected letters, digits and . _ + -" ;;
    esac
    [ ! -e "$boot/$1" ] || die "two modules are named '$1'"
    cp "$2" "$boot/$1"
    echo "    module2 /boot/$1 $1" >>"$menu"
}

# From UEFI there is no text mode: GRUB sets a graphics mode up and hands the framebuffer over. From BIOS text mode stays.
cat >"$menu" <<END
set timeout=0
set default=0
terminal_output console
menuentry Ringfence {
    if [ "\$grub_platform" = efi ]; then insmod all_video; fi
    multiboot2 /boot/ringfence.elf
    if [ "\$grub_platform" = pc ]; then set gfxpayload=text; fi
END
cp "$elf" "$boot/ringfence.elf"
[ "$conf" = - ] || add_module ringfence.conf "$conf"
for module; do
    case $module in
    *=*) add_module "${module%%=*}" "${module#*=}" ;;
    *) add_module "$(basename "$module")" "$module" ;;
    esac
done
printf '    boot\n}\n' >>"$menu"

export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-946684800}" TZ=UTC0 LC_ALL=C
find "$work/tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)
# The EFI partition's serial number is the one thing that mformat takes from the clock.
mformat=$(command -v mformat) || die "mformat is missing (package mtools)"
mkdir "$work/bin"
printf '#!/bin/sh\nexec %s -N 52494e47 "$@"\n' "$mformat" >"$work/bin/mformat"
chmod +x "$work/bin/mformat"
# GRUB's own start-up script asks for every partition table it knows.
partitions=
for table in acorn amiga apple bsd dfly dvh gpt msdos plan sun sunpc; do partitions="$partitions part_$table"; done
PATH=$work/bin:$PATH grub-mkrescue -o "$work/image.iso" --locales= --fonts= --themes= \
    --install-modules="normal multiboot2 iso9660 fat search search_fs_uuid boot echo test all_video $partitions" \
    "$work/tree" -- -volid RINGFENCE -volume_date all_file_dates "=$SOURCE_DATE_EPOCH" \
    -volume_date uuid "$stamp" -volume_date c "$stamp" -volume_date m "$stamp" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "grub-mkrescue failed"
}
mv "$work/image.iso" "$out"
