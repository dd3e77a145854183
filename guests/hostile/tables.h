/*
 * A set of descriptor tables of this guest's own making, for attacks that bend them.
 */
#pragma once

#include <stdint.h>

enum {
    TABLES_CODE64 = 8,
    TABLES_DATA = 16,
    TABLES_CODE32 = 24,
    TABLES_CODE16 = 32,
    TABLES_DATA16 = 40,
    TABLES_TSS = 48, /* 16 bytes */
    TABLES_CODE32_USER = 64,
    TABLES_DATA_USER = 72,
    TABLES_TSS32_A = 80,
    TABLES_TSS32_B = 88,
    TABLES_TASK_GATE = 96,
    TABLES_ENTRIES = 512,
};

struct tables_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
_Static_assert(sizeof(struct tables_pointer) == 10, "LGDT operand in 64-bit mode");

extern uint64_t tables_gdt[TABLES_ENTRIES];

/* modes.S: UD2, in every mode. */
extern const char tables_landing[];

/* Fills the first entries, loads GDTR and TR; `stack`: IST 1 of the task state. */
void tables_load(uint64_t stack);

static inline void tables_lidt(uint64_t base, uint16_t limit)
{
    struct tables_pointer pointer = {limit, base};
    __asm__ volatile("lidt %0" ::"m"(pointer));
}
static inline struct tables_pointer tables_sidt(void)
{
    struct tables_pointer pointer;
    __asm__ volatile("sidt %0" : "=m"(pointer));
    return pointer;
}
