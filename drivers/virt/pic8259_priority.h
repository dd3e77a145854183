/*
 * Which input an 8259A serves next, and how services begin and end. Only for drivers/virt/pic8259*.c.
 */
#pragma once

#include "drivers/virt/pic8259.h"

/* "Initialization Command Word 1 (ICW1)" and "Initialization Command Word 4 (ICW4)". */
enum {
    ICW1 = 1u << 4,
    ICW1_NEEDS_ICW4 = 1u << 0,
    ICW1_SINGLE = 1u << 1,
    ICW4_AEOI = 1u << 1,
    ICW4_SPECIAL_NESTED = 1u << 4,
};

/* IRR as it reads: latched edges, and level-triggered inputs that are high; the master's has the slave's output. */
uint8_t pic8259_requests(const struct pic8259 *chip);

/* The input that INT stands for, 0..7; -1: INT is low. */
int pic8259_winner(const struct pic8259 *chip);

/* Input `level` goes in service; with automatic EOI it ends at once. */
void pic8259_begin(struct pic8259 *chip, uint32_t level);

/* Ends the service of highest priority, and makes that input the lowest if `rotate`. Without a service, nothing. */
void pic8259_end_highest(struct pic8259 *chip, bool rotate);
