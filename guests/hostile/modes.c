/*
 * Attacks from the modes that a PC has besides 64-bit mode. modes.S does them; here they are set up.
 */
#include "guests/hostile/modes.h"

#include "guests/hostile/attack.h"
#include "guests/hostile/tables.h"

enum { TSS_LIMIT = 103, TSS32_AVAILABLE = 0x89, TSS32_BUSY = 0x8b, TASK_GATE_TYPE = 0x85, EFLAGS_IOPL3 = 0x3000 };

static uint8_t task_states[2][TSS_LIMIT + 1] __attribute__((aligned(128)));
static uint64_t link_type = TSS32_AVAILABLE;
static uint8_t stack[4096] __attribute__((aligned(16)));

static void copy_code(uint64_t to, const char *from, const char *end)
{
    volatile char *at = (volatile char *)(uintptr_t)to;
    while (from < end)
        *at++ = *from++;
}

static void describe_task(unsigned selector, const void *state, uint64_t type)
{
    uint64_t base = (uint64_t)(uintptr_t)state;
    tables_gdt[selector / 8] = TSS_LIMIT | (base & 0xffffff) << 16 | type << 40 | (base >> 24 & 0xff) << 56;
}

static void leave(const char *entry)
{
    tables_load((uint64_t)(uintptr_t)(stack + sizeof stack));
    describe_task(TABLES_TSS32_A, task_states[0], TSS32_AVAILABLE);
    describe_task(TABLES_TSS32_B, task_states[1], link_type);
    tables_gdt[TABLES_TASK_GATE / 8] = (uint64_t)TABLES_TSS32_B << 16 | (uint64_t)TASK_GATE_TYPE << 40;
    copy_code(MODES_REAL_PAGE, modes_real_code, modes_real_end);
    modes_leave((uint32_t)(uintptr_t)entry);
}

static void run_task_jump(const uint64_t *numbers)
{
    (void)numbers;
    leave(modes_task_jump);
}
static void run_task_gate(const uint64_t *numbers)
{
    (void)numbers;
    leave(modes_task_gate);
}
static void run_task_return(const uint64_t *numbers)
{
    (void)numbers;
    task_states[0][0] = TABLES_TSS32_B; /* the link to the task that called, which must be busy */
    link_type = TSS32_BUSY;
    leave(modes_task_return);
}

/* Without paging, and with tables of the PAE kind, at an address. */
static void run_outside(const uint64_t *numbers)
{
    modes_argument = (uint32_t)numbers[0];
    leave(modes_outside);
}
static void run_pae(const uint64_t *numbers)
{
    modes_argument = (uint32_t)numbers[0];
    leave(modes_pae);
}

/* Without I/O privilege its first port access faults, and there is no handler; with it, it loops with interrupts off.
 */
static void run_v86(const uint64_t *numbers)
{
    (void)numbers;
    modes_argument = 0;
    leave(modes_v86);
}
static void run_v86_loop(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("v86-loop");
    modes_argument = EFLAGS_IOPL3;
    leave(modes_v86);
}

static void run_alignment(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("alignment-loop");
    leave(modes_user_alignment);
}

/* enum modes_real */
static void run_real(const uint64_t *numbers)
{
    if (numbers[0] == REAL_WANDER || numbers[0] == REAL_SPIN)
        attack_goes_on("real");
    /* The vector table of real mode: nothing behind any interrupt. */
    for (uint64_t at = 0; at < 0x400; at += 8)
        __asm__ volatile("movq $0, (%0)" ::"r"(at) : "memory");
    modes_shared()->task = (uint32_t)numbers[0];
    leave(modes_to_real);
}

static const struct attack table[] = {
    {"task-jump", 0, run_task_jump},
    {"task-gate", 0, run_task_gate},
    {"task-return", 0, run_task_return},
    {"unpaged", 1, run_outside},
    {"pae", 1, run_pae},
    {"v86", 0, run_v86},
    {"v86-loop", 0, run_v86_loop},
    {"alignment-loop", 0, run_alignment},
    {"real", 1, run_real},
};
const struct attack_list attacks_modes = ATTACK_LIST(table);
