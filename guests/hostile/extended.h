/*
 * The state that a CPU keeps beside its general registers, for attacks on what is left in it: x87, vector, mask and
 * protection-key registers, as far as CPUID shows them to this guest.
 */
#pragma once

#include <stdint.h>

/* Fills all of it with something else than a fresh CPU has. Switches on what is needed in CR4 and XCR0. */
void extended_fill(uint64_t pattern);

/* Says by attack_check what is not as in a fresh CPU. Before anything else of this guest has used it. */
void extended_check(void);
