#include "arch/x86_64/apic.h"

#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/percpu.h"
#include "core/cpu.h"

/* Not on the way of an exit: of this file, which is compiled for speed, only the rest. */
#define cold __attribute__((cold, noinline))

/* Register offsets of the xAPIC page; the x2APIC MSR is 800h + offset / 16. */
enum {
    APIC_TPR = 0x080,
    APIC_EOI = 0x0b0,
    APIC_SVR = 0x0f0,
    APIC_ISR = 0x100,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERFORMANCE = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_LVT_MASKED    (1u << 16)
#define APIC_LVT_MODE      (7u << 8)
#define APIC_LVT_SMI       (2u << 8)
#define APIC_SVR_ENABLE    (1u << 8)
#define APIC_ICR_PENDING   (1u << 12)
#define APIC_ICR_ASSERT    (1u << 14)
#define SPURIOUS_VECTOR    0xffu
#define TIMER_VECTOR       0xf0u
#define TIMER_TSC_DEADLINE (2u << 17)
#define TIMER_DIVIDE_BY_1  0xbu

static bool x2apic, tsc_deadline;
#define XAPIC_PAGE LAYOUT_SLOT((uint64_t)PML4_DEVICE)

static uint32_t reg_read(unsigned offset)
{
    if (x2apic)
        return (uint32_t)msr_read(MSR_IA32_X2APIC_BASE + offset / 16);
    return *(volatile uint32_t *)(XAPIC_PAGE + offset);
}

static void reg_write(unsigned offset, uint32_t value)
{
    if (x2apic)
        msr_write(MSR_IA32_X2APIC_BASE + offset / 16, value);
    else
        *(volatile uint32_t *)(XAPIC_PAGE + offset) = value;
}

void apic_send(uint32_t id, uint32_t message)
{
    uint32_t command = message | APIC_ICR_ASSERT;
    if (x2apic) {
        /* A WRMSR to the x2APIC ICR is not serialising: stores made for the receiver must be visible first. */
        __asm__ volatile("mfence; lfence" : : : "memory");
        msr_write(MSR_IA32_X2APIC_BASE + APIC_ICR_LOW / 16, (uint64_t)id << 32 | command);
        return;
    }
    while (reg_read(APIC_ICR_LOW) & APIC_ICR_PENDING)
        cpu_pause();
    reg_write(APIC_ICR_HIGH, id << 24);
    reg_write(APIC_ICR_LOW, command);
}

cold bool apic_init(bool has_x2apic, bool has_tsc_deadline)
{
    x2apic = has_x2apic;
    tsc_deadline = has_tsc_deadline;
    uint64_t base = msr_read(MSR_IA32_APIC_BASE) & 0x000ffffffffff000ull;
    return x2apic || paging_map(XAPIC_PAGE, hpa(base), PAGE_SIZE, PAGING_WRITE | PAGING_UNCACHED);
}

cold static void mask_all(void)
{
    static const uint16_t lvts[] = {APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERFORMANCE,
                                    APIC_LVT_LINT0, APIC_LVT_LINT1,   APIC_LVT_ERROR};
    /* Some CPUs have fewer LVT entries than others: bits 16-23 of the version register count them. */
    unsigned last = (reg_read(0x030) >> 16) & 0xff;
    for (unsigned i = 0; i < array_size(lvts); i++) {
        if ((lvts[i] == APIC_LVT_PERFORMANCE && last < 4) || (lvts[i] == APIC_LVT_THERMAL && last < 5))
            continue;
        /* Firmware that cools by SMI goes on doing so. */
        if (lvts[i] == APIC_LVT_THERMAL && (reg_read(APIC_LVT_THERMAL) & APIC_LVT_MODE) == APIC_LVT_SMI)
            continue;
        reg_write(lvts[i], APIC_LVT_MASKED);
    }
    reg_write(APIC_TIMER_INITIAL, 0);
}

cold static void registers_reset(void)
{
    static const struct {
        uint16_t offset, value;
    } settings[] = {
        {APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR}, /* a disabled APIC would hold what pends */
        {APIC_TPR, 0},
        {APIC_TIMER_DIVIDE, 0},
        {APIC_ESR, 0},
    };
    mask_all();
    percpu_this()->timer_deadline = 0;
    for (unsigned i = 0; i < array_size(settings); i++)
        reg_write(settings[i].offset, settings[i].value);
    reg_write(APIC_LVT_LINT1, percpu_this()->lint1);
}

cold void apic_enable(void)
{
    uint64_t base = msr_read(MSR_IA32_APIC_BASE);
    msr_write(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE);
    if (x2apic)
        msr_write(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_EXTD);
    reg_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
    /* Where firmware lets the hardware's NMI in, so do we, guest or not: it always ends up in cpu_nmi_taken. */
    bool lets_nmi_in = (reg_read(APIC_LVT_LINT1) & (APIC_LVT_MASKED | APIC_LVT_MODE)) == APIC_NMI;
    percpu_this()->lint1 = lets_nmi_in ? APIC_NMI : APIC_LVT_MASKED;
    registers_reset();
}

void apic_end_interrupt(void) { reg_write(APIC_EOI, 0); }

void apic_interrupted(void)
{
    percpu_this()->timer_deadline = 0; /* the same deadline must be set again to fire again */
    apic_end_interrupt();
}

/* Counts of the timer a second, divided by 1. */
cold static uint64_t timer_measure(uint64_t tsc_hz)
{
    reg_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    reg_write(APIC_LVT_TIMER, APIC_LVT_MASKED | TIMER_VECTOR);
    uint64_t start = tsc_read();
    reg_write(APIC_TIMER_INITIAL, UINT32_MAX);
    while (tsc_read() - start < tsc_hz / 1000)
        cpu_pause();
    uint64_t counts = UINT32_MAX - reg_read(APIC_TIMER_CURRENT);
    uint64_t ticks = tsc_read() - start;
    reg_write(APIC_TIMER_INITIAL, 0);
    return ticks == 0 ? 0 : counts * tsc_hz / ticks;
}

static void timer_count_set(uint64_t deadline, uint64_t tsc_hz)
{
    static uint64_t timer_hz; /* the same on every CPU: one bus clock */
    if (timer_hz == 0)
        timer_hz = timer_measure(tsc_hz);
    uint64_t now = tsc_read();
    uint64_t ticks = deadline > now ? deadline - now : 0;
    if (ticks > tsc_hz)
        ticks = tsc_hz; /* early is harmless: who set it looks at the clock and sets it again */
    uint64_t count = ticks * timer_hz / tsc_hz + 1;
    reg_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    reg_write(APIC_LVT_TIMER, TIMER_VECTOR);
    reg_write(APIC_TIMER_INITIAL, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

void apic_timer_set(uint64_t deadline, uint64_t tsc_hz)
{
    struct percpu *here = percpu_this();
    if (deadline == here->timer_deadline)
        return;
    here->timer_deadline = deadline;
    if (!tsc_deadline) {
        if (deadline == UINT64_MAX)
            reg_write(APIC_TIMER_INITIAL, 0);
        else
            timer_count_set(deadline, tsc_hz);
        return;
    }
    reg_write(APIC_LVT_TIMER, TIMER_TSC_DEADLINE | TIMER_VECTOR);
    __asm__ volatile("mfence; lfence" : : : "memory"); /* the mode must be in force before the deadline is written */
    msr_write(MSR_IA32_TSC_DEADLINE, deadline == UINT64_MAX ? 0 : deadline);
}

cold static bool any_set(unsigned first_register)
{
    for (unsigned i = 0; i < 8; i++)
        if (reg_read(first_register + 16 * i) != 0)
            return true;
    return false;
}

cold void apic_drained_one(void);

/* Called by trap_entry.S. Nothing in service means that it was no interrupt: vector 18 is the machine check's too. */
void apic_drained_one(void)
{
    if (!any_set(APIC_ISR))
        panic("machine check while a guest's interrupts were drained");
    reg_write(APIC_EOI, 0);
}

/* Registers as after apic_enable, and every interrupt that pends or is in service taken and dropped. */
cold void cpu_guest_interrupts_reset(void)
{
    registers_reset();
    /*
     * End what is in service, then let the pending ones in: trap_handle ends each. Bounded by the 256 vectors there
     * are.
     */
    for (unsigned i = 0; i < 256 && any_set(APIC_ISR); i++)
        reg_write(APIC_EOI, 0);
    trap_drain_begin();
    for (unsigned i = 0; i < 256 && any_set(APIC_IRR); i++)
        __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    trap_drain_end();
}
