/*
 * Which core a CPU is a hyperthread of: the bits of its APIC id above those that number the threads.
 */
#include "core/cpu_core.h"

#include "core/cpuid_bits.h"
#include "core/cpuid_rule.h"

enum {
    LEAF_CACHES = 4,
    LEAF_TOPOLOGY = 0xb, /* leaf 1Fh, where it is there, has the same lowest level */
    LEVEL_THREADS = 1,
    APIC_ID_BITS = 32,
};
#define LEAF_AMD_FEATURES    0x80000001u
#define LEAF_AMD_TOPOLOGY    0x8000001eu
#define AMD_HAS_TOPOLOGY     BIT(22)
#define FIELD(value, hi, lo) (((value)&BITS(hi, lo)) >> (lo))

/* Bits that `count` ids need; 0 counts as 1. */
static uint32_t bits_for(uint32_t count)
{
    uint32_t bits = 0;
    while (bits < APIC_ID_BITS - 1 && (1u << bits) < count)
        bits++;
    return bits;
}

/* Before leaf Bh: how many ids a package has room for, less those that tell its cores apart. */
static uint32_t thread_bits_legacy(cpuid_reader *read, const struct cpuid_regs *leaf1)
{
    if (!(leaf1->edx & LEAF_1_HTT))
        return 0;
    if (cpuid_host_is_amd(read)) {
        struct cpuid_regs topology = cpuid_host_leaf(read, LEAF_AMD_TOPOLOGY, 0);
        bool known = cpuid_host_leaf(read, LEAF_AMD_FEATURES, 0).ecx & AMD_HAS_TOPOLOGY;
        return known ? bits_for(FIELD(topology.ebx, 15, 8) + 1) : 0; /* older ones: a core has one thread */
    }
    uint32_t package = bits_for(FIELD(leaf1->ebx, 23, 16));
    uint32_t cores = bits_for(FIELD(cpuid_host_leaf(read, LEAF_CACHES, 0).eax, 31, 26) + 1);
    return package > cores ? package - cores : 0;
}

void cpu_core_read(cpuid_reader *read, struct cpu_core *out)
{
    struct cpuid_regs topology = cpuid_host_leaf(read, LEAF_TOPOLOGY, 0), leaf1 = cpuid_host_leaf(read, 1, 0);
    bool known = topology.ebx != 0;
    uint32_t bits = known && FIELD(topology.ecx, 15, 8) == LEVEL_THREADS ? FIELD(topology.eax, 4, 0)
                                                                         : thread_bits_legacy(read, &leaf1);
    out->apic_id = known ? topology.edx : FIELD(leaf1.ebx, 31, 24);
    out->core = out->apic_id >> bits;
}
