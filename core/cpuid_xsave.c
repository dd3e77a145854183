/*
 * Leaf Dh: which register state a guest can turn on in XCR0, and how large its XSAVE area is. Sizes are added up from
 * the host's components, so they are right whatever XCR0 the host itself runs with. Intel SDM vol. 1, "Managing state
 * using the XSAVE feature set".
 */
#include "core/cpuid_bits.h"
#include "core/cpuid_rule.h"

/* XCR0 components. Hidden: MPX, processor trace, CET, AMX. */
#define XCR0_SSE    ((uint64_t)1 << 1)
#define XCR0_AVX    ((uint64_t)1 << 2)
#define XCR0_AVX512 ((uint64_t)7 << 5)
#define XCR0_KNOWN  ((uint64_t)1 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | CPUID_XCR0_PKRU)
enum { XSAVE_LEGACY_SIZE = 576, XSAVE_FIRST_EXTENDED = 2, XSAVE_COMPONENTS = 63 };

uint64_t cpuid_xcr0_allowed(cpuid_reader *host)
{
    if ((cpuid_host_leaf(host, 1, 0).ecx & LEAF_1_XSAVE) == 0)
        return 0;
    struct cpuid_regs regs = cpuid_host_leaf(host, 0xd, 0);
    uint64_t allowed = ((uint64_t)regs.edx << 32 | regs.eax) & XCR0_KNOWN;
    if ((allowed & XCR0_SSE) == 0)
        allowed &= ~XCR0_AVX;
    if ((allowed & XCR0_AVX) == 0 || (allowed & XCR0_AVX512) != XCR0_AVX512)
        allowed &= ~XCR0_AVX512; /* the three parts go together, on top of AVX */
    return allowed;
}

/* Bytes of a non-compacted XSAVE area that holds these components. */
static uint32_t xsave_size(cpuid_reader *host, uint64_t components)
{
    uint64_t size = XSAVE_LEGACY_SIZE;
    for (uint32_t i = XSAVE_FIRST_EXTENDED; i < XSAVE_COMPONENTS; i++) {
        if ((components >> i & 1) == 0)
            continue;
        struct cpuid_regs regs = cpuid_host_leaf(host, 0xd, i);
        uint64_t end = (uint64_t)regs.eax + regs.ebx; /* size and offset */
        if (end > size)
            size = end;
    }
    return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

void cpuid_adjust_xsave(const struct question *q, struct cpuid_regs *r)
{
    uint64_t allowed = cpuid_xcr0_allowed(q->host);
    if (allowed == 0) {
        *r = (struct cpuid_regs){0};
    } else if (q->subleaf == 0) {
        r->eax = (uint32_t)allowed;
        r->ebx = xsave_size(q->host, q->guest->xcr0 & allowed);
        r->ecx = xsave_size(q->host, allowed);
        r->edx = (uint32_t)(allowed >> 32);
    } else if (q->subleaf == 1) {
        /* XSAVEOPT alone. XSAVEC and XSAVES would need IA32_XSS and the compacted size, which Bochs gets wrong. */
        *r = (struct cpuid_regs){.eax = r->eax & BIT(0)};
    } else if (q->subleaf >= XSAVE_COMPONENTS || (allowed >> q->subleaf & 1) == 0) {
        *r = (struct cpuid_regs){0};
    }
}
