/*
 * What the files of the entry check share: what is under check, the words of a broken rule, and what many rules ask.
 * Private to entry_check*.c.
 *
 * A sentence is put together from parts, because most of it repeats: "guest " "CS" " access rights: " "P must be 1".
 */
#pragma once

#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/vmx/entry_check.h"
#include "arch/x86_64/vmx/vmcs.h"

struct entry_check {
    uint64_t (*read)(uint32_t field);
    const struct vmx_capability *cpu;
    const char *subject, *aspect; /* what a group of rules puts between its own words and the rule's; "" at its begin */
    /* What many rules ask. */
    uint32_t secondary; /* controls in force: none without the one that activates them */
    uint32_t event;     /* to inject; 0: none */
    bool unrestricted, ia32e, v86, protected_mode;
};

/* Returns the words of the first of its rules that is broken; NULL: all hold. */
typedef const char *entry_check_group(struct entry_check *c);

entry_check_group entry_check_settings, entry_check_addresses, entry_check_needs, entry_check_eptp;
entry_check_group entry_check_msr_areas, entry_check_event, entry_check_software_event;
entry_check_group entry_check_host, entry_check_host_segments, entry_check_guest, entry_check_long_mode;
entry_check_group entry_check_selectors, entry_check_bases, entry_check_v86, entry_check_rights, entry_check_privilege;
entry_check_group entry_check_rip_and_tables, entry_check_flags, entry_check_activity, entry_check_blocking;
entry_check_group entry_check_pending_debug, entry_check_link_and_pdptes;

#define RULE(condition, words)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return words;                                                                                              \
    } while (0)

#define BIT(n) ((uint64_t)1 << (n))

/* Has all of `ones`, and nothing but `allowed`. */
bool entry_check_fits(uint64_t value, uint64_t ones, uint64_t allowed);
bool entry_check_in_width(const struct entry_check *c, uint64_t address);
/* Of a field that the CPU follows: aligned, within the address width, and below 4 GiB where the CPU asks for that. */
bool entry_check_good_address(const struct entry_check *c, uint32_t field, uint64_t alignment);
bool entry_check_canonical(const struct entry_check *c, uint32_t field);

bool entry_check_injects(const struct entry_check *c, unsigned type); /* an event of this type */
unsigned entry_check_dpl(const struct entry_check *c, enum vmcs_segment segment);
