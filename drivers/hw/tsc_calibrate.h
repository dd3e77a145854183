/*
 * How fast the TSC runs, measured over about 20 ms against a counter whose speed is known: channel 2 of the 8254, or
 * ACPI's power management timer where firmware has switched the 8254 off.
 */
#pragma once

#include "core/types.h"

/* TSC ticks a second; 0 when the counter does not count. `port` is where the timer's 24 or 32 bits are read. */
uint64_t tsc_calibrate_by_pit(void);
uint64_t tsc_calibrate_by_pm_timer(uint16_t port);
