/*
 * What one life of a partition leaves in its CPU for the next: `leave-...` fills everything and dies, `fresh` in the
 * next life looks for it. The hypervisor itself passes through the CPU in between.
 */
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"

enum {
    MSR_PAT = 0x277,
    MSR_X2APIC_TPR = 0x808,
    MSR_X2APIC_ISR = 0x810,
    MSR_X2APIC_IRR = 0x820,
    MSR_X2APIC_LVT_TIMER_NUMBER = 0x832,
    MSR_X2APIC_TIMER_INITIAL = 0x838,
    MSR_X2APIC_SELF_IPI = 0x83f,
    FIRST_LEGAL_VECTOR = 16,
    FIRST_INTERRUPT = 32,
    FRESH_FROM = 0x200000, /* above this guest's image */
};
#define PATTERN 0x5a5a5a5a5a5aull
static const uint32_t registers[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082,
                                     0xc0000083, 0xc0000084, 0xc0000102, 0xc0000103};

static void set_debug(uint64_t value)
{
    __asm__ volatile("movq %0, %%dr0; movq %0, %%dr1; movq %0, %%dr2; movq %0, %%dr3" ::"r"(value));
}

static uint64_t get_debug(void)
{
    uint64_t a, b;
    __asm__ volatile("movq %%dr0, %0; movq %%dr3, %1" : "=r"(a), "=r"(b));
    return a | b;
}

static void set_vector(uint64_t value)
{
    uint64_t cr4;
    __asm__ volatile("movq %%cr4, %0; orq $0x600, %0; movq %0, %%cr4" : "=&r"(cr4));
    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15" ::"r"(value));
}

static uint64_t get_vector(void)
{
    uint64_t a, b, cr4;
    __asm__ volatile("movq %%cr4, %0; orq $0x600, %0; movq %0, %%cr4" : "=&r"(cr4));
    __asm__ volatile("movq %%xmm0, %0; movq %%xmm15, %1" : "=r"(a), "=r"(b));
    return a | b;
}

static void run_state(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        wrmsr(registers[i], PATTERN & UINT32_MAX);
    wrmsr(MSR_PAT, 0x0606060606060606);
    set_debug(PATTERN);
    set_vector(PATTERN);
    for (volatile uint64_t *at = (volatile uint64_t *)(uintptr_t)FRESH_FROM;
         (uint64_t)(uintptr_t)at < attack_memory_end(); at++)
        *at = PATTERN;
    wrmsr(MSR_X2APIC_LVT_TIMER_NUMBER, 1 << 17 | 0x77);
    wrmsr(MSR_X2APIC_TIMER_INITIAL, 1000);
    wrmsr(MSR_X2APIC_TPR, 0xff);
    __asm__ volatile("movq %0, %%cr2" ::"r"(PATTERN));
    guest_triple_fault();
}

/* Interrupts that wait in the local APIC when the partition ends: on the way out the hypervisor meets them. */
static void leave(uint32_t first)
{
    for (uint32_t vector = first; vector < APIC_SPURIOUS_VECTOR; vector++)
        wrmsr(MSR_X2APIC_SELF_IPI, vector);
    guest_triple_fault();
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
        wrmsr(MSR_X2APIC_SELF_IPI, class * 16);
        __asm__ volatile("sti; nop; nop; cli" ::: "memory");
        wrmsr(MSR_X2APIC_SELF_IPI, class * 16 + 1);
    }
    guest_triple_fault();
}

static void run_fresh(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        attack_check(rdmsr(registers[i]) == 0, "register", registers[i], rdmsr(registers[i]));
    attack_check(rdmsr(MSR_PAT) == 0x0007040600070406, "PAT", MSR_PAT, rdmsr(MSR_PAT));
    attack_check(get_debug() == 0, "debug registers", 0, get_debug());
    attack_check(get_vector() == 0, "vector registers", 0, get_vector());
    attack_check(rdmsr(MSR_X2APIC_TPR) == 0, "task priority", 0, rdmsr(MSR_X2APIC_TPR));
    for (uint32_t i = 0; i < 8; i++) {
        attack_check(rdmsr(MSR_X2APIC_IRR + i) == 0, "pending interrupts", i, rdmsr(MSR_X2APIC_IRR + i));
        attack_check(rdmsr(MSR_X2APIC_ISR + i) == 0, "interrupts in service", i, rdmsr(MSR_X2APIC_ISR + i));
    }
    attack_check((rdmsr(MSR_X2APIC_LVT_TIMER_NUMBER) >> 16 & 1) != 0, "timer masked", 0,
                 rdmsr(MSR_X2APIC_LVT_TIMER_NUMBER));
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
