/*
 * A modelled local APIC: its page driven with accesses of every kind, and its modes changed in every order with
 * interrupts pending and the timer armed. Interrupts are off all the time.
 */
#include "guests/common/apic.h"
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"

enum { PAGE = 4096, ROUNDS = 30000, CHANGES = 2000, MODES = 4, MODE_SHIFT = 10, LEAST_VECTOR = 32 };
enum { LDR = 0xd0, DFR = 0xe0 };
#define XAPIC_BASE 0xfee00000ull
#define BASE_MODE  ((uint64_t)(APIC_BASE_ENABLE | APIC_BASE_EXTENDED))

/* What would start this CPU anew, or be taken for an exception later, has attacks of its own. */
static uint32_t tamed(unsigned offset, uint32_t value)
{
    value |= LEAST_VECTOR;
    return offset / APIC_STRIDE == APIC_ICR / APIC_STRIDE ? value & ~(uint32_t)(7 << 8) : value;
}

static void access(uint64_t at, unsigned kind, uint64_t value)
{
    uint64_t count = value % 3, other = (uint64_t)(uintptr_t)&value;
    switch (kind) {
    case 0:
        __asm__ volatile("movb (%0), %b1" : : "r"(at), "r"(value) : "memory");
        break;
    case 1:
        __asm__ volatile("movw %w1, (%0)" : : "r"(at), "r"(value) : "memory");
        break;
    case 2:
        __asm__ volatile("movq %1, (%0)" : : "r"(at), "r"(value) : "memory");
        break;
    case 3:
        __asm__ volatile("movzbl (%0), %k1" : "+r"(at), "+r"(value) : : "memory");
        break;
    case 4:
        __asm__ volatile("orl %k1, (%0)" : : "r"(at), "r"(value) : "memory", "cc");
        break;
    case 5:
        __asm__ volatile("testl %k1, (%0)" : : "r"(at), "r"(value) : "memory", "cc");
        break;
    case 6:
        __asm__ volatile("rep movsl" : "+S"(at), "+D"(other), "+c"(count) : : "memory");
        break;
    default:
        __asm__ volatile("movl %k1, (%0)" : : "r"(at), "r"(value) : "memory");
        break;
    }
}

static void quieten(void)
{
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    apic_write(APIC_ESR, 0);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
}

static void run_page(const uint64_t *numbers)
{
    uint64_t state = numbers[0];
    if (apic_is_x2apic()) {
        attack_check(false, "the local APIC as memory", 0, 0);
        return;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t random = attack_random(&state);
        unsigned offset = (unsigned)(random >> 8) % (i % 2 == 0 ? APIC_REGISTERS * APIC_STRIDE : PAGE - 8);
        unsigned kind = random & 0xf;
        /* What is not one whole register may still reach the command register: its bytes are tamed where they fall. */
        if (i % 4 != 0)
            offset &= ~(unsigned)(APIC_STRIDE - 1);
        access(XAPIC_BASE + offset, kind, tamed(offset, (uint32_t)(random >> 32)));
    }
    quieten();
    apic_write(DFR, UINT32_MAX);
    apic_write(LDR, 0);
}

/* The table "x2APIC State Transitions" of the SDM, vol. 3. */
static bool is_allowed(uint64_t from, uint64_t to)
{
    if (from == to)
        return true;
    if (to == APIC_BASE_EXTENDED || (from == 0 && to == BASE_MODE))
        return false;
    return from != BASE_MODE || to == 0;
}

/* Something that waits, by the registers that this mode has. */
static void leave_something(uint64_t mode, uint64_t random)
{
    uint8_t vector = (uint8_t)(LEAST_VECTOR | random);
    if (mode == BASE_MODE) {
        wrmsr(0x80f, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
        wrmsr(0x83f, vector);
        wrmsr(0x832, (random >> 8 & 1) != 0 ? (uint64_t)APIC_LVT_PERIODIC | vector : vector);
        wrmsr(0x838, random >> 32);
        wrmsr(0x808, random >> 16 & 0xff);
    } else if (mode == APIC_BASE_ENABLE) {
        access(XAPIC_BASE + APIC_SPURIOUS, MODES * 4, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
        access(XAPIC_BASE + APIC_ICR, MODES * 4, APIC_ICR_SELF | APIC_ICR_ASSERT | vector);
        access(XAPIC_BASE + APIC_LVT_TIMER, MODES * 4, APIC_LVT_PERIODIC | vector);
        access(XAPIC_BASE + APIC_TIMER_INITIAL, MODES * 4, random >> 32);
    }
    wrmsr(MSR_TSC_DEADLINE, (random >> 9 & 1) != 0 ? rdtsc() + (random >> 40) : 0);
}

static void run_modes(const uint64_t *numbers)
{
    uint64_t state = numbers[0], base = rdmsr(MSR_APIC_BASE), mode = base & BASE_MODE;
    if (apic_is_given()) {
        attack_check(false, "a modelled local APIC", 0, base);
        return;
    }
    for (unsigned i = 0; i < CHANGES; i++) {
        uint64_t random = attack_random(&state), to = (random >> 4) % MODES << MODE_SHIFT;
        leave_something(mode, random);
        struct trap_probe probe = probe_wrmsr(MSR_APIC_BASE, (base & ~BASE_MODE) | to);
        bool allowed = is_allowed(mode, to);
        attack_check(probe.faulted == !allowed, "mode", mode << 32 | to, probe.vector);
        if (allowed)
            mode = to;
        attack_check((rdmsr(MSR_APIC_BASE) & BASE_MODE) == mode, "mode afterwards", mode, rdmsr(MSR_APIC_BASE));
    }
    wrmsr(MSR_APIC_BASE, base & ~BASE_MODE);
    wrmsr(MSR_APIC_BASE, (base & ~BASE_MODE) | APIC_BASE_ENABLE);
    wrmsr(MSR_APIC_BASE, base);
    for (unsigned i = 0; i < 8; i++)
        attack_check(apic_read(APIC_IRR + i * APIC_STRIDE) == 0, "pending after off", i,
                     apic_read(APIC_IRR + i * APIC_STRIDE));
    quieten();
}

static const struct attack table[] = {{"apic-page", 1, run_page}, {"apic-modes", 1, run_modes}};
const struct attack_list attacks_xapic = ATTACK_LIST(table);
