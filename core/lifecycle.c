#include "core/lifecycle.h"

#include "core/bytes.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/loader.h"
#include "core/phys.h"

/* A partition that ends this often within a second of its start is not restarted again by policy. */
enum { QUICK_ENDS_ALLOWED = 5 };

/*
 * partition.goal holds the goal in its low byte and a count of goals above it, and a parked vCPU remembers that word: so a vCPU that
 * parked for an earlier goal never counts as parked for this one.
 */
enum { GOAL_MASK = 0xff, GOAL_COUNT = 0x100 };

static uint32_t goal_word(const struct partition *p) { return __atomic_load_n(&p->goal, __ATOMIC_ACQUIRE); }
enum partition_goal lifecycle_goal(const struct partition *p) { return goal_word(p) & GOAL_MASK; }

static void kick_all(struct partition *p)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        cpu_kick(p->vcpus[i].cpu);
}

static bool goal_set(struct partition *p, enum partition_goal goal)
{
    uint32_t before = goal_word(p);
    uint32_t after = (before & ~(uint32_t)GOAL_MASK) + GOAL_COUNT + goal;
    if ((before & GOAL_MASK) != GOAL_NONE ||
        !__atomic_compare_exchange_n(&p->goal, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return false;
    kick_all(p);
    return true;
}

enum lifecycle_answer lifecycle_ask(struct partition *p, enum partition_goal goal)
{
    enum partition_state state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
    if (!lifecycle_settled(p))
        return LIFECYCLE_BUSY;
    if ((goal == GOAL_START && state != PARTITION_STOPPED) || (goal == GOAL_STOP && state == PARTITION_STOPPED) ||
        (goal == GOAL_PAUSE && state == PARTITION_PAUSED) || (goal == GOAL_RESUME && state == PARTITION_RUNNING))
        return LIFECYCLE_ALREADY;
    if ((goal == GOAL_PAUSE || goal == GOAL_RESUME) && state == PARTITION_STOPPED)
        return LIFECYCLE_NOT_RUNNING;
    if (goal == GOAL_START || goal == GOAL_RESTART)
        p->quick_ends = 0; /* a person asked: the policy may try again */
    return goal_set(p, goal) ? LIFECYCLE_ACCEPTED : LIFECYCLE_BUSY;
}

bool lifecycle_settled(const struct partition *p) { return lifecycle_goal(p) == GOAL_NONE; }

static void reason_set(struct partition *p, const char *format, va_list arguments)
{
    char text[PARTITION_REASON_SIZE];
    text_vprint(text, sizeof text, format, arguments);
    spin_lock(&p->reason_lock);
    memcpy(p->reason, text, sizeof text);
    spin_unlock(&p->reason_lock);
    log_line("%s: stopped: %s", partition_name(p), text);
}

/* What policy makes of an end that nobody asked for. */
static enum partition_goal goal_after_end(struct partition *p)
{
    enum stop_action action = p->plan->config->on_stop;
    switch (action) {
    case ON_STOP_STAY:
        return GOAL_STOP;
    case ON_STOP_RESTART:
        if (cpu_clock() - p->started_at >= p->machine->tsc_hz)
            p->quick_ends = 0;
        if (++p->quick_ends <= QUICK_ENDS_ALLOWED)
            return GOAL_RESTART;
        log_line("%s: ended %u times within a second of its start: not restarted again", partition_name(p),
                 p->quick_ends);
        return GOAL_STOP;
    case ON_STOP_HALT_BOX:
        log_line("%s: its policy on_stop = halt-box stops the box", partition_name(p));
        console_end_box(false);
        return GOAL_STOP;
    case ON_STOP_REBOOT_BOX:
        log_line("%s: its policy on_stop = reboot-box restarts the box", partition_name(p));
        console_end_box(true);
        return GOAL_STOP;
    }
    return GOAL_STOP;
}

void lifecycle_end(struct partition *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    reason_set(p, format, arguments);
    va_end(arguments);
    /* When another goal is under way already, it parks this vCPU just as well. */
    if (!goal_set(p, goal_after_end(p)))
        kick_all(p);
}

void lifecycle_guest_reset(struct partition *p)
{
    log_line("%s: reset by the guest", partition_name(p));
    if (!goal_set(p, GOAL_RESTART))
        kick_all(p);
}

static void stop_vcpus(struct partition *p)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        __atomic_store_n(&p->vcpus[i].state, VCPU_OFF, __ATOMIC_RELEASE);
        __atomic_store_n(&p->vcpus[i].requests, 0, __ATOMIC_RELEASE);
    }
}

static bool load(struct partition *p, struct vcpu_entry *entry)
{
    char text[PARTITION_REASON_SIZE] = "";
    struct text_sink errors;
    text_sink_init(&errors, text, sizeof text);
    for (uint32_t i = 0; i < p->plan->chunk_count; i++)
        phys_zero(p->plan->chunks[i].hpa, p->plan->chunks[i].size);
    platform_reset(p->platform, p->output, p->plan->config->console == CONSOLE_UART, p->machine->tsc_hz);
    platform_set_time(p->platform, p->machine->wall_clock + p->started_at / p->machine->tsc_hz, p->started_at);
    if (loader_load(p, entry, &errors.sink))
        return true;
    spin_lock(&p->reason_lock);
    memcpy(p->reason, text, sizeof text);
    spin_unlock(&p->reason_lock);
    log_line("%s", text);
    return false;
}

