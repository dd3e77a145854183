/*
 * An I/O APIC of version 20h (Intel 82093AA registers plus the EOI register of later chipsets).
 *
 * Lines go in, interrupt messages come out; who carries the messages is not its concern.
 */
#pragma once

#include "core/bus.h"
#include "core/interrupt.h"

enum { IOAPIC_PINS = 24, IOAPIC_WINDOW_SIZE = 0x1000 };

struct ioapic {
    bool eoi_visible; /* someone calls ioapic_eoi when a local APIC ends an interrupt */
    uint8_t select;   /* IOREGSEL */
    uint8_t id;
    uint32_t lines; /* asserted inputs, one bit a pin */
    uint32_t edges; /* rising edges not yet sent */
    uint32_t sent;  /* level pins: sent and not yet ended. The remote IRR, when EOIs are visible */
    uint32_t level; /* pins that are level-triggered, and those that are masked: what `entries` say, by bits */
    uint32_t masked;
    uint64_t entries[IOAPIC_PINS];
};

/*
 * Reset: every pin masked. `eoi_visible` false is for local APICs that belong to the guest: nothing waits for an EOI,
 * a level pin sends again after its line fell or the guest unmasked it, and remote IRR reads 0.
 */
void ioapic_reset(struct ioapic *ioapic, uint8_t id, bool eoi_visible);

/* A bus_handler for a memory slot of IOAPIC_WINDOW_SIZE bytes; only aligned 32-bit accesses mean anything. */
void ioapic_access(void *ioapic, uint64_t offset, struct bus_access *access);

/* Asserts or deasserts an input. A pin that does not exist is ignored. */
void ioapic_set_line(struct ioapic *ioapic, uint32_t pin, bool asserted);

/* Whether a pin that exists would send nothing now. */
bool ioapic_masked(const struct ioapic *ioapic, uint32_t pin);

/* A local APIC ended the level interrupt with this vector. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

/* What ioapic_access reads in 32 bits; reads change nothing. -1: nothing means anything there. */
int64_t must_check ioapic_read(const struct ioapic *ioapic, uint64_t offset);

/* The one write of 32 bits from which no message can come: of IOREGSEL. False, with nothing done: it is another. */
bool must_check ioapic_select(struct ioapic *ioapic, uint64_t offset, uint32_t value);

/* Takes the next message that is due, lowest pin first; false when there is none. */
bool must_check ioapic_next(struct ioapic *ioapic, struct interrupt_message *message);
