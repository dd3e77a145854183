/*
 * One CPU's interrupts: sending one to itself, taking it, acknowledging it, and the timer.
 *
 * The guest's own way into a handler and out of it is measured by an INT instruction to the same handler, which no
 * hypervisor sees, and subtracted.
 */
#include "guests/bench/cases.h"
#include "guests/bench/sample.h"
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

enum { VECTOR = 0x41, SOFTWARE_VECTOR = 0x42, TIMER_VECTOR = 0x43 };

static volatile uint64_t taken_at; /* TSC when the handler was entered; 0: not yet */
static volatile uint64_t taken;    /* how often */

static void note(struct trap_frame *frame)
{
    (void)frame;
    taken_at = rdtsc();
    taken++;
}

static void note_and_acknowledge(struct trap_frame *frame)
{
    note(frame);
    apic_eoi();
}

static void software_interrupt(void) { __asm__ volatile("int %0" ::"i"(SOFTWARE_VECTOR) : "memory"); }
static void send_to_self(void) { wrmsr(MSR_X2APIC_ICR, (uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | VECTOR); }
static void let_in(void) { __asm__ volatile("sti; nop; nop; cli" ::: "memory"); }

/* With interrupts off only the sending is seen; the interrupt is let in between two readings. */
static void sending(void)
{
    uint64_t message = (uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | VECTOR;
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        __asm__ volatile("" ::"c"(MSR_X2APIC_ICR), "a"((uint32_t)message), "d"((uint32_t)(message >> 32)));
        sample_empty(i, rdtsc() - from);
        from = rdtsc();
        wrmsr(MSR_X2APIC_ICR, message);
        sample_put(i, rdtsc() - from);
        let_in();
    }
    sample_report("icr_self");
}

/* Sent, taken, acknowledged, and back to the work that was interrupted. */
static void taking(const char *name, uint32_t msr, uint64_t message)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        software_interrupt();
        sample_empty(i, rdtsc() - from);
        sti();
        taken_at = 0;
        from = rdtsc();
        wrmsr(msr, message);
        while (taken_at == 0)
            ;
        sample_put(i, rdtsc() - from);
        cli();
    }
    sample_report(name);
}

/* HLT with an interrupt that is there already: how long until the guest goes on. */
static void halting(void)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        software_interrupt();
        sample_empty(i, rdtsc() - from);
        send_to_self();
        from = rdtsc();
        sti_hlt();
        sample_put(i, rdtsc() - from);
        cli();
    }
    sample_report("hlt_wake");
}

/* From the deadline to the first instruction of the handler. */
static void late(const char *name, bool halted)
{
    enum { AHEAD = 20000 }; /* ticks: longer than any path of arming it */
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        software_interrupt();
        sample_empty(i, taken_at - from);
        taken_at = 0;
        uint64_t deadline = rdtsc() + AHEAD;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        /* Other things wake a CPU too: Bochs 2.7 whatever ends the guest while it waits. */
        while (halted && taken_at == 0) {
            sti_hlt();
            cli();
        }
        sti();
        while (taken_at == 0)
            ;
        cli();
        sample_put(i, taken_at - deadline);
    }
    sample_report(name);
}

/* What work loses by one timer interrupt: from the deadline until it goes on, the acknowledgement included. */
static void lost(void)
{
    enum { AHEAD = 20000 };
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc(), now;
        software_interrupt();
        sample_empty(i, rdtsc() - from);
        taken_at = 0;
        uint64_t deadline = rdtsc() + AHEAD;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        sti();
        do
            now = rdtsc();
        while (taken_at == 0);
        now = rdtsc();
        cli();
        sample_put(i, now - deadline);
    }
    sample_report("timer");
}

static bool timer_begin(void)
{
    if (!apic_has_tsc_deadline())
        return false;
    trap_set(TIMER_VECTOR, note_and_acknowledge);
    apic_write(APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | TIMER_VECTOR);
    __asm__ volatile("mfence; lfence" ::: "memory"); /* the mode is in force before a deadline is written */
    return true;
}

static void timer(void)
{
    if (!timer_begin()) {
        sample_absent("tsc_deadline_arm", "no TSC-deadline timer");
        return;
    }
    SAMPLE_INSTRUCTION("tsc_deadline_arm", "movl $0x6e0, %%ecx\n\tmovl $-1, %%eax\n\tmovl $0x7fffffff, %%edx", "wrmsr");
    wrmsr(MSR_TSC_DEADLINE, 0);
    late("timer_late_spinning", false);
    late("timer_late_halted", true);
    lost();
}

void cases_interrupts(void)
{
    if (!apic_is_x2apic()) {
        sample_absent("icr_self", "no x2APIC");
        return;
    }
    trap_set(VECTOR, note_and_acknowledge);
    trap_set(SOFTWARE_VECTOR, note);
    SAMPLE_INSTRUCTION("x2apic_eoi", "movl $0x80b, %%ecx\n\txorl %%eax, %%eax\n\txorl %%edx, %%edx", "wrmsr");
    SAMPLE_INSTRUCTION("x2apic_tpr", "movl $0x808, %%ecx", "rdmsr");
    sending();
    taking("icr_self_taken", MSR_X2APIC_ICR, (uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | VECTOR);
    taking("self_ipi_taken", MSR_X2APIC_SELF_IPI, VECTOR);
    halting();
    timer();
}

static volatile uint64_t stream_left, stream_period, stream_deadline;

static void stream_tick(struct trap_frame *frame)
{
    note(frame);
    if (--stream_left != 0) {
        stream_deadline += stream_period;
        wrmsr(MSR_TSC_DEADLINE, stream_deadline);
    }
    apic_eoi();
}

void timer_stream(uint64_t period, uint64_t count)
{
    if (count == 0 || !timer_begin())
        return;
    trap_set(TIMER_VECTOR, stream_tick);
    taken = 0;
    stream_left = count;
    stream_period = period;
    stream_deadline = rdtsc() + period;
    wrmsr(MSR_TSC_DEADLINE, stream_deadline);
    sti();
    while (stream_left != 0)
        pause();
    cli();
    sample_figure("timer_stream", taken);
}
