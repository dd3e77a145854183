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

struct idt_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

enum { VECTOR_MACHINE_CHECK = 18 };
enum {
    GATE_INTERRUPT = 0x8e,
    VECTORS = 256,
    EXCEPTIONS = 32, /* with a stub each; all other vectors have the next one */
    STUB_SIZE = 16,
    VECTOR_FIRST_LEGAL = 16 /* below it a local APIC takes none */
};

extern const char trap_stubs[], trap_fault[], trap_drain_stub[];
extern const char trap_msr_read_try[], trap_msr_write_try[], trap_xsetbv_try[];
extern const char trap_idle_begin[], trap_idle_end[], trap_wait_begin[], trap_wait_end[];
extern const struct trap_window trap_entry_windows[], trap_entry_windows_end[]; /* of the backend that needs them */

static struct idt_gate idt[VECTORS];
static struct idt_gate drain_idt[VECTORS];

static void idt_load_from(const struct idt_gate *table)
{
    struct idt_pointer pointer = {sizeof idt - 1, (uint64_t)table};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void idt_load(void) { idt_load_from(idt); }

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
    idt_load();
}

void trap_load(void)
{
    idt[8].ist = IST_DOUBLE_FAULT;
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[VECTOR_MACHINE_CHECK].ist = IST_MACHINE_CHECK;
    for (unsigned vector = 0; vector < VECTORS; vector++)
        if (vector < VECTOR_FIRST_LEGAL)
            drain_idt[vector] = idt[vector];
        else
            gate_set(&drain_idt[vector], (uint64_t)trap_drain_stub);
    idt_load();
}

void trap_drain_begin(void) { idt_load_from(drain_idt); }
void trap_drain_end(void) { idt_load(); }

static bool inside(uint64_t rip, const struct trap_window *w)
{
    return rip >= (uint64_t)w->begin && rip < (uint64_t)w->end;
}

/*
 * What a kick announces stands in percpu.kicked already; all that is to do is not to let the CPU be given away without
 * another look. The hardware's own NMIs end a wait too, which is harmless.
 */
static void nmi_handle(struct trap_frame *frame)
{
    static const struct trap_window idle = {trap_idle_begin, trap_idle_end, trap_idle_end};
    static const struct trap_window wait = {trap_wait_begin, trap_wait_end, trap_wait_end};
    cpu_nmi_taken();
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

/* All CPUs are told of an error that is one CPU's: the others go on. */
static void machine_check_handle(const struct trap_frame *frame)
{
    struct machine_check check;
    machine_check_take(&check);
    if (check.kind != MACHINE_CHECK_ELSEWHERE)
        panic("machine check in the hypervisor at rip %lx: bank %u status %lx address %lx, global status %lx",
              frame->rip, check.bank, check.status, check.address, check.global);
}

void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI)
        nmi_handle(frame);
    else if (frame->vector == VECTOR_MACHINE_CHECK)
        machine_check_handle(frame);
    else if (!fault_was_expected(frame))
        panic_trap(frame);
}
