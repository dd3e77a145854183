#include "core/run.h"

#include "core/console.h"
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "core/supervise.h"
#include "core/virtual_interrupts.h"

enum { CONSOLE_HZ = 1000 };

/* Serves the console if it is time; returns when it is time again. */
static uint64_t console_tick(uint64_t period)
{
    static uint64_t next; /* of the one console CPU */
    uint64_t now = cpu_clock();
    if (now >= next) {
        console_service();
        supervise(now, period * CONSOLE_HZ);
        cpu_buffers_clear(); /* all partitions' output and log went through here, and this CPU may have a guest */
        /* Not from `now`: on a slow CPU the above takes longer than a period, and the guest must have its time. */
        next = cpu_clock() + period;
    }
    return next;
}

/*
 * Waits for a kick, or for `due`. A direct guest that is paused keeps its local APIC as it is: there only an NMI may
 * end the wait, and a CPU that also serves the console looks at the clock instead.
 */
static void wait(bool own_apic, bool console, uint64_t due)
{
    if (own_apic) {
        cpu_timer_set(due);
        cpu_wait();
    } else if (console) {
        __builtin_ia32_pause();
    } else {
        cpu_idle();
    }
}

void run_cpu(const struct backend *backend, struct vcpu *vcpu, bool console, uint64_t tsc_hz)
{
    uint64_t period = tsc_hz / CONSOLE_HZ;
    bool own_apic = vcpu == NULL || vcpu->apic != NULL;
    struct exit exit;
    /*
     * Beside the local APIC's timer, where that is ours: Bochs 2.7 does not end a guest for it that has interrupts off.
     * It begins anew with each entry, so where the interrupt comes it does not.
     */
    bool guest_timed = console && vcpu != NULL && backend->set_timer(vcpu, period);
    if (console && !own_apic && !guest_timed)
        log_line("CPU %u cannot serve the console while its guest runs with direct interrupts: %s has no timer for it",
                 cpu_current(), backend->name);
    for (;;) {
        /* Before the looks below: a kick that comes after them must not be forgotten. */
        cpu_kick_taken();
        uint64_t due = console ? console_tick(period) : UINT64_MAX;
        if (vcpu == NULL || !lifecycle_obey(vcpu, backend) ||
            (own_apic && !virtual_interrupts_prepare(vcpu, backend, &due))) {
            wait(own_apic, console, due);
            continue;
        }
        if (own_apic)
            cpu_timer_set(due);
        backend->run(vcpu, &exit);
        vcpu->stats.exits[exit.kind]++;
        exit_handle(vcpu, backend, &exit);
    }
}
