/*
 * Page tables that lie where no table may: outside the partition, in a device, in themselves.
 */
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { PRESENT_WRITABLE = 3, SLOT_LOOP = 5, SLOT_WALK = 7, VECTOR_PF = 14 };

static uint64_t *pml4(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    return (uint64_t *)(uintptr_t)(cr3 & ~(uint64_t)0xfff);
}

static void touch(uint64_t address) { (void)*(volatile uint64_t *)(uintptr_t)address; }
static void store(uint64_t address) { *(volatile uint64_t *)(uintptr_t)address = 0x5a5a5a5a5a5a5a5a; }

/* A table that is its own next level, four deep: what it maps is itself. */
static void run_loop(const uint64_t *numbers)
{
    volatile uint64_t *top = pml4();
    uint64_t slot = SLOT_LOOP;
    uint64_t address = slot << 39 | slot << 30 | slot << 21 | slot << 12;
    (void)numbers;
    top[SLOT_LOOP] = (uint64_t)(uintptr_t)top | PRESENT_WRITABLE;
    const volatile uint64_t *mapped = (const volatile uint64_t *)(uintptr_t)address;
    attack_check(mapped[SLOT_LOOP] >> 12 == top[SLOT_LOOP] >> 12, "table seen through itself", address,
                 mapped[SLOT_LOOP]);
    /* Every entry of the whole table, random: the walk goes wherever, and comes back with a page fault. */
    uint64_t state = 0x1234567;
    static volatile uint64_t rubbish[512] __attribute__((aligned(4096)));
    for (unsigned i = 0; i < 512; i++)
        rubbish[i] = (attack_random(&state) & 0xfff0000000000ffe) | 1u << 7 | 1 << 8;
    top[SLOT_LOOP] = (uint64_t)(uintptr_t)rubbish | PRESENT_WRITABLE;
    __asm__ volatile("movq %%cr3, %%rax; movq %%rax, %%cr3" ::: "rax", "memory");
    for (uint64_t i = 0; i < 512; i++) {
        struct caught caught = try(i % 2 == 0 ? touch : store, slot << 39 | i << 30);
        attack_check(caught.faulted && caught.vector == VECTOR_PF, "rubbish entry", i, caught_number(caught));
    }
    top[SLOT_LOOP] = 0;
    __asm__ volatile("movq %%cr3, %%rax; movq %%rax, %%cr3" ::: "rax", "memory");
}

/* The next level of a table at any address; the CPU reads it and, to set the accessed bit, writes it. */
static void run_walk(const uint64_t *numbers)
{
    pml4()[SLOT_WALK] = numbers[0] | PRESENT_WRITABLE;
    touch((uint64_t)SLOT_WALK << 39);
    attack_survived("walk");
}

/* The top of all tables at any address: the next fetch has nowhere to go. */
static void run_cr3(const uint64_t *numbers)
{
    __asm__ volatile("movq %0, %%cr3" ::"r"(numbers[0]) : "memory");
    attack_survived("cr3");
}

static void write_cr3(uint64_t value) { __asm__ volatile("movq %0, %%cr3" ::"r"(value) : "memory"); }

static void run_cr3_reserved(const uint64_t *numbers)
{
    (void)numbers;
    for (unsigned bit = 52; bit < 63; bit++) {
        struct caught caught = try(write_cr3, (uint64_t)(uintptr_t)pml4() | (uint64_t)1 << bit);
        attack_check(caught_gp(caught), "cr3 with bit", bit, caught_number(caught));
    }
}

static const struct attack table[] = {
    {"table-loop", 0, run_loop}, {"walk", 1, run_walk}, {"cr3", 1, run_cr3}, {"cr3-reserved", 0, run_cr3_reserved}};
const struct attack_list attacks_paging = ATTACK_LIST(table);
