/*
 * Where a guest's CPUs stand: leaves 4, Bh, 80000008h, 8000001Dh and 8000001Eh. The ids are the physical ones, and any
 * set of them; the tree above them is ours, so that leaves and MADT agree whatever CPUs a partition was given.
 */
#include "core/cpuid_bits.h"
#include "core/cpuid_rule.h"

/*
 * How many low bits of the x2APIC id tell the partition's vCPUs apart. The bits above are then the same for all: one
 * package, in which every id is a core with one thread, whatever ids the partition was given.
 */
unsigned cpuid_package_shift(const struct cpuid_guest *guest)
{
    uint32_t differing = 0;
    for (uint32_t i = 0; i < guest->cpu_count; i++)
        differing |= guest->apic_ids[i] ^ guest->apic_id;
    unsigned shift = 0;
    while (shift < 32 && differing >> shift != 0)
        shift++;
    return shift;
}

/* 2^shift - 1, or the largest number the field has. */
uint32_t cpuid_ids_minus_one(unsigned shift, uint32_t field_max)
{
    return shift < 31 && BIT(shift) - 1 < field_max ? BIT(shift) - 1 : field_max;
}

/* Leaves 4 and 8000001Dh: who shares a cache. The last level belongs to the package, the others to one core each. */
void cpuid_adjust_cache(const struct question *q, struct cpuid_regs *r)
{
    unsigned shift = cpuid_package_shift(q->guest);
    uint32_t type = r->eax & BITS(4, 0);
    uint32_t level = (r->eax & BITS(7, 5)) >> 5;
    if (type == 0) {
        *r = (struct cpuid_regs){0};
        return;
    }
    if (level >= 3)
        r->eax |= cpuid_ids_minus_one(shift, 0xfff) << 14;
    if (q->leaf == 4)
        r->eax |= cpuid_ids_minus_one(shift, 0x3f) << 26;
}

/* Level 0 are threads (one a core), level 1 cores. */
void cpuid_adjust_topology(const struct question *q, struct cpuid_regs *r)
{
    enum { LEVEL_THREAD = 1, LEVEL_CORE = 2 };
    r->ecx = q->subleaf & 0xff;
    r->edx = q->guest->apic_id;
    if (q->subleaf == 0) {
        r->ebx = 1;
        r->ecx |= LEVEL_THREAD << 8;
    } else if (q->subleaf == 1) {
        r->eax = cpuid_package_shift(q->guest);
        r->ebx = q->guest->cpu_count;
        r->ecx |= LEVEL_CORE << 8;
    }
}

/* Core id; one thread a core, one node. */
void cpuid_adjust_amd_topology(const struct question *q, struct cpuid_regs *r)
{
    if (!cpuid_host_is_amd(q->host))
        return;
    r->eax = q->guest->apic_id;
    r->ebx = q->guest->apic_id & cpuid_ids_minus_one(cpuid_package_shift(q->guest), 0xff);
}

/* 80000008h ECX: how many cores, and how wide the core's part of the id is. */
void cpuid_adjust_amd_cores(const struct question *q, struct cpuid_regs *r)
{
    if (!cpuid_host_is_amd(q->host))
        return;
    uint32_t cores = q->guest->cpu_count < 256 ? q->guest->cpu_count : 256;
    unsigned shift = cpuid_package_shift(q->guest);
    r->ecx = (cores != 0 ? cores - 1 : 0) | (shift < 15 ? shift : 15) << 12;
}
