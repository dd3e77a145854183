/*
 * Two CPUs of one guest: messages between them, memory between them, and exits of both at once.
 *
 * The second CPU is found by trying: a start-up message to every other CPU, and whoever comes is the partner.
 */
#include "guests/bench/cases.h"
#include "guests/bench/sample.h"
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

enum { SECONDARY_PAGE = 0x8000, STACK_SIZE = 8192, VECTOR = 0x45, SHORTHAND_OTHERS = 3 << 18 };

/* The end of secondary_code (secondary.S). */
struct secondary_arguments {
    uint32_t tables, stack, start; /* CR3, stack top, secondary_main */
};
_Static_assert(sizeof(struct secondary_arguments) == 12, "secondary.S reads these at the end of its code");

extern const uint8_t secondary_code[], secondary_code_end[], secondary_arguments[];
void secondary_main(void); /* called by secondary.S */

/* What the partner does until it is told something else. */
enum task { TASK_NOTHING, TASK_ECHO, TASK_EXITS, TASK_INTERRUPTS };

/* Each word on a line of its own, so that writing one does not slow the others. */
static struct shared {
    _Alignas(64) volatile uint32_t task;
    _Alignas(64) volatile uint32_t doing; /* the task that the partner has begun */
    _Alignas(64) volatile uint32_t id_plus_1;
    _Alignas(64) volatile uint64_t ball;
    _Alignas(64) volatile uint64_t back;
} shared;

static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));

static void answer(struct trap_frame *frame)
{
    (void)frame;
    shared.back++;
    apic_eoi();
}

static void echo(void)
{
    while (shared.task == TASK_ECHO)
        shared.back = shared.ball;
}

static void exits(void)
{
    while (shared.task == TASK_EXITS)
        (void)cpuid(0, 0);
}

static void interrupts(void)
{
    sti();
    while (shared.task == TASK_INTERRUPTS)
        pause();
    cli();
}

void secondary_main(void)
{
    trap_init();
    apic_init();
    shared.id_plus_1 = apic_id() + 1;
    for (;;) {
        uint32_t task = shared.task;
        shared.doing = task;
        switch (task) {
        case TASK_ECHO:
            echo();
            break;
        case TASK_EXITS:
            exits();
            break;
        case TASK_INTERRUPTS:
            interrupts();
            break;
        default:
            pause();
            break;
        }
    }
}

/* The partner has begun the task when this returns. */
static void set_task(enum task task)
{
    shared.task = task;
    while (shared.doing != task)
        pause();
}

static void copy_code(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)SECONDARY_PAGE;
    for (long i = 0; i < secondary_code_end - secondary_code; i++)
        to[i] = secondary_code[i];
    volatile struct secondary_arguments *arguments =
        (volatile struct secondary_arguments *)(to + (secondary_arguments - secondary_code));
    arguments->tables = (uint32_t)cr3;
    arguments->stack = (uint32_t)(uintptr_t)(stack + sizeof stack);
    arguments->start = (uint32_t)(uintptr_t)secondary_main;
}

static void wait_ticks(uint64_t ticks)
{
    for (uint64_t from = rdtsc(); rdtsc() - from < ticks;)
        pause();
}

/* SDM vol. 3, "Typical BSP Initialization Sequence": INIT, 10 ms, start-up. Whoever comes first is the partner. */
static bool start_partner(void)
{
    enum { TICKS_10_MS = 1000000, TICKS_COME = 400000000 };
    uint64_t hz = guest_tsc_hz();
    copy_code();
    wrmsr(MSR_X2APIC_ICR, SHORTHAND_OTHERS | APIC_ICR_ASSERT | APIC_ICR_LEVEL | APIC_ICR_INIT);
    wait_ticks(hz != 0 ? hz / 100 : TICKS_10_MS);
    wrmsr(MSR_X2APIC_ICR, SHORTHAND_OTHERS | APIC_ICR_ASSERT | APIC_ICR_STARTUP | SECONDARY_PAGE >> 12);
    for (uint64_t from = rdtsc(); shared.id_plus_1 == 0;) {
        if (rdtsc() - from > (hz != 0 ? 4 * hz : TICKS_COME))
            return false;
        pause();
    }
    return true;
}

/* Interrupts are off over there: the first message waits and the others join it. What is seen is the sending. */
static void sending(uint64_t message)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        __asm__ volatile("" ::"c"(MSR_X2APIC_ICR), "a"((uint32_t)message), "d"((uint32_t)(message >> 32)));
        sample_empty(i, rdtsc() - from);
        from = rdtsc();
        wrmsr(MSR_X2APIC_ICR, message);
        sample_put(i, rdtsc() - from);
    }
    sample_report("icr_cross_cpu");
}

static void round_trip(uint64_t message)
{
    set_task(TASK_INTERRUPTS);
    wait_ticks(100000); /* the message that waited is taken */
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t before = shared.back;
        uint64_t from = rdtsc();
        wrmsr(MSR_X2APIC_ICR, message);
        while (shared.back == before)
            ;
        sample_put(i, rdtsc() - from);
    }
    sample_report("ipi_round_trip");
}

static void ping_pong(void)
{
    set_task(TASK_ECHO);
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        shared.ball = i + 1;
        while (shared.back != i + 1)
            ;
        sample_put(i, rdtsc() - from);
    }
    sample_report("memory_ping_pong");
}

void cases_smp(void)
{
    trap_set(VECTOR, answer);
    if (!apic_is_x2apic() || !start_partner()) {
        sample_absent("icr_cross_cpu", "no x2APIC, or no second CPU came");
        return;
    }
    uint64_t message = (uint64_t)(shared.id_plus_1 - 1) << 32 | APIC_ICR_ASSERT | VECTOR;
    SAMPLE_INSTRUCTION("cpuid_smp", "xorl %%eax, %%eax\n\txorl %%ecx, %%ecx", "cpuid");
    sending(message);
    round_trip(message);
    ping_pong();
    set_task(TASK_EXITS);
    SAMPLE_INSTRUCTION("cpuid_both", "xorl %%eax, %%eax\n\txorl %%ecx, %%ecx", "cpuid");
    set_task(TASK_NOTHING);
}
