/*
 * hello: says who it is, then does what each word of its command line says, from left to right, and powers off.
 *
 * The words are the ways a guest can end, and the things a guest must not be able to do. Each prints one line with its
 * outcome, so that a test can read what the hypervisor made of it.
 */
#include "core/hypercall.h"
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hello/priority.h"

const char guest_name[] = "hello";

/* One word: NAME, or NAME=NUMBER. */
struct action {
    const char *name;
    bool wants_number;
    void (*run)(uint64_t number);
};

/* "hello: rdmsr 0x10 gives 0x5" or "hello: rdmsr 0x10 faults, vector 13, error 0x0". */
static void report(const char *what, uint64_t number, struct trap_probe probe, bool has_value, uint64_t value)
{
    print("hello: %s 0x%lx ", what, number);
    if (probe.faulted)
        print("faults, vector %u, error 0x%lx\n", probe.vector, probe.error);
    else if (has_value)
        print("gives 0x%lx\n", value);
    else
        print("done\n");
}

static void do_power_off(uint64_t number)
{
    (void)number;
    guest_power_off();
}

static void do_reboot(uint64_t number)
{
    (void)number;
    guest_reset();
}

static void do_keyboard_reset(uint64_t number)
{
    (void)number;
    guest_keyboard_reset();
}

static void do_triple_fault(uint64_t number)
{
    (void)number;
    print("hello: triple fault now\n");
    guest_triple_fault();
}

static void do_stay(uint64_t number)
{
    (void)number;
    print("hello: staying, halted\n");
    guest_halt();
}

/* Uses all of its CPU without leaving the guest: only an NMI or a timer gets the CPU back. */
static void do_spin(uint64_t number)
{
    (void)number;
    print("hello: staying, busy\n");
    for (;;)
        pause();
}

