#!/bin/sh
# Runs the configuration checker as a person does: exit status and messages, when all is well and when it is not.
# usage: tests/unit/rf-check.sh BUILD/rf-check
set -u
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
    echo "usage: $0 BUILD/rf-check" >&2
    exit 2
fi
tool=$(realpath "$1")
demo=$(realpath "$(dirname "$0")/../../guests/demo/ringfence.conf")
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
failed=0 tests=0

# expect STATUS NAME ARGUMENTS...: runs the tool; then the checks below look at ./out and ./err.
expect() {
    want=$1 name=$2
    shift 2
    tests=$((tests + 1))
    "$tool" "$@" >out 2>err </dev/null
    status=$?
    [ "$status" -eq "$want" ] || fail "exit status $status (expected $want)"
}
fail() {
    failed=$((failed + 1))
    echo "FAIL rf-check: $name: $1"
    sed 's/^/    /' out err
}
prints() { grep -qF -- "$1" out || fail "stdout lacks '$1'"; }
complains() { grep -qF -- "$1" err || fail "stderr lacks '$1'"; }
silent() { [ ! -s err ] || fail "stderr is not empty"; }

cat >good.machine <<'END'
version = 1
[machine]
cpu = 0 apic 0 uid 0 core 0 online
cpu = 1 apic 1 uid 1 core 0 online
cpu = 2 apic 2 uid 2 core 1 online
memory = 0 0x9f000 usable
memory = 0x100000 0x3ff00000 usable
module = 0x1000000 0x800000 vmlinuz
module = 0x1800000 0x200000 initrd
module = 0x1a00000 0x10000 heartbeat
ioapic = 0xfec00000 0
hypervisor = 0x200000 0x600000
rsdp = 0xe0000
reset = none
physical_bits = 39
caps = nested_2m x2apic tsc_deadline
tsc = 100000000
END

expect 0 "the demo's text" "$demo"
silent
prints "partition linux: ok"
prints "console port 0x3f8 at 115200 baud"
prints "256 MiB"
prints "cmdline    console=ttyS0"
prints "partition heartbeat: ok"

expect 0 "the demo's plan" "$demo" --machine good.machine
silent
prints linux
prints heartbeat

grep -v 'vmlinuz' good.machine >no-kernel.machine
expect 1 "a kernel that is not there" "$demo" --machine no-kernel.machine
complains "$demo:"
complains "vmlinuz"
prints heartbeat

sed 's/^cpu = 2.*//' good.machine >two-cpus.machine
expect 1 "a CPU that is not there" --machine two-cpus.machine "$demo"
complains "$demo:"

sed 's/uid 2 core 1/uid 2 core 0/' good.machine >one-core.machine
expect 1 "hyperthreads of one core" "$demo" --machine one-core.machine
complains "partition 'heartbeat': CPU 2 is a hyperthread of the same core as CPU 0 of partition 'linux'"
sed 's/^share_cores = no/share_cores = yes/' "$demo" >share.conf
expect 0 "hyperthreads that are shared on purpose" share.conf --machine one-core.machine
silent

head -n 10 good.machine >short.machine
expect 1 "a machine text cut short" "$demo" --machine short.machine
complains "short.machine:10:1: key missing 'tsc'"

sed 's/memory /memroy /' "$demo" >slip.conf
expect 1 "a misspelled key" slip.conf
complains "slip.conf:21:1: unknown key 'memroy' (did you mean 'memory'?)"
prints "partition linux: REFUSED"

printf 'version = 1\n[partition a]\ncpus = 1\nmemory = 4K\nkernel = k\n[partition b]\ncpus = 3-2\nmemory = 4K\nkernel = k\n' >half.conf
expect 1 "one bad partition of two" half.conf
complains "half.conf:7:8: reversed CPU range '3-2'"
prints "partition a: ok"
prints "partition b: REFUSED"

: >empty.conf
expect 1 "an empty file" empty.conf
complains "empty.conf:1:1: empty file '' (expected at least the line 'version = 1')"

printf 'version = 1' >minimal.conf
expect 0 "a minimal file" minimal.conf
silent

head -c 40000 /dev/zero | tr '\0' '#' >large.conf
expect 1 "a file that is too large" large.conf
complains "large.conf:1:1: file too large"

head -c 3000 "$tool" >binary.conf
expect 1 "a binary file" binary.conf
complains "unprintable byte"
LC_ALL=C grep -q '[^ -~]' err && fail "raw bytes on stderr"

expect 2 "no argument"
complains "rf-check: no file given"
complains "usage: rf-check"
expect 2 "two files" "$demo" "$demo"
complains "unexpected argument"
expect 2 "an unknown option" --frob "$demo"
complains "unexpected argument '--frob'"
expect 2 "--machine without a file" "$demo" --machine
complains "--machine takes one file"
expect 2 "a file that is not there" missing.conf
complains "cannot read 'missing.conf'"
expect 2 "a machine file that is not there" "$demo" --machine missing.machine
complains "cannot read 'missing.machine'"
expect 2 "a folder" .
complains "cannot read '.'"
expect 0 "help" --help
prints "usage: rf-check FILE [--machine MACHINE]"

echo "rf-check: $tests runs, $failed failures"
[ "$failed" -eq 0 ]
