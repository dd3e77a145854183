/*
 * Device memory without the long way of core/mmio.c: instructions that have touched a device before are remembered, and
 * found again when they do so again. Only the plainest are: 64-bit code, MOV of 32 bits between a register (or an
 * immediate) and one memory operand that no FS or GS moves.
 *
 * Why a remembered instruction may be used:
 *   - that it is the one at RIP: its bytes are compared, and with them every entry of the guest's page tables that
 * leads to them. The walk depends on nothing else but CR3 and on how many levels there are, which are compared too. So
 *     this is the whole walk, only that nothing is decoded; a guest that has changed its code or its tables is noticed.
 *   - that it was allowed to run, and to make the access: the CPU has fetched it, and it reports the refusal of a
 * nested table only after the guest's own tables have allowed the access.
 *   - where the operand lies: the CPU says that too. Its low 12 bits must be those of the address that the instruction
 *     computes, and all of it must lie in one page, or the CPU may have reported the second half.
 * What is read for this lies in the partition's RAM, always: its places were found when the instruction was remembered,
 * and where a partition's RAM lies never changes.
 */
#pragma once

#include "core/partition.h"

struct mmio_outcome; /* core/mmio.h */

/* What the backend knows of a refused access; it is known that the guest runs 64-bit code. */
struct fast_access {
    uint64_t rip, cr3, cr4;
    uint64_t address; /* guest-physical, of the access itself and not of the guest's tables */
    bool write;
};

/* The remembered instruction with which the guest makes this access, if it is still there; else NULL. */
const struct fast_code *fast_memory_find(struct vcpu *vcpu, const struct fast_access *access);

/* What such an instruction stores, and where the one that loads puts it. */
static inline uint32_t fast_memory_value(const struct vcpu *vcpu, const struct fast_code *code)
{
    return code->has_immediate ? code->immediate : (uint32_t)vcpu->gpr[code->reg];
}
static inline void fast_memory_set(struct vcpu *vcpu, const struct fast_code *code, uint32_t value)
{
    vcpu->gpr[code->reg] = value; /* a 32-bit result clears the upper half */
}

/* Carries the access out, if nothing but its value can come of it. The length of the instruction, by which the caller
 * moves on; 0: nothing done. */
uint8_t must_check fast_memory(struct vcpu *vcpu, const struct fast_access *access);

/* Remembers the instruction at the view's RIP, which has just been carried out by mmio_emulate, if it is one of those.
 */
void fast_memory_learn(struct vcpu *vcpu, const struct vcpu_state_view *view, const struct mmio_outcome *outcome);
