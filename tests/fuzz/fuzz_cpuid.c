/*
 * CPUID as a guest sees it, on any host: whatever the host claims and whatever is asked, what is hidden stays hidden
 * and the answers fit together.
 */
#include "core/cpuid.h"

#include "core/bytes.h"
#include "tests/fuzz/input.h"

#define BIT(n) (1u << (n))

enum { LEAVES = 12, IDS = 64 };
#define XCR0_FORBIDDEN (~((uint64_t)0x2e7)) /* MPX, processor trace, CET, AMX and what has no name yet */

static struct {
    uint32_t leaf, subleaf;
    struct cpuid_regs regs;
} host_leaves[LEAVES];
static uint32_t host_max_basic, host_max_extended, host_seed;
static bool host_is_amd;

/* The leaves that the input spells out; for the others, bits that follow from its seed. */
static void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    uint32_t mix = (leaf * 0x9e3779b1u) ^ (subleaf * 0x85ebca6bu) ^ host_seed;
    *out = host_seed == 0 ? (struct cpuid_regs){0}
                          : (struct cpuid_regs){mix, mix * 0xc2b2ae35u, mix * 0x27d4eb2fu, ~mix * 0x165667b1u};
    for (unsigned i = 0; i < LEAVES; i++)
        if (host_leaves[i].leaf == leaf && host_leaves[i].subleaf == subleaf)
            *out = host_leaves[i].regs;
    if (leaf == 0 || leaf == 0x80000000) {
        out->eax = leaf == 0 ? host_max_basic : host_max_extended;
        memcpy(&out->ebx, host_is_amd ? "Auth" : "Genu", 4);
    }
}

static void make_host(struct input *in)
{
    uint8_t flags = input_8(in);
    host_is_amd = (flags & 1) != 0;
    host_max_basic = flags & 2 ? input_32(in) : 0x20;
    host_max_extended = flags & 4 ? input_32(in) : 0x80000021;
    host_seed = flags & 8 ? input_32(in) : 0;
    for (unsigned i = 0; i < LEAVES; i++) {
        uint8_t low = input_8(in);
        host_leaves[i].leaf = (low & 0x80 ? 0x80000000u : 0) | (low & 0x3f);
        host_leaves[i].subleaf = input_8(in);
        input_bytes(in, &host_leaves[i].regs, sizeof host_leaves[i].regs);
    }
}

static bool is_hypervisor_leaf(uint32_t leaf) { return leaf >= 0x40000000 && leaf <= 0x4fffffff; }

/* Leaves by themselves. */
static void require_leaf(const struct cpuid_guest *guest, uint32_t leaf, const struct cpuid_regs *r)
{
    struct cpuid_regs host;
    host_cpuid(leaf, 0, &host);
    switch (leaf) {
    case 1:
        require((r->ecx & (BIT(2) | BIT(3) | BIT(5) | BIT(6) | BIT(15))) == 0); /* DS, MONITOR, VMX, SMX, PDCM */
        require((r->ecx & BIT(31)) != 0 && r->ebx >> 24 == (guest->apic_id & 0xff));
        require((r->edx & (BIT(7) | BIT(12) | BIT(14) | BIT(21) | BIT(22))) == 0); /* MCE, MTRR, MCA, DS, ACPI */
        require((r->ecx & BIT(27)) == 0 || ((guest->cr4 >> 18 & 1) != 0 && (r->ecx & BIT(26)) != 0));
        break;
    case 7:
        require((r->ebx & (BIT(2) | BIT(4) | BIT(11) | BIT(12) | BIT(14) | BIT(15) | BIT(25))) == 0); /* SGX, PQM.. */
        require((r->edx & (BIT(15) | BIT(18) | 0xfc000000u)) == 0);
        break;
    case 0xa:
    case 0xf:
    case 0x10:
    case 0x12:
    case 0x14:
    case 0x8000000a:
    case 0x8000001f:
        require((r->eax | r->ebx | r->ecx | r->edx) == 0);
        break;
    case 0x80000001:
        require((r->ecx & (BIT(2) | BIT(10) | BIT(12))) == 0); /* SVM, IBS, SKINIT */
        require(((r->ecx & ~BIT(1)) & ~host.ecx) == 0 && (r->edx & ~host.edx) == 0);
        break;
    default:
        break;
    }
}

/* The answers among each other. */
static void require_consistent(const struct cpuid_guest *guest)
{
    struct cpuid_regs zero, one, first, signature, save, threads, cores;
    uint64_t allowed = cpuid_xcr0_allowed(host_cpuid);
    cpuid_answer(guest, 0, 0, host_cpuid, &zero);
    cpuid_answer(guest, 1, 0, host_cpuid, &one);
    cpuid_answer(guest, 0x80000000, 0, host_cpuid, &first);
    cpuid_answer(guest, 0x40000000, 0, host_cpuid, &signature);
    cpuid_answer(guest, 0xd, 0, host_cpuid, &save);
    cpuid_answer(guest, 0xb, 0, host_cpuid, &threads);
    cpuid_answer(guest, 0xb, 1, host_cpuid, &cores);
    require(zero.eax >= 0x16 && (first.eax == 0 || first.eax <= 0x80000021 || host_max_extended < 0x80000000));
    require(memcmp(&signature.ebx, "KVMKVMKVM\0\0\0", 12) == 0 && is_hypervisor_leaf(signature.eax));
    require((allowed & XCR0_FORBIDDEN) == 0 && (((uint64_t)save.edx << 32) | save.eax) == allowed);
    require((allowed != 0) <= ((one.ecx & BIT(26)) != 0));
    require(allowed == 0 || (save.ebx <= save.ecx && save.ebx >= 576));
    require(threads.edx == guest->apic_id && cores.edx == guest->apic_id && cores.ebx == guest->cpu_count);
    for (uint32_t i = 0; i < guest->cpu_count; i++) /* one package for all */
        require(cores.eax >= 32 || guest->apic_ids[i] >> cores.eax == guest->apic_id >> cores.eax);
}

static void ask(const struct cpuid_guest *guest, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r, again;
    memset(&r, 0xee, sizeof r);
    memset(&again, 0, sizeof again);
    cpuid_answer(guest, leaf, subleaf, host_cpuid, &r);
    cpuid_answer(guest, leaf, subleaf, host_cpuid, &again);
    require(memcmp(&r, &again, sizeof r) == 0);
    require_leaf(guest, leaf, &r);
    bool known = leaf <= 0x16 || is_hypervisor_leaf(leaf) || (leaf >= 0x80000000 && leaf <= 0x80000021);
    require(known || (r.eax | r.ebx | r.ecx | r.edx) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t bases[] = {0, 0x80000000, 0x40000000, 0x80860000};
    struct input in = {data, size};
    uint32_t ids[IDS];
    make_host(&in);
    uint32_t count = input_8(&in) % IDS + 1;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = i + (uint32_t)input_8(&in) * 64;
    struct cpuid_guest guest = {.tsc_hz = input_take(&in, 5),
                                .cr4 = input_32(&in),
                                .xcr0 = input_16(&in),
                                .cpu_index = input_8(&in) % count,
                                .cpu_count = count,
                                .apic_ids = ids};
    guest.apic_id = ids[guest.cpu_index];
    for (uint32_t base = 0; base < array_size(bases); base++)
        for (uint32_t leaf = 0; leaf < 0x30; leaf++)
            ask(&guest, bases[base] + leaf, input_8(&in));
    while (in.left != 0) {
        uint32_t leaf = input_32(&in);
        ask(&guest, leaf, input_32(&in));
    }
    require_consistent(&guest);
    return 0;
}
