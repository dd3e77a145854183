/*
 * INS and OUTS: the string instructions between a port and memory. Pure: the guest's RAM and the port are reached
 * through callbacks, registers are changed in the vCPU, everything else is handed back as data.
 */
#pragma once

#include "core/exit.h"
#include "core/mmio.h"

/*
 * Carries out the instruction at the view's RIP, which exited with `exit` (EXIT_PORT). SDM vol. 2, "INS" and "OUTS".
 * `access` is called with the port's number as address, `exit->size` bytes wide, and must answer.
 *
 * MMIO_DONE: move RIP on. MMIO_AGAIN: MMIO_MAX_ELEMENTS elements are done, enter the guest, it continues by itself.
 * MMIO_EXCEPTION: inject outcome->vector. MMIO_UNKNOWN: outcome->reason says why it could not be done; outcome->bytes
 * hold what could be fetched. MMIO_REFUSED does not happen. RCX, RSI and RDI tell what was completed: nothing, or whole
 * elements. The limits of the guest's segments are not looked at: they are not part of the view.
 */
enum mmio_result must_check port_string_emulate(struct vcpu *vcpu, const struct vcpu_state_view *view,
                                                const struct exit *exit, const struct guest_memory *memory,
                                                mmio_access *access, void *context, struct mmio_outcome *outcome);
