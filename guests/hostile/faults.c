/*
 * Triple faults in every way, and exceptions and interrupts whose delivery runs out of the partition. Each ends it.
 */
#include "guests/common/apic.h"
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/tables.h"

enum { VECTORS = 256, SELF_VECTOR = 0x50, DOUBLE_FAULT = 8 };

static uint64_t gates[2 * VECTORS] __attribute__((aligned(4096)));

static void use_own_gates(void)
{
    struct tables_pointer now = tables_sidt();
    const uint64_t *old = (const uint64_t *)(uintptr_t)now.base;
    for (unsigned i = 0; i < 2 * VECTORS; i++)
        gates[i] = old[i];
    tables_lidt((uint64_t)(uintptr_t)gates, sizeof gates - 1);
}

static void __attribute__((noreturn)) undefined(void)
{
    __asm__ volatile("ud2");
    __builtin_unreachable();
}

/* No table at all. */
static void run_idt_null(const uint64_t *numbers)
{
    (void)numbers;
    tables_lidt(0, 0);
    undefined();
}

/* Every gate there, none present: the exception, then the double fault, then the third. */
static void run_idt_empty(const uint64_t *numbers)
{
    (void)numbers;
    for (unsigned i = 0; i < 2 * VECTORS; i++)
        gates[i] = 0;
    tables_lidt((uint64_t)(uintptr_t)gates, sizeof gates - 1);
    undefined();
}

/* All but the double fault's gate: a page fault on a stack that is not mapped. */
static void run_df_chain(const uint64_t *numbers)
{
    (void)numbers;
    use_own_gates();
    gates[2 * DOUBLE_FAULT] = gates[2 * DOUBLE_FAULT + 1] = 0;
    __asm__ volatile("movabsq $0xffffffff00000000, %%rsp; ud2" ::: "memory");
    attack_survived("df-chain");
}

static void run_idt_at(const uint64_t *numbers)
{
    tables_lidt(numbers[0], 0xfff);
    undefined();
}

/* An exception, a software interrupt, an NMI and an interrupt, each with its stack at any address. */
static void run_stack_exception(const uint64_t *numbers)
{
    __asm__ volatile("movq %0, %%rsp; ud2" ::"r"(numbers[0]) : "memory");
    attack_survived("stack-exception");
}

static void run_stack_int(const uint64_t *numbers)
{
    __asm__ volatile("movq %0, %%rsp; int $0x50" ::"r"(numbers[0]) : "memory");
    attack_survived("stack-int");
}

static void run_stack_nmi(const uint64_t *numbers)
{
    __asm__ volatile("movq %0, %%rsp; wrmsr; 1: pause; jmp 1b" ::"r"(numbers[0]), "c"(MSR_X2APIC_ICR),
                     "a"(APIC_ICR_NMI | APIC_ICR_ASSERT), "d"(apic_id())
                     : "memory");
}

static void run_stack_interrupt(const uint64_t *numbers)
{
    apic_send_self(SELF_VECTOR);
    __asm__ volatile("movq %0, %%rsp; sti; 1: pause; jmp 1b" ::"r"(numbers[0]) : "memory");
}

/* The same through a stack that the task state names. */
static void run_stack_ist(const uint64_t *numbers)
{
    use_own_gates();
    tables_load(numbers[0]);
    for (unsigned vector = 0; vector < 32; vector++)
        gates[2 * vector] |= (uint64_t)1 << 32;
    undefined();
}

/* A TSS that lies outside: its stack pointers are read there. */
static void run_tss_at(const uint64_t *numbers)
{
    uint64_t base = numbers[0];
    use_own_gates();
    tables_load(0);
    tables_gdt[TABLES_TSS / 8] = 103 | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    tables_gdt[TABLES_TSS / 8 + 1] = base >> 32;
    for (unsigned vector = 0; vector < 32; vector++)
        gates[2 * vector] |= (uint64_t)1 << 32;
    __asm__ volatile("ltr %w0; ud2" ::"r"(TABLES_TSS) : "memory");
    attack_survived("tss-at");
}

static const struct attack table[] = {
    {"idt-null", 0, run_idt_null},
    {"idt-empty", 0, run_idt_empty},
    {"df-chain", 0, run_df_chain},
    {"idt-at", 1, run_idt_at},
    {"stack-exception", 1, run_stack_exception},
    {"stack-int", 1, run_stack_int},
    {"stack-nmi", 1, run_stack_nmi},
    {"stack-interrupt", 1, run_stack_interrupt},
    {"stack-ist", 1, run_stack_ist},
    {"tss-at", 1, run_tss_at},
};
const struct attack_list attacks_faults = ATTACK_LIST(table);
