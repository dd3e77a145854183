/*
 * Descriptor tables full of nonsense: random descriptors behind every selector, random gates behind every vector.
 */
#include "guests/hostile/tables.h"

#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { FIRST_RANDOM = 14, GATES = 256, FIRST_FREE_VECTOR = 0x60, ROUNDS = 400, TSS_LIMIT = 103, PLAIN_LOADS = 5 };
#define NO_BASE 0x00ffff000000ffffull /* of a descriptor: all but its base */

uint64_t tables_gdt[TABLES_ENTRIES] __attribute__((aligned(4096)));
static uint32_t task_state[26] __attribute__((aligned(16))); /* SDM vol. 3, "64-Bit TSS Format" */
static uint64_t gates[2 * GATES] __attribute__((aligned(4096)));

static void tss_describe(uint64_t base)
{
    tables_gdt[TABLES_TSS / 8] = TSS_LIMIT | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    tables_gdt[TABLES_TSS / 8 + 1] = base >> 32;
}

void tables_load(uint64_t stack)
{
    struct tables_pointer pointer = {sizeof tables_gdt - 1, (uint64_t)(uintptr_t)tables_gdt};
    tables_gdt[0] = 0;
    tables_gdt[TABLES_CODE64 / 8] = 0x00af9b000000ffff;
    tables_gdt[TABLES_DATA / 8] = 0x00cf93000000ffff;
    tables_gdt[TABLES_CODE32 / 8] = 0x00cf9b000000ffff;
    tables_gdt[TABLES_CODE16 / 8] = 0x00009b000000ffff;
    tables_gdt[TABLES_DATA16 / 8] = 0x000093000000ffff;
    tables_gdt[TABLES_CODE32_USER / 8] = 0x00cffb000000ffff;
    tables_gdt[TABLES_DATA_USER / 8] = 0x00cff3000000ffff;
    task_state[1] = task_state[9] = (uint32_t)stack; /* RSP0, IST1 */
    task_state[2] = task_state[10] = (uint32_t)(stack >> 32);
    tss_describe((uint64_t)(uintptr_t)task_state);
    __asm__ volatile("lgdt %0; ltr %w1" ::"m"(pointer), "r"(TABLES_TSS) : "memory");
}

static void load_ds(uint64_t selector) { __asm__ volatile("movw %w0, %%ds" ::"r"(selector)); }
static void load_fs(uint64_t selector) { __asm__ volatile("movw %w0, %%fs" ::"r"(selector)); }
static void load_ss(uint64_t selector) { __asm__ volatile("movw %w0, %%ss" ::"r"(selector)); }
static void load_ldt(uint64_t selector) { __asm__ volatile("lldt %w0" ::"r"(selector)); }
static void load_tr(uint64_t selector) { __asm__ volatile("ltr %w0" ::"r"(selector)); }

static struct {
    uint32_t offset;
    uint16_t selector;
} __attribute__((packed)) far_pointer;

static void far_jump(uint64_t selector)
{
    far_pointer.selector = (uint16_t)selector;
    __asm__ volatile("ljmpl *%0" ::"m"(far_pointer) : "memory");
}
static void far_call(uint64_t selector)
{
    far_pointer.selector = (uint16_t)selector;
    __asm__ volatile("lcalll *%0" ::"m"(far_pointer) : "memory");
}

/* Any of these may fault or succeed; that something is left to say PASS is the test. */
static void run_descriptors(const uint64_t *numbers)
{
    static void (*const loads[])(uint64_t) = {load_ds, load_fs, load_ss, load_ldt, load_tr, far_jump, far_call};
    static uint64_t stack[512];
    uint64_t state = numbers[0];
    tables_load((uint64_t)(uintptr_t)(stack + 512));
    far_pointer.offset = (uint32_t)(uintptr_t)tables_landing;
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* A code segment with a base would jump to anywhere in this guest: in half of the rounds all bases are 0. */
        uint64_t mask = round % 2 == 0 ? UINT64_MAX : NO_BASE;
        for (unsigned i = FIRST_RANDOM; i < TABLES_ENTRIES; i++)
            tables_gdt[i] = attack_random(&state) & mask;
        for (size_t i = 0; i < (round % 2 == 0 ? PLAIN_LOADS : sizeof loads / sizeof loads[0]); i++) {
            uint64_t selector = attack_random(&state) & 0xffb; /* not of the local table, which is nowhere */
            (void)try(loads[i], selector >= FIRST_RANDOM * 8 ? selector : selector | 0x800);
        }
    }
    __asm__ volatile("movw %w0, %%fs; lldt %w0" ::"r"(0));
    tables_load((uint64_t)(uintptr_t)(stack + 512));
}

static void interrupt_60(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("int $0x60" ::: "memory");
}

/* Random gates for one vector; the others stay as they are, so that its faults are caught. */
static void run_gates(const uint64_t *numbers)
{
    static uint64_t stack[512];
    struct tables_pointer before = tables_sidt();
    const uint64_t *old = (const uint64_t *)(uintptr_t)before.base;
    uint64_t state = numbers[0];
    tables_load((uint64_t)(uintptr_t)(stack + 512));
    for (unsigned i = 0; i < 2 * GATES; i++)
        gates[i] = old[i];
    tables_lidt((uint64_t)(uintptr_t)gates, sizeof gates - 1);
    uint64_t landing = (uint64_t)(uintptr_t)tables_landing;
    for (unsigned round = 0; round < 20 * ROUNDS; round++) {
        uint64_t random = attack_random(&state);
        /* Every other gate points to something that can be executed; the stack table's entries stay at 0 and 1. */
        uint64_t offset = round % 2 == 0 ? landing : attack_random(&state) | 0xffff800000000000;
        gates[2 * FIRST_FREE_VECTOR] = (offset & 0xffff) | (random & 0xff01ull) << 32 | (offset >> 16 & 0xffff) << 48 |
                                       (round % 3 == 0 ? random & 0xffff : (uint64_t)TABLES_CODE64) << 16;
        gates[2 * FIRST_FREE_VECTOR + 1] = offset >> 32;
        (void)try(interrupt_60, 0);
    }
    tables_lidt(before.base, before.limit);
}

static void load_gdt(uint64_t base)
{
    struct tables_pointer pointer = {0xffff, base};
    __asm__ volatile("lgdt %0" ::"m"(pointer));
}
static void load_idt(uint64_t base) { tables_lidt(base, 0xffff); }

static void run_pointers(const uint64_t *numbers)
{
    static const uint64_t bases[] = {0x0000800000000000, 0x8000000000000000, 0xffff7fffffffffff};
    (void)numbers;
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        struct caught gdt = try(load_gdt, bases[i]), idt = try(load_idt, bases[i]);
        attack_check(gdt.faulted, "lgdt", bases[i], caught_number(gdt));
        attack_check(idt.faulted, "lidt", bases[i], caught_number(idt));
    }
}

/* Tables in memory that is not the partition's: the next use is refused. */
static void run_gdt_at(const uint64_t *numbers)
{
    load_gdt(numbers[0]);
    load_ds(TABLES_CODE32);
    attack_survived("gdt-at");
}

static const struct attack table[] = {
    {"descriptors", 1, run_descriptors},
    {"gates", 1, run_gates},
    {"table-pointers", 0, run_pointers},
    {"gdt-at", 1, run_gdt_at},
};
const struct attack_list attacks_tables = ATTACK_LIST(table);
