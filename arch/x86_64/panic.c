#include "arch/x86_64/panic.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/trap.h"
#include "core/bytes.h"
#include "core/cpu.h"
#include "core/crash_record.h"
#include "core/sink.h"
#include "drivers/hw/terminal.h"

enum { NMI_TRAVEL = 10000 }; /* PAUSEs */

/*
 * What is said goes to the terminal at once, and is kept for the crash record, which gets it whole before anything else
 * can go wrong.
 */
static char kept[2048];
static size_t kept_length;

static void panic_put(struct sink *self, const char *text, size_t length)
{
    (void)self;
    for (size_t i = 0; i < length; i++)
        if (text[i] != '\r' && kept_length < sizeof kept)
            kept[kept_length++] = text[i];
    terminal_sink()->put(terminal_sink(), text, length);
    terminal_flush(); /* whatever goes wrong next */
}

static struct sink panic_sink = {panic_put};

static void stop(void) __attribute__((noreturn));
static void stop(void)
{
    crash_record_panic(kept, kept_length);
    sink_print(terminal_sink(), "The box is stopped. Reset it to start again.\r\n");
    terminal_flush();
    cpu_box_halt();
}

/*
 * A second fault while the first is printed would print for ever. The others' NMIs are on their way for a moment, in
 * which the console's CPU could still write into the middle of what is said here.
 */
static void begin_once(void)
{
    static uint32_t panics;
    interrupts_off();
    if (__atomic_fetch_add(&panics, 1, __ATOMIC_SEQ_CST) != 0)
        for (;;)
            __asm__ volatile("hlt");
    cpu_stop_others();
    for (unsigned i = 0; i < NMI_TRAVEL; i++)
        cpu_pause();
    sink_print(&panic_sink, "\r\n*** Ringfence panic on CPU %u: ", percpu_this()->cpu);
}

void panic(const char *format, ...)
{
    begin_once();
    va_list arguments;
    va_start(arguments, format);
    sink_vprint(&panic_sink, format, arguments);
    va_end(arguments);
    sink_print(&panic_sink, "\r\n");
    stop();
}

static const char *const exception_names[] = {
    "#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound range", "#UD invalid opcode",
    "#NM no FPU", "#DF double fault", "coprocessor overrun", "#TS invalid TSS", "#NP segment not present",
    "#SS stack fault", "#GP general protection", "#PF page fault", "reserved", "#MF x87 error", "#AC alignment check",
    "#MC machine check", "#XM SIMD error", "#VE virtualisation exception", "#CP control protection",
};

static const char gpr_names[][4] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
                                    "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

void panic_trap(const struct trap_frame *f)
{
    struct sink *out = &panic_sink;
    begin_once();
    sink_print(out, "%s (vector %lu, error code %lx)\r\n",
               f->vector < array_size(exception_names) ? exception_names[f->vector] : "exception", f->vector, f->error);
    sink_print(out, "rip %016lx  cs %04lx  rflags %016lx  rsp %016lx  ss %04lx\r\n", f->rip, f->cs, f->rflags, f->rsp,
               f->ss);
    for (size_t i = 0; i < array_size(f->gprs); i++)
        sink_print(out, "%-3s %016lx%s", gpr_names[i], f->gprs[array_size(f->gprs) - 1 - i],
                   i % 4 == 3 || i == array_size(f->gprs) - 1 ? "\r\n" : "  ");
    sink_print(out, "cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx\r\n", cr0_read(), cr2_read(), cr3_read(),
               cr4_read());
    stop();
}
