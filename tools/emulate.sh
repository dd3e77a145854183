#!/bin/sh
# Runs an image in an emulated machine, in the foreground: emulate.sh ENGINE ISO DIRECTORY PORT CPUS MEMORY
#
# DIRECTORY receives the emulator's own files and logs. The machine's COM1 connects to 127.0.0.1:PORT, where the caller
# already listens, so that no free port has to be guessed. MEMORY is in MiB. `emulate.sh choose` prints the engine that
# shows most on this computer (exact to the instruction). Ends when the machine is
# switched off or resets itself, or when this process is ended; with RINGFENCE_RESETS=go-on in the environment QEMU's
# machine boots again after a reset, its memory as it was, which Bochs's always does; RINGFENCE_MONITOR is where QEMU's
# monitor goes, in its own words, with DIRECTORY as the working directory. RINGFENCE_IPS is how many instructions a
# second of Bochs's machine has (default 100000000): with fewer of them an hour of the machine's time takes less of this
# computer's, and its CPUs are slower. RINGFENCE_THREADS is how many of the CPUs are hyperthreads of one core (default 1;
# CPUS is a multiple of it). RINGFENCE_LACKS is a part that QEMU's machine shall not have, as its option -machine calls it
# ("pit"). RINGFENCE_BOCHS_ERRORS is what Bochs does with what it takes for a guest's mistakes: report (into its log, the
# default) or ignore. ENGINE:
#
#   kvm             QEMU with this computer's own VT-x or AMD-V
#   bochs-vmx       Bochs with VT-x, one tick of the clock an instruction
#   bochs-svm       Bochs with AMD-V
#   bochs:MODEL     Bochs with another of its CPUs ("bochs-bin --help cpu"), such as one on which nothing can run
#   qemu-svm        QEMU's own AMD-V, no acceleration
#   qemu-svm-uefi   the same from UEFI
#   bochs-vmx-kvm   Debian's KVM in bochs-vmx, with nested virtualisation, and QEMU's machine in that: another VT-x than
#                   Bochs's own. bochs-svm-kvm and qemu-svm-kvm are the same with AMD-V. In Bochs 2.7 a guest that is
#                   entered with interrupts off is not ended by one, so a guest that spins so keeps the CPU from KVM too.
set -eu

die() {
    echo "emulate: $*" >&2
    exit 1
}

if [ "${1:-}" = choose ]; then
    if [ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -qE '\b(vmx|svm)\b' /proc/cpuinfo &&
        cat /sys/module/kvm_intel/parameters/nested /sys/module/kvm_amd/parameters/nested 2>/dev/null | grep -q '^[Y1]' &&
        command -v qemu-system-x86_64 >/dev/null; then
        echo kvm
    else
        echo bochs-vmx
    fi
    exit 0
fi

[ $# -eq 6 ] || die "usage: emulate.sh ENGINE ISO DIRECTORY PORT CPUS MEMORY"
engine=$1 iso=$(realpath "$2") directory=$3 port=$4 cpus=$5 memory=$6 threads=${RINGFENCE_THREADS:-1}
[ -r "$iso" ] || die "image $iso cannot be read"
mkdir -p "$directory"
case $engine in
bochs-???-kvm | qemu-svm-kvm)
    words= # how fast the clock is has to be told on Bochs's machine
    case $engine in bochs*) words=tsc_early_khz=100000 ;; esac
    tools/nested-iso.sh "$directory/nested.iso" "$iso" "$cpus" "$memory" $words
    iso=$(realpath "$directory/nested.iso") engine=${engine%-kvm} memory=$((memory + 768))
    ;;
esac
cd "$directory"

# quantum: how many instructions a CPU runs before the next one has its turn. 16 keeps CPUs close together.
# The clock starts at a fixed date and follows the instructions, so that two runs are the same.
# The screen is drawn once a second of the machine's own time. It goes to a terminal of its own, whose name Bochs prints;
# once that is full Bochs stands still for ever, so somebody reads it for as long as Bochs lives.
# Bochs cannot have more than 2047 MiB of its own memory; what is above is swapped by it.
run_bochs() {
    layout=$cpus
    [ "$threads" -eq 1 ] || layout=1:$((cpus / threads)):$threads
    host=$memory
    [ "$host" -le 2047 ] || host=2047
    cat >bochsrc <<END
config_interface: textconfig
display_library: term
cpu: model=$1, count=$layout, ips=${RINGFENCE_IPS:-100000000}, reset_on_triple_fault=0, quantum=16
memory: guest=$memory, host=$host
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
vga: extension=vbe, update_freq=1, realtime=0
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="$iso", status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=localhost:$port
log: bochs.log
error: action=${RINGFENCE_BOCHS_ERRORS:-report}
panic: action=fatal
clock: sync=none, time0=946681200
port_e9_hack: enabled=1
END
    # The debugger starts first; "c" lets the machine run.
    echo c >commands
    # It must not outlive `script`, whatever it is doing then.
    # Bochs wants a terminal for the machine's screen: it gets one that nobody sees, recorded in screen.log.
    # A VT100 cannot hide its cursor, which on others Bochs does anew with each drawing of an unchanged screen.
    cat >reader <<'END'
until [ -c "${screen:-}" ]; do
    sleep 0.2
    screen=$(sed -n 's/^Bochs connected to screen "\(.*\)".*/\1/p' screen.log)
done
exec cat "$screen" >/dev/null
END
    exec env TERM=vt100 script -qfec "setpriv --pdeathsig KILL sh reader & exec setpriv --pdeathsig KILL bochs-bin -q -f bochsrc -rc commands" screen.log </dev/null >/dev/null
}

run_qemu() {
    [ "${RINGFENCE_RESETS:-end}" = go-on ] || set -- -no-reboot "$@"
    exec qemu-system-x86_64 -M "q35${RINGFENCE_LACKS:+,$RINGFENCE_LACKS=off}" -m "$memory" -smp "$cpus,threads=$threads" -cdrom "$iso" -boot d -display none \
        -monitor "${RINGFENCE_MONITOR:-none}" -chardev socket,id=com1,host=127.0.0.1,port="$port" -serial chardev:com1 \
        -debugcon file:debug.txt -global isa-debugcon.iobase=0xe9 "$@" </dev/null >qemu.log 2>&1
}

case $engine in
kvm) run_qemu -accel kvm -cpu host ;;
bochs-vmx) run_bochs corei7_skylake_x ;;
bochs-svm) run_bochs ryzen ;;
bochs:?*) run_bochs "${engine#bochs:}" ;;
qemu-svm) run_qemu -accel tcg -cpu max ;;
qemu-svm-uefi)
    cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
    run_qemu -accel tcg -cpu max -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
        -drive if=pflash,format=raw,file=vars.fd
    ;;
*) die "engine '$engine' is not known, expected kvm, bochs-vmx, bochs-svm, bochs:MODEL, qemu-svm, qemu-svm-uefi, bochs-vmx-kvm, bochs-svm-kvm or qemu-svm-kvm" ;;
esac
