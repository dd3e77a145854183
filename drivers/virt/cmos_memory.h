/*
 * What a PC's firmware finds in the CMOS RAM: how much memory there is, and how many CPUs. The places are those that
 * PC firmware of old used, and that emulators added to.
 */
#pragma once

#include "drivers/virt/rtc.h"

/*
 * `low`: bytes of RAM below 4 GiB; `high`: bytes from 4 GiB on; `cpus`: 1 to 256. Amounts too large for their place
 * count as the largest that it holds.
 */
void cmos_memory_write(struct rtc *rtc, uint64_t low, uint64_t high, uint32_t cpus);
