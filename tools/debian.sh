# Debian packages without touching this machine's package setup; sourced by the fetch-*.sh programs, which define die().
#
# apt runs with a private source list and state, so nothing of this machine's package setup is read or changed, no root
# is needed, and apt checks the signatures. What was fetched stays in a cache outside the build tree ($RINGFENCE_CACHE,
# else $XDG_CACHE_HOME/ringfence), so that `make clean` does not cost a download.

cache=${RINGFENCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringfence}
mirror=${RINGFENCE_MIRROR:-http://deb.debian.org/debian}
keyring=${RINGFENCE_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

# debian_deliver FILE OUT: copies a cached file to where it is wanted, in one step.
debian_deliver() {
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.tmp.$$"
    mv "$2.tmp.$$" "$2"
}

# apt's settings, private to this run. The sandbox user could not write here when root runs this.
debian_apt() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
        -o APT::Architecture=amd64 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false "$@"
}

# debian_open SUITE: makes $work, which is removed at the end, and reads the suite's package list.
debian_open() {
    for tool in apt-get apt-cache dpkg-deb; do
        command -v $tool >/dev/null || die "'$tool' is missing; on a system without apt put the file into $cache by hand"
    done
    [ -r "$keyring" ] || die "$keyring is missing (package debian-archive-keyring): packages could not be verified"
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb" "$work/tree"
    echo "deb [arch=amd64 signed-by=$keyring] $mirror $1 main" >"$work/sources.list"
    debian_apt apt-get update >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "no package list from $mirror: is there a network (proxy)? A file put into $cache by hand is used as it is"
    }
}

# debian_unpack PACKAGE: fetches it into $work/tree; $version becomes its version.
debian_unpack() {
    (cd "$work/deb" && debian_apt apt-get download "$1") >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "package $1 could not be fetched or verified"
    }
    dpkg-deb -x "$work"/deb/*.deb "$work/tree"
    version=$(dpkg-deb -f "$work"/deb/*.deb Version)
}
