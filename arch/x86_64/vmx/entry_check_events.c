/* The injected event among the "VM-Entry Control Fields" */
#include "arch/x86_64/vmx/entry_check_rules.h"

#define EVENT_RESERVED_BITS 0x7ffff000u
/* Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
#define VECTORS_WITH_ERROR_CODE (BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))

static const char *broken_error_code(const struct entry_check *c)
{
    uint32_t event = c->event;
    bool real = c->unrestricted && !c->protected_mode;
    bool hardware = INTERRUPTION_TYPE(event) == INTERRUPTION_HARDWARE;
    /* Newer CPUs leave the choice open for hardware exceptions. */
    bool free = (c->cpu->basic & BIT(56)) != 0;
    bool has_code = hardware && (VECTORS_WITH_ERROR_CODE >> INTERRUPTION_VECTOR(event) & 1);
    if (!(event & INTERRUPTION_ERROR_CODE)) {
        RULE(!has_code || free || real, "this exception needs its error code");
        return NULL;
    }
    RULE(hardware, "only a hardware exception has an error code");
    RULE(!real, "no error code is delivered while CR0.PE is 0");
    RULE(has_code || free, "this exception has no error code");
    return NULL;
}

const char *entry_check_event(struct entry_check *c)
{
    unsigned type = INTERRUPTION_TYPE(c->event), vector = INTERRUPTION_VECTOR(c->event);
    if (c->event == 0)
        return NULL;
    RULE(type != INTERRUPTION_RESERVED, "type 1 is reserved");
    RULE(type != INTERRUPTION_OTHER || (c->cpu->processor.one_settings & PROCESSOR_MONITOR_TRAP),
         "type 7 needs a CPU with the monitor trap flag");
    RULE(type != INTERRUPTION_NMI || vector == 2, "an NMI has vector 2");
    RULE(type != INTERRUPTION_HARDWARE || vector <= 31, "an exception's vector is at most 31");
    RULE(type != INTERRUPTION_OTHER || vector == 0, "type 7 has vector 0");
    RULE((c->event & EVENT_RESERVED_BITS) == 0, "bits 30:12 must be 0");
    return broken_error_code(c);
}

/* What goes with an event: the fields beside it. */
const char *entry_check_software_event(struct entry_check *c)
{
    unsigned type = INTERRUPTION_TYPE(c->event);
    uint64_t length = c->read(VMCS_ENTRY_LENGTH), least = c->cpu->misc & BIT(30) ? 0 : 1;
    if (c->event == 0)
        return NULL;
    RULE(!(c->event & INTERRUPTION_ERROR_CODE) || c->read(VMCS_ENTRY_EXCEPTION_ERROR) <= 0xffff,
         "exception error code: bits 31:16 must be 0");
    RULE(type < INTERRUPTION_SOFTWARE || type > INTERRUPTION_SOFTWARE_EXCEPTION || (length >= least && length <= 15),
         "instruction length of a software event must be 1 to 15, or 0 where IA32_VMX_MISC allows");
    return NULL;
}
