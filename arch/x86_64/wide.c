#include "arch/x86_64/wide.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/trap.h"
#include "core/bytes.h"

/* wide.S. `to` is a multiple of 64 bytes, `blocks` is not 0. */
enum { WIDE_ALIGNMENT = 64, WIDE_LEAST = 4096 };
typedef void wide_loop(void *to, const void *from, size_t blocks);
wide_loop wide_zero_512, wide_zero_256, wide_zero_128, wide_copy_512, wide_copy_256, wide_copy_128;

/* SDM vol. 1, "Enabling the XSAVE Feature Set": components that an instruction of that width needs. */
#define XCR0_AVX    0x07ull /* with x87 and SSE */
#define XCR0_AVX512 0xe7ull

#define LEAF1_ECX_HYPERVISOR (1u << 31) /* never set by a real CPU */

/* One width. Its instructions are there when CPUID says so, and usable with these components in XCR0 (0: without). */
static const struct width {
    uint64_t components;
    uint32_t leaf1_ecx, leaf7_ebx;
    uint32_t block; /* bytes that a round moves */
    wide_loop *zero, *copy;
} widths[] = {
    {XCR0_AVX512, 0, 1u << 16, 2048, wide_zero_512, wide_copy_512}, /* AVX512F */
    {XCR0_AVX, 1u << 28, 0, 1024, wide_zero_256, wide_copy_256},    /* AVX */
    {0, 0, 0, 512, wide_zero_128, wide_copy_128},                   /* SSE2: part of every 64-bit CPU */
};

/*
 * In a machine that is itself virtual the outer hypervisor may have to emulate a store, and KVM answers #UD to those of
 * AVX: it emulates SSE at most.
 */
static bool has(const struct width *width)
{
    if (width->components == 0)
        return true;
    if (!(cr4_read() & CR4_OSXSAVE))
        return false;
    uint32_t leaf1 = cpu_leaf(1, 0).ecx, leaf7 = cpu_leaf(7, 0).ebx;
    return !(leaf1 & LEAF1_ECX_HYPERVISOR) && !(width->leaf1_ecx & ~leaf1) &&
           !(width->leaf7_ebx & ~leaf7) && !(width->components & ~(uint64_t)cpu_leaf(0xd, 0).eax);
}

/* Makes the widest one usable; *before is for width_close. NULL: not even SSE, which early code has not switched on. */
static const struct width *width_open(uint64_t *before)
{
    if ((cr4_read() & CR4_OSFXSR) == 0)
        return NULL;
    const struct width *width = widths;
    while (!has(width))
        width++;
    if (width->components == 0)
        return width;
    *before = xcr0_read();
    return trap_xsetbv(*before | width->components) ? width : &widths[array_size(widths) - 1];
}

static void width_close(const struct width *width, uint64_t before)
{
    if (width->components != 0 && !trap_xsetbv(before))
        return; /* it has been in force before */
}

/* As many bytes as fill whole blocks; `from` NULL: zeros. */
static size_t blocks_move(void *to, const void *from, size_t size)
{
    uint64_t before = 0;
    bool suits = size >= WIDE_LEAST && (uintptr_t)to % WIDE_ALIGNMENT == 0;
    const struct width *width = suits ? width_open(&before) : NULL;
    if (width == NULL)
        return 0;
    (from != NULL ? width->copy : width->zero)(to, from, size / width->block);
    width_close(width, before);
    return size / width->block * width->block;
}

void wide_zero(void *to, size_t size)
{
    size_t done = blocks_move(to, NULL, size);
    memset((char *)to + done, 0, size - done);
}

void wide_copy(void *to, const void *from, size_t size)
{
    size_t done = blocks_move(to, from, size);
    memcpy((char *)to + done, (const char *)from + done, size - done);
}
