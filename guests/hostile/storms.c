/*
 * Interrupts, NMIs and register traffic to this guest's own local APIC, as many as it can make.
 */
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { FIRST_INTERRUPT = 32, STORM = 20000 };

static void run_nmi(const uint64_t *numbers)
{
    uint64_t before = try_nmis;
    (void)numbers;
    for (unsigned i = 0; i < STORM; i++)
        apic_send((uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | APIC_ICR_NMI);
    attack_check(try_nmis > before, "NMIs that came", STORM, try_nmis - before);
}

static void run_interrupts(const uint64_t *numbers)
{
    uint64_t before = attack_interrupts();
    (void)numbers;
    sti();
    for (unsigned i = 0; i < STORM; i++) {
        uint32_t vector = FIRST_INTERRUPT + i % (APIC_SPURIOUS_VECTOR - FIRST_INTERRUPT);
        apic_send_self((uint8_t)vector);
        apic_send((uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | vector);
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
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | 0x40);
    apic_write(APIC_TIMER_INITIAL, 1);
    sti();
    for (;;)
        pause();
}

/* Any value in any register but those that send. */
void apic_registers_step(uint64_t random, uint64_t value)
{
    unsigned offset = APIC_STRIDE * (unsigned)(random % (APIC_REGISTERS - 1));
    if (offset == APIC_ICR)
        return;
    (void)apic_probe_write(offset, random >> 8 & 7 ? ((uint32_t)value & 0x7ffff) | FIRST_INTERRUPT : value);
    if (offset != APIC_TIMER_CURRENT) /* Bochs 2.7 panics when it was set up in an odd order */
        (void)apic_probe_read(offset, &value);
}

/* Then the APIC as it was. */
static void run_registers(const uint64_t *numbers)
{
    uint64_t state = numbers[0];
    for (unsigned i = 0; i < STORM; i++) {
        uint64_t value = attack_random(&state) & attack_random(&state);
        apic_registers_step(attack_random(&state), value);
    }
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    apic_write(APIC_ESR, 0);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
}

static const struct attack table[] = {
    {"storm-nmi", 0, run_nmi},
    {"storm-interrupts", 0, run_interrupts},
    {"storm-timer", 0, run_timer},
    {"apic-registers", 1, run_registers},
};
const struct attack_list attacks_storms = ATTACK_LIST(table);
