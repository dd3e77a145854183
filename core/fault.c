/* Tables and small sums; who calls when is core/lifecycle.c's and core/exit_fault.c's business. */
#include "core/fault.h"

#include "core/bytes.h"
#include "core/config.h"

enum { FIRST_BACK_OFF_MS = 1000, LARGEST_SHIFT = 20 };

static enum fault_action default_action(const struct config_partition *config, enum fault_class class)
{
    static const uint8_t of_on_stop[] = {
        [ON_STOP_STAY] = FAULT_STOP,
        [ON_STOP_RESTART] = FAULT_RESTART,
        [ON_STOP_HALT_BOX] = FAULT_HALT_BOX,
        [ON_STOP_REBOOT_BOX] = FAULT_REBOOT_BOX,
    };
    static const uint8_t of_class[FAULT_CLASSES + 1] = {
        [FAULT_PORT] = FAULT_LOG,         /* guests look for devices there, and find none */
        [FAULT_MSR] = FAULT_INJECT,       /* guests are prepared for registers that are not there */
        [FAULT_WATCHDOG] = FAULT_RESTART, /* on a PC both are wires to the reset line */
        [FAULT_RESET] = FAULT_RESTART,
    };
    return of_class[class] != FAULT_BY_DEFAULT ? of_class[class] : of_on_stop[config->on_stop];
}

bool fault_rule_is_configured(const struct config_partition *config, enum fault_class class)
{
    return class < FAULT_CLASSES && config->faults[class].action != FAULT_BY_DEFAULT;
}

struct fault_rule fault_rule_find(const struct config_partition *config, enum fault_class class)
{
    if (fault_rule_is_configured(config, class))
        return config->faults[class];
    return (struct fault_rule){.action = default_action(config, class)};
}

static bool is_within(const struct config_ranges *ranges, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < ranges->count; i++)
        if (first >= ranges->at[i].first && last <= ranges->at[i].last)
            return true;
    return false;
}

bool fault_port_is_allowed(const struct config_partition *config, uint64_t port, uint8_t size)
{
    return size != 0 && port <= UINT16_MAX && is_within(&config->allowed_ports, port, port + size - 1);
}

bool fault_msr_is_allowed(const struct config_partition *config, uint64_t number)
{
    return is_within(&config->allowed_msrs, number, number);
}

/* How many restarts lie within the rule's time. */
static uint32_t restarts_within(const struct fault_history *history, uint32_t seconds, uint64_t now, uint64_t tsc_hz)
{
    uint32_t kept = history->count < FAULT_MAX_RESTARTS ? history->count : FAULT_MAX_RESTARTS;
    uint32_t within = 0;
    for (uint32_t i = 0; i < kept; i++) {
        uint64_t ago = now > history->at[i] ? now - history->at[i] : 0;
        within += ago / tsc_hz < seconds ? 1 : 0;
    }
    return within;
}

static uint64_t back_off(struct fault_rule rule, uint32_t before, uint64_t tsc_hz)
{
    uint64_t most = (uint64_t)rule.seconds * 1000 / (2 * rule.limit);
    if (before == 0)
        return 0;
    uint64_t wait = (uint64_t)FIRST_BACK_OFF_MS << (before - 1 < LARGEST_SHIFT ? before - 1 : LARGEST_SHIFT);
    wait = wait < most ? wait : most;
    return wait * (tsc_hz / 1000) + (wait * (tsc_hz % 1000) + 999) / 1000; /* rounded up: it is never too short */
}

bool fault_restart_allowed(const struct fault_history *history, struct fault_rule rule, uint64_t now, uint64_t tsc_hz,
                           uint64_t *delay, uint32_t *number)
{
    *delay = 0;
    *number = 0;
    if (rule.limit == 0 || tsc_hz == 0)
        return rule.limit == 0;
    uint32_t before = restarts_within(history, rule.seconds, now, tsc_hz);
    *number = before + 1;
    *delay = back_off(rule, before, tsc_hz);
    return before < rule.limit;
}

void fault_restart_count(struct fault_history *history, uint64_t now)
{
    if (history->count >= FAULT_MAX_RESTARTS) {
        memmove(history->at, history->at + 1, sizeof history->at - sizeof history->at[0]);
        history->count = FAULT_MAX_RESTARTS - 1;
    }
    history->at[history->count++] = now;
}

enum fault_news fault_seen_add(struct fault_seen *seen, uint64_t what, uint32_t most)
{
    for (uint32_t i = 0; i < seen->count && i < FAULT_SEEN_MAX; i++)
        if (seen->what[i] == what)
            return FAULT_KNOWN;
    if (seen->closed)
        return FAULT_KNOWN;
    if (seen->count >= most || seen->count >= FAULT_SEEN_MAX) {
        seen->closed = true;
        return FAULT_CLOSED;
    }
    seen->what[seen->count++] = what;
    return FAULT_NEWS;
}

enum fault_news fault_pace_add(struct fault_pace *pace, uint64_t now, uint64_t tsc_hz, uint32_t *untold)
{
    *untold = 0;
    if (pace->count == 0 || (now > pace->since && now - pace->since >= FAULT_PACE_SECONDS * tsc_hz)) {
        *untold = pace->count > FAULT_PACE_MOST ? pace->count - FAULT_PACE_MOST : 0;
        *pace = (struct fault_pace){.since = now};
    }
    pace->count++;
    if (pace->count <= FAULT_PACE_MOST)
        return FAULT_NEWS;
    return pace->count == FAULT_PACE_MOST + 1 ? FAULT_CLOSED : FAULT_KNOWN;
}
