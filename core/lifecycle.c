/* Goals: how anybody asks for one, and what a guest's own end makes of its policy. */
#include "core/lifecycle_goal.h"

#include "core/bytes.h"
#include "core/console.h"
#include "core/cpu.h"

/* A partition that ends this often within a second of its start is not restarted again by policy. */
enum { QUICK_ENDS_ALLOWED = 5 };

enum partition_goal lifecycle_goal(const struct partition *p) { return lifecycle_goal_word(p) & GOAL_MASK; }

void lifecycle_kick(struct partition *p)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        cpu_kick(p->vcpus[i].cpu);
}

/* Sets a goal unless partition.goal has changed since it was `before`: what was decided on may have changed with it. */
static bool goal_set(struct partition *p, uint32_t before, enum partition_goal goal)
{
    uint32_t after = (before & ~(uint32_t)GOAL_MASK) + GOAL_COUNT + goal;
    if (!__atomic_compare_exchange_n(&p->goal, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return false;
    lifecycle_kick(p);
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

enum lifecycle_answer lifecycle_ask(struct partition *p, enum partition_goal goal)
{
    /* Read before the state, which only changes under a goal: so the state is still the same when the goal is set. */
    uint32_t before = lifecycle_goal_word(p);
    enum partition_state state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
    if ((before & GOAL_MASK) != GOAL_NONE)
        return LIFECYCLE_BUSY;
    if ((goal == GOAL_START && state != PARTITION_STOPPED) || (goal == GOAL_STOP && state == PARTITION_STOPPED) ||
        (goal == GOAL_PAUSE && state == PARTITION_PAUSED) || (goal == GOAL_RESUME && state == PARTITION_RUNNING))
        return LIFECYCLE_ALREADY;
    if ((goal == GOAL_PAUSE || goal == GOAL_RESUME) && state == PARTITION_STOPPED)
        return LIFECYCLE_NOT_RUNNING;
    if (goal == GOAL_START || goal == GOAL_RESTART)
        p->quick_ends = 0; /* a person asked: the policy may try again */
    return goal_set(p, before, goal) ? LIFECYCLE_ACCEPTED : LIFECYCLE_BUSY;
}

bool lifecycle_settled(const struct partition *p) { return lifecycle_goal(p) == GOAL_NONE; }

void lifecycle_reason_put(struct partition *p, const char text[PARTITION_REASON_SIZE])
{
    spin_lock(&p->reason_lock);
    memcpy(p->reason, text, PARTITION_REASON_SIZE);
    spin_unlock(&p->reason_lock);
}

static bool has_reason(struct partition *p)
{
    spin_lock(&p->reason_lock);
    bool has = p->reason[0] != '\0';
    spin_unlock(&p->reason_lock);
    return has;
}

/* Ends within a second of the start, one after the other, this one counted. */
static uint32_t quick_ends_now(const struct partition *p)
{
    bool quick = cpu_clock() - p->started_at < p->machine->tsc_hz;
    return quick ? p->quick_ends + 1 : 1;
}

/* What policy does about an end that nobody asked for, once the goal that follows from it stands. */
static void policy_apply(struct partition *p, uint32_t quick_ends)
{
    switch (p->plan->config->on_stop) {
    case ON_STOP_STAY:
        return;
    case ON_STOP_RESTART:
        p->quick_ends = quick_ends;
        if (quick_ends > QUICK_ENDS_ALLOWED)
            log_line("%s: ended %u times within a second of its start: not restarted again", partition_name(p),
                     quick_ends);
        return;
    case ON_STOP_HALT_BOX:
        log_line("%s: its policy on_stop = halt-box stops the box", partition_name(p));
        console_end_box(false);
        return;
    case ON_STOP_REBOOT_BOX:
        log_line("%s: its policy on_stop = reboot-box restarts the box", partition_name(p));
        console_end_box(true);
        return;
    }
}

void lifecycle_end(struct partition *p, const char *format, ...)
{
    char text[PARTITION_REASON_SIZE];
    va_list arguments;
    va_start(arguments, format);
    text_vprint(text, sizeof text, format, arguments);
    va_end(arguments);
    /* The first reason is the cause; what other vCPUs say after it often only follows from it. */
    if (!has_reason(p))
        lifecycle_reason_put(p, text);
    log_line("%s: stopped: %s", partition_name(p), text);

    uint32_t quick_ends = quick_ends_now(p);
    bool again = p->plan->config->on_stop == ON_STOP_RESTART && quick_ends <= QUICK_ENDS_ALLOWED;
    /* Several vCPUs may end at once: that is one end. Nothing is restarted before the caller's vCPU has parked. */
    if (goal_impose(p, again ? GOAL_RESTART : GOAL_STOP))
        policy_apply(p, quick_ends);
}

void lifecycle_guest_reset(struct partition *p)
{
    log_line("%s: reset by the guest", partition_name(p));
    (void)goal_impose(p, GOAL_RESTART); /* false: what is under way ends this life anyhow */
}
