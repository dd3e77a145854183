/*
 * The pair of interrupt controllers of a PC (Intel 8259A), as registers only: they take their initialisation and their
 * masks, and nothing is ever delivered. Guests find and mask them before they turn to the I/O APIC.
 */
#pragma once

#include "core/bus.h"

enum { PIC8259_PORTS = 2, PIC8259_ELCR_PORTS = 2 };

struct pic8259 {
    uint8_t mask; /* OCW1 */
    uint8_t icw1;
    uint8_t step;      /* the next ICW that is expected at port 1; 0: none */
    uint8_t elcr;      /* edge/level control: 1 = level */
    uint8_t elcr_mask; /* lines that can be level */
};

struct pic8259_pair {
    struct pic8259 chips[2]; /* master, slave */
};

/* All lines masked and edge-triggered. */
void pic8259_reset(struct pic8259_pair *pair);

/* A bus_handler for the PIC8259_PORTS ports of one chip, width 1; `chip` is a struct pic8259. */
void pic8259_access(void *chip, uint64_t offset, struct bus_access *access);

/* A bus_handler for the ELCR ports of both, width 1; `pair` is a struct pic8259_pair. */
void pic8259_elcr_access(void *pair, uint64_t offset, struct bus_access *access);
