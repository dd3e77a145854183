/*
 * Extended state, filled and looked at by plain moves: XSAVE would leave out what it takes for unused.
 */
#include "guests/hostile/extended.h"

#include <stdbool.h>
#include <stddef.h>

#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"

enum {
    CR4_OSFXSR = 1 << 9,
    CR4_OSXMMEXCPT = 1 << 10,
    CR4_OSXSAVE = 1 << 18,
    CR4_PKE = 1 << 22,
    XCR0_AVX = 0x7,
    XCR0_AVX512 = 0xe7,
    MXCSR_FRESH = 0x1f80,
    FCW_FRESH = 0x37f,
};

static bool shown(uint32_t word, unsigned bit) { return (word >> bit & 1) != 0; }
static bool has_xsave(void) { return shown(cpuid(1, 0).ecx, 26); }
static bool has_pku(void) { return shown(cpuid(7, 0).ecx, 3); }
static uint32_t components(void) { return has_xsave() ? cpuid(0xd, 0).eax : 0; }

static void cr4_add(uint64_t bits)
{
    uint64_t cr4;
    __asm__ volatile("movq %%cr4, %0; orq %1, %0; movq %0, %%cr4" : "=&r"(cr4) : "r"(bits));
}

static uint64_t xcr0_get(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
static void xcr0_set(uint32_t value) { __asm__ volatile("xsetbv" ::"a"(value), "d"(0), "c"(0)); }

static void switch_on(void)
{
    cr4_add(CR4_OSFXSR | CR4_OSXMMEXCPT | (has_xsave() ? CR4_OSXSAVE : 0) | (has_pku() ? CR4_PKE : 0));
}

/* The widest vectors there are. */
static uint32_t vector_components(void)
{
    uint32_t all = components();
    if ((all & XCR0_AVX512) == XCR0_AVX512 && shown(cpuid(7, 0).ebx, 16))
        return XCR0_AVX512;
    return (all & XCR0_AVX) == XCR0_AVX ? XCR0_AVX : 0;
}

void extended_fill(uint64_t pattern)
{
    static uint32_t mxcsr = 0x7f80;
    static const uint16_t fcw = 0x27f;
    static const double number = 0;
    switch_on();
    __asm__ volatile("fldcw %0; fldl %1; fldl %1; fdivp; fldpi; ldmxcsr %2" ::"m"(fcw), "m"(number), "m"(mxcsr));
    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15" ::"r"(pattern));
    uint32_t vectors = vector_components();
    if (vectors != 0) {
        xcr0_set(vectors);
        __asm__ volatile("vinsertf128 $1, %xmm0, %ymm0, %ymm1; vmovaps %ymm1, %ymm15");
    }
    if (vectors == XCR0_AVX512)
        __asm__ volatile("vinsertf64x4 $1, %%ymm1, %%zmm1, %%zmm31; kmovw %0, %%k1" ::"r"((uint32_t)pattern));
    if (has_pku())
        __asm__ volatile(".byte 0x0f, 0x01, 0xef" ::"a"(0x55555550), "c"(0), "d"(0)); /* WRPKRU; key 0 stays open */
}

static void check_x87(void)
{
    struct {
        uint32_t control, status, tag, ip, ip_selector_opcode, operand, operand_selector;
    } now;
    uint32_t mxcsr;
    _Static_assert(sizeof now == 28, "FNSTENV in 32-bit format");
    __asm__ volatile("fnstenv %0; stmxcsr %1" : "=m"(now), "=m"(mxcsr));
    attack_check((now.control & 0xffff) == FCW_FRESH, "x87 control word", 0, now.control);
    attack_check((now.status & 0xffff) == 0, "x87 status word", 0, now.status);
    attack_check((now.tag & 0xffff) == 0xffff, "x87 tag word", 0, now.tag);
    attack_check((now.ip | now.operand) == 0, "x87 last instruction", now.ip, now.operand);
    attack_check(mxcsr == MXCSR_FRESH, "MXCSR", 0, mxcsr);
}

static void check_vectors(void)
{
    uint64_t low, high, upper = 0;
    uint32_t vectors = vector_components(), mask = 0;
    __asm__ volatile("movq %%xmm0, %0; movq %%xmm15, %1" : "=r"(low), "=r"(high));
    attack_check((low | high) == 0, "vector registers", 0, low | high);
    if (vectors == 0)
        return;
    attack_check(xcr0_get() == 1, "XCR0", 0, xcr0_get());
    xcr0_set(vectors);
    __asm__ volatile(
        "vextractf128 $1, %%ymm1, %%xmm2; movq %%xmm2, %0; vextractf128 $1, %%ymm15, %%xmm2; movq %%xmm2, %1"
        : "=r"(low), "=r"(high));
    attack_check((low | high) == 0, "upper halves of vector registers", 0, low | high);
    if (vectors != XCR0_AVX512)
        return;
    __asm__ volatile("vextractf64x4 $1, %%zmm31, %%ymm2; movq %%xmm2, %0; kmovw %%k1, %1" : "=r"(upper), "=r"(mask));
    attack_check(upper == 0, "AVX-512 registers", 31, upper);
    attack_check(mask == 0, "mask registers", 1, mask);
}

void extended_check(void)
{
    switch_on();
    check_x87();
    check_vectors();
    if (!has_pku())
        return;
    uint32_t keys, none;
    __asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(keys), "=d"(none) : "c"(0)); /* RDPKRU */
    attack_check(keys == 0, "PKRU", 0, keys);
}
