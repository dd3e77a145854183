#!/bin/sh
# Gets one of Debian's own kernels, unmodified, as a guest: fetch-kernel.sh 6.1|6.12|6.1-rt OUT [--refresh]
#
# 6.1 and 6.12 are the small kernels for clouds, 6.1-rt is the real-time kernel.
#
# The package comes through apt with a private source list and state, so nothing of this machine's package setup is
# read or changed, no root is needed, and apt checks the signatures. What was fetched stays in a cache outside the
# build tree ($RINGFENCE_CACHE, else $XDG_CACHE_HOME/ringfence), so that `make clean` does not cost a download.
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

cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
mirror=${RINGFENCE_MIRROR:-http://deb.debian.org/debian}
keyring=${RINGFENCE_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
kernel=$cache/vmlinuz-$series

deliver() {
    mkdir -p "$(dirname "$out")"
    cp "$kernel" "$out.tmp.$$"
    mv "$out.tmp.$$" "$out"
}

if [ -s "$kernel" ] && [ "$refresh" != --refresh ]; then
    deliver
    exit 0
fi

for tool in apt-get apt-cache dpkg-deb; do
    command -v $tool >/dev/null || die "'$tool' is missing; on a system without apt put a kernel at $kernel by hand"
done
[ -r "$keyring" ] || die "$keyring is missing (package debian-archive-keyring): the kernel could not be verified"

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb" "$work/tree"
echo "deb [arch=amd64 signed-by=$keyring] $mirror $suite main" >"$work/sources.list"

# apt's settings, private to this run. The sandbox user could not write here when root runs this.
private() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
        -o APT::Architecture=amd64 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false "$@"
}

echo "fetch-kernel: getting Debian's $meta $series ($suite) from $mirror into $cache"
private apt-get update >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "no package list from $mirror: is there a network (proxy)? A kernel put at $kernel by hand is used as it is"
}
package=$(private apt-cache depends "$meta" | sed -n "s/^ *Depends: \(linux-image-${series%-rt}\.[^ ]*\)$/\1/p" | head -n 1)
[ -n "$package" ] || die "$meta of $suite does not name a linux-image-${series%-rt}.* package"
(cd "$work/deb" && private apt-get download "$package") >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "package $package could not be fetched or verified"
}
dpkg-deb -x "$work"/deb/*.deb "$work/tree"
set -- "$work"/tree/boot/vmlinuz-*
[ -s "$1" ] || die "package $package holds no boot/vmlinuz-*"

version=$(dpkg-deb -f "$work"/deb/*.deb Version)
echo "$package $version" >"$kernel.package"
cp "$1" "$kernel.tmp.$$"
mv "$kernel.tmp.$$" "$kernel"
echo "fetch-kernel: $kernel is $(basename "$1"), package $package $version"
deliver
