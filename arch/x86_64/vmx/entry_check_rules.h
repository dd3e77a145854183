/*
 * What the files of the entry check share: the state under check, the words of a broken rule, and the manual's bits.
 * Private to entry_check*.c.
 *
 * A sentence is put together from parts, because most of it repeats: "guest " "CS" " access rights: " "P must be 1".
 */
#pragma once

#include "arch/x86_64/vmx/entry_check.h"

struct entry_check {
    const struct vmx_entry_state *s;
    /* The parts of the sentence, in this order; the first three are set for a group of rules, and may be "". */
    const char *about;
    const char *subject;
    const char *aspect;
    const char *rule;
};

/* Each group of rules returns whether all of them hold, and otherwise leaves the sentence of the first broken one. */
bool must_check entry_check_controls(struct entry_check *c);
bool must_check entry_check_exit_and_entry(struct entry_check *c);
bool must_check entry_check_host(struct entry_check *c);
bool must_check entry_check_guest_registers(struct entry_check *c);
bool must_check entry_check_segments(struct entry_check *c);
bool must_check entry_check_tables_and_flags(struct entry_check *c);
bool must_check entry_check_activity(struct entry_check *c);

/* Begins a group of rules. */
static inline void entry_check_about(struct entry_check *c, const char *about)
{
    c->about = about;
    c->subject = c->aspect = "";
}

#define RULE(condition, sentence)                                                                                      \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            c->rule = sentence;                                                                                        \
            return false;                                                                                              \
        }                                                                                                              \
    } while (0)
#define RULES(group)                                                                                                   \
    do {                                                                                                               \
        if (!(group))                                                                                                  \
            return false;                                                                                              \
    } while (0)

/* Rules that many fields have; `subject` names the field. */
bool must_check entry_check_canonical(struct entry_check *c, const char *subject, uint64_t address);
bool must_check entry_check_page(struct entry_check *c, const char *subject, uint64_t address);
bool must_check entry_check_msr_area(struct entry_check *c, const char *subject, uint64_t address, uint32_t count);
bool must_check entry_check_pat(struct entry_check *c, uint64_t pat);

/* Fields of the state by their place, for rows of rules. */
struct entry_check_field {
    uint16_t offset; /* in struct vmx_entry_state, of a uint64_t */
    char name[22];
};
bool must_check entry_check_all_canonical(struct entry_check *c, const struct entry_check_field *fields, size_t count);

/* CR0 and CR4 against their fixed bits. */
bool must_check entry_check_fixed(struct entry_check *c, uint64_t cr0, uint64_t cr0_free, uint64_t cr4);

bool entry_check_in_width(const struct vmx_entry_state *s, uint64_t address);
bool entry_check_good_address(const struct vmx_entry_state *s, uint64_t address, uint64_t alignment);
bool entry_check_is_canonical(const struct vmx_entry_state *s, uint64_t address);

/* The secondary controls in force: none without the control that activates them. */
uint32_t entry_check_secondary(const struct vmx_entry_state *s);
bool entry_check_unrestricted(const struct vmx_entry_state *s);

#define BIT(n) ((uint64_t)1 << (n))

/* "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI                BIT(3)
#define PIN_VIRTUAL_NMIS       BIT(5)
#define PIN_PREEMPTION_TIMER   BIT(6)
#define PIN_POSTED_INTERRUPTS  BIT(7)
/* "Primary Processor-Based VM-Execution Controls" */
#define PRIMARY_TPR_SHADOW  BIT(21)
#define PRIMARY_NMI_WINDOW  BIT(22)
#define PRIMARY_IO_BITMAPS  BIT(25)
#define PRIMARY_MTF         BIT(27)
#define PRIMARY_MSR_BITMAPS BIT(28)
#define PRIMARY_SECONDARY   BIT(31)
/* "Secondary Processor-Based VM-Execution Controls" */
#define SECONDARY_APIC_ACCESSES      BIT(0)
#define SECONDARY_EPT                BIT(1)
#define SECONDARY_X2APIC             BIT(4)
#define SECONDARY_VPID               BIT(5)
#define SECONDARY_UNRESTRICTED       BIT(7)
#define SECONDARY_APIC_REGISTERS     BIT(8)
#define SECONDARY_INTERRUPT_DELIVERY BIT(9)
#define SECONDARY_PML                BIT(17)
#define SECONDARY_EPT_EXCEPTION      BIT(18)
#define SECONDARY_MODE_BASED_EXECUTE BIT(22)
/* "VM-Exit Controls", "VM-Entry Controls" */
#define EXIT_HOST_64          BIT(9)
#define EXIT_ACKNOWLEDGE      BIT(15)
#define EXIT_LOAD_PAT         BIT(19)
#define EXIT_LOAD_EFER        BIT(21)
#define EXIT_SAVE_TIMER       BIT(22)
#define ENTRY_LOAD_DEBUG      BIT(2)
#define ENTRY_IA32E           BIT(9)
#define ENTRY_TO_SMM          BIT(10)
#define ENTRY_DEACTIVATE_DUAL BIT(11)
#define ENTRY_LOAD_PAT        BIT(14)
#define ENTRY_LOAD_EFER       BIT(15)

#define CR0_PE    BIT(0)
#define CR0_PG    BIT(31)
#define CR4_PAE   BIT(5)
#define CR4_PCIDE BIT(17)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_BITS (BIT(0) | EFER_LME | EFER_LMA | BIT(11))
#define FLAG_TF   BIT(8)
#define FLAG_IF   BIT(9)
#define FLAG_VM   BIT(17)

/* "Format of the VM-Entry Interruption-Information Field" */
enum event_type {
    EVENT_EXTERNAL = 0,
    EVENT_RESERVED = 1,
    EVENT_NMI = 2,
    EVENT_HARDWARE_EXCEPTION = 3,
    EVENT_SOFTWARE_INTERRUPT = 4,
    EVENT_PRIVILEGED_SOFTWARE = 5,
    EVENT_SOFTWARE_EXCEPTION = 6,
    EVENT_OTHER = 7,
};
#define EVENT_VALID BIT(31)

static inline bool ia32e(const struct vmx_entry_state *s) { return (s->entry_controls & ENTRY_IA32E) != 0; }
static inline bool v86(const struct vmx_entry_state *s) { return (s->guest_rflags & FLAG_VM) != 0; }
static inline bool protected_mode(const struct vmx_entry_state *s) { return (s->guest_cr0 & CR0_PE) != 0; }

static inline bool injects(const struct vmx_entry_state *s)
{
    return (s->entry_interruption_information & EVENT_VALID) != 0;
}
static inline unsigned event_type(const struct vmx_entry_state *s)
{
    return s->entry_interruption_information >> 8 & 7;
}
static inline unsigned event_vector(const struct vmx_entry_state *s)
{
    return s->entry_interruption_information & 0xff;
}
static inline bool injects_type(const struct vmx_entry_state *s, enum event_type type)
{
    return injects(s) && event_type(s) == (unsigned)type;
}

/* "Segment Registers", access rights */
#define AR_L        BIT(13)
#define AR_UNUSABLE BIT(16)
static inline bool usable(const struct vmx_segment *segment) { return (segment->access_rights & AR_UNUSABLE) == 0; }
static inline unsigned dpl_of(const struct vmx_segment *segment) { return segment->access_rights >> 5 & 3; }
