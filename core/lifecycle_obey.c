/* Obeying: each CPU parks its vCPU, the boot CPU carries the goal out, requests of other vCPUs are taken. */
#include "core/lifecycle_goal.h"

#include "core/bytes.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/loader.h"
#include "core/local_apic.h"
#include "core/msr.h"
#include "core/phys.h"
#include "core/virtual_interrupts.h"

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
    lifecycle_reason_put(p, text);
    text_sink_init(&errors, text, sizeof text);
    for (uint32_t i = 0; i < p->plan->chunk_count; i++)
        phys_zero(p->plan->chunks[i].hpa, p->plan->chunks[i].size);
    platform_reset(p->platform, p->output, p->plan->config->console == CONSOLE_UART, p->plan->virtual_interrupts,
                   p->machine->tsc_hz);
    platform_set_time(p->platform, p->machine->wall_clock + p->started_at / p->machine->tsc_hz, p->started_at);
    if (loader_load(p, entry, &errors.sink))
        return true;
    size_t length = strlen(text);
    if (length != 0 && text[length - 1] == '\n')
        text[length - 1] = '\0'; /* a reason goes into other lines */
    lifecycle_reason_put(p, text);
    log_line("%s", text);
    return false;
}

/* On the vCPU's own CPU: some leaves differ between the CPUs of one box. */
static void caches_start(struct vcpu *vcpu)
{
    struct cpuid_guest guest = exit_cpuid_guest(vcpu, 0);
    cpuid_cache_fill(&vcpu->cpuid, &guest, cpu_cpuid);
    msr_cache_fill(&vcpu->msr, vcpu->apic != NULL ? vcpu->apic->base : msr_apic_base(vcpu->index == 0));
}

static void vcpu_start(struct vcpu *vcpu, const struct backend *backend, const struct vcpu_entry *entry)
{
    caches_start(vcpu);
    backend->vcpu_reset(vcpu, entry);
    backend->nested_flush(vcpu);
}

/* On the boot CPU, all vCPUs parked: RAM zeroed, devices reset, image loaded, first vCPU ready. */
static void start(struct partition *p, const struct backend *backend)
{
    struct vcpu_entry entry;
    stop_vcpus(p);
    cpu_guest_interrupts_reset(); /* what other vCPUs sent here after this one had parked and before they did */
    p->started_at = cpu_clock();
    if (!load(p, &entry)) {
        __atomic_store_n(&p->state, PARTITION_STOPPED, __ATOMIC_RELEASE);
        return;
    }
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        struct vcpu *vcpu = &p->vcpus[i];
        memset(&vcpu->stats, 0, sizeof vcpu->stats);
        vcpu->kvm_clock = gpa(0);
        if (vcpu->apic != NULL)
            virtual_interrupts_reset(vcpu);
        __atomic_store_n(&vcpu->state, i == 0 ? VCPU_RUNNING : VCPU_WAIT_SIPI, __ATOMIC_RELEASE);
    }
    vcpu_start(&p->vcpus[0], backend, &entry);
    __atomic_store_n(&p->heartbeat_due, 0, __ATOMIC_RELEASE);
    p->starts++;
    __atomic_store_n(&p->state, PARTITION_RUNNING, __ATOMIC_RELEASE);
}

static void carry_out(struct partition *p, const struct backend *backend, uint32_t word)
{
    switch ((enum partition_goal)(word & GOAL_MASK)) {
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
    lifecycle_goal_done(p, word);
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
    if (goal == GOAL_STOP || goal == GOAL_RESTART || goal == GOAL_START) {
        cpu_guest_interrupts_reset();
        cpu_predictors_clear();
        cpu_buffers_clear();
    }
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
        if (vcpu->apic != NULL)
            local_apic_init_reset(vcpu->apic);
        __atomic_store_n(&vcpu->state, VCPU_WAIT_SIPI, __ATOMIC_RELEASE);
    }
    if ((taken & VCPU_REQUEST_SIPI) && vcpu->state == VCPU_WAIT_SIPI) {
        struct vcpu_entry entry = {.mode = VCPU_MODE_REAL, .cs_selector = (uint16_t)(vcpu->sipi_vector << 8)};
        vcpu_start(vcpu, backend, &entry);
        __atomic_store_n(&vcpu->state, VCPU_RUNNING, __ATOMIC_RELEASE);
    }
    if (!(taken & VCPU_REQUEST_NMI) || vcpu->state == VCPU_WAIT_SIPI)
        return;
    if (backend->inject_nmi(vcpu))
        vcpu->state = VCPU_RUNNING; /* it ends a HLT */
    else
        __atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_NMI, __ATOMIC_ACQ_REL);
}

bool lifecycle_obey(struct vcpu *vcpu, const struct backend *backend)
{
    struct partition *p = vcpu->partition;
    uint32_t word = lifecycle_goal_word(p) & ~(uint32_t)GOAL_NEXT_MASK;
    if ((word & GOAL_MASK) != GOAL_NONE) {
        park(vcpu, word);
        if (vcpu->index != 0 || !all_parked(p, word))
            return false;
        carry_out(p, backend, word);
    }
    if (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE) != PARTITION_RUNNING)
        return false;
    if (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) != 0)
        requests_take(vcpu, backend);
    return lifecycle_goal(p) == GOAL_NONE && (vcpu->state == VCPU_RUNNING || vcpu->state == VCPU_HALTED);
}
