/*
 * The box's clock of day (MC146818A), read once at boot.
 */
#pragma once

#include "core/types.h"

/*
 * Seconds since 1970; 2000-01-01 when the clock says nothing that makes sense. Takes up to a second if an update is
 * under way.
 */
uint64_t cmos_clock_read(void);
