/*
 * Two virtual CPUs of one partition against each other: started, stopped and vanished in the middle of everything. The
 * second one runs the real-mode code of modes.S.
 */
#include "guests/common/apic.h"
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/modes.h"
#include "guests/hostile/try.h"

enum { STARTUP_PAGE = MODES_CPU_PAGE / 4096, STORM = 300, PATIENCE = 20000000, FLIPS = 2000 };
#define IOAPIC_BASE 0xfec00000u

static void send(uint32_t to, uint32_t low) { apic_send((uint64_t)to << 32 | low); }
static void send_init(uint32_t to) { send(to, APIC_ICR_INIT | APIC_ICR_ASSERT); }
static void send_startup(uint32_t to) { send(to, APIC_ICR_STARTUP | APIC_ICR_ASSERT | STARTUP_PAGE); }

/* Ids follow each other in a partition: `further` is how far from this CPU's own; all ones is everybody. */
static uint32_t id_of(uint64_t further) { return further >= UINT32_MAX ? UINT32_MAX : apic_id() + (uint32_t)further; }

static void copy_code(void)
{
    volatile char *at = (volatile char *)(uintptr_t)MODES_CPU_PAGE;
    for (const char *from = modes_cpu_code; from < modes_cpu_end; from++)
        *at++ = *from;
}

/* Waits until the other CPU counts on; false when it does not. */
static bool counts(void)
{
    uint32_t before = modes_shared()->counter;
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (modes_shared()->counter != before)
            return true;
        pause();
    }
    return false;
}

static void start_other(uint32_t other, enum modes_task task)
{
    copy_code();
    modes_shared()->task = task;
    modes_shared()->counter = 0;
    send_init(other);
    send_startup(other);
    attack_check(counts(), "the other CPU runs", other, task);
}

/* INIT and start-up messages in every order, then a proper start, which must still work. */
static void run_storm(const uint64_t *numbers)
{
    uint32_t other = id_of(numbers[0]);
    uint64_t state = numbers[1];
    start_other(other, TASK_COUNT);
    for (unsigned i = 0; i < STORM; i++) {
        uint64_t random = attack_random(&state);
        for (unsigned j = 0; j < 4; j++, random >>= 8) {
            if ((random & 3) == 0)
                send_init(other);
            else if ((random & 3) != 3)
                send_startup(other);
            for (uint64_t delay = random & 0xf0; delay > 0; delay--)
                pause();
        }
        if (i % 50 == 49)
            start_other(other, TASK_COUNT);
    }
    start_other(other, TASK_HALT);
    for (unsigned i = 0; i < STORM; i++)
        send(other, APIC_ICR_ASSERT | (32 + i % 200));
    send_init(other);
}

/* NMIs while the other waits, halts, or is being started. Its vector table is zeros: it wanders and faults by itself.
 */
static void run_nmi_other(const uint64_t *numbers)
{
    uint32_t other = id_of(numbers[0]);
    start_other(other, TASK_COUNT);
    for (unsigned i = 0; i < STORM; i++) {
        send_init(other);
        send(other, APIC_ICR_NMI | APIC_ICR_ASSERT);
        if (i % 3 == 0)
            send_startup(other);
        send(other, APIC_ICR_NMI | APIC_ICR_ASSERT);
    }
    send_init(other);
    start_other(other, TASK_COUNT);
    send_init(other);
}

/* The other CPU is gone in a triple fault: all of the partition ends. */
static void run_vanish(const uint64_t *numbers)
{
    start_other(id_of(numbers[0]), TASK_TRIPLE_FAULT);
    for (unsigned i = 0; i < PATIENCE; i++)
        pause();
    attack_survived("vanish");
}

/* The other CPU sends the message for ever: numbers are its id, the destination (as id_of has it) and the ICR's low
 * half. */
static void run_other_sends(const uint64_t *numbers)
{
    modes_shared()->message_high = id_of(numbers[1]);
    modes_shared()->message_low = (uint32_t)numbers[2];
    attack_goes_on("other-sends");
    start_other(id_of(numbers[0]), TASK_SEND);
    for (;;)
        pause();
}

/* Both start and stop each other until somebody ends it. */
static void run_mutual(const uint64_t *numbers)
{
    uint32_t other = id_of(numbers[0]);
    attack_goes_on("mutual");
    modes_shared()->message_high = other;
    modes_shared()->message_low = APIC_ICR_STARTUP | APIC_ICR_ASSERT | STARTUP_PAGE;
    start_other(other, TASK_SEND);
    for (;;) {
        send_init(other);
        send_startup(other);
        send(other, APIC_ICR_NMI | APIC_ICR_ASSERT);
    }
}

/* The instruction that touches the device changes between the exit and the look at its bytes. */
static void run_flip(const uint64_t *numbers)
{
    volatile uint8_t *code = (volatile uint8_t *)(uintptr_t)MODES_FLIP_PAGE;
    code[4] = 0xc3;
    modes_shared()->address = MODES_FLIP_PAGE;
    modes_shared()->values[0] = 0x9090078b; /* mov (%rdi), %eax; nop; nop */
    modes_shared()->values[1] = 0x90900789; /* mov %eax, (%rdi) */
    start_other(id_of(numbers[0]), TASK_FLIP);
    for (unsigned i = 0; i < FLIPS; i++)
        (void)try((void (*)(uint64_t))(uintptr_t)code, IOAPIC_BASE);
    send_init(id_of(numbers[0]));
}

static const struct attack table[] = {
    {"cpus-storm", 2, run_storm},        {"cpus-nmi", 1, run_nmi_other}, {"vanish", 1, run_vanish},
    {"other-sends", 3, run_other_sends}, {"mutual", 1, run_mutual},      {"flip", 1, run_flip},
};
const struct attack_list attacks_cpus = ATTACK_LIST(table);