/* On the boot CPU, all vCPUs parked: RAM zeroed, devices reset, image loaded, first vCPU ready. */
static void start(struct partition *p, const struct backend *backend)
{
    struct vcpu_entry entry;
    stop_vcpus(p);
    p->started_at = cpu_clock();
    if (!load(p, &entry)) {
        __atomic_store_n(&p->state, PARTITION_STOPPED, __ATOMIC_RELEASE);
        return;
    }
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        struct vcpu *vcpu = &p->vcpus[i];
        memset(&vcpu->stats, 0, sizeof vcpu->stats);
        vcpu->kvm_clock = gpa(0);
        __atomic_store_n(&vcpu->state, i == 0 ? VCPU_RUNNING : VCPU_WAIT_SIPI, __ATOMIC_RELEASE);
    }
    backend->vcpu_reset(&p->vcpus[0], &entry);
    backend->nested_flush(&p->vcpus[0]);
    spin_lock(&p->reason_lock);
    p->reason[0] = '\0';
    spin_unlock(&p->reason_lock);
    p->starts++;
    __atomic_store_n(&p->state, PARTITION_RUNNING, __ATOMIC_RELEASE);
}

static void carry_out(struct partition *p, const struct backend *backend, enum partition_goal goal)
{
    switch (goal) {
    case GOAL_START:
    case GOAL_RESTART:
        start(p, backend);
        break;
    case GOAL_STOP:
        stop_vcpus(p);
        __atomic_store_n(&p->state, PARTITION_STOPPED, __ATOMIC_RELEASE);
        break;
    case GOAL_PAUSE:
        __atomic_store_n(&p->state, PARTITION_PAUSED, __ATOMIC_RELEASE);
        break;
    case GOAL_RESUME:
        __atomic_store_n(&p->state, PARTITION_RUNNING, __ATOMIC_RELEASE);
        break;
    case GOAL_NONE:
        break;
    }
    __atomic_store_n(&p->goal, goal_word(p) & ~(uint32_t)GOAL_MASK, __ATOMIC_RELEASE);
    kick_all(p);
}

static bool all_parked(const struct partition *p, uint32_t word)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        if (__atomic_load_n(&p->vcpus[i].parked, __ATOMIC_ACQUIRE) != word)
            return false;
    return true;
}

static void park(struct vcpu *vcpu, uint32_t word)
{
    enum partition_goal goal = word & GOAL_MASK;
    if (vcpu->parked == word)
        return;
    /* A paused guest keeps its interrupts; a stopped one leaves nothing behind in its CPU. */
    if (goal == GOAL_STOP || goal == GOAL_RESTART || goal == GOAL_START)
        cpu_guest_interrupts_reset();
    __atomic_store_n(&vcpu->parked, word, __ATOMIC_RELEASE);
    cpu_kick(vcpu->partition->vcpus[0].cpu);
}

/* Takes requests of other vCPUs in the order in which a local APIC would act on them. */
static void requests_take(struct vcpu *vcpu, const struct backend *backend)
{
    uint32_t taken = __atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_ACQ_REL);
    if ((taken & VCPU_REQUEST_INIT) && vcpu->index == 0) {
        lifecycle_guest_reset(vcpu->partition); /* an INIT of the boot processor starts the machine again */
        return;
    }
    if (taken & VCPU_REQUEST_INIT) {
        cpu_guest_interrupts_reset();
        __atomic_store_n(&vcpu->state, VCPU_WAIT_SIPI, __ATOMIC_RELEASE);
    }
    if ((taken & VCPU_REQUEST_SIPI) && vcpu->state == VCPU_WAIT_SIPI) {
        struct vcpu_entry entry = {.mode = VCPU_MODE_REAL,
                                   .cs_selector = (uint16_t)(vcpu->sipi_vector << 8)};
        backend->vcpu_reset(vcpu, &entry);
        backend->nested_flush(vcpu);
        __atomic_store_n(&vcpu->state, VCPU_RUNNING, __ATOMIC_RELEASE);
    }
    if ((taken & VCPU_REQUEST_NMI) && vcpu->state == VCPU_RUNNING && !backend->inject_nmi(vcpu))
        __atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_NMI, __ATOMIC_ACQ_REL);
}

bool lifecycle_obey(struct vcpu *vcpu, const struct backend *backend)
{
    struct partition *p = vcpu->partition;
    uint32_t word = goal_word(p);
    if ((word & GOAL_MASK) != GOAL_NONE) {
        park(vcpu, word);
        if (vcpu->index != 0 || !all_parked(p, word))
            return false;
        carry_out(p, backend, word & GOAL_MASK);
    }
    if (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE) != PARTITION_RUNNING)
        return false;
    if (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) != 0)
        requests_take(vcpu, backend);
    return lifecycle_goal(p) == GOAL_NONE && vcpu->state == VCPU_RUNNING;
}
