/* Commands that change something: a partition's life, this terminal's partner, the box. */
#include "core/command.h"

#include "core/bytes.h"
#include "core/cpu.h"
#include "core/lifecycle.h"

/* What a goal is called while it is carried out. */
static const char *const doing[] = {
    [GOAL_NONE] = "",         [GOAL_START] = "starting",  [GOAL_STOP] = "stopping", [GOAL_RESTART] = "restarting",
    [GOAL_PAUSE] = "pausing", [GOAL_RESUME] = "resuming",
};

static const char *const being[] = {
    [PARTITION_STOPPED] = "stopped",
    [PARTITION_RUNNING] = "running",
    [PARTITION_PAUSED] = "paused",
};

enum partition_state partition_state_now(const struct partition *p)
{
    return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
}

const char *partition_state_text(const struct partition *p)
{
    enum partition_goal goal = lifecycle_goal(p);
    return goal != GOAL_NONE ? doing[goal] : being[partition_state_now(p)];
}

void partition_reason_copy(struct partition *p, char reason[PARTITION_REASON_SIZE])
{
    spin_lock(&p->reason_lock);
    memcpy(reason, p->reason, PARTITION_REASON_SIZE);
    spin_unlock(&p->reason_lock);
    text_make_printable(reason, strlen(reason));
}

/* Why nothing is done, and what would be: the state does not change, for nothing is under way. */
static void refuse(struct sink *out, const struct partition *p, enum partition_goal goal)
{
    enum partition_state state = partition_state_now(p);
    const char *hint = " already";
    if (state == PARTITION_PAUSED && goal == GOAL_START)
        hint = ": 'resume' lets it go on, 'restart' begins anew";
    else if (state == PARTITION_STOPPED && goal != GOAL_STOP)
        hint = ": 'start' starts it";
    sink_print(out, "%s is %s%s\n", partition_name(p), partition_state_text(p), hint);
}

bool command_lifecycle(struct command_context *context, struct command_run *run)
{
    struct partition *p = run->partition;
    enum partition_goal goal = run->command->what;
    struct sink *out = &context->out->sink;
    switch (lifecycle_ask(p, goal)) {
    case LIFECYCLE_ACCEPTED:
        context->asked[p->index] = goal;
        sink_print(out, "%s: %s\n", partition_name(p), doing[goal]);
        break;
    case LIFECYCLE_REFUSED:
        refuse(out, p, goal);
        break;
    case LIFECYCLE_BUSY:
        sink_print(out, "%s is still %s, and another command waits for that: try again\n", partition_name(p),
                   partition_state_text(p));
        break;
    case LIFECYCLE_LATER:
        context->asked[p->index] = goal;
        sink_print(out, "%s is still %s: %s comes next\n", partition_name(p), partition_state_text(p), doing[goal]);
        break;
    }
    return false;
}

static void report(struct partition *p, enum partition_goal goal)
{
    char reason[PARTITION_REASON_SIZE];
    partition_reason_copy(p, reason);
    enum partition_state state = partition_state_now(p);
    if (state != PARTITION_STOPPED || reason[0] == '\0')
        log_partition(p, "%s", partition_state_text(p));
    else if (goal == GOAL_START || goal == GOAL_RESTART)
        log_partition(p, "not running: %s", reason);
    else
        log_partition(p, "stopped: %s", reason);
}

void command_report_settled(struct command_context *context)
{
    for (uint32_t i = 0; i < partition_table.count; i++) {
        struct partition *p = &partition_table.partitions[i];
        enum partition_goal goal = context->asked[i];
        if (goal == GOAL_NONE || !lifecycle_settled(p))
            continue;
        context->asked[i] = GOAL_NONE;
        report(p, goal);
    }
}

bool command_attach(struct command_context *context, struct command_run *run)
{
    struct partition *p = run->partition;
    if (p->plan->config->console == CONSOLE_UART)
        run->attach = true;
    else
        sink_print(&context->out->sink, "%s has no console: its section says 'console = none'\n", partition_name(p));
    return false;
}

bool command_end(struct command_context *context, struct command_run *run)
{
    (void)context;
    bool reboots = run->command->what == BOX_REBOOTS;
    log_line("%s", reboots ? "the box restarts" : "the box is halted");
    console_end_box(reboots);
    return false;
}
