/*
 * The one job of the box's 8254: to tell how fast the TSC runs.
 */
#pragma once

#include "core/types.h"

/* TSC ticks a second, measured over about 20 ms on channel 2; 0 when the timer does not count. */
uint64_t pit_calibrate_tsc(void);
