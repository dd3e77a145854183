/*
 * The box's 8259 pair and its IOAPICs: all masked, so that firmware's timer tick (vector 8 on a PC: a guest's #DF)
 * and devices that nobody owns reach no guest.
 */
#pragma once

#include "core/machine.h"

void pic8259_mask_all(void);

/* Masks every pin of every IOAPIC of the MADT; `map` gives a pointer to a device page, or NULL. */
void ioapic_mask_all(const struct machine *machine, void *(*map)(hpa_t page));
