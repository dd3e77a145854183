/*
 * Interrupt messages as local APICs send and receive them (SDM vol. 3, "Issuing interprocessor interrupts"),
 * and the filter that keeps a partition's messages inside the partition. Pure.
 */
#pragma once

#include "core/config.h"
#include "core/types.h"

enum delivery_mode {
    DELIVERY_FIXED = 0,
    DELIVERY_LOWEST = 1,
    DELIVERY_SMI = 2,
    DELIVERY_NMI = 4,
    DELIVERY_INIT = 5,
    DELIVERY_STARTUP = 6,
    DELIVERY_EXTINT = 7,
};

enum shorthand { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

struct interrupt_message {
    uint32_t destination;
    bool logical;
    bool level;          /* trigger mode */
    bool assert_line;    /* ICR level bit: INIT with 0 is the old de-assert, which does nothing */
    enum shorthand shorthand;
    uint8_t delivery;    /* enum delivery_mode, or a reserved value */
    uint8_t vector;
};

/* Set of a partition's vCPUs. */
struct vcpu_set {
    uint64_t bits; /* CONFIG_MAX_CPUS is 64 */
};

/* Decodes a write to the x2APIC ICR (MSR 830h). */
struct interrupt_message interrupt_from_x2apic_icr(uint64_t icr);

/* What the sender's partition makes of a message. */
enum interrupt_verdict {
    INTERRUPT_DELIVER,
    INTERRUPT_NOTHING,         /* legal and without effect: nobody matches, INIT de-assert */
    INTERRUPT_BAD_MODE,        /* SMI, ExtINT or reserved: refused */
    INTERRUPT_BAD_VECTOR,      /* fixed or lowest priority with a vector below 16: refused */
};

/*
 * Which of the partition's vCPUs a message reaches. `apic_ids` are the x2APIC ids of its `count` vCPUs, `sender` the
 * index of the one that sends (ignored without shorthand). Ids of other partitions simply do not match. Logical
 * destinations use the x2APIC's fixed logical ids (cluster = id >> 4, bit = id & 15); lowest priority reaches the lowest match.
 */
enum interrupt_verdict must_check interrupt_resolve(const struct interrupt_message *message, const uint32_t *apic_ids,
                                                    uint32_t count, uint32_t sender, struct vcpu_set *targets);
