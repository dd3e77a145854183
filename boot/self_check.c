#include "boot/self_check.h"

#include "arch/x86_64/backends.h"
#include "arch/x86_64/cpu.h"
#include "core/side_doors.h"

enum { MEMORY_NEEDED = 32 }; /* MiB: the hypervisor and one small guest */

static void line(struct sink *out, const char *name, bool there, const char *without)
{
    sink_print(out, "  %-24s %s%s%s\n", name, there ? "yes" : "no", there ? "" : ": ", there ? "" : without);
}

const struct backend *self_check(struct machine *machine, struct sink *out)
{
    struct cpu_caps *caps = &machine->caps;
    struct cpuid_regs leaf1;
    cpu_cpuid(1, 0, &leaf1);
    caps->x2apic = cpu_has_x2apic();
    caps->tsc_deadline = leaf1.ecx & (1u << 24);
    caps->invariant_tsc = cpu_has_invariant_tsc();
    caps->physical_bits = cpu_physical_bits();

    sink_print(out, "Self-check:\n");
    const struct backend *backend = backend_choose(out);
    bool good = backend != NULL && backend->probe(caps, out);
    line(out, "x2APIC", caps->x2apic,
         "'interrupts = direct' cannot be used (if firmware has an 'x2APIC' setting, enable it)");
    line(out, "TSC deadline timer", caps->tsc_deadline, "guests use the local APIC's slower timer");
    line(out, "invariant TSC", caps->invariant_tsc, "guests' clocks drift when the CPU changes its speed");
    sink_print(out, "  %-24s ", "side channels closed by");
    side_doors_print(cpu_side_doors_read(), out);
    uint64_t memory = machine_usable(machine) / MIB;
    line(out, "memory", memory >= MEMORY_NEEDED, "less than 32 MiB are usable");
    if (good && memory >= MEMORY_NEEDED)
        return backend;
    sink_print(out, "This box cannot run partitions: see the lines above that say MISSING, LOCKED or no backend.\n");
    return NULL;
}
