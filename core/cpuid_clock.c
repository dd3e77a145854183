/*
 * How fast the TSC counts, for guests that would otherwise measure it against a PIT: leaves 15h, 16h and 40000010h.
 */
#include "core/cpuid_rule.h"

/* The TSC as a ratio of a clock: hz * numerator / denominator. */
struct timebase {
    uint32_t denominator, numerator, hz;
};

uint64_t cpuid_tsc_hz(cpuid_reader *host)
{
    struct cpuid_regs ratio = cpuid_host_leaf(host, 0x15, 0), base = cpuid_host_leaf(host, 0x16, 0);
    if (ratio.eax == 0 || ratio.ebx == 0)
        return 0;
    return ratio.ecx != 0 ? (uint64_t)ratio.ecx * ratio.ebx / ratio.eax : (base.eax & 0xffff) * 1000000ull;
}

static bool agrees(uint64_t a, uint64_t b)
{
    uint64_t difference = a > b ? a - b : b - a;
    return difference <= b / 100;
}

/*
 * The clock of the local APIC's timer is the crystal of leaf 15h, so the host's own ratio is best, where it is complete
 * and fits the calibrated TSC (in emulators it does not). Else the TSC itself stands for the crystal, halved until it
 * fits 32 bits.
 */
static struct timebase timebase(const struct question *q)
{
    uint64_t tsc_hz = q->guest->tsc_hz;
    struct cpuid_regs regs = cpuid_host_leaf(q->host, 0x15, 0);
    if (regs.ecx != 0 && agrees(cpuid_tsc_hz(q->host), tsc_hz))
        return (struct timebase){regs.eax, regs.ebx, regs.ecx};
    struct timebase base = {1, 1, 0};
    while (tsc_hz > UINT32_MAX) {
        tsc_hz /= 2;
        base.numerator *= 2;
    }
    base.hz = (uint32_t)tsc_hz;
    return base;
}

void cpuid_adjust_tsc_ratio(const struct question *q, struct cpuid_regs *r)
{
    if (q->guest->tsc_hz == 0)
        return;
    struct timebase base = timebase(q);
    *r = (struct cpuid_regs){.eax = base.denominator, .ebx = base.numerator, .ecx = base.hz};
}

void cpuid_adjust_mhz(const struct question *q, struct cpuid_regs *r)
{
    uint32_t mhz = (uint32_t)((q->guest->tsc_hz + 500000) / 1000000 & 0xffff);
    *r = (struct cpuid_regs){.eax = mhz, .ebx = mhz};
}

void cpuid_adjust_kvm_clock(const struct question *q, struct cpuid_regs *r)
{
    r->eax = (uint32_t)(q->guest->tsc_hz / 1000);
    r->ebx = q->guest->tsc_hz != 0 ? timebase(q).hz / 1000 : 0;
}
