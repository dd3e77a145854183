/*
 * Which means against speculative side channels this CPU has and needs. What costs little is done wherever the CPU
 * offers it, whether or not it says that it is immune; the flush of the L1 cache, which costs most, only where needed.
 */
#include "core/side_doors.h"

#include "core/cpuid_bits.h"

/* SDM vol. 4, "IA32_ARCH_CAPABILITIES"; CPUID bits: SDM vol. 2A and APM vol. 3, "CPUID". */
#define ARCH_RDCL_NO           ((uint64_t)BIT(0))
#define ARCH_IBRS_ALL          ((uint64_t)BIT(1)) /* may stay set: the CPU itself tells host and guest apart */
#define LEAF_7_EDX_MD_CLEAR    BIT(10)
#define LEAF_7_EDX_SPEC_CTRL   BIT(26)
#define LEAF_7_EDX_L1D_FLUSH   BIT(28)
#define LEAF_88_EBX_IBPB       BIT(12)
#define LEAF_821_EAX_AUTO_IBRS BIT(8)

uint32_t side_doors_decide(const struct side_words *words)
{
    bool spec_ctrl = words->features & LEAF_7_EDX_SPEC_CTRL;
    uint32_t measures = 0;
    if (spec_ctrl || (words->amd_features & LEAF_88_EBX_IBPB))
        measures |= SIDE_PREDICTORS;
    if ((words->features & LEAF_7_EDX_L1D_FLUSH) && !(words->arch_capabilities & ARCH_RDCL_NO))
        measures |= SIDE_L1_DATA;
    if (words->features & LEAF_7_EDX_MD_CLEAR)
        measures |= SIDE_BUFFERS;
    if (spec_ctrl && (words->arch_capabilities & ARCH_IBRS_ALL))
        measures |= SIDE_IBRS;
    if (words->amd_features_2 & LEAF_821_EAX_AUTO_IBRS)
        measures |= SIDE_AUTO_IBRS;
    return measures;
}

void side_doors_print(uint32_t measures, struct sink *out)
{
    static const char *const names[] = {"IBPB", "L1D flush", "VERW", "IBRS", "automatic IBRS"};
    const char *before = "";
    for (uint32_t i = 0; i < array_size(names); i++) {
        if (!(measures & BIT(i)))
            continue;
        sink_print(out, "%s%s", before, names[i]);
        before = ", ";
    }
    sink_print(out, "%s\n", measures == 0 ? "none" : "");
}
