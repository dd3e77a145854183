#include "arch/x86_64/trap.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/percpu.h"

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

struct idt_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

enum { GATE_INTERRUPT = 0x8e, VECTORS = 256, STUB_SIZE = 16 };

extern const char trap_stubs[], trap_fault[];
extern const char trap_msr_read_try[], trap_msr_write_try[], trap_xsetbv_try[];
extern const char trap_idle_begin[], trap_idle_end[], trap_wait_begin[], trap_wait_end[];
extern const struct trap_window trap_entry_windows[], trap_entry_windows_end[]; /* of the backend that needs them */

static struct idt_gate idt[VECTORS];

static void idt_load(void)
{
    struct idt_pointer pointer = {sizeof idt - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_load_early(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        uint64_t stub = (uint64_t)trap_stubs + vector * STUB_SIZE;
        idt[vector] = (struct idt_gate){
            .offset_low = (uint16_t)stub,
            .selector = SELECTOR_CODE,
            .type = GATE_INTERRUPT,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
    idt_load();
}

void trap_load(void)
{
    idt[8].ist = IST_DOUBLE_FAULT;
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[18].ist = IST_MACHINE_CHECK;
    idt_load();
}

static bool inside(uint64_t rip, const struct trap_window *w)
{
    return rip >= (uint64_t)w->begin && rip < (uint64_t)w->end;
}

/*
 * An NMI is a kick (or the hardware's own: counted, and otherwise harmless here). What it announces stands in
 * percpu.kicked already; all that is to do is not to let the CPU be given away without another look.
 */
static void nmi_handle(struct trap_frame *frame)
{
    static const struct trap_window idle = {trap_idle_begin, trap_idle_end, trap_idle_end};
    static const struct trap_window wait = {trap_wait_begin, trap_wait_end, trap_wait_end};
    percpu_this()->nmis++;
    cpu_check_stopping();
    if (inside(frame->rip, &idle))
        frame->rip = (uint64_t)idle.resume;
    else if (inside(frame->rip, &wait))
        frame->rip = (uint64_t)wait.resume;
    for (const struct trap_window *w = trap_entry_windows; w < trap_entry_windows_end; w++)
        if (inside(frame->rip, w))
            frame->rip = (uint64_t)w->resume;
}

static bool fault_was_expected(struct trap_frame *frame)
{
    if (frame->vector != VECTOR_GP || (frame->rip != (uint64_t)trap_msr_read_try &&
                                       frame->rip != (uint64_t)trap_msr_write_try &&
                                       frame->rip != (uint64_t)trap_xsetbv_try))
        return false;
    frame->rip = (uint64_t)trap_fault;
    return true;
}

void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI)
        nmi_handle(frame);
    else if (frame->vector >= VECTOR_FIRST_INTERRUPT)
        apic_interrupted();
    else if (!fault_was_expected(frame))
        panic_trap(frame);
}
