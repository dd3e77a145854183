/*
 * One counter of the 8254. `now` is the number of the present input clock; it never goes backwards.
 */
#pragma once

#include "drivers/virt/pit8254.h"

/* Power-on: mode 3, no count, gate low. */
void pit8254_counter_reset(struct pit8254_counter *counter);

/* A control word whose access bits are not 0: forgets count and latches. */
void pit8254_counter_program(struct pit8254_counter *counter, uint8_t control);

void pit8254_counter_write(struct pit8254_counter *counter, uint8_t byte, uint64_t now);
uint8_t pit8254_counter_read(struct pit8254_counter *counter, uint64_t now);
void pit8254_counter_latch_count(struct pit8254_counter *counter, uint64_t now);
void pit8254_counter_latch_status(struct pit8254_counter *counter, uint64_t now);
void pit8254_counter_set_gate(struct pit8254_counter *counter, bool gate, uint64_t now);

/* The level of OUT. */
bool pit8254_counter_output(struct pit8254_counter *counter, uint64_t now);

/* The first clock after `now` at which OUT rises if nothing is written until then; VIRT_CLOCK_NEVER. */
uint64_t pit8254_counter_next_rise(struct pit8254_counter *counter, uint64_t now);
