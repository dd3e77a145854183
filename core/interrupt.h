/*
 * Interrupt messages as local APICs send and receive them (SDM vol. 3, "Issuing interprocessor interrupts"), and the
 * rules that keep a partition's messages inside the partition. Pure.
 */
#pragma once

#include "core/types.h"

enum delivery_mode {
    DELIVERY_FIXED = 0,
    DELIVERY_LOWEST = 1,
    DELIVERY_SMI = 2,
    DELIVERY_RESERVED = 3,
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

/* "Interrupt Command Register (ICR)"; bit 12, delivery status, always reads 0. */
#define ICR_VECTOR            0xffu
#define ICR_DELIVERY_SHIFT    8
#define ICR_DELIVERY_MASK     7u
#define ICR_LOGICAL           (1u << 11)
#define ICR_STATUS            (1u << 12)
#define ICR_ASSERT            (1u << 14)
#define ICR_LEVEL             (1u << 15)
#define ICR_SHORTHAND_SHIFT   18
#define ICR_SHORTHAND_MASK    3u
#define ICR_DESTINATION_SHIFT 32

#define X2APIC_BROADCAST 0xffffffffu /* in physical and in logical mode */

enum { VECTOR_FIRST_LEGAL = 16 };

/* Decodes a write to the x2APIC ICR (MSR 830h). */
struct interrupt_message interrupt_from_x2apic_icr(uint64_t icr);

/* What the sender's partition makes of a message. */
enum interrupt_verdict {
    INTERRUPT_DELIVER,
    INTERRUPT_NOTHING,         /* legal and without effect: nobody matches, INIT de-assert */
    INTERRUPT_BAD_MODE,        /* SMI, ExtINT or reserved: refused */
    INTERRUPT_BAD_VECTOR,      /* fixed or lowest priority with a vector below 16: refused */
};

/* Whether a guest that has the CPU's own local APIC may send the message at all. */
enum interrupt_verdict must_check interrupt_judge(const struct interrupt_message *message);

/*
 * Whether an x2APIC id answers to the message's destination field. Ids of other partitions simply do not match. Logical
 * destinations use the x2APIC's fixed logical ids: cluster = id >> 4, bit = id & 15.
 */
bool interrupt_matches(const struct interrupt_message *message, uint32_t apic_id);

/*
 * Whether it means the vCPU with number `index` of those of vCPU `sender`: by its shorthand, without one as its
 * destination field `matches`. Shorthands mean everybody in the partition: the sender knows of nobody else.
 */
bool interrupt_reaches(const struct interrupt_message *message, uint32_t index, uint32_t sender, bool matches);
