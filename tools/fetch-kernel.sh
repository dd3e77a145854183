#!/bin/sh
# Gets one of Debian's own kernels, unmodified, as a guest: fetch-kernel.sh 6.1|6.12|6.1-rt OUT [--refresh]
#
# 6.1 and 6.12 are the small kernels for clouds, 6.1-rt is the real-time kernel. See tools/debian.sh for where they come
# from.
set -eu

die() {
    echo "fetch-kernel: $*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: fetch-kernel.sh 6.1|6.12|6.1-rt OUT [--refresh]"
series=$1 out=$2 refresh=${3:-}

# The suite whose meta package stands for the series.
meta=linux-image-cloud-amd64
case $series in
6.1) suite=bookworm ;;
6.1-rt) suite=bookworm meta=linux-image-rt-amd64 ;;
6.12) suite=trixie ;;
*) die "kernel series '$series' is not known, expected 6.1, 6.12 or 6.1-rt" ;;
esac

. "$(dirname "$0")/debian.sh"
kernel=$cache/vmlinuz-$series

if [ -s "$kernel" ] && [ "$refresh" != --refresh ]; then
    debian_deliver "$kernel" "$out"
    exit 0
fi

echo "fetch-kernel: getting Debian's $meta $series ($suite) from $mirror into $cache"
debian_open "$suite"
package=$(debian_apt apt-cache depends "$meta" | sed -n "s/^ *Depends: \(linux-image-${series%-rt}\.[^ ]*\)$/\1/p" | head -n 1)
[ -n "$package" ] || die "$meta of $suite does not name a linux-image-${series%-rt}.* package"
debian_unpack "$package"
set -- "$work"/tree/boot/vmlinuz-*
[ -s "$1" ] || die "package $package holds no boot/vmlinuz-*"

echo "$package $version" >"$kernel.package"
cp "$1" "$kernel.tmp.$$"
mv "$kernel.tmp.$$" "$kernel"
echo "fetch-kernel: $kernel is $(basename "$1"), package $package $version"
debian_deliver "$kernel" "$out"
