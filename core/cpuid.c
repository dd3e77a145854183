/*
 * What CPUID tells a guest. Every leaf and every bit that is not named here reads 0: a new CPU shows a guest nothing
 * that nobody has thought about. Which bits pass is in core/cpuid_bits.h; topology (core/cpuid_topology.c), clock
 * (core/cpuid_clock.c) and hypervisor leaves do not come from the host at all. The hypervisor leaves are laid out as
 * Linux's Documentation/virt/kvm/x86/cpuid.rst describes them.
 */
#include "core/cpuid.h"

#include "core/bytes.h"
#include "core/cpuid_bits.h"
#include "core/cpuid_rule.h"
#include "core/register_bits.h"

enum {
    LEAF_MAX_BASIC = 0x16, /* the frequency leaves are ours, so they exist on every host */
    ANY_SUBLEAF = -1,      /* the leaf does not look at ECX */
    EACH_SUBLEAF = -2,     /* it does, and the rule holds for all of them */
    OWN = -3,              /* nothing of the host counts: `regs` is the answer, before it is adjusted */
};
#define LEAF_EXTENDED     0x80000000u
#define LEAF_MAX_EXTENDED 0x80000021u
#define LEAF_HYPERVISOR   0x40000000u
#define LEAF_KVM_CLOCK    0x40000010u

#define KVM_FEATURE_NO_IO_DELAY  BIT(1) /* writes to port 80h need not be slow: spares their exits */
#define KVM_FEATURE_CLOCKSOURCE2 BIT(3)
#define KVM_FEATURE_CLOCK_STABLE BIT(24)
#define KVM_FEATURES             (KVM_FEATURE_NO_IO_DELAY | KVM_FEATURE_CLOCKSOURCE2 | KVM_FEATURE_CLOCK_STABLE)
#define KVM_HINT_DEDICATED       BIT(0) /* vCPUs are never preempted for long */

struct cpuid_regs cpuid_host_leaf(cpuid_reader *host, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs regs = {0};
    host(leaf & LEAF_EXTENDED, 0, &regs);
    if (leaf > regs.eax || (leaf & LEAF_EXTENDED) != (regs.eax & LEAF_EXTENDED))
        return (struct cpuid_regs){0};
    host(leaf, subleaf, &regs);
    return regs;
}

bool cpuid_host_is_amd(cpuid_reader *host)
{
    struct cpuid_regs regs = cpuid_host_leaf(host, 0, 0);
    return memcmp(&regs.ebx, "Auth", 4) == 0 || memcmp(&regs.ebx, "Hygo", 4) == 0; /* AuthenticAMD, HygonGenuine */
}

static void adjust_0(const struct question *q, struct cpuid_regs *r)
{
    (void)q;
    r->eax = LEAF_MAX_BASIC;
}

static void adjust_1(const struct question *q, struct cpuid_regs *r)
{
    const struct cpuid_guest *guest = q->guest;
    uint32_t ids = cpuid_ids_minus_one(cpuid_package_shift(guest), 0xfe) + 1;
    r->ebx |= ids << 16 | (guest->apic_id & 0xff) << 24;
    r->ecx |= LEAF_1_HYPERVISOR;
    if (q->guest->virtual_apic)
        r->ecx |= LEAF_1_X2APIC | LEAF_1_TSC_DEADLINE;
    if ((guest->cr4 & CR4_OSXSAVE) != 0 && (r->ecx & LEAF_1_XSAVE) != 0)
        r->ecx |= LEAF_1_OSXSAVE;
    if (guest->cpu_count > 1)
        r->edx |= LEAF_1_HTT;
}

static void adjust_7(const struct question *q, struct cpuid_regs *r)
{
    r->eax = r->eax != 0 ? 1 : 0; /* the last subleaf answered here */
    if ((cpuid_xcr0_allowed(q->host) & CPUID_XCR0_PKRU) == 0)
        r->ecx &= ~LEAF_7_PKU;
    if ((q->guest->cr4 & CR4_PKE) != 0 && (r->ecx & LEAF_7_PKU) != 0)
        r->ecx |= LEAF_7_OSPKE;
}

static void adjust_80(const struct question *q, struct cpuid_regs *r)
{
    (void)q;
    if (r->eax > LEAF_MAX_EXTENDED)
        r->eax = LEAF_MAX_EXTENDED;
}

static void adjust_81(const struct question *q, struct cpuid_regs *r)
{
    if (q->guest->cpu_count > 1 && cpuid_host_is_amd(q->host))
        r->ecx |= LEAF_81_CMP_LEGACY;
}

static void adjust_88(const struct question *q, struct cpuid_regs *r)
{
    uint32_t linear = (r->eax & BITS(15, 8)) >> 8;
    if (linear > 48) /* LA57 is hidden */
        r->eax = (r->eax & ~BITS(15, 8)) | 48u << 8;
    cpuid_adjust_amd_cores(q, r);
}

