/*
 * Accesses that nothing answers: what the partition's policy makes of them, and what is said about it.
 *
 * While a partition learns, each one is told with the line of the configuration that would allow it, and those that
 * would end the partition are let through, so that one boot shows them all.
 */
#include "core/console.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"

enum {
    TOLD = 16, /* accesses of a kind, when nobody wants to learn: a guest that tries everything must not fill the log */
    TOLD_TO_LEARN = FAULT_SEEN_MAX,
    TEXT_SIZE = PARTITION_REASON_SIZE,
};

static enum fault_class class_of(const struct exit *exit)
{
    return exit->kind == EXIT_PORT ? FAULT_PORT : exit->kind == EXIT_MEMORY ? FAULT_MEMORY : FAULT_MSR;
}

static bool is_lenient(const struct config_partition *config, struct fault_rule rule)
{
    return rule.action == FAULT_LOG || (config->learn && !fault_goes_on(rule.action));
}

bool exit_memory_is_lenient(const struct vcpu *vcpu)
{
    const struct config_partition *config = vcpu->partition->plan->config;
    return is_lenient(config, fault_rule_find(config, FAULT_MEMORY));
}

/* Whether it is the first of its kind, to be told now. Memory is counted by pages. */
static bool is_news(struct partition *p, const struct exit *exit)
{
    enum fault_class class = class_of(exit);
    struct fault_seen *seen = &p->seen[class - FAULT_PORT];
    uint64_t what = exit->address;
    if (class == FAULT_PORT)
        what = what << 8 | exit->size;
    else if (class == FAULT_MEMORY)
        what = align_down(what, PAGE_SIZE);
    spin_lock(&p->fault_lock);
    enum fault_news news = fault_seen_add(seen, what, p->plan->config->learn ? TOLD_TO_LEARN : TOLD);
    spin_unlock(&p->fault_lock);
    if (news == FAULT_CLOSED)
        log_partition(p, "fault.%s: %u different ones were told, further ones are not", fault_class_name(class),
                      seen->count);
    return news == FAULT_NEWS;
}

/* Making the words costs more than the exit itself: only when they are used. */
static void describe(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, char text[TEXT_SIZE])
{
    static const struct {
        const char *noun, *why;
    } words[] = {
        [FAULT_PORT] = {"port", "nothing owns"},
        [FAULT_MSR] = {"MSR", "is not listed"},
        [FAULT_MEMORY] = {"guest-physical", "is not the partition's"},
    };
    enum fault_class class = class_of(exit);
    bool write = exit->write || exit->kind == EXIT_MSR_WRITE;
    char size[16] = "";
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    if (class == FAULT_PORT)
        text_print(size, sizeof size, " (%u bytes)", exit->size);
    text_print(text, TEXT_SIZE, "vCPU %u: %s %s %lx%s, which %s (rip %lx)", vcpu->index,
               exit->fetch ? "executes at"
               : write     ? "writes to"
                           : "reads from",
               words[class].noun, exit->address, size, words[class].why, view.rip);
}

static void tell(const struct partition *p, const struct exit *exit, const char *text)
{
    uint64_t last = exit->address + exit->size - 1;
    if (!p->plan->config->learn)
        log_partition(p, "let through: %s", text);
    else if (exit->kind == EXIT_MEMORY)
        log_partition(p, "learn: fault.memory = log # %s", text);
    else if (exit->kind == EXIT_PORT && exit->size != 1)
        log_partition(p, "learn: allow.port = 0x%lx-0x%lx # %s", exit->address, last, text);
    else
        log_partition(p, "learn: allow.%s = 0x%lx # %s", fault_class_name(class_of(exit)), exit->address, text);
}

bool exit_refuse(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    char text[TEXT_SIZE];
    struct partition *p = vcpu->partition;
    const struct config_partition *config = p->plan->config;
    enum fault_class class = class_of(exit);
    struct fault_rule rule = fault_rule_find(config, class);
    if ((class == FAULT_PORT && fault_port_is_allowed(config, exit->address, exit->size)) ||
        (class == FAULT_MSR && fault_msr_is_allowed(config, exit->address)))
        return true;
    if ((config->learn || rule.action == FAULT_LOG) && is_news(p, exit)) {
        describe(vcpu, backend, exit, text);
        tell(p, exit, text);
    }
    if (is_lenient(config, rule))
        return true;
    if (rule.action == FAULT_INJECT) {
        backend->inject_exception(vcpu, VECTOR_GP, 0);
        return false;
    }
    describe(vcpu, backend, exit, text);
    lifecycle_fault(p, class, "%s", text);
    return false;
}
