/* The physical CPU for tests: a clock that stands still, and a record of what was asked for. */
#pragma once

#include <setjmp.h>

#include "core/cpu.h"

enum { FAKE_CPUS = 64, FAKE_MSRS = 16 };

struct fake_msr {
    uint32_t number;
    uint64_t value;
    bool read_only; /* a write is refused */
};

struct fake_cpu {
    uint32_t current;
    uint64_t clock;
    uint64_t clock_step; /* added at each reading */
    uint32_t kicks[FAKE_CPUS];
    uint32_t kicks_taken;
    bool nmi_waits[FAKE_CPUS];  /* what cpu_nmi_waits answers */
    uint32_t nmis_again[FAKE_CPUS];
    uint64_t strange_nmis;
    uint32_t strange_nmi_cpu;
    bool counts_smis;
    uint32_t smis;
    uint32_t vectors_sent;
    uint32_t last_vector_cpu;
    uint8_t last_vector;
    uint32_t idles;
    uint64_t timer_deadline; /* of the last cpu_timer_set */
    uint32_t waits;
    void (*on_wait)(void); /* called by cpu_idle and cpu_wait after they were counted; or NULL */
    uint32_t interrupts_taken;
    uint32_t interrupt_resets;
    uint32_t predictor_clears;
    uint32_t buffer_clears;
    cpuid_reader *cpuid; /* NULL: all leaves are 0 */
    uint32_t msr_count;  /* those that exist */
    struct fake_msr msrs[FAKE_MSRS];
    uint64_t xcr0;
    bool xcr0_refused;

    /* cpu_box_halt and cpu_box_reboot count, then jump here; a test that has not set it fails. */
    jmp_buf *box_end;
    uint32_t halts, reboots;
};
extern struct fake_cpu fake_cpu;

void fake_cpu_setup(void);
