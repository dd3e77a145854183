#include "arch/x86_64/trap.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/percpu.h"
#include "core/machine_check.h"

/* SDM vol. 3, "64-Bit Mode IDT". */
struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "64-bit IDT gate");

enum {
    GATE_INTERRUPT = 0x8e,
    VECTORS = 256,
    STUB_SIZE = 16, /* one for each exception; all other vectors have the next one */
    VECTOR_FIRST_LEGAL = 16 /* below it a local APIC takes none */
};

extern const char trap_stubs[], trap_drain_stub[]; /* trap_entry.S */
extern const struct trap_window trap_windows[], trap_windows_end[];

static struct idt_gate idt[VECTORS];
static struct idt_gate drain_idt[VECTORS];

static void idt_load(const struct idt_gate *table)
{
    struct descriptor_pointer pointer = {sizeof idt - 1, (uint64_t)table};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void gate_set(struct idt_gate *gate, uint64_t target)
{
    *gate = (struct idt_gate){
        .offset_low = (uint16_t)target,
        .selector = SELECTOR_CODE,
        .type = GATE_INTERRUPT,
        .offset_middle = (uint16_t)(target >> 16),
        .offset_high = (uint32_t)(target >> 32),
    };
}

void trap_load_early(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        unsigned stub = vector < EXCEPTIONS ? vector : EXCEPTIONS;
        gate_set(&idt[vector], (uint64_t)trap_stubs + stub * STUB_SIZE);
    }
    idt_load(idt);
}

void trap_load(void)
{
    idt[VECTOR_DF].ist = IST_DOUBLE_FAULT;
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[VECTOR_MC].ist = IST_MACHINE_CHECK;
    for (unsigned vector = 0; vector < VECTORS; vector++)
        if (vector < VECTOR_FIRST_LEGAL)
            drain_idt[vector] = idt[vector];
        else
            gate_set(&drain_idt[vector], (uint64_t)trap_drain_stub);
    idt_load(idt);
}

void trap_drain_begin(void) { idt_load(drain_idt); }
void trap_drain_end(void) { idt_load(idt); }

/* True: the frame now continues where its window says. */
static bool goes_on_elsewhere(struct trap_frame *frame)
{
    for (const struct trap_window *w = trap_windows; w < trap_windows_end; w++)
        if (frame->vector == w->vector && frame->rip >= w->begin && frame->rip < w->end) {
            frame->rip = w->resume;
            return true;
        }
    return false;
}

/* All CPUs are told of an error that is one CPU's: the others go on. */
static void machine_check_handle(const struct trap_frame *frame)
{
    struct machine_check check;
    machine_check_take(&check);
    if (check.kind != MACHINE_CHECK_ELSEWHERE)
        panic("machine check in the hypervisor at rip %lx: bank %u status %lx address %lx, global status %lx",
              frame->rip, check.bank, check.status, check.address, check.global);
}

/*
 * What a kick's NMI announces stands in percpu.kicked already; all that is to do is not to let the CPU be given away
 * without another look. The hardware's own NMIs end a wait too, which is harmless.
 */
void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI)
        cpu_nmi_taken();
    if (frame->vector == VECTOR_MC)
        machine_check_handle(frame);
    else if (!goes_on_elsewhere(frame) && frame->vector != VECTOR_NMI)
        panic_trap(frame);
}
