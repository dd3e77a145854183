#!/bin/sh
# Takes the ELF kernel out of a bzImage, for boot = pvh: extract-vmlinux.sh BZIMAGE OUT
#
# The setup header says where the compressed kernel lies ("payload_offset", "payload_length"); what it is compressed
# with shows in its first bytes. A kernel built with LZ4 or zstd has the size of the unpacked kernel behind the
# compressed stream, which the programs report as garbage: what counts is that an ELF file came out.
set -eu

die() {
    echo "extract-vmlinux: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: extract-vmlinux.sh BZIMAGE OUT"
image=$1 out=$2
[ -r "$image" ] || die "$image cannot be read"

# A little-endian number: number OFFSET BYTES
number() { od -An -v -j "$1" -N "$2" -t "u$2" --endian=little "$image" | tr -d ' '; }

[ "$(od -An -v -j 514 -N 4 -c "$image" | tr -d ' ')" = HdrS ] || die "$image is not a bzImage"
sectors=$(number 497 1)
[ "$sectors" -ne 0 ] || sectors=4
offset=$(((sectors + 1) * 512 + $(number 584 4)))
length=$(number 588 4)
[ "$length" -gt 8 ] || die "$image has no payload"

case $(od -An -v -j "$offset" -N 4 -t x1 "$image" | tr -d ' ') in
02214c18) unpack=lz4 ;;
28b52ffd) unpack=zstd ;;
fd377a58) unpack=xz ;;
1f8b*) unpack=gzip ;;
*) die "$image is compressed in a way that is not known here, expected LZ4, zstd, xz or gzip" ;;
esac
command -v $unpack >/dev/null || die "$unpack is missing"

mkdir -p "$(dirname "$out")"
trap 'rm -f "$out.tmp.$$"' EXIT
case $unpack in
gzip) tail= ;;
*) tail=4 ;;
esac
tail -c +$((offset + 1)) "$image" | head -c $((length - ${tail:-0})) | $unpack -dc >"$out.tmp.$$" 2>/dev/null || true
[ "$(od -An -v -N 4 -t x1 "$out.tmp.$$" | tr -d ' ')" = 7f454c46 ] || die "no ELF file came out of $image"
mv "$out.tmp.$$" "$out"
