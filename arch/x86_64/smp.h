/*
 * Starts the other CPUs: INIT-SIPI-SIPI, one at a time (SDM vol. 3, "MP Initialization Protocol Algorithm").
 */
#pragma once

#include "core/machine.h"

/*
 * Starts every CPU of the machine but the one it runs on; marks those that answered `online`. Each runs `entry` with
 * its index, must call smp_arrived and must not return; the next CPU is started only then, so `entry` may use the heap
 * until it has. `page` is a free 4 KiB page below 640 KiB for the trampoline. One line on `errors` for each that does
 * not answer within a second.
 */
void smp_start(struct machine *machine, hpa_t page, void (*entry)(uint32_t cpu), struct sink *errors);

/* This CPU is up; `usable` false: it cannot run guests and counts as off line. */
void smp_arrived(uint32_t cpu, bool usable);
