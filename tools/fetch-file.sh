#!/bin/sh
# Gets one file out of a Debian package, unmodified: fetch-file.sh SUITE PACKAGE PATH OUT [--refresh]
#
# PATH is inside the package, without the leading slash; a folder comes as a tar file. See tools/debian.sh for where
# packages come from. The cache keeps the file as PACKAGE_NAME, and beside it the package's version.
set -eu

die() {
    echo "fetch-file: $*" >&2
    exit 1
}

[ $# -ge 4 ] || die "usage: fetch-file.sh SUITE PACKAGE PATH OUT [--refresh]"
suite=$1 package=$2 path=$3 out=$4 refresh=${5:-}

. "$(dirname "$0")/debian.sh"
kept=$cache/${package}_$(basename "$path")

if [ -s "$kept" ] && [ "$refresh" != --refresh ]; then
    debian_deliver "$kept" "$out"
    exit 0
fi

echo "fetch-file: getting $path of Debian's $package ($suite) from $mirror into $cache"
debian_open "$suite"
debian_unpack "$package"
if [ -d "$work/tree/$path" ]; then
    tar -C "$work/tree/$path" -cf "$kept.tmp.$$" .
else
    [ -s "$work/tree/$path" ] || die "package $package $version holds no $path"
    cp "$work/tree/$path" "$kept.tmp.$$"
fi
echo "$package $version" >"$kept.package"
mv "$kept.tmp.$$" "$kept"
debian_deliver "$kept" "$out"
