/*
 * The local APIC as a page of memory, which old guests use. From x2APIC mode there is only a way through "disabled"
 * (SDM vol. 3, "x2APIC State Transitions"); a hypervisor that has given the CPU's own APIC away refuses it.
 */
#include "guests/bench/cases.h"
#include "guests/bench/sample.h"
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

enum { XAPIC_SPURIOUS = 0xfee000f0u, VECTOR = 0x44 };

static void acknowledge(struct trap_frame *frame)
{
    (void)frame;
    *(volatile uint32_t *)0xfee000b0u = 0;
}

static bool enter(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    uint64_t off = base & ~(uint64_t)(APIC_BASE_ENABLE | APIC_BASE_EXTENDED);
    if (probe_wrmsr(MSR_APIC_BASE, off).faulted)
        return false;
    if (probe_wrmsr(MSR_APIC_BASE, off | APIC_BASE_ENABLE).faulted)
        return false;
    *(volatile uint32_t *)(uintptr_t)XAPIC_SPURIOUS = APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR;
    return true;
}

static void send_to_self(void)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        sample_empty(i, SAMPLE_TICKS("movl $0xfee00300, %%edi\n\tmovl $0x44044, %%eax", ""));
        sample_put(i, SAMPLE_TICKS("movl $0xfee00300, %%edi\n\tmovl $0x44044, %%eax", "movl %%eax, (%%rdi)"));
        __asm__ volatile("sti; nop; nop; cli" ::: "memory");
    }
    sample_report("xapic_icr_self");
}

void cases_xapic(void)
{
    if (!enter()) {
        sample_absent("xapic_tpr", "this machine keeps the local APIC in x2APIC mode");
        return;
    }
    trap_set(VECTOR, acknowledge);
    SAMPLE_INSTRUCTION("xapic_tpr", "movl $0xfee00080, %%esi", "movl (%%rsi), %%eax");
    SAMPLE_INSTRUCTION("xapic_tpr_write", "movl $0xfee00080, %%edi\n\txorl %%eax, %%eax", "movl %%eax, (%%rdi)");
    SAMPLE_INSTRUCTION("xapic_eoi", "movl $0xfee000b0, %%edi\n\txorl %%eax, %%eax", "movl %%eax, (%%rdi)");
    send_to_self();
}
