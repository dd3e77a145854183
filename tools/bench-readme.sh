#!/bin/sh
# Writes what `make bench` has measured and promises something as a table into README.md, between the two lines that begin
# with "<!-- bench": bench-readme.sh BENCH.json README.md
#
# The descriptions come from tests/bench/targets. Nothing else of the file changes.
set -eu

die() {
    echo "bench-readme: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: bench-readme.sh BENCH.json README.md"
json=$1 readme=$2
export LC_ALL=C
[ -s "$json" ] || die "$json is not there: run make bench PEER=kvm first"
[ "$(grep -c '^<!-- bench' "$readme")" -eq 2 ] || die "$readme: expected two lines that begin with '<!-- bench'"
table=$(mktemp)
trap 'rm -f "$table" "$table.new"' EXIT

# Two inputs: the targets, then the figures, of which each has a line of its own.
awk '
    function field(name,    at) {
        at = match($0, "\"" name "\": (\"[^\"]*\"|[^,}]*)")
        if (at == 0) return ""
        at = substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 4)
        gsub(/"/, "", at)
        return at
    }
    # 9606590 as 9,606,590
    function grouped(number,    whole, rest) {
        if (number == "null") return "-"
        whole = number; rest = ""
        if (number ~ /\./) { rest = substr(number, index(number, ".")); whole = substr(number, 1, index(number, ".") - 1) }
        while (whole ~ /[0-9][0-9][0-9][0-9]/ && match(whole, /[0-9][0-9][0-9](,|$)/))
            whole = substr(whole, 1, RSTART - 1) "," substr(whole, RSTART)
        return whole rest
    }
    function verdict(value, target) {
        if (value == "null") return "not measured"
        if (value + 0 <= target + 0) return "met"
        return target + 0 == 0 ? "missed by " value : sprintf("missed by %.1f %%", 100 * (value / target - 1))
    }
    NR == FNR {
        if ($0 ~ /^#/ || NF == 0) next
        name = $1; $1 = $2 = $3 = ""; sub(/^ +/, ""); text[name] = $0
        next
    }
    FNR == 1 {
        print field("machine") ". Medians; lower is better."
        print ""
        print "| what | Ringfence | target | | KVM | ratio |"
        print "|---|---:|---:|---|---:|---:|"
    }
    field("name") == "" || field("target") == "null" { next }
    {
        median = field("median"); target = field("target"); peer = field("peer")
        ratio = peer != "null" && median + 0 > 0 ? sprintf("%.1f", peer / median) : "-"
        printf "| %s, %s | %s | %s | %s | %s | %s |\n", text[field("name")], field("unit"), grouped(median), grouped(target), \
            verdict(median, target), grouped(peer), ratio
    }' tests/bench/targets "$json" >"$table"
awk -v table="$table" '
    /^<!-- bench/ { print; inside = !inside; if (inside) { while ((getline line < table) > 0) print line }; next }
    !inside' "$readme" >"$table.new"
cat "$table.new" >"$readme"
echo "bench-readme: $readme holds $(grep -c '^| .* | .* |' "$table") lines of figures from $json"
