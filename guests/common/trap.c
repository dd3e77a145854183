/*
 * The interrupt descriptor table and what happens on a vector nobody asked for.
 */
#include "guests/common/trap.h"

#include <stddef.h>

#include "guests/common/console.h"
#include "guests/common/guest.h"

enum { VECTORS = 256, STUB_SIZE = 16, CODE_SELECTOR = 8, GATE_INTERRUPT = 0x8e };

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t stack;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, \"64-Bit Mode IDT\"");
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "start.S pushes 15 registers");

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
_Static_assert(sizeof(struct table_pointer) == 10, "LIDT operand in 64-bit mode");

extern const char trap_stubs[];               /* start.S: STUB_SIZE bytes a vector */
void trap_dispatch(struct trap_frame *frame); /* called by start.S */

static struct gate gates[VECTORS];
static trap_handler *handlers[VECTORS];

/* Where a probe goes on when its instruction faults; 0 when no probe is under way. */
static volatile uint64_t probe_resume;
static volatile struct trap_probe probe_result;

void trap_init(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)(uintptr_t)trap_stubs + (uint64_t)i * STUB_SIZE;
        gates[i] = (struct gate){.offset_low = (uint16_t)stub,
                                 .selector = CODE_SELECTOR,
                                 .type = GATE_INTERRUPT,
                                 .offset_middle = (uint16_t)(stub >> 16),
                                 .offset_high = (uint32_t)(stub >> 32)};
    }
    struct table_pointer pointer = {sizeof gates - 1, (uint64_t)(uintptr_t)gates};
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

void trap_set(uint8_t vector, trap_handler *handler) { handlers[vector] = handler; }

static uint64_t read_cr2(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

void trap_dispatch(struct trap_frame *frame)
{
    uint8_t vector = (uint8_t)frame->vector;
    if (vector < 32 && probe_resume != 0) {
        probe_result.faulted = true;
        probe_result.vector = vector;
        probe_result.error = frame->error;
        frame->rip = probe_resume;
        return;
    }
    if (handlers[vector] != NULL) {
        handlers[vector](frame);
        return;
    }
    print("%s: unexpected vector %u, error 0x%lx, at 0x%lx, cr2 0x%lx: powering off\n", guest_name, vector,
          frame->error, frame->rip, read_cr2());
    guest_power_off();
}

static void probe_begin(void) { probe_result.faulted = false; }

static struct trap_probe probe_end(void)
{
    return (struct trap_probe){probe_result.faulted, probe_result.vector, probe_result.error};
}

/* A label behind the instruction is where a fault resumes, so that it is skipped. */
#define PROBE(instruction, outputs, ...)                                                                               \
    do {                                                                                                               \
        uint64_t scratch;                                                                                              \
        probe_begin();                                                                                                 \
        __asm__ volatile("leaq 1f(%%rip), %[scratch]\n\tmovq %[scratch], %[resume]\n\t" instruction                    \
                         "\n1:\tmovq $0, %[resume]"                                                                    \
                         : [scratch] "=&r"(scratch), [resume] "+m"(probe_resume)outputs:__VA_ARGS__                    \
                         : "memory", "cc");                                                                            \
    } while (0)
#define AND ,

struct trap_probe probe_rdmsr(uint32_t number, uint64_t *value)
{
    uint32_t low = 0, high = 0;
    PROBE("rdmsr", AND "+a"(low)AND "+d"(high), "c"(number));
    struct trap_probe result = probe_end();
    if (!result.faulted)
        *value = (uint64_t)high << 32 | low;
    return result;
}

struct trap_probe probe_wrmsr(uint32_t number, uint64_t value)
{
    PROBE("wrmsr", , "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
    return probe_end();
}

struct trap_probe probe_in(uint16_t port, unsigned size, uint32_t *value)
{
    uint32_t read = 0;
    if (size == 1)
        PROBE("inb %%dx, %%al", AND "+a"(read), "d"(port));
    else if (size == 2)
        PROBE("inw %%dx, %%ax", AND "+a"(read), "d"(port));
    else
        PROBE("inl %%dx, %%eax", AND "+a"(read), "d"(port));
    struct trap_probe result = probe_end();
    if (!result.faulted)
        *value = read;
    return result;
}

struct trap_probe probe_out(uint16_t port, unsigned size, uint32_t value)
{
    if (size == 1)
        PROBE("outb %%al, %%dx", , "a"(value), "d"(port));
    else if (size == 2)
        PROBE("outw %%ax, %%dx", , "a"(value), "d"(port));
    else
        PROBE("outl %%eax, %%dx", , "a"(value), "d"(port));
    return probe_end();
}

struct trap_probe probe_read(uint64_t address, uint32_t *value)
{
    uint32_t read = 0;
    PROBE("movl (%[address]), %[read]", AND[read] "+r"(read), [address] "r"(address));
    struct trap_probe result = probe_end();
    if (!result.faulted)
        *value = read;
    return result;
}

struct trap_probe probe_write(uint64_t address, uint32_t value)
{
    PROBE("movl %[value], (%[address])", , [address] "r"(address), [value] "r"(value));
    return probe_end();
}

struct trap_probe probe_vmcall(uint64_t number, uint64_t argument, uint64_t *value)
{
    uint64_t rax = number;
    if (guest_is_amd())
        PROBE("vmmcall", AND "+a"(rax), "b"(argument), "c"((uint64_t)0), "d"((uint64_t)0));
    else
        PROBE("vmcall", AND "+a"(rax), "b"(argument), "c"((uint64_t)0), "d"((uint64_t)0));
    struct trap_probe result = probe_end();
    if (!result.faulted)
        *value = rax;
    return result;
}

struct trap_probe probe_vmxon(void)
{
    static uint64_t region = 0x1000;
    PROBE("vmxon %[region]", , [region] "m"(region));
    return probe_end();
}

struct trap_probe probe_vmrun(void)
{
    PROBE("vmrun %%rax", , "a"((uint64_t)0x1000));
    return probe_end();
}

struct trap_probe probe_xsetbv(uint64_t value)
{
    PROBE("xsetbv", , "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
    return probe_end();
}
