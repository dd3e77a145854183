/*
 * Random code in real mode, in protected mode of 16 and 32 bits, with PAE paging and in virtual-8086 mode. The timer
 * interrupts what loops.
 */
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/hostile/modes.h"
#include "guests/hostile/random.h"
#include "guests/hostile/tables.h"

enum { SHARED = 0x5000, CODE = 0x10000, CODE_SIZE = 0x10000, REGISTERS = 32 + 8, VECTORS = 256, TIMER_VECTOR = 0x40 };
enum { PERIOD = 50000, DIVIDE_BY_1 = 0xb, GATE_FOR_ALL = 0xee, TSS32_AVAILABLE = 0x89, PRESENT = 1, PAE_TABLES = 4 };
enum { TSS_ESP0 = 4, TSS_SS0 = 8, TSS_MAP_BASE = 102, TSS_SIZE = 104, PORT_MAP_SIZE = 8192 };

/* random_modes.S knows the offsets. */
struct random_modes {
    uint32_t kind, seed, counter, pdpt;
    uint32_t registers[REGISTERS];
};
_Static_assert(sizeof(struct random_modes) == 16 + 4 * REGISTERS, "random_modes.S");

extern const char random_modes_protected[], random_modes_handler[], random_modes_real[];
extern const char random_modes_real_code[], random_modes_real_handler[], random_modes_real_end[];
extern uint64_t random_modes_idt[VECTORS];
extern volatile uint64_t guest_pdpt[512]; /* start.S */

static uint64_t pdpt[PAE_TABLES] __attribute__((aligned(32)));
/* All ports are open to virtual-8086 mode. */
static uint8_t task[TSS_SIZE + PORT_MAP_SIZE + 1] __attribute__((aligned(16)));
static uint8_t stack[4096] __attribute__((aligned(16)));

static volatile void *low(uintptr_t address)
{
    __asm__("" : "+r"(address)); /* a compiler warns of small constants as addresses */
    return (volatile void *)address;
}

static void describe_task(void)
{
    uint64_t base = (uint64_t)(uintptr_t)task, limit = sizeof task - 1;
    uint32_t top = (uint32_t)(uintptr_t)(stack + sizeof stack);
    for (unsigned i = 0; i < 4; i++)
        task[TSS_ESP0 + i] = (uint8_t)(top >> 8 * i);
    task[TSS_SS0] = TABLES_DATA;
    task[TSS_MAP_BASE] = TSS_SIZE;
    task[sizeof task - 1] = 0xff;
    tables_gdt[TABLES_TSS32_A / 8] =
        limit | (base & 0xffffff) << 16 | (uint64_t)TSS32_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
}

static void prepare_vectors(enum random_kind kind)
{
    uint64_t handler = (uint64_t)(uintptr_t)random_modes_handler;
    volatile uint32_t *real = low(0);
    uint32_t entry = MODES_REAL_PAGE + (uint32_t)(random_modes_real_handler - random_modes_real_code);
    for (unsigned i = 0; i < VECTORS; i++) {
        random_modes_idt[i] = (handler & 0xffff) | (uint64_t)TABLES_CODE32 << 16 | (uint64_t)GATE_FOR_ALL << 40 |
                              (handler >> 16 & 0xffff) << 48;
        if (kind == RANDOM_REAL)
            real[i] = entry;
    }
    volatile char *to = low(MODES_REAL_PAGE);
    for (const char *from = random_modes_real_code; from < random_modes_real_end; from++)
        *to++ = *from;
}

void random_modes_run(enum random_kind kind, uint64_t *state)
{
    volatile struct random_modes *shared = low(SHARED);
    tables_load((uint64_t)(uintptr_t)(stack + sizeof stack));
    describe_task();
    if (kind == RANDOM_PROTECTED_16) {
        tables_gdt[TABLES_CODE16 / 8] |= (uint64_t)CODE << 16;
        tables_gdt[TABLES_DATA16 / 8] |= (uint64_t)CODE << 16;
    }
    prepare_vectors(kind);
    for (unsigned i = 0; i < PAE_TABLES; i++)
        pdpt[i] = (guest_pdpt[i] & ~(uint64_t)0xfff) | PRESENT;
    random_bytes(state, (uint8_t *)(uintptr_t)CODE, CODE_SIZE);
    shared->kind = kind;
    shared->seed = (uint32_t)attack_random(state);
    shared->counter = 0;
    shared->pdpt = (uint32_t)(uintptr_t)pdpt;
    for (unsigned i = 0; i < REGISTERS; i++)
        shared->registers[i] = (uint32_t)random_number(state);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | TIMER_VECTOR);
    apic_write(APIC_TIMER_INITIAL, PERIOD);
    modes_leave((uint32_t)(uintptr_t)(kind == RANDOM_REAL ? random_modes_real : random_modes_protected));
}
