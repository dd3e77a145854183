/*
 * The pair of interrupt controllers of a PC (Intel 8259A), the slave on input 2 of the master, with the edge/level
 * control registers of later chipsets.
 *
 * Lines go in, one output comes out: the INTR that reaches the CPU directly or through LINT0 of its local APIC. When
 * the CPU takes it, pic8259_acknowledge is the INTA cycle and gives the vector.
 */
#pragma once

#include "core/bus.h"

enum { PIC8259_PORTS = 2, PIC8259_ELCR_PORTS = 2, PIC8259_LINES = 16, PIC8259_CASCADE = 2 };

struct pic8259 {
    uint8_t mask; /* IMR, OCW1 */
    uint8_t icw1;
    uint8_t step;         /* the next ICW that is expected at port 1; 0: none */
    uint8_t vector;       /* ICW2: bits 7:3 */
    uint8_t icw3;         /* master: inputs with a slave; slave: its identity */
    uint8_t icw4;         /* 0 when ICW1 says that there is none */
    uint8_t lines;        /* inputs as they are; not the cascade, which is the slave's output */
    uint8_t requests;     /* IRR: edges that are latched; level-triggered inputs are not kept here */
    uint8_t in_service;   /* ISR */
    uint8_t lowest;       /* the input of lowest priority: 7 in the fully nested mode */
    bool rotate_on_aeoi;  /* OCW2 */
    bool special_mask;    /* OCW3 */
    bool read_in_service; /* OCW3: port 0 reads ISR, else IRR */
    bool poll;            /* OCW3: the next read is a poll */
    uint8_t index;        /* 0: master, 1: slave */
    uint8_t elcr;         /* edge/level control: 1 = level */
    uint8_t elcr_mask;    /* inputs that can be level */
};

struct pic8259_pair {
    struct pic8259 chips[2]; /* master, slave; first, because a chip finds its pair by its place in it */
};

/* All lines low, masked and edge-triggered. */
void pic8259_reset(struct pic8259_pair *pair);

/* A bus_handler for the PIC8259_PORTS ports of one chip, width 1; `chip` is one of a struct pic8259_pair. */
void pic8259_access(void *chip, uint64_t offset, struct bus_access *access);

/* A bus_handler for the ELCR ports of both, width 1; `pair` is a struct pic8259_pair. */
void pic8259_elcr_access(void *pair, uint64_t offset, struct bus_access *access);

/* The level of input 0-15. The cascade has no line of its own; it and what does not exist are ignored. */
void pic8259_set_line(struct pic8259_pair *pair, uint32_t line, bool asserted);

/* The level of INTR. It changes with lines, accesses and acknowledge cycles only. */
bool pic8259_output(const struct pic8259_pair *pair);

/*
 * Both INTA pulses: the interrupt of highest priority goes in service, and its vector is returned. When the request has
 * gone away meanwhile it is the vector of input 7, with nothing in service ("default IR7").
 */
uint8_t must_check pic8259_acknowledge(struct pic8259_pair *pair);
