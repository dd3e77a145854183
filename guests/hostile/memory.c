/*
 * Addresses that are not the partition's: reads, writes and fetches of every size, across the end of its RAM, and
 * linear addresses that no table can hold.
 */
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14, PF_RESERVED = 1 << 3 };
enum { PDPT_LARGE_ENTRY = 0x83, PDPT_SPARE = 511 };

extern volatile uint64_t guest_pdpt[512];

static void load(uint64_t address, uint64_t size)
{
    if (size == 1)
        (void)*(volatile uint8_t *)(uintptr_t)address;
    else if (size == 2)
        (void)*(volatile uint16_t *)(uintptr_t)address;
    else if (size == 4)
        (void)*(volatile uint32_t *)(uintptr_t)address;
    else
        (void)*(volatile uint64_t *)(uintptr_t)address;
}

static void store(uint64_t address, uint64_t size)
{
    if (size == 1)
        *(volatile uint8_t *)(uintptr_t)address = 0x5a;
    else if (size == 2)
        *(volatile uint16_t *)(uintptr_t)address = 0x5a5a;
    else if (size == 4)
        *(volatile uint32_t *)(uintptr_t)address = 0x5a5a5a5a;
    else
        *(volatile uint64_t *)(uintptr_t)address = 0x5a5a5a5a5a5a5a5a;
}

static void run_read(const uint64_t *numbers)
{
    (void)guest_map_large();
    load(numbers[0], numbers[1]);
    attack_survived("read");
}

static void run_write(const uint64_t *numbers)
{
    (void)guest_map_large();
    store(numbers[0], numbers[1]);
    attack_survived("write");
}

static void run_execute(const uint64_t *numbers)
{
    (void)guest_map_large();
    ((void (*)(void))(uintptr_t)numbers[0])();
    attack_survived("execute");
}

/* With REP the CPU may have done half of it when the refused page comes. */
static void run_copy(const uint64_t *numbers)
{
    uint64_t to = numbers[0], from = numbers[1], count = numbers[2];
    (void)guest_map_large();
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    attack_survived("copy");
}

static void touch(uint64_t address) { load(address, 8); }

/* Not an exit but the architecture's own faults, and the last bytes that are the guest's. */
static void run_edges(const uint64_t *numbers)
{
    static const uint64_t bad[] = {0x0000800000000000, 0x8000000000000000, 0xffff7fffffffffff, 0x00007ffffffffffc};
    (void)numbers;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct caught caught = try(touch, bad[i]);
        attack_check(caught.faulted, "address", bad[i], caught_number(caught));
    }
    for (uint64_t size = 1; size <= 8; size *= 2) {
        load(attack_memory_end() - size, size);
        store(attack_memory_end() - size, size);
        load(0, size);
    }
    uint64_t bits = cpuid(0x80000008, 0).eax & 0xff;
    for (; bits < 52; bits++) {
        guest_pdpt[PDPT_SPARE] = (uint64_t)1 << bits | PDPT_LARGE_ENTRY;
        __asm__ volatile("invlpg (%0)" ::"r"((uint64_t)PDPT_SPARE << 30) : "memory");
        struct caught caught = try(touch, (uint64_t)PDPT_SPARE << 30);
        attack_check(caught.faulted && caught.vector == VECTOR_PF && (caught.error & PF_RESERVED) != 0,
                     "physical address bit", bits, caught_number(caught));
    }
    guest_pdpt[PDPT_SPARE] = 0;
}

static const struct attack table[] = {
    {"read", 2, run_read}, {"write", 2, run_write}, {"execute", 1, run_execute},
    {"copy", 3, run_copy}, {"edges", 0, run_edges},
};
const struct attack_list attacks_memory = ATTACK_LIST(table);
