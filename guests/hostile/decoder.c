/*
 * The decoder behind the I/O APIC's page: instructions that it must carry out exactly, that straddle pages, that it
 * does not know, and that change under its eyes.
 */
#include "guests/common/console.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

#define IOAPIC_BASE 0xfec00000u
enum { IOREGSEL = 0, IOWIN = 0x10, PAGE = 4096, NUMBER_BYTES = 8 };

static uint8_t pages[2 * PAGE] __attribute__((aligned(4096)));

static void serialise(void) { __asm__ volatile("xorl %%eax, %%eax; cpuid" ::: "eax", "ebx", "ecx", "edx", "memory"); }

/* MOV forms at every distance from the end of a page. */
static void run_straddle(const uint64_t *numbers)
{
    static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0, 0, 0, 0, /* mov $0, %rax */
                                   0x8b, 0x07,                   /* mov (%rdi), %eax */
                                   0xc7, 0x07, 1,    0, 0, 0,    /* movl $1, (%rdi) */
                                   0x44, 0x8b, 0x87, 0, 0, 0, 0, /* mov 0(%rdi), %r8d */
                                   0x66, 0x89, 0x07,             /* mov %ax, (%rdi) */
                                   0xc3};
    (void)numbers;
    for (size_t distance = 0; distance <= sizeof code; distance++) {
        uint8_t *at = pages + PAGE - distance;
        for (size_t i = 0; i < sizeof code; i++)
            at[i] = code[i];
        serialise();
        struct caught caught = try((void (*)(uint64_t))(uintptr_t)at, IOAPIC_BASE);
        attack_check(!caught.faulted, "instruction at page end less", distance, caught_number(caught));
    }
}

/* A device read whose result is the code that runs next. */
static void run_modify(const uint64_t *numbers)
{
    static const uint8_t code[] = {0x8b, 0x07,             /* mov (%rdi), %eax */
                                   0x88, 0x05, 1, 0, 0, 0, /* mov %al, 1(%rip): the operand of the next */
                                   0xb0, 0x5a,             /* mov $0x5a, %al */
                                   0x88, 0x07,             /* mov %al, (%rdi) */
                                   0xc3};
    (void)numbers;
    for (unsigned i = 0; i < 256; i++) {
        *(volatile uint32_t *)(uintptr_t)(IOAPIC_BASE + IOREGSEL) = i;
        struct caught caught = try_bytes(code, sizeof code - 1, IOAPIC_BASE);
        attack_check(!caught.faulted, "self-modifying round", i, caught_number(caught));
    }
}

/* Lengths that no instruction has, and locks where none may be. */
static void run_prefixes(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t count = 0; count <= 20; count++) {
        uint8_t bytes[24];
        size_t length = 0;
        while (length < count)
            bytes[length++] = 0x66;
        bytes[length++] = 0x8b;
        bytes[length++] = 0x07;
        struct caught caught = try_bytes(bytes, length, IOAPIC_BASE);
        bool too_long = length > 15;
        attack_check(caught.faulted == too_long, "prefixes", count, caught_number(caught));
    }
    static const uint8_t locked[] = {0xf0, 0x8b, 0x07};
    struct caught caught = try_bytes(locked, sizeof locked, IOAPIC_BASE);
    attack_check(caught.faulted && caught.vector == 6, "lock mov", 0, caught_number(caught));
}

/* Any bytes, as they stand in the number, lowest first; RDI: the page plus the third number. */
static void run_bytes(const uint64_t *numbers)
{
    uint8_t bytes[NUMBER_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(numbers[0] >> 8 * i);
    struct caught caught =
        try_bytes(bytes, numbers[1] < sizeof bytes ? numbers[1] : sizeof bytes, IOAPIC_BASE + numbers[2]);
    print("hostile: bytes gave 0x%lx\n", caught_number(caught));
}

/* Moves of device memory into RAM, into other devices, off the ends, with a count that has no end. */
static void run_string(const uint64_t *numbers)
{
    uint64_t to = numbers[0], from = numbers[1], count = numbers[2];
    struct caught unused = {.faulted = false};
    (void)unused;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

static const struct attack table[] = {
    {"decoder-straddle", 0, run_straddle}, {"decoder-modify", 0, run_modify}, {"decoder-prefixes", 0, run_prefixes},
    {"decoder-bytes", 3, run_bytes},       {"decoder-string", 3, run_string},
};
const struct attack_list attacks_decoder = ATTACK_LIST(table);
