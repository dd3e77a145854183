/*
 * Interrupts, NMIs and register traffic to this guest's own local APIC, as many as it can make.
 */
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum {
    MSR_X2APIC_ESR = 0x828,
    MSR_X2APIC_SELF_IPI = 0x83f,
    MSR_X2APIC_TPR = 0x808,
    MSR_X2APIC_TIMER_INITIAL = 0x838,
    MSR_X2APIC_TIMER_CURRENT = 0x839
};
enum { MSR_X2APIC_TIMER_DIVIDE = 0x83e, MSR_X2APIC_FIRST = 0x800, MSR_X2APIC_LAST = 0x83f };
enum { FIRST_INTERRUPT = 32, STORM = 20000, LVT_PERIODIC = 1 << 17, LVT_MASKED = 1 << 16 };

static void run_nmi(const uint64_t *numbers)
{
    uint64_t before = try_nmis;
    (void)numbers;
    for (unsigned i = 0; i < STORM; i++)
        wrmsr(MSR_X2APIC_ICR, (uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | APIC_ICR_NMI);
    attack_check(try_nmis > before, "NMIs that came", STORM, try_nmis - before);
}

static void run_interrupts(const uint64_t *numbers)
{
    uint64_t before = attack_interrupts();
    (void)numbers;
    sti();
    for (unsigned i = 0; i < STORM; i++) {
        uint32_t vector = FIRST_INTERRUPT + i % (APIC_SPURIOUS_VECTOR - FIRST_INTERRUPT);
        wrmsr(MSR_X2APIC_SELF_IPI, vector);
        wrmsr(MSR_X2APIC_ICR, (uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | vector);
    }
    cli();
    attack_check(attack_interrupts() - before >= STORM, "interrupts that came", 2ul * STORM,
                 attack_interrupts() - before);
}

/* The timer with the shortest period there is: the handler is all that runs, until the console ends it. */
static void run_timer(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("storm-timer");
    wrmsr(MSR_X2APIC_TIMER_DIVIDE, 0xb);
    wrmsr(MSR_X2APIC_LVT_TIMER, LVT_PERIODIC | 0x40);
    wrmsr(MSR_X2APIC_TIMER_INITIAL, 1);
    sti();
    for (;;)
        pause();
}

/* Any value in any register but those that send; then the APIC as it was. */
static void run_registers(const uint64_t *numbers)
{
    uint64_t state = numbers[0];
    for (unsigned i = 0; i < STORM; i++) {
        uint32_t number = MSR_X2APIC_FIRST + (uint32_t)attack_random(&state) % (MSR_X2APIC_LAST - MSR_X2APIC_FIRST);
        uint64_t value = attack_random(&state) & attack_random(&state);
        if (number == MSR_X2APIC_ICR)
            continue;
        (void)probe_wrmsr(number, i % 8 == 0 ? value : (uint32_t)value & 0x7ffff);
        if (number != MSR_X2APIC_TIMER_CURRENT) /* Bochs 2.7 panics when it was set up in an odd order */
            (void)probe_rdmsr(number, &value);
    }
    wrmsr(MSR_X2APIC_TIMER_INITIAL, 0);
    (void)probe_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_MASKED);
    (void)probe_wrmsr(MSR_X2APIC_ESR, 0);
    (void)probe_wrmsr(MSR_X2APIC_TPR, 0);
    (void)probe_wrmsr(MSR_X2APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
}

static const struct attack table[] = {
    {"storm-nmi", 0, run_nmi},
    {"storm-interrupts", 0, run_interrupts},
    {"storm-timer", 0, run_timer},
    {"apic-registers", 1, run_registers},
};
const struct attack_list attacks_storms = ATTACK_LIST(table);
