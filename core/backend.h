/*
 * What a vendor's virtualisation must offer. Chosen once at boot; the only thing core/ knows of it.
 *
 * Every function acts on the CPU it is called on. A vCPU is only ever passed to functions on its own CPU,
 * except vcpu_create, which runs before that CPU enters its loop.
 */
#pragma once

#include "core/exception.h"
#include "core/machine.h"
#include "core/nested.h"
#include "core/vcpu.h"

struct partition;

struct backend {
    const char *name; /* "VT-x", "AMD-V" */

    /* Prints one line a needed feature to `out`, fills caps; false when guests cannot run here. */
    bool (*probe)(struct cpu_caps *caps, struct sink *out);

    /* Makes this CPU a host / an ordinary CPU again. cpu_on returns false with one line on `errors`. */
    bool (*cpu_on)(struct sink *errors);
    void (*cpu_off)(void);

    /* Allocates the vendor's part of a vCPU. Only before the plan is committed. */
    bool (*vcpu_create)(struct vcpu *vcpu);

    /* Puts a vCPU into a known state: power-on values of the manual, then `entry` on top. */
    void (*vcpu_reset)(struct vcpu *vcpu, const struct vcpu_entry *entry);

    /* Enters the guest until something happens that is not the backend's own business; fills `exit`. */
    void (*run)(struct vcpu *vcpu, struct exit *exit);

    /* Moves the guest past the instruction that exited. */
    void (*advance)(struct vcpu *vcpu, const struct exit *exit);

    /* Queues an exception (with error code where the architecture has one), or an NMI, for the next entry. */
    void (*inject_exception)(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);
    bool (*inject_nmi)(struct vcpu *vcpu); /* false: not now; the NMI window will exit */

    /*
     * Virtual mode. interrupt_ready: whether the guest can take an external interrupt at the next entry; false: the
     * backend exits as soon as it can (EXIT_INTERRUPT_WINDOW). inject_interrupt: delivers one, after interrupt_ready
     * said so. interrupt_quiet: none waits any more.
     */
    bool (*interrupt_ready)(struct vcpu *vcpu);
    void (*inject_interrupt)(struct vcpu *vcpu, uint8_t vector);
    void (*interrupt_quiet)(struct vcpu *vcpu);

    /*
     * Virtual mode, before each entry of the run loop: what stands in vcpu->apic is final, and the CPU is told as much
     * of it as it works with. True: it takes what is requested there by itself, at once or when the guest can, and
     * reports level-triggered ends (EXIT_INTERRUPT_ENDED); the three above then serve what comes from the 8259s.
     */
    bool (*interrupt_offer)(struct vcpu *vcpu);

    /* Asks for EXIT_TIMER after `ticks` TSC ticks in the guest; 0: never. False: this backend has no such timer. */
    bool (*set_timer)(struct vcpu *vcpu, uint64_t ticks);

    /* Reads what decoding and a dump need; gpr[GPR_RSP] becomes current too. */
    void (*view)(struct vcpu *vcpu, struct vcpu_state_view *out);

    /* Writes RFLAGS and gpr[GPR_RSP] back after an instruction was carried out for the guest. */
    void (*write_back)(struct vcpu *vcpu, uint64_t rflags);

    void (*set_cr2)(struct vcpu *vcpu, uint64_t address); /* before a #PF is injected */

    /* Writes the hardware's whole record of the vCPU and, after a failed entry, why in words. */
    void (*dump)(struct vcpu *vcpu, struct sink *out);

    const struct nested_format *nested_format;
    void (*nested_flush)(struct vcpu *vcpu); /* drops cached translations of this vCPU's partition here */
};
