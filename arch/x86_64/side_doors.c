/*
 * Reads what core/side_doors.c decides on, and executes what it has decided. Each register is written so that a refusal
 * does no harm: a CPU that announces what it does not have is then as open as one without it.
 */
#include "core/side_doors.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/msr_index.h"

static uint32_t measures; /* of the boot CPU, for all: partitions do not choose the CPU by its holes */

uint32_t cpu_side_doors_read(void)
{
    struct side_words words = {
        .features = cpu_leaf(7, 0).edx,
        .amd_features = cpu_leaf(0x80000008, 0).ebx,
        .amd_features_2 = cpu_leaf(0x80000021, 0).eax,
    };
    if (!(words.features & (1u << 29)) || !cpu_msr_read(MSR_IA32_ARCH_CAPABILITIES, &words.arch_capabilities))
        words.arch_capabilities = 0;
    measures = side_doors_decide(&words);
    return measures;
}

static void set_bit(uint32_t number, uint64_t bit)
{
    uint64_t value;
    if (cpu_msr_read(number, &value))
        (void)!cpu_msr_write(number, value | bit);
}

void cpu_side_doors_close(void)
{
    if (measures & SIDE_IBRS)
        set_bit(MSR_IA32_SPEC_CTRL, SPEC_CTRL_IBRS);
    if (measures & SIDE_AUTO_IBRS)
        set_bit(MSR_IA32_EFER, EFER_AIBRSE);
}

void cpu_predictors_clear(void)
{
    if (measures & SIDE_PREDICTORS)
        (void)!cpu_msr_write(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

void cpu_buffers_clear(void)
{
    static const uint16_t selector = SELECTOR_DATA; /* VERW clears only with a writable segment */
    if (measures & SIDE_L1_DATA)
        (void)!cpu_msr_write(MSR_IA32_FLUSH_CMD, FLUSH_CMD_L1D);
    if (measures & SIDE_BUFFERS)
        __asm__ volatile("verw %0" : : "m"(selector) : "cc");
}
