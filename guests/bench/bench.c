/*
 * bench: what things cost, seen from inside a guest. Runs under any hypervisor that loads multiboot1 and has x2APIC,
 * and on the bare machine.
 *
 * Words of the command line: `stream=N` takes N timer interrupts in silence first; `smp` adds the cases that need a
 * second CPU; `only-smp` runs nothing else; `restart` asks for a reset each time it has started; `linux` becomes the
 * loader of a Linux kernel; `peer` ends by a triple fault, which ends any virtual machine; `bare` and `no-apic` are
 * guests/common's.
 */
#include "guests/bench/cases.h"
#include "guests/bench/sample.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"

const char guest_name[] = "bench";

enum { STREAM_PERIOD = 10000 };

/* Says when, waits until it is then, and resets: so that printing does not count. */
static void restart(void)
{
    enum { AHEAD = 1000000 }; /* ticks: enough for the line */
    uint64_t at = rdtsc() + AHEAD;
    print("bench: resets at %lu\n", at);
    while (rdtsc() < at)
        ;
    guest_reset();
}

static void run_cases(void)
{
    if (!guest_has_word("only-smp")) {
        cases_instructions();
        cases_interrupts();
        cases_memory();
    }
    if (guest_has_word("smp") || guest_has_word("only-smp"))
        cases_smp();
    if (!guest_has_word("only-smp"))
        cases_xapic();
}

void guest_main(void)
{
    uint64_t entered = rdtsc();
    print("bench: entered at %lu\n", entered);
    if (guest_has_word("restart"))
        restart();
    if (guest_has_word("linux"))
        linux_start();
    if (guest_option("stream", 0) != 0)
        timer_stream(STREAM_PERIOD, guest_option("stream", 0));
    run_cases();
    print("bench: end\n");
    if (guest_has_word("peer"))
        guest_triple_fault();
}
