/*
 * Code of modes.S, which runs outside of 64-bit mode, and what it shares with modes.c and cpus.c.
 */
#pragma once

#include <stdint.h>

/* Where 16-bit code is copied to: below 64 KiB, so that a segment without a base reaches it. */
enum {
    MODES_REAL_PAGE = 0x8000,
    MODES_CPU_PAGE = 0x9000,  /* the page of a start-up message */
    MODES_FLIP_PAGE = 0xa000, /* code that TASK_FLIP changes while it runs */
    MODES_SHARED = 0x6000,    /* struct modes_shared */
};

/* What another CPU in real mode does; in modes_shared.task. */
enum modes_task { TASK_COUNT, TASK_TRIPLE_FAULT, TASK_SEND, TASK_FLIP, TASK_HALT };

struct modes_shared {
    uint32_t task;
    uint32_t counter;
    uint32_t message_low, message_high; /* TASK_SEND: the ICR's value, again and again */
    uint32_t address;                   /* TASK_FLIP: changes the bytes there between two values */
    uint32_t values[2];
};
_Static_assert(sizeof(struct modes_shared) == 28, "modes.S knows the offsets");

static inline volatile struct modes_shared *modes_shared(void)
{
    uintptr_t at = MODES_SHARED;
    __asm__("" : "+r"(at)); /* a compiler warns of small constants as addresses */
    return (volatile struct modes_shared *)at;
}

/* Real mode, from MODES_REAL_PAGE on: the number in modes_shared.task. */
enum modes_real { REAL_WANDER, REAL_TRIPLE_FAULT, REAL_DEVICE, REAL_OUTSIDE, REAL_REFUSED_MSR, REAL_SPIN };

extern const char modes_real_code[], modes_real_end[];
extern const char modes_cpu_code[], modes_cpu_end[];

/* 32-bit code to continue at, with paging off and flat segments of hostile/tables.h. */
void modes_leave(uint32_t entry) __attribute__((noreturn));
extern const char modes_to_real[], modes_task_jump[], modes_task_gate[], modes_task_return[], modes_v86[];
extern const char modes_user_alignment[], modes_outside[], modes_pae[];
extern uint32_t modes_argument;
