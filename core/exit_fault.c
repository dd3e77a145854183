/*
 * Accesses that nothing answers: what the partition's policy makes of them, and what is said about it.
 *
 * While a partition learns, each one is told with the line of the configuration that would allow it, and those that
 * would end the partition are let through, so that one boot shows them all.
 */
#include "core/bytes.h"
#include "core/console.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"

enum {
    VECTOR_UD = 6,
    VECTOR_GP = 13,
    TOLD = 16, /* accesses of a kind, when nobody wants to learn: a guest that tries everything must not fill the log */
    TOLD_TO_LEARN = FAULT_SEEN_MAX,
    TEXT_SIZE = PARTITION_REASON_SIZE,
    LINE_SIZE = 48,
};

static struct fault_rule rule_of(const struct vcpu *vcpu, enum fault_class class)
{
    return fault_rule_find(vcpu->partition->plan->config, class);
}

static bool is_lenient(const struct vcpu *vcpu, enum fault_class class)
{
    struct fault_rule rule = rule_of(vcpu, class);
    return rule.action == FAULT_LOG || (vcpu->partition->plan->config->learn && !fault_goes_on(rule.action));
}

static bool is_told(const struct vcpu *vcpu, enum fault_class class)
{
    return vcpu->partition->plan->config->learn || rule_of(vcpu, class).action == FAULT_LOG;
}

/* Whether it is the first of its kind, to be told now. */
static bool is_news(struct vcpu *vcpu, enum fault_class class, struct fault_seen *seen, uint64_t what)
{
    struct partition *p = vcpu->partition;
    spin_lock(&p->fault_lock);
    enum fault_news news = fault_seen_add(seen, what, p->plan->config->learn ? TOLD_TO_LEARN : TOLD);
    spin_unlock(&p->fault_lock);
    if (news == FAULT_CLOSED)
        log_line("%s: fault.%s: %u different ones were told, further ones are not", partition_name(p),
                 fault_class_name(class), seen->count);
    return news == FAULT_NEWS;
}

/* `line` would allow what `text` says. */
static void tell(const struct vcpu *vcpu, const char *line, const char *text)
{
    const struct partition *p = vcpu->partition;
    if (p->plan->config->learn)
        log_line("%s: learn: %s # %s", partition_name(p), line, text);
    else
        log_line("%s: let through: %s", partition_name(p), text);
}

static uint64_t rip_of(struct vcpu *vcpu, const struct backend *backend)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    return view.rip;
}

/* Whether the rule is the architected fault: that needs no words, and making them costs more than the exit itself. */
static bool inject(struct vcpu *vcpu, const struct backend *backend, enum fault_class class)
{
    if (rule_of(vcpu, class).action != FAULT_INJECT)
        return false;
    backend->inject_exception(vcpu, VECTOR_GP, 0);
    return true;
}

static void port_text(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, char text[TEXT_SIZE])
{
    text_print(text, TEXT_SIZE, "vCPU %u: %s port %lx (%u bytes), which nothing owns (rip %lx)", vcpu->index,
               exit->write ? "writes to" : "reads from", exit->address, exit->size, rip_of(vcpu, backend));
}

bool exit_refuse_port(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    char text[TEXT_SIZE];
    struct partition *p = vcpu->partition;
    uint64_t what = exit->address << 8 | exit->size;
    if (fault_port_is_allowed(p->plan->config, exit->address, exit->size))
        return true;
    if (is_told(vcpu, FAULT_PORT) && is_news(vcpu, FAULT_PORT, &p->seen_ports, what)) {
        char line[LINE_SIZE];
        uint64_t last = exit->address + exit->size - 1;
        if (last == exit->address)
            text_print(line, sizeof line, "allow.port = 0x%lx", last);
        else
            text_print(line, sizeof line, "allow.port = 0x%lx-0x%lx", exit->address, last);
        port_text(vcpu, backend, exit, text);
        tell(vcpu, line, text);
    }
    if (is_lenient(vcpu, FAULT_PORT))
        return true;
    if (!inject(vcpu, backend, FAULT_PORT)) {
        port_text(vcpu, backend, exit, text);
        lifecycle_fault(p, FAULT_PORT, "%s", text);
    }
    return false;
}

static void msr_text(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, char text[TEXT_SIZE])
{
    text_print(text, TEXT_SIZE, "vCPU %u: %s MSR %lx, which is not listed (rip %lx)", vcpu->index,
               exit->kind == EXIT_MSR_WRITE ? "writes to" : "reads from", exit->address, rip_of(vcpu, backend));
}

bool exit_refuse_msr(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    char text[TEXT_SIZE];
    struct partition *p = vcpu->partition;
    if (fault_msr_is_allowed(p->plan->config, exit->address))
        return true;
    if (is_told(vcpu, FAULT_MSR) && is_news(vcpu, FAULT_MSR, &p->seen_msrs, exit->address)) {
        char line[LINE_SIZE];
        text_print(line, sizeof line, "allow.msr = 0x%lx", exit->address);
        msr_text(vcpu, backend, exit, text);
        tell(vcpu, line, text);
    }
    if (is_lenient(vcpu, FAULT_MSR))
        return true;
    if (!inject(vcpu, backend, FAULT_MSR)) {
        msr_text(vcpu, backend, exit, text);
        lifecycle_fault(p, FAULT_MSR, "%s", text);
    }
    return false;
}

bool exit_memory_is_lenient(const struct vcpu *vcpu) { return is_lenient(vcpu, FAULT_MEMORY); }

static void memory_text(const struct vcpu *vcpu, uint64_t address, const char *verb, uint64_t rip, char text[TEXT_SIZE])
{
    text_print(text, TEXT_SIZE, "vCPU %u: %s guest-physical %lx, which is not the partition's (rip %lx)", vcpu->index,
               verb, address, rip);
}

static void memory_tell(struct vcpu *vcpu, uint64_t address, const char *verb, uint64_t rip)
{
    char text[TEXT_SIZE];
    if (!is_news(vcpu, FAULT_MEMORY, &vcpu->partition->seen_pages, align_down(address, PAGE_SIZE)))
        return;
    memory_text(vcpu, address, verb, rip, text);
    tell(vcpu, "fault.memory = log", text);
}

void exit_memory_told(struct vcpu *vcpu, uint64_t address, bool write, uint64_t rip)
{
    memory_tell(vcpu, address, write ? "writes to" : "reads from", rip);
}

void exit_refuse_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, uint64_t rip)
{
    char text[TEXT_SIZE];
    const char *verb = exit->fetch ? "executes at" : exit->write ? "writes to" : "reads from";
    if (is_lenient(vcpu, FAULT_MEMORY)) {
        /* Only a fetch comes here then: all ones are no instruction. */
        memory_tell(vcpu, exit->address, verb, rip);
        backend->inject_exception(vcpu, VECTOR_UD, 0);
        return;
    }
    if (!inject(vcpu, backend, FAULT_MEMORY)) {
        memory_text(vcpu, exit->address, verb, rip, text);
        lifecycle_fault(vcpu->partition, FAULT_MEMORY, "%s", text);
    }
}
