/*
 * What somebody outside the partitions must look after while time goes by: restarts that were put off, guests that have
 * stopped giving signs of life, CPUs that do not answer.
 */
#pragma once

#include "core/types.h"

/* One look, at TSC value `now`. By the console's CPU, about once a millisecond. */
void supervise(uint64_t now, uint64_t tsc_hz);
