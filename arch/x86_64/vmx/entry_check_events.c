/* "VM-Exit Control Fields" and "VM-Entry Control Fields", the injected event among them */
#include "arch/x86_64/vmx/entry_check_rules.h"

#define EVENT_ERROR_CODE    BIT(11)
#define EVENT_RESERVED_BITS 0x7ffff000u
/* Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
#define VECTORS_WITH_ERROR_CODE (BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))

static bool check_error_code(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    bool deliver = (s->entry_interruption_information & EVENT_ERROR_CODE) != 0;
    bool real = entry_check_unrestricted(s) && !protected_mode(s);
    bool hardware = event_type(s) == EVENT_HARDWARE_EXCEPTION;
    /* Newer CPUs leave the choice open for hardware exceptions. */
    bool free = (s->ia32_vmx_basic & BIT(56)) != 0;
    bool has_code = hardware && (VECTORS_WITH_ERROR_CODE >> event_vector(s) & 1);

    if (!deliver) {
        RULE(!has_code || free || real, "this exception needs its error code");
        return true;
    }
    RULE(hardware, "only a hardware exception has an error code");
    RULE(!real, "no error code is delivered while CR0.PE is 0");
    RULE(has_code || free, "this exception has no error code");
    entry_check_about(c, "VM-entry exception error code: ");
    RULE(s->entry_exception_error_code <= 0xffff, "bits 31:16 must be 0");
    return true;
}

static bool check_event(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    unsigned type = event_type(s), vector = event_vector(s);
    bool software =
        type == EVENT_SOFTWARE_INTERRUPT || type == EVENT_PRIVILEGED_SOFTWARE || type == EVENT_SOFTWARE_EXCEPTION;
    uint32_t least = s->ia32_vmx_misc & BIT(30) ? 0 : 1;

    entry_check_about(c, "injected event: ");
    RULE(type != EVENT_RESERVED, "type 1 is reserved");
    RULE(type != EVENT_OTHER || (s->allowed_primary.one_settings & PRIMARY_MTF),
         "type 7 needs a CPU with the monitor trap flag");
    RULE(type != EVENT_NMI || vector == 2, "an NMI has vector 2");
    RULE(type != EVENT_HARDWARE_EXCEPTION || vector <= 31, "an exception's vector is at most 31");
    RULE(type != EVENT_OTHER || vector == 0, "type 7 has vector 0");
    RULES(check_error_code(c));
    entry_check_about(c, "injected event: ");
    RULE((s->entry_interruption_information & EVENT_RESERVED_BITS) == 0, "bits 30:12 must be 0");
    entry_check_about(c, "");
    RULE(!software || (s->entry_instruction_length >= least && s->entry_instruction_length <= 15),
         "VM-entry instruction length of a software event must be 1 to 15, or 0 where IA32_VMX_MISC allows");
    return true;
}

bool entry_check_exit_and_entry(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    RULE((s->pin_based_controls & PIN_PREEMPTION_TIMER) || !(s->exit_controls & EXIT_SAVE_TIMER),
         "save VMX-preemption timer value needs activate VMX-preemption timer");
    RULES(entry_check_msr_area(c, "VM-exit MSR-store", s->exit_msr_store_address, s->exit_msr_store_count));
    RULES(entry_check_msr_area(c, "VM-exit MSR-load", s->exit_msr_load_address, s->exit_msr_load_count));
    if (injects(s))
        RULES(check_event(c));
    RULES(entry_check_msr_area(c, "VM-entry MSR-load", s->entry_msr_load_address, s->entry_msr_load_count));
    RULE(!(s->entry_controls & ENTRY_TO_SMM), "entry to SMM must be 0 outside SMM");
    RULE(!(s->entry_controls & ENTRY_DEACTIVATE_DUAL), "deactivate dual-monitor treatment must be 0 outside SMM");
    return true;
}
