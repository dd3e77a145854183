/*
 * How long an intercepted instruction is, where the CPU does not save the address of the next one. Pure.
 *
 * Only instructions that the hypervisor steps over are known; which one it is, the exit code has said already.
 */
#pragma once

#include "core/decode.h"
#include "core/guest_walk.h"

enum svm_instruction {
    SVM_CPUID,
    SVM_RDMSR,
    SVM_WRMSR,
    SVM_VMMCALL,
    SVM_XSETBV,
    SVM_CACHE, /* INVD or WBINVD: nothing is done for either, and QEMU 7.2 tells both as the second */
    SVM_HLT,
    SVM_MOV_FROM_CR,
    SVM_MOV_TO_CR,
    SVM_INSTRUCTIONS
};

struct svm_length {
    uint8_t bytes; /* prefixes included */
    uint8_t gpr;   /* of MOV from and to a control register, enum gpr */
};

/*
 * Decodes the instruction at `bytes`, of which `available` may be read. `long_mode`: REX prefixes exist.
 * DECODE_UNKNOWN: it is not `expected`. *length is filled only for DECODE_OK.
 */
enum decode_result must_check svm_length_decode(enum svm_instruction expected, bool long_mode, const uint8_t *bytes,
                                                size_t available, struct svm_length *length);

/*
 * The same for the instruction at the view's RIP, read through the guest's page tables. False: it is not there, which
 * only another vCPU that changes code or tables meanwhile can bring about.
 */
bool must_check svm_length_find(enum svm_instruction expected, const struct vcpu_state_view *view,
                                const struct guest_memory *memory, struct svm_length *length);
