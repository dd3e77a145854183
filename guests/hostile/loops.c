/*
 * Loops that the CPU cannot leave by itself, with interrupts off: the console must still be able to end them.
 */
#include "guests/common/apic.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/tables.h"

enum { VECTOR_DB = 1, VECTOR_NMI = 2, VECTORS = 256, FRAME_RIP = 40, STACK_SIZE = 4096 };
enum { DR7_WRITE_8_BYTES_LOCAL_0 = 0x400 | 9 << 16 | 1 };

static uint8_t stack[STACK_SIZE] __attribute__((aligned(4096)));
static uint64_t gates[2 * VECTORS] __attribute__((aligned(4096)));

static void run_spin(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("loop-cli");
    __asm__ volatile("cli; 1: jmp 1b");
}

static void run_halt(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("loop-halt");
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* With the APIC off, only what its bus delivers unasked can come in. */
static void run_apic_off(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("loop-apic-off");
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_VECTOR);
    __asm__ volatile("cli; 1: jmp 1b");
}

/* MOV SS holds off everything for one instruction; the next is MOV SS again. */
static void run_mov_ss(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("loop-mov-ss");
    __asm__ volatile("movl %%ss, %%eax; 1: .rept 64; movl %%eax, %%ss; .endr; jmp 1b" ::: "eax");
}

static void run_sti(const uint64_t *numbers)
{
    (void)numbers;
    attack_goes_on("loop-sti");
    __asm__ volatile("1: cli; sti; jmp 1b");
}

/* An exception whose handler is the same instruction. */
static void run_exception(const uint64_t *numbers)
{
    struct tables_pointer now = tables_sidt();
    uint64_t *entry = (uint64_t *)(uintptr_t)now.base + 2 * 6;
    uint64_t offset = (uint64_t)(uintptr_t)tables_landing;
    (void)numbers;
    tables_load((uint64_t)(uintptr_t)(stack + STACK_SIZE));
    attack_goes_on("loop-exception");
    entry[0] = (offset & 0xffff) | (uint64_t)TABLES_CODE64 << 16 | 0x8e01ull << 32 | (offset >> 16 & 0xffff) << 48;
    entry[1] = offset >> 32;
    __asm__ volatile("ud2" ::: "memory");
}

/* The handler's first page fault is at the handler itself: on one stack of its own it never ends. */
static void run_page_fault(const uint64_t *numbers)
{
    struct tables_pointer now = tables_sidt();
    uint64_t *entry = (uint64_t *)(uintptr_t)now.base + 2 * 14;
    (void)numbers;
    tables_load((uint64_t)(uintptr_t)(stack + STACK_SIZE));
    attack_goes_on("loop-page-fault");
    entry[0] = (uint64_t)TABLES_CODE64 << 16 | 0x8e01ull << 32;
    entry[1] = 0xffffffff;
    __asm__ volatile("movabsq $0xffffffff00000000, %%rax; jmp *%%rax" ::: "memory");
}

/*
 * A data breakpoint on the stack to which the debug exception is delivered: each delivery causes the next, inside the
 * CPU, without an instruction in between ("Infinite loop of exceptions", CVE-2015-8104).
 */
static void run_debug(const uint64_t *numbers)
{
    struct tables_pointer now = tables_sidt();
    const uint64_t *old = (const uint64_t *)(uintptr_t)now.base;
    uint64_t top = (uint64_t)(uintptr_t)(stack + STACK_SIZE);
    (void)numbers;
    for (unsigned i = 0; i < 2 * VECTORS; i++)
        gates[i] = old[i];
    gates[2 * VECTOR_DB] |= (uint64_t)1 << 32;
    tables_load(top);
    tables_lidt((uint64_t)(uintptr_t)gates, sizeof gates - 1);
    attack_goes_on("loop-debug");
    __asm__ volatile("movq %0, %%dr0; movq %1, %%dr7; movq $0, (%0)" ::"r"(top - FRAME_RIP),
                     "r"((uint64_t)DR7_WRITE_8_BYTES_LOCAL_0)
                     : "memory");
    for (;;)
        pause();
}

static void spin(void) { __asm__ volatile("1: jmp 1b"); }

/* A handler of NMIs that never comes to its IRET: until then a CPU takes no other NMI. */
static void run_nmi(const uint64_t *numbers)
{
    struct tables_pointer now = tables_sidt();
    uint64_t *entry = (uint64_t *)(uintptr_t)now.base + 2 * VECTOR_NMI;
    uint64_t offset = (uint64_t)(uintptr_t)spin;
    (void)numbers;
    attack_goes_on("loop-nmi");
    entry[0] = (offset & 0xffff) | (uint64_t)TABLES_CODE64 << 16 | 0x8e00ull << 32 | (offset >> 16 & 0xffff) << 48;
    entry[1] = offset >> 32;
    apic_send((uint64_t)apic_id() << 32 | APIC_ICR_ASSERT | APIC_ICR_NMI);
    for (;;)
        pause();
}

/* Exits as fast as they come, of kinds that the hypervisor deals with at different depths. */
static void run_exits(const uint64_t *numbers)
{
    enum { CPUID, HYPERCALL, CONTROL_REGISTER, MSR };
    attack_goes_on("loop-exits");
    switch (numbers[0]) {
    case CPUID:
        __asm__ volatile("1: xorl %%eax, %%eax; cpuid; jmp 1b" ::: "eax", "ebx", "ecx", "edx");
        break;
    case HYPERCALL:
        if (guest_is_amd())
            __asm__ volatile("1: xorl %%eax, %%eax; vmmcall; jmp 1b" ::: "eax");
        __asm__ volatile("1: xorl %%eax, %%eax; vmcall; jmp 1b" ::: "eax");
        break;
    case CONTROL_REGISTER: /* CD, which the hypervisor keeps */
        __asm__ volatile("movq %%cr0, %%rax; 1: xorq $0x40000000, %%rax; movq %%rax, %%cr0; jmp 1b" ::: "rax");
        break;
    case MSR:
        __asm__ volatile("movl $0x3a, %%ecx; 1: rdmsr; jmp 1b" ::: "eax", "ecx", "edx");
        break;
    default:
        attack_survived("loop-exits");
    }
}

static const struct attack table[] = {
    {"loop-cli", 0, run_spin},
    {"loop-halt", 0, run_halt},
    {"loop-apic-off", 0, run_apic_off},
    {"loop-mov-ss", 0, run_mov_ss},
    {"loop-sti", 0, run_sti},
    {"loop-exception", 0, run_exception},
    {"loop-page-fault", 0, run_page_fault},
    {"loop-debug", 0, run_debug},
    {"loop-nmi", 0, run_nmi},
    {"loop-exits", 1, run_exits},
};
const struct attack_list attacks_loops = ATTACK_LIST(table);
