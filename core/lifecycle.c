/* Goals: how anybody asks for one, and what a guest's own end makes of its policy. */
#include "core/lifecycle_goal.h"

#include "core/bytes.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/crash_record.h"
#include "core/duration.h"

/* A partition that ends this often within a second of its start is not restarted again by policy. */
enum { QUICK_ENDS_ALLOWED = 5 };

enum partition_goal lifecycle_goal(const struct partition *p) { return lifecycle_goal_word(p) & GOAL_MASK; }

static void kick(struct partition *p)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        cpu_kick(p->vcpus[i].cpu);
}

/* False, nothing done: partition.goal is not `before` any more, and what was decided on may have changed with it. */
static bool word_replace(struct partition *p, uint32_t before, uint32_t after)
{
    return __atomic_compare_exchange_n(&p->goal, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Sets a goal; what is to come next stays. False as above. */
static bool goal_set(struct partition *p, uint32_t before, enum partition_goal goal)
{
    if (!word_replace(p, before, (before & ~(uint32_t)GOAL_MASK) + GOAL_COUNT + goal))
        return false;
    kick(p);
    return true;
}

/*
 * Sets a goal of the guest's own. It takes the place of a pause or a resume that is under way, so that a guest which
 * ends meanwhile is not found running afterwards: its vCPUs park anew. Any other goal under way ends this life of the
 * guest just as well, and stands: false.
 */
static bool goal_impose(struct partition *p, enum partition_goal goal)
{
    for (;;) {
        uint32_t before = lifecycle_goal_word(p);
        enum partition_goal under_way = before & GOAL_MASK;
        if (under_way == GOAL_START || under_way == GOAL_STOP || under_way == GOAL_RESTART)
            return false;
        if (goal_set(p, before, goal))
            return true;
    }
}

/*
 * A person asks: a restart that policy has put off is not done any more, and after a start policy may try anew. Returns
 * whether there was one.
 */
static bool policy_forget(struct partition *p, enum partition_goal goal)
{
    bool begins = goal == GOAL_START || goal == GOAL_RESTART;
    if (begins) {
        p->quick_ends = 0;
        spin_lock(&p->fault_lock);
        memset(p->restarts, 0, sizeof p->restarts);
        p->ends = (struct fault_pace){0};
        spin_unlock(&p->fault_lock);
    }
    return (begins || goal == GOAL_STOP) && __atomic_exchange_n(&p->restart_at, 0, __ATOMIC_ACQ_REL) != 0;
}

/* Whether a person's wish changes anything in the state that is now. *put_off: it has ended a restart to come. */
static bool judge(struct partition *p, enum partition_goal goal, bool *put_off)
{
    enum { STOPPED = 1 << PARTITION_STOPPED, RUNNING = 1 << PARTITION_RUNNING, PAUSED = 1 << PARTITION_PAUSED };
    static const uint8_t states[] = {
        [GOAL_START] = STOPPED, [GOAL_STOP] = RUNNING | PAUSED, [GOAL_RESTART] = STOPPED | RUNNING | PAUSED,
        [GOAL_PAUSE] = RUNNING, [GOAL_RESUME] = PAUSED,
    };
    enum partition_state state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
    *put_off = policy_forget(p, goal);
    return (states[goal] >> state & 1) != 0;
}

enum lifecycle_answer lifecycle_ask(struct partition *p, enum partition_goal goal)
{
    /* The state only changes under a goal: so it is still the same when the goal is set. */
    for (uint32_t before = lifecycle_goal_word(p);; before = lifecycle_goal_word(p)) {
        bool put_off;
        if ((before & GOAL_MASK) != GOAL_NONE) {
            enum partition_goal next = (before & GOAL_NEXT_MASK) >> GOAL_NEXT_SHIFT;
            if (next != GOAL_NONE && next != goal && goal != GOAL_STOP)
                return LIFECYCLE_BUSY;
            uint32_t after = (before & ~(uint32_t)GOAL_NEXT_MASK) | (uint32_t)goal << GOAL_NEXT_SHIFT;
            if (word_replace(p, before, after))
                return LIFECYCLE_LATER;
            continue;
        }
        if (!judge(p, goal, &put_off)) /* put off: a stop of one that would have started again */
            return put_off ? LIFECYCLE_ACCEPTED : LIFECYCLE_REFUSED;
        if (goal_set(p, before, goal))
            return LIFECYCLE_ACCEPTED;
    }
}

void lifecycle_goal_done(struct partition *p, uint32_t word)
{
    /* Another goal's word: goal_impose has set it meanwhile. It stands, and its kicks are under way. */
    for (uint32_t now = word; (now & ~(uint32_t)GOAL_NEXT_MASK) == word; now = lifecycle_goal_word(p)) {
        enum partition_goal next = (now & GOAL_NEXT_MASK) >> GOAL_NEXT_SHIFT;
        uint32_t after = word & ~(uint32_t)GOAL_MASK;
        bool put_off;
        if (next != GOAL_NONE && judge(p, next, &put_off))
            after += GOAL_COUNT + next;
        if (word_replace(p, now, after))
            break;
    }
    kick(p);
}

bool lifecycle_settled(const struct partition *p) { return lifecycle_goal(p) == GOAL_NONE; }

void lifecycle_reason_put(struct partition *p, const char text[PARTITION_REASON_SIZE])
{
    spin_lock(&p->reason_lock);
    if (p->reason[0] == '\0' || text[0] == '\0')
        memcpy(p->reason, text, PARTITION_REASON_SIZE);
    spin_unlock(&p->reason_lock);
}

/* Ends within a second of the start, one after the other, this one counted. */
static uint32_t quick_ends_now(const struct partition *p)
{
    bool quick = cpu_clock() - p->started_at < p->machine->tsc_hz;
    return quick ? p->quick_ends + 1 : 1;
}

/* What follows from a fault; decided before the goal that carries it out is set. */
struct verdict {
    struct fault_rule rule;
    bool again;
    bool told;           /* the log tells of this end */
    uint64_t delay;      /* ticks until it starts again */
    uint32_t number;     /* of this restart, for a rule with a limit */
    uint32_t quick_ends; /* for one without */
};

static struct verdict decide(struct partition *p, enum fault_class class, uint64_t now)
{
    struct verdict v = {.rule = fault_rule_find(p->plan->config, class), .quick_ends = quick_ends_now(p)};
    if (v.rule.action != FAULT_RESTART)
        return v;
    if (v.rule.limit == 0) {
        v.again = v.quick_ends <= QUICK_ENDS_ALLOWED;
        return v;
    }
    spin_lock(&p->fault_lock);
    v.again = fault_restart_allowed(&p->restarts[class], v.rule, now, p->machine->tsc_hz, &v.delay, &v.number);
    spin_unlock(&p->fault_lock);
    return v;
}

bool lifecycle_is_told(struct partition *p, uint64_t now)
{
    uint32_t untold;
    spin_lock(&p->fault_lock);
    enum fault_news news = fault_pace_add(&p->ends, now, p->machine->tsc_hz, &untold);
    spin_unlock(&p->fault_lock);
    if (untold != 0)
        log_partition(p, "%u resets or faults before this one were not told", untold);
    if (news == FAULT_CLOSED)
        log_partition(p,
                      "more than %u resets or faults within a minute: the rest is not told, see its STARTS in 'list'",
                      FAULT_PACE_MOST);
    return news == FAULT_NEWS;
}

static void restart_apply(struct partition *p, enum fault_class class, const struct verdict *v, uint64_t now)
{
    if (v->rule.limit == 0) {
        p->quick_ends = v->quick_ends;
        if (!v->again)
            log_partition(p, "ended %u times within a second of its start: not restarted again, 'start' tries anew",
                          v->quick_ends);
        return;
    }
    if (!v->again) {
        log_partition(p, "its restarts are used up, fault.%s = restart %u/%us: it stays stopped, 'start' tries anew",
                      fault_class_name(class), v->rule.limit, v->rule.seconds);
        return;
    }
    spin_lock(&p->fault_lock);
    fault_restart_count(&p->restarts[class], now);
    spin_unlock(&p->fault_lock);
    struct duration wait = duration_from_ticks(v->delay, p->machine->tsc_hz);
    if (v->told)
        log_partition(p, "starts again in %lu.%03u s: restart %u of %u within %u s", wait.seconds, wait.thousandths,
                      v->number, v->rule.limit, v->rule.seconds);
    if (v->delay != 0)
        __atomic_store_n(&p->restart_at, now + v->delay, __ATOMIC_RELEASE);
}

static void box_end_apply(struct partition *p, enum fault_class class, enum fault_action action)
{
    bool reboots = action == FAULT_REBOOT_BOX;
    bool own = fault_rule_is_configured(p->plan->config, class);
    log_partition(p, "its policy %s%s = %s %s the box", own ? "fault." : "", own ? fault_class_name(class) : "on_stop",
                  fault_action_name(action), reboots ? "restarts" : "stops");
    console_end_box(reboots);
}

/* What policy does about an end that nobody asked for, once the goal that follows from it stands. */
static void policy_apply(struct partition *p, enum fault_class class, const struct verdict *v, uint64_t now)
{
    if (v->rule.action == FAULT_RESTART)
        restart_apply(p, class, v, now);
    else if (v->rule.action == FAULT_HALT_BOX || v->rule.action == FAULT_REBOOT_BOX)
        box_end_apply(p, class, v->rule.action);
}

void lifecycle_fault(struct partition *p, enum fault_class class, const char *format, ...)
{
    char text[PARTITION_REASON_SIZE];
    va_list arguments;
    va_start(arguments, format);
    text_vprint(text, sizeof text, format, arguments);
    va_end(arguments);
    lifecycle_reason_put(p, text);
    uint64_t now = cpu_clock();
    struct verdict verdict = decide(p, class, now);
    verdict.told = lifecycle_is_told(p, now) || !verdict.again;
    if (verdict.told) {
        log_partition(p, "stopped: %s%s", text, verdict.again && verdict.rule.limit == 0 ? ": it starts again" : "");
        crash_record_line("%s: stopped: %s", partition_name(p), text);
    }
    /* Several vCPUs may end at once: that is one end. Nothing is restarted before the caller's vCPU has parked. */
    if (goal_impose(p, verdict.again && verdict.delay == 0 ? GOAL_RESTART : GOAL_STOP))
        policy_apply(p, class, &verdict, now);
}

void lifecycle_guest_reset(struct partition *p)
{
    struct fault_rule rule = fault_rule_find(p->plan->config, FAULT_RESET);
    if (rule.action != FAULT_RESTART || rule.limit != 0) {
        lifecycle_fault(p, FAULT_RESET, "reset by the guest");
        return;
    }
    if (lifecycle_is_told(p, cpu_clock()))
        log_partition(p, "reset by the guest");
    (void)goal_impose(p, GOAL_RESTART); /* false: what is under way ends this life anyhow */
}

void lifecycle_restart_due(struct partition *p, uint64_t now)
{
    uint64_t at = __atomic_load_n(&p->restart_at, __ATOMIC_ACQUIRE);
    if (at == 0 || now < at)
        return;
    uint32_t before = lifecycle_goal_word(p);
    if ((before & GOAL_MASK) != GOAL_NONE || __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) != PARTITION_STOPPED)
        return;
    /* False: somebody has asked for something else meanwhile, which stands. */
    if (__atomic_compare_exchange_n(&p->restart_at, &at, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        (void)goal_set(p, before, GOAL_START);
}
