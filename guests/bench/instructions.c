/*
 * Single instructions: what each costs from the guest's side, the way to the hypervisor and back included.
 */
#include "guests/bench/cases.h"
#include "guests/bench/sample.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

enum {
    IOAPIC_SELECT = 0xfec00000u,
    IOAPIC_VERSION = 1,
    PORT_SYSTEM_CONTROL = 0x61,
    PORT_PIT_COMMAND = 0x43,
    PIT_COUNTER_2_MODE_0 = 0xb0,
};

static volatile uint32_t *memory_word(uint64_t address) { return (volatile uint32_t *)(uintptr_t)address; }

/* VMCALL and VMMCALL are different opcodes; a CPU knows one of them. Number 0 does nothing under Ringfence. */
static void hypercall(void)
{
    if (!guest_is_amd())
        SAMPLE_INSTRUCTION("hypercall", "xorl %%eax, %%eax", "vmcall");
    else
        SAMPLE_INSTRUCTION("hypercall", "xorl %%eax, %%eax", "vmmcall");
}

/* A processor that has no such register, or a hypervisor that refuses it, must raise #GP: the guest's own way through
 * its handler is measured without a hypervisor, by an address that is not canonical, and subtracted. */
static void refused(void)
{
    enum { MSR_NOT_THERE = 0x480 }; /* VMX_BASIC, which no guest has; nested virtualisation must be off */
    uint64_t value;
    if (!probe_rdmsr(MSR_NOT_THERE, &value).faulted) {
        sample_absent("rdmsr_refused", "this machine has the register 480h");
        sample_absent("wrmsr_refused", "this machine has the register 480h");
        return;
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint32_t word;
        uint64_t from = rdtsc();
        (void)probe_read((uint64_t)1 << 63, &word);
        sample_empty(i, rdtsc() - from);
        from = rdtsc();
        (void)probe_rdmsr(MSR_NOT_THERE, &value);
        sample_put(i, rdtsc() - from);
    }
    sample_report("rdmsr_refused");
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = rdtsc();
        (void)probe_write((uint64_t)1 << 63, 0);
        sample_empty(i, rdtsc() - from);
        from = rdtsc();
        (void)probe_wrmsr(MSR_NOT_THERE, 0);
        sample_put(i, rdtsc() - from);
    }
    sample_report("wrmsr_refused");
}

static void registers(void)
{
    SAMPLE_INSTRUCTION("rdmsr", "movl $0x1b, %%ecx", "rdmsr");          /* APIC_BASE */
    SAMPLE_INSTRUCTION("rdmsr_constant", "movl $0x8b, %%ecx", "rdmsr"); /* BIOS_SIGN_ID */
    SAMPLE_INSTRUCTION("wrmsr", "movl $0x3b, %%ecx\n\txorl %%eax, %%eax\n\txorl %%edx, %%edx",
                       "wrmsr"); /* TSC_ADJUST */
    refused();
}

static void ports(void)
{
    SAMPLE_INSTRUCTION("pio_uart", "movl $0x3ff, %%edx", "inb %%dx, %%al"); /* scratch register */
    SAMPLE_INSTRUCTION("pio_uart_write", "movl $0x3ff, %%edx", "outb %%al, %%dx");
    SAMPLE_INSTRUCTION("pio_uart_status", "movl $0x3fd, %%edx", "inb %%dx, %%al");
    /* Line feeds: they go the whole way of a character and disturb no reader of lines. */
    SAMPLE_INSTRUCTION("pio_uart_character", "movl $0x3f8, %%edx\n\tmovl $10, %%eax", "outb %%al, %%dx");
    outb(PORT_PIT_COMMAND, PIT_COUNTER_2_MODE_0);
    SAMPLE_INSTRUCTION("pit_read", "movl $0x42, %%edx", "inb %%dx, %%al");
    SAMPLE_INSTRUCTION("pio_nothing", "movl $0x1f7, %%edx", "inb %%dx, %%al");
    SAMPLE_INSTRUCTION("pio_nothing_write", "movl $0x80, %%edx", "outb %%al, %%dx");
}

static void memory(void)
{
    *memory_word(IOAPIC_SELECT) = IOAPIC_VERSION;
    SAMPLE_INSTRUCTION("mmio_ioapic", "movl $0xfec00010, %%esi", "movl (%%rsi), %%eax");
    SAMPLE_INSTRUCTION("mmio_ioapic_write", "movl $0xfec00000, %%edi\n\tmovl $1, %%eax", "movl %%eax, (%%rdi)");
}

void cases_instructions(void)
{
    hypercall();
    SAMPLE_INSTRUCTION("cpuid", "xorl %%eax, %%eax\n\txorl %%ecx, %%ecx", "cpuid");
    SAMPLE_INSTRUCTION("cpuid_features", "movl $1, %%eax\n\txorl %%ecx, %%ecx", "cpuid");
    registers();
    ports();
    memory();
}
