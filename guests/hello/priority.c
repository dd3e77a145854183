/*
 * Priorities and ends of interrupts: SDM vol. 3, "Interrupt, Task, and Processor Priority", "Signaling Interrupt
 * Servicing Completion". Every interrupt that is taken is noted, in order; a check compares the notes.
 */
#include "guests/hello/priority.h"

#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

enum { LOW = 0x41, MIDDLE = 0x61, HIGH = 0x81, HIGHEST = 0xc1, CLASS_SHIFT = 4, NOTES = 8, UART = 0x3f8 };
enum { MASK_MIDDLE = 0x70, PINS_REGISTER = 0x10, UART_PIN = 4, LEVEL = 1 << 15, MASKED = 1 << 16, LEVEL_TIMES = 3 };
#define IOAPIC 0xfec00000u

static volatile uint8_t notes[NOTES];
static volatile uint32_t noted;

static void note(uint64_t vector)
{
    if (noted < NOTES)
        notes[noted++] = (uint8_t)vector;
}

static void take(struct trap_frame *frame)
{
    note(frame->vector);
    apic_eoi();
}

static uint64_t cr8_read(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr8, %0" : "=r"(value));
    return value;
}

static void cr8_write(uint64_t value) { __asm__ volatile("movq %0, %%cr8" ::"r"(value) : "memory"); }

/* Long enough for everything that is on its way. */
static void let_in(void)
{
    sti();
    for (unsigned i = 0; i < 100; i++)
        pause();
    cli();
}

static bool in_service(uint8_t vector)
{
    return (apic_read(APIC_ISR + vector / 32u * APIC_STRIDE) >> vector % 32 & 1) != 0;
}

static bool requested(uint8_t vector)
{
    return (apic_read(APIC_IRR + vector / 32u * APIC_STRIDE) >> vector % 32 & 1) != 0;
}

/* Prints what has become of a check: as many notes as `count`, these ones. */
static void expect(const char *name, bool good, uint32_t count, uint8_t first, uint8_t second, uint8_t third)
{
    const uint8_t wanted[] = {first, second, third};
    good = good && noted == count;
    for (uint32_t i = 0; i < count && i < sizeof wanted; i++)
        good = good && notes[i] == wanted[i];
    if (good)
        print("hello: priority %s ok\n", name);
    else
        print("hello: priority %s FAILED: %u interrupts, %x %x %x\n", name, noted, notes[0], notes[1], notes[2]);
    noted = 0;
}

static void held_back(const char *name, bool by_cr8)
{
    apic_write(APIC_TPR, MASK_MIDDLE);
    bool good = cr8_read() == MASK_MIDDLE >> CLASS_SHIFT;
    apic_send_self(MIDDLE);
    apic_send_self(HIGH);
    let_in();
    good = good && noted == 1 && requested(MIDDLE);
    sti();
    if (by_cr8)
        cr8_write(0);
    else
        apic_write(APIC_TPR, 0);
    pause();
    good = good && noted == 2; /* at once, not when something else happens */
    cli();
    expect(name, good && apic_read(APIC_TPR) == 0, 2, HIGH, MIDDLE, 0);
}

static volatile bool nested_good;

/* The higher interrupts this one, the lower waits for its end. */
static void nest(struct trap_frame *frame)
{
    note(frame->vector);
    apic_send_self(LOW);
    apic_send_self(HIGH);
    let_in();
    nested_good = noted == 2 && in_service(MIDDLE) && !in_service(HIGH) && requested(LOW) &&
                  apic_read(APIC_PPR) == (MIDDLE & 0xf0);
    apic_eoi();
}

static void nesting(void)
{
    trap_set(MIDDLE, nest);
    apic_send_self(MIDDLE);
    let_in();
    trap_set(MIDDLE, take);
    expect("nesting", nested_good && !in_service(MIDDLE) && apic_read(APIC_PPR) == 0, 3, MIDDLE, HIGH, LOW);
}

static void sleeping(void)
{
    apic_send_self(MIDDLE);
    /* It waits already. The prefix says nothing, but is a part of the instruction: what is resumed lies behind both. */
    __asm__ volatile("sti; .byte 0x66; hlt" ::: "memory");
    cli();
    expect("halt", true, 1, MIDDLE, 0, 0);
}

/* A vector that TPR holds back does not end a HLT; the timer does. */
static void sleeping_below(void)
{
    apic_write(APIC_LVT_TIMER, HIGHEST);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_TPR, MASK_MIDDLE);
    apic_send_self(MIDDLE);
    apic_write(APIC_TIMER_INITIAL, 200000);
    while (noted == 0) { /* the machine's firmware may end a HLT too */
        sti_hlt();
        cli();
    }
    bool good = noted == 1;
    apic_write(APIC_TPR, 0);
    let_in();
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    expect("halt-below", good, 2, HIGHEST, MIDDLE, 0);
}

/* "Local APIC State After It Has Been Software Disabled" */
static void disabled(void)
{
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_VECTOR);
    apic_send_self(MIDDLE);
    let_in();
    bool good = noted == 0 && !requested(MIDDLE);
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
    let_in();
    expect("disabled", good, 0, 0, 0, 0);
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC = index;
    *(volatile uint32_t *)(uintptr_t)(IOAPIC + 0x10) = value;
}

/* The UART's transmitter is empty and says so again after each end, until it is told not to. */
static void take_level(struct trap_frame *frame)
{
    note(frame->vector);
    if (noted == LEVEL_TIMES)
        outb(UART + 1, 0);
    apic_eoi();
}

static void level(void)
{
    trap_set(LOW, take_level);
    ioapic_write(PINS_REGISTER + 2 * UART_PIN + 1, apic_id() << 24);
    ioapic_write(PINS_REGISTER + 2 * UART_PIN, LEVEL | LOW);
    outb(UART + 4, 0x0b);
    outb(UART + 1, 2);
    let_in();
    ioapic_write(PINS_REGISTER + 2 * UART_PIN, MASKED);
    trap_set(LOW, take);
    expect("level", !in_service(LOW), LEVEL_TIMES, LOW, LOW, LOW);
}

void priority_check(void)
{
    static const uint8_t vectors[] = {LOW, MIDDLE, HIGH, HIGHEST};
    for (unsigned i = 0; i < sizeof vectors; i++)
        trap_set(vectors[i], take);
    cli();
    held_back("register", false);
    held_back("cr8", true);
    nesting();
    sleeping();
    sleeping_below();
    disabled();
    level();
}