struct rule {
    uint32_t leaf;
    int16_t subleaf;
    uint16_t more;          /* further leaves from there on for which it holds too */
    struct cpuid_regs regs; /* the host's bits that pass */
    cpuid_adjust *adjust;
};

static const struct rule rules[] = {
    {0x0, ANY_SUBLEAF, 0, {0, ALL, ALL, ALL}, adjust_0},
    {0x1, ANY_SUBLEAF, 0, {ALL, BITS(15, 0), LEAF_1_ECX, LEAF_1_EDX}, adjust_1},
    {0x2, ANY_SUBLEAF, 0, {ALL, ALL, ALL, ALL}, NULL}, /* cache and TLB descriptors */
    {0x4, EACH_SUBLEAF, 0, {BITS(9, 0), ALL, ALL, ALL}, cpuid_adjust_cache},
    /* The deepest sleep a guest can ask for is HLT, and there the local APIC's timer runs on: ARAT. */
    {0x6, OWN, 0, {BIT(2), 0, 0, 0}, NULL},
    {0x7, 0, 0, {ALL, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_EDX}, adjust_7},
    {0x7, 1, 0, {LEAF_7_1_EAX, 0, 0, 0}, NULL},
    {0xb, OWN, 0, {0, 0, 0, 0}, cpuid_adjust_topology},
    {0xd, EACH_SUBLEAF, 0, {ALL, ALL, 0, 0}, cpuid_adjust_xsave},
    {0x15, OWN, 0, {0, 0, 0, 0}, cpuid_adjust_tsc_ratio},
    {0x16, OWN, 0, {0, 0, 0, 0}, cpuid_adjust_mhz},
    /* "KVMKVMKVM": the signature with which Linux takes x2APIC without interrupt remapping and asks for our clock. */
    {LEAF_HYPERVISOR, OWN, 0, {LEAF_KVM_CLOCK, 0x4b4d564b, 0x564b4d56, 0x4d}, NULL},
    {0x40000001, OWN, 0, {KVM_FEATURES, 0, 0, KVM_HINT_DEDICATED}, NULL},
    {LEAF_KVM_CLOCK, OWN, 0, {0, 0, 0, 0}, cpuid_adjust_kvm_clock},
    {LEAF_EXTENDED, ANY_SUBLEAF, 0, {ALL, ALL, ALL, ALL}, adjust_80},
    {0x80000001, ANY_SUBLEAF, 0, {ALL, 0, LEAF_81_ECX, LEAF_81_EDX}, adjust_81},
    {0x80000002, ANY_SUBLEAF, 4, {ALL, ALL, ALL, ALL}, NULL}, /* the CPU's name; L1, L2 and L3 caches and TLBs */
    {0x80000007, OWN, 0, {0, 0, 0, BIT(8)}, NULL}, /* the TSC is the hypervisor's clock too, at one rate: invariant */
    {0x80000008, ANY_SUBLEAF, 0, {BITS(15, 0), BIT(0) | BIT(2), 0, 0}, adjust_88}, /* CLZERO, XSAVEERPTR */
    {0x80000019, ANY_SUBLEAF, 0, {ALL, ALL, 0, 0}, NULL},                          /* 1 GiB TLBs */
    {0x8000001a, ANY_SUBLEAF, 0, {BITS(2, 0), 0, 0, 0}, NULL},                     /* how wide SSE units are */
    {0x8000001d, EACH_SUBLEAF, 0, {BITS(9, 0), ALL, ALL, ALL}, cpuid_adjust_cache},
    {0x8000001e, OWN, 0, {0, 0, 0, 0}, cpuid_adjust_amd_topology},
    /* No nested breakpoints, LFENCE always serialises, null selectors clear the base. Hidden: automatic IBRS. */
    {0x80000021, ANY_SUBLEAF, 0, {BIT(0) | BIT(2) | BIT(6), 0, 0, 0}, NULL},
};

static const struct rule *find_rule(uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < array_size(rules); i++)
        if (leaf - rules[i].leaf <= rules[i].more && (rules[i].subleaf < 0 || (uint32_t)rules[i].subleaf == subleaf))
            return &rules[i];
    return NULL;
}

void cpuid_answer(const struct cpuid_guest *guest, uint32_t leaf, uint32_t subleaf, cpuid_reader *host,
                  struct cpuid_regs *out)
{
    const struct rule *rule = find_rule(leaf, subleaf);
    if (rule == NULL) {
        *out = (struct cpuid_regs){0};
        return;
    }
    struct question q = {guest, host, leaf, rule->subleaf == ANY_SUBLEAF ? 0 : subleaf};
    const struct cpuid_regs *regs = &rule->regs;
    *out = rule->subleaf == OWN ? *regs : cpuid_host_leaf(host, leaf, q.subleaf);
    out->eax &= regs->eax;
    out->ebx &= regs->ebx;
    out->ecx &= regs->ecx;
    out->edx &= regs->edx;
    if (rule->adjust != NULL)
        rule->adjust(&q, out);
}
