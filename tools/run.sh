#!/bin/sh
# Boots the image with its console on this terminal: run.sh ISO TERMINAL DIRECTORY [CPUS [MEMORY]]
# TERMINAL is the built tools/terminal.c. RINGFENCE_ENGINE overrides the choice of the emulator.
set -eu

[ $# -ge 3 ] || {
    echo "usage: run.sh ISO TERMINAL DIRECTORY [CPUS [MEMORY]]" >&2
    exit 2
}
iso=$1 terminal=$2 directory=$3 cpus=${4:-3} memory=${5:-1024}
engine=${RINGFENCE_ENGINE:-$(tools/emulate.sh choose)}
case $engine in
kvm) how="QEMU, on this computer's own VT-x: up in a few seconds" ;;
bochs-*) how="Bochs, which emulates every instruction: the first line takes some seconds, Linux about a minute" ;;
*) how="QEMU without acceleration: the first line takes some seconds" ;;
esac
echo "ringfence: booting $iso on an emulated machine with $cpus CPUs and $memory MiB"
echo "ringfence: engine $engine: $how"
echo "ringfence: leave with Ctrl-A x; Ctrl-] is Ringfence's own key, it leaves a guest's console"
exec "$terminal" "$engine" "$iso" "$directory" "$cpus" "$memory"
