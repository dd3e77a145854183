#!/bin/sh
# Boots the image with its console on this terminal: run.sh ISO TERMINAL DIRECTORY [CPUS [MEMORY]]
# TERMINAL is the built tools/terminal.c. MACHINE names the emulated machine; without it the one that shows most here.
set -eu

[ $# -ge 3 ] || {
    echo "usage: run.sh ISO TERMINAL DIRECTORY [CPUS [MEMORY]]" >&2
    exit 2
}
iso=$1 terminal=$2 directory=$3 cpus=${4:-3} memory=${5:-1024}
engine=${MACHINE:-$(tools/emulate.sh choose)}
case $engine in
kvm) how="QEMU, on this computer's own VT-x: up in a few seconds" ;;
bochs-vmx) how="Bochs with VT-x, exact to the instruction: the prompt in some seconds, Linux in about a minute" ;;
bochs-svm) how="Bochs with AMD-V, exact to the instruction: the prompt in some seconds, Linux in about a minute" ;;
qemu-svm) how="QEMU's own AMD-V: the prompt in a few seconds, Linux in ten; its clock is this computer's: beats can miss" ;;
qemu-svm-uefi) how="the same from UEFI" ;;
bochs-vmx-kvm | bochs-svm-kvm | qemu-svm-kvm)
    how="a machine of Debian's KVM and QEMU inside ${engine%-kvm}: the prompt in some minutes, Linux in some more"
    tools/kvm-tree.sh fetch
    ;;
*)
    echo "run: MACHINE=$engine is not known, expected kvm, bochs-vmx, bochs-svm, qemu-svm, qemu-svm-uefi, bochs-vmx-kvm," \
        "bochs-svm-kvm or qemu-svm-kvm" >&2
    exit 2
    ;;
esac
echo "ringfence: booting $iso on an emulated machine with $cpus CPUs and $memory MiB"
echo "ringfence: machine $engine: $how"
echo "ringfence: leave with Ctrl-A x; Ctrl-] is Ringfence's own key, it leaves a guest's console"
exec "$terminal" "$engine" "$iso" "$directory" "$cpus" "$memory"
