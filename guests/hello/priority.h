/* The word "priority" of hello. */
#pragma once

/*
 * Holds the local APIC of a partition with virtual interrupts against the manual: what may interrupt what, and how it
 * ends. Prints one line for each thing, "hello: priority NAME ok", or "FAILED" with what was seen.
 */
void priority_check(void);