/* Until Ctrl-D; letters come back in upper case, so that a test can tell them from an echo of the line itself. */
static void do_echo(uint64_t number)
{
    (void)number;
    print("hello: echo until Ctrl-D\n");
    for (;;) {
        char c;
        if (!console_get(&c)) {
            pause();
            continue;
        }
        if (c == 4)
            break;
        console_put(c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        if (c == '\r')
            console_put('\n');
    }
    print("hello: echo ends\n");
}

static void do_flood(uint64_t lines)
{
    for (uint64_t i = 0; i < lines; i++)
        print("hello: line %lu of %lu\n", i + 1, lines);
}

static void do_wait(uint64_t milliseconds)
{
    uint64_t hz = guest_tsc_hz();
    uint64_t from = rdtsc(), ticks = hz / 1000 * milliseconds;
    while (rdtsc() - from < ticks)
        pause();
    print("hello: waited %lu ms of a clock of %lu Hz\n", milliseconds, hz);
}

static void do_cpuid(uint64_t leaf)
{
    struct cpuid r = cpuid((uint32_t)leaf, 0);
    print("hello: cpuid 0x%x gives 0x%x 0x%x 0x%x 0x%x\n", (uint32_t)leaf, r.eax, r.ebx, r.ecx, r.edx);
}

static void do_rdmsr(uint64_t number)
{
    uint64_t value = 0;
    struct trap_probe probe = probe_rdmsr((uint32_t)number, &value);
    report("rdmsr", number, probe, true, value);
}

/* Writes back what is there, or 0: harmless where it is allowed. */
static void do_wrmsr(uint64_t number)
{
    uint64_t value = 0;
    (void)probe_rdmsr((uint32_t)number, &value);
    report("wrmsr", number, probe_wrmsr((uint32_t)number, value), false, 0);
}

static void do_in(uint64_t port)
{
    uint32_t value = 0;
    struct trap_probe probe = probe_in((uint16_t)port, 1, &value);
    report("in", port, probe, true, value);
}

static void do_in32(uint64_t port)
{
    uint32_t value = 0;
    struct trap_probe probe = probe_in((uint16_t)port, 4, &value);
    report("in32", port, probe, true, value);
}

static void do_out(uint64_t port) { report("out", port, probe_out((uint16_t)port, 1, 0xff), false, 0); }

static bool reachable(uint64_t address)
{
    if (address <= UINT32_MAX - 3 || (address < (uint64_t)512 << 30 && guest_map_large()))
        return true;
    print("hello: address 0x%lx is out of this guest's page tables\n", address);
    return false;
}

static void do_read(uint64_t address)
{
    uint32_t value = 0;
    if (!reachable(address))
        return;
    struct trap_probe probe = probe_read(address, &value);
    report("read", address, probe, true, value);
}

static void do_write(uint64_t address)
{
    if (reachable(address))
        report("write", address, probe_write(address, 0xdeadbeef), false, 0);
}

static void send(const char *what, uint64_t destination, uint64_t command)
{
    report(what, destination, apic_probe_send(destination << 32 | command), false, 0);
}

static void do_ipi(uint64_t id) { send("ipi to", id, APIC_ICR_ASSERT | 0xf0); }
static void do_ipi_nmi(uint64_t id) { send("nmi to", id, APIC_ICR_ASSERT | APIC_ICR_NMI); }
static void do_ipi_init(uint64_t id) { send("init to", id, APIC_ICR_ASSERT | APIC_ICR_LEVEL | APIC_ICR_INIT); }
static void do_ipi_startup(uint64_t id) { send("start-up to", id, APIC_ICR_ASSERT | APIC_ICR_STARTUP | 0x08); }
/* The whole ICR as given: reserved delivery modes, shorthands. */
static void do_icr(uint64_t value) { report("icr", value, apic_probe_send(value), false, 0); }

static void do_vmcall(uint64_t number)
{
    uint64_t value = 0;
    struct trap_probe probe = probe_vmcall(number, 0, &value);
    report("vmcall", number, probe, true, value);
}

static void do_heartbeat(uint64_t milliseconds)
{
    uint64_t value = 0;
    struct trap_probe probe = probe_vmcall(HYPERCALL_HEARTBEAT, milliseconds, &value);
    report("heartbeat", milliseconds, probe, true, value);
}

static void do_vmxon(uint64_t number) { report("vmxon", number, probe_vmxon(), false, 0); }
static void do_vmrun(uint64_t number) { report("vmrun", number, probe_vmrun(), false, 0); }
static void do_xsetbv(uint64_t value) { report("xsetbv", value, probe_xsetbv(value), false, 0); }
static void do_bare(uint64_t number) { (void)number; }

static void do_priority(uint64_t number)
{
    (void)number;
    priority_check();
}

static const struct action actions[] = {
    {"poweroff", false, do_power_off},
    {"reboot", false, do_reboot},
    {"keyboard-reset", false, do_keyboard_reset},
    {"triple-fault", false, do_triple_fault},
    {"stay", false, do_stay},
    {"spin", false, do_spin},
    {"echo", false, do_echo},
    {"flood", true, do_flood},
    {"wait", true, do_wait},
    {"cpuid", true, do_cpuid},
    {"rdmsr", true, do_rdmsr},
    {"wrmsr", true, do_wrmsr},
    {"in", true, do_in},
    {"in32", true, do_in32},
    {"out", true, do_out},
    {"read", true, do_read},
    {"write", true, do_write},
    {"ipi", true, do_ipi},
    {"ipi-nmi", true, do_ipi_nmi},
    {"ipi-init", true, do_ipi_init},
    {"ipi-startup", true, do_ipi_startup},
    {"icr", true, do_icr},
    {"vmcall", true, do_vmcall},
    {"heartbeat", true, do_heartbeat},
    {"vmxon", false, do_vmxon},
    {"vmrun", false, do_vmrun},
    {"xsetbv", true, do_xsetbv},
    {"priority", false, do_priority},
    {"bare", false, do_bare},   /* guests/common/guest.c */
    {"tsc_khz", true, do_bare}, /* the same */
    {"xapic", false, do_bare},  /* guests/common/apic.c */
};

/* False when the word is not this action's; an action without its number is not run. */
static bool try_action(const struct action *action, const char *word)
{
    uint64_t number = 0;
    if (!action->wants_number) {
        if (!text_equals(word, action->name))
            return false;
        action->run(0);
        return true;
    }
    const char *value = word_value(word, action->name);
    if (value == NULL || !number_parse(value, &number))
        return false;
    action->run(number);
    return true;
}

static void do_word(const char *word)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (try_action(&actions[i], word))
            return;
    print("hello: word '%s' is not known or wants =NUMBER\n", word);
}

void guest_main(void)
{
    char word[64];
    const char *at = guest_command_line;
    print("hello: command line '%s'\n", guest_command_line);
    print("hello: APIC id %u, %lu KiB of memory above 1 MiB\n", apic_id(), guest_memory_kib);
    while (word_next(&at, word, sizeof word))
        do_word(word);
    print("hello: done, powering off\n");
}
