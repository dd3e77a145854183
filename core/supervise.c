#include "core/supervise.h"

#include "core/console.h"
#include "core/cpu.h"
#include "core/crash_record.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"

enum { SILENT_SECONDS = 2 };

/* Of a CPU that was sent an NMI and has not taken it yet. */
struct silence {
    uint64_t since; /* TSC at which that was first seen; 0: it was not */
    uint64_t exits; /* of its vCPU then: as long as it exits it is alive, whoever kicks it meanwhile */
    bool told;
};

static struct silence silences[MACHINE_MAX_CPUS]; /* console CPU only */

static uint64_t exits_of(const struct vcpu *vcpu)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < EXIT_KINDS; i++)
        sum += __atomic_load_n(&vcpu->stats.exits[i], __ATOMIC_RELAXED);
    return sum;
}

static void check_answers(const struct vcpu *vcpu, uint64_t now, uint64_t tsc_hz)
{
    struct silence *s = &silences[vcpu->cpu];
    if (!cpu_nmi_waits(vcpu->cpu)) {
        if (s->told)
            log_partition(vcpu->partition, "CPU %u answers again", vcpu->cpu);
        *s = (struct silence){0};
        return;
    }
    uint64_t exits = exits_of(vcpu);
    if (s->since == 0 || exits != s->exits) {
        s->since = now;
        s->exits = exits;
        return;
    }
    if (s->told || now < s->since || (now - s->since) / tsc_hz < SILENT_SECONDS)
        return;
    s->told = true;
    cpu_nmi_again(vcpu->cpu);
    log_partition(vcpu->partition, "CPU %u has not answered an NMI for %d s: its firmware holds it, or it is broken",
                  vcpu->cpu, SILENT_SECONDS);
    crash_record_line("%s: CPU %u has not answered an NMI for %d s", partition_name(vcpu->partition), vcpu->cpu,
                      SILENT_SECONDS);
}

static void watchdog_expired(struct partition *p, const char *what, uint64_t now)
{
    static const struct interrupt_message nmi = {.delivery = DELIVERY_NMI};
    enum fault_action action = fault_rule_find(p->plan->config, FAULT_WATCHDOG).action;
    if (!fault_goes_on(action)) {
        lifecycle_fault(p, FAULT_WATCHDOG, "%s has run out", what);
        return;
    }
    if (lifecycle_is_told(p, now))
        log_partition(p, "%s has run out: it %s", what, action == FAULT_INJECT ? "gets an NMI" : "goes on");
    if (action == FAULT_INJECT)
        (void)partition_request(&p->vcpus[0], &nmi); /* true: an NMI always is one */
}

static void check_signs_of_life(struct partition *p, uint64_t now)
{
    uint64_t due = __atomic_load_n(&p->heartbeat_due, __ATOMIC_ACQUIRE);
    /* The exchange fails when the guest has just called. */
    if (due != 0 && now >= due &&
        __atomic_compare_exchange_n(&p->heartbeat_due, &due, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        watchdog_expired(p, "its heartbeat", now);
    if (now >= platform_watchdog_due(p->platform) && platform_watchdog_expire(p->platform, now))
        watchdog_expired(p, "its watchdog", now);
}

/* The time a guest spends paused is not its own. */
static void hold(struct partition *p, uint64_t now)
{
    uint64_t due = __atomic_load_n(&p->heartbeat_due, __ATOMIC_ACQUIRE);
    uint64_t again = now + __atomic_load_n(&p->heartbeat_ticks, __ATOMIC_RELAXED);
    if (due != 0)
        __atomic_compare_exchange_n(&p->heartbeat_due, &due, again, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (platform_watchdog_due(p->platform) != UINT64_MAX)
        platform_watchdog_hold(p->platform, now);
}

static void check_partition(struct partition *p, uint64_t now, uint64_t tsc_hz)
{
    enum partition_state state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
    lifecycle_restart_due(p, now);
    if (state == PARTITION_PAUSED)
        hold(p, now);
    else if (state == PARTITION_RUNNING && lifecycle_settled(p))
        check_signs_of_life(p, now);
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        check_answers(&p->vcpus[i], now, tsc_hz);
}

/*
 * An NMI that no CPU has sent is the hardware's: an error that has no better way to say so, or somebody's button. No
 * guest is to blame and none can be asked, so it is told, the first one and each time that they have doubled.
 */
static void check_strange_nmis(void)
{
    static uint64_t told;
    uint32_t cpu;
    uint64_t count = cpu_strange_nmis(&cpu);
    if (count == 0 || count < 2 * told)
        return;
    told = count;
    log_line(
        "CPU %u: NMI number %lu that the hardware sent: it reports an error, or its NMI button was pressed; 'stats' "
        "counts them",
        cpu, count);
    crash_record_line("CPU %u: NMI number %lu that the hardware sent", cpu, count);
}

void supervise(uint64_t now, uint64_t tsc_hz)
{
    for (uint32_t i = 0; tsc_hz != 0 && i < partition_table.count; i++)
        check_partition(&partition_table.partitions[i], now, tsc_hz);
    check_strange_nmis();
}
