/*
 * What one life of a partition leaves in its CPU for the next: `leave-...` fills everything and dies, `fresh` in the
 * next life looks for it. The hypervisor itself passes through the CPU in between.
 */
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/extended.h"

enum {
    MSR_PAT = 0x277,
    APIC_LVT_PERFORMANCE = 0x340,
    APIC_LVT_ERROR = 0x370,
    EFER_SCE = 1 << 0,
    DR6_REPORTS = 0xe00f, /* what a debug exception says there; nothing after reset */
    DR7_FRESH = 0x400,
    FIRST_LEGAL_VECTOR = 16,
    FIRST_INTERRUPT = 32,
    FRESH_FROM = 0x200000, /* above this guest's image */
};
#define PATTERN  0x5a5a5a5a5a5aull
#define MSR_EFER 0xc0000080u
static const uint32_t registers[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082, 0xc0000083,
                                     0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103};

static void set_debug(uint64_t value)
{
    __asm__ volatile("movq %0, %%dr0; movq %0, %%dr1; movq %0, %%dr2; movq %0, %%dr3" ::"r"(value));
    /* Watches four addresses that nobody touches, and says that it has been hit. */
    __asm__ volatile("movq %0, %%dr6; movq %1, %%dr7" ::"r"(0xffff4fffull), "r"(0x555507ffull));
}

static uint64_t get_debug(void)
{
    uint64_t a, b;
    __asm__ volatile("movq %%dr0, %0; movq %%dr3, %1" : "=r"(a), "=r"(b));
    return a | b;
}

static void run_state(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        wrmsr(registers[i], PATTERN & UINT32_MAX);
    wrmsr(MSR_PAT, 0x0606060606060606);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    set_debug(PATTERN);
    extended_fill(PATTERN);
    for (volatile uint64_t *at = (volatile uint64_t *)(uintptr_t)FRESH_FROM;
         (uint64_t)(uintptr_t)at < attack_memory_end(); at++)
        *at = PATTERN;
    apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | 0x77);
    for (unsigned lvt = APIC_LVT_PERFORMANCE; lvt <= APIC_LVT_ERROR; lvt += APIC_STRIDE)
        apic_write(lvt, APIC_LVT_MASKED | 0x99);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_TIMER_INITIAL, 1000);
    apic_write(APIC_TPR, 0xff);
    __asm__ volatile("movq %0, %%cr2" ::"r"(PATTERN));
    guest_power_off();
}

/* Interrupts that wait in the local APIC when the partition ends: on the way out the hypervisor meets them. */
static void leave(uint32_t first)
{
    for (uint32_t vector = first; vector < APIC_SPURIOUS_VECTOR; vector++)
        apic_send_self((uint8_t)vector);
    guest_power_off();
}

static void run_vectors(const uint64_t *numbers)
{
    (void)numbers;
    leave(FIRST_INTERRUPT);
}

/* 16 to 31 are legal too, and have the numbers of exceptions. */
static void run_low_vectors(const uint64_t *numbers)
{
    (void)numbers;
    leave(FIRST_LEGAL_VECTOR);
}

static void keep_in_service(struct trap_frame *frame) { (void)frame; }

/* One of each priority in service, and one behind it. */
static void run_in_service(const uint64_t *numbers)
{
    (void)numbers;
    for (uint32_t class = FIRST_INTERRUPT / 16; class < 16; class ++) {
        trap_set((uint8_t)(class * 16), keep_in_service);
        apic_send_self((uint8_t)(class * 16));
        __asm__ volatile("sti; nop; nop; cli" ::: "memory");
        apic_send_self((uint8_t)(class * 16 + 1));
    }
    guest_power_off();
}

static void check_debug(void)
{
    uint64_t dr6, dr7;
    __asm__ volatile("movq %%dr6, %0; movq %%dr7, %1" : "=r"(dr6), "=r"(dr7));
    attack_check(get_debug() == 0, "debug registers", 0, get_debug());
    attack_check((dr6 & DR6_REPORTS) == 0, "DR6", 6, dr6);
    attack_check(dr7 == DR7_FRESH, "DR7", 7, dr7);
}

static void check_apic(void)
{
    attack_check(apic_read(APIC_TPR) == 0, "task priority", 0, apic_read(APIC_TPR));
    for (uint32_t i = 0; i < 8; i++) {
        attack_check(apic_read(APIC_IRR + i * APIC_STRIDE) == 0, "pending interrupts", i,
                     apic_read(APIC_IRR + i * APIC_STRIDE));
        attack_check(apic_read(APIC_ISR + i * APIC_STRIDE) == 0, "interrupts in service", i,
                     apic_read(APIC_ISR + i * APIC_STRIDE));
    }
    attack_check((apic_read(APIC_LVT_TIMER) & APIC_LVT_MASKED) != 0, "timer masked", 0, apic_read(APIC_LVT_TIMER));
    attack_check(apic_read(APIC_TIMER_DIVIDE) == 0, "timer's divider", 0, apic_read(APIC_TIMER_DIVIDE));
    /* Masked, or as firmware leaves LINT0 and LINT1; not as the last life had them. */
    for (unsigned lvt = APIC_LVT_PERFORMANCE; lvt <= APIC_LVT_ERROR; lvt += APIC_STRIDE)
        attack_check((apic_read(lvt) & 0xff) == 0, "local vector table", lvt, apic_read(lvt));
}

static void run_fresh(const uint64_t *numbers)
{
    (void)numbers;
    extended_check();
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        attack_check(rdmsr(registers[i]) == 0, "register", registers[i], rdmsr(registers[i]));
    attack_check(rdmsr(MSR_PAT) == 0x0007040600070406, "PAT", MSR_PAT, rdmsr(MSR_PAT));
    attack_check((rdmsr(MSR_EFER) & EFER_SCE) == 0, "EFER", MSR_EFER, rdmsr(MSR_EFER));
    check_debug();
    check_apic();
    attack_check(attack_interrupts() == 0, "interrupts that came", 0, attack_interrupts());
    for (const volatile uint64_t *at = (const volatile uint64_t *)(uintptr_t)FRESH_FROM;
         (uint64_t)(uintptr_t)at < attack_memory_end(); at++)
        attack_check(*at == 0, "memory", (uint64_t)(uintptr_t)at, *at);
}

static const struct attack table[] = {
    {"leave-state", 0, run_state},
    {"leave-vectors", 0, run_vectors},
    {"leave-low-vectors", 0, run_low_vectors},
    {"leave-in-service", 0, run_in_service},
    {"fresh", 0, run_fresh},
};
const struct attack_list attacks_leftovers = ATTACK_LIST(table);
