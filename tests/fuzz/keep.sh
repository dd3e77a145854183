#!/bin/sh
# Keeps what fuzzing has found: keep.sh DIRECTORY NAME... For each target the smallest choice of inputs of up to 400
# bytes that reaches what DIRECTORY/corpus/NAME and the tree's binary inputs reach, one a line in
# tests/fuzz/corpus/NAME.hex. Text inputs in the tree stay as they are.
set -eu
here=$(dirname "$0")

# One target: keep.sh --one DIRECTORY NAME
if [ "$1" = --one ]; then
    dir=$2 name=$3
    chosen=$dir/keep/$name
    rm -rf "$chosen"
    mkdir -p "$chosen" "$dir/corpus/$name"
    set -- "$dir/corpus/$name"
    [ -d "$dir/seeds/$name" ] && set -- "$@" "$dir/seeds/$name"
    "$dir/bin/$name" -set_cover_merge=1 -max_len=400 "$chosen" "$@" >"$dir/log/keep-$name.log" 2>&1 || {
        echo "FAIL fuzz-keep: $name (log $dir/log/keep-$name.log)"
        exit 1
    }
    for input in "$chosen"/*; do
        [ -s "$input" ] && od -An -v -tx1 "$input" | tr -d ' \n' && echo
    done | LC_ALL=C sort >"$here/corpus/$name.hex"
    echo "fuzz-keep: $name: $(wc -l <"$here/corpus/$name.hex") inputs"
    exit
fi
dir=$1
shift
mkdir -p "$dir/log"
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-2}" -I NAME "$0" --one "$dir" NAME
