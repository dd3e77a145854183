/*
 * A backend without a CPU: exits come from a script, what core/ asks of the hardware is recorded for each vCPU.
 */
#pragma once

#include <setjmp.h>

#include "core/backend.h"

enum { FAKE_BACKEND_VCPUS = 4 };

/* What hangs off vcpu.backend. */
struct fake_vcpu {
    struct vcpu_state_view view; /* what the backend's view gives */

    /* Recorded. */
    uint32_t resets, flushes, runs;
    struct vcpu_entry entry; /* of the last reset */
    uint32_t advances;
    uint8_t advanced_by; /* length of the last one */
    uint32_t exceptions;
    uint8_t vector; /* of the last exception */
    uint32_t error_code;
    uint32_t nmi_tries, nmis;
    bool nmi_blocked; /* an NMI is not taken now */
    uint32_t write_backs;
    uint64_t rflags;
    uint32_t cr2_sets;
    uint64_t cr2;
    uint32_t dumps;
    bool interrupts_blocked; /* the guest cannot take an interrupt now */
    uint32_t interrupts;     /* injected, and which was the last */
    uint8_t interrupt_vector;
    uint32_t quiets;
    bool by_itself;       /* the CPU takes what is requested by itself: nothing is injected here */
    uint32_t offered;     /* LOCAL_APIC_CHANGED_*, at the last offer */
    bool timer_missing;   /* this CPU has no timer for EXIT_TIMER */
    uint64_t timer_ticks; /* of the last set_timer */
};

struct fake_backend {
    struct fake_vcpu vcpus[FAKE_BACKEND_VCPUS];

    /* Called at every vcpu_reset, after it was recorded; or NULL. */
    void (*on_reset)(struct vcpu *vcpu);

    /* The next exits, whichever vCPU runs. When they are used up, run jumps to `end`; a test that has not set it fails.
     */
    const struct exit *script;
    uint32_t script_length;
    jmp_buf *end;
};
extern struct fake_backend fake_backend;
extern const struct backend fake_backend_table;

/*
 * Completes fake_guest's partition, for which fake_guest_setup was called and plan.virtual_interrupts decided: `vcpus`
 * stopped vCPUs, number i on CPU i + 1 with APIC id 2 * i, a platform that has never been reset (a start does that), an
 * output ring. Forgets all records.
 */
struct partition *fake_backend_setup(uint32_t vcpus);
void fake_backend_teardown(void);

static inline struct fake_vcpu *fake_vcpu_of(const struct vcpu *vcpu) { return vcpu->backend; }
