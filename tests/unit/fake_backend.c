/* A backend without a CPU. */
#include "tests/unit/fake_backend.h"

#include <stdlib.h>
#include <string.h>

#include "core/local_apic.h"
#include "core/partition.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define TSC_HZ 1000000000ull

struct fake_backend fake_backend;

static uint32_t apic_ids[FAKE_BACKEND_VCPUS];
static struct ring output;
static struct local_apic apics[FAKE_BACKEND_VCPUS];

static void vcpu_reset(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
    struct fake_vcpu *fake = fake_vcpu_of(vcpu);
    fake->resets++;
    fake->entry = *entry;
    memcpy(vcpu->gpr, entry->gpr, sizeof vcpu->gpr);
    vcpu->xcr0 = 1;
    if (fake_backend.on_reset != NULL)
        fake_backend.on_reset(vcpu);
}

static void run(struct vcpu *vcpu, struct exit *exit)
{
    fake_vcpu_of(vcpu)->runs++;
    if (fake_backend.script_length == 0) {
        if (fake_backend.end == NULL)
            abort();
        longjmp(*fake_backend.end, 1);
    }
    *exit = *fake_backend.script++;
    fake_backend.script_length--;
}

static void advance(struct vcpu *vcpu, const struct exit *exit)
{
    fake_vcpu_of(vcpu)->advances++;
    fake_vcpu_of(vcpu)->advanced_by = exit->length;
}

static void inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
    struct fake_vcpu *fake = fake_vcpu_of(vcpu);
    fake->exceptions++;
    fake->vector = vector;
    fake->error_code = error_code;
}

static bool inject_nmi(struct vcpu *vcpu)
{
    struct fake_vcpu *fake = fake_vcpu_of(vcpu);
    fake->nmi_tries++;
    fake->nmis += !fake->nmi_blocked;
    return !fake->nmi_blocked;
}

static bool interrupt_ready(struct vcpu *vcpu) { return !fake_vcpu_of(vcpu)->interrupts_blocked; }

static void inject_interrupt(struct vcpu *vcpu, uint8_t vector)
{
    if (fake_vcpu_of(vcpu)->interrupts_blocked)
        abort();
    fake_vcpu_of(vcpu)->interrupts++;
    fake_vcpu_of(vcpu)->interrupt_vector = vector;
}

static void interrupt_quiet(struct vcpu *vcpu) { fake_vcpu_of(vcpu)->quiets++; }

static bool interrupt_offer(struct vcpu *vcpu)
{
    fake_vcpu_of(vcpu)->offered = local_apic_take_changes(vcpu->apic);
    return fake_vcpu_of(vcpu)->by_itself;
}

static bool set_timer(struct vcpu *vcpu, uint64_t ticks)
{
    fake_vcpu_of(vcpu)->timer_ticks = ticks;
    return !fake_vcpu_of(vcpu)->timer_missing;
}

static void view(struct vcpu *vcpu, struct vcpu_state_view *out) { *out = fake_vcpu_of(vcpu)->view; }

static void write_back(struct vcpu *vcpu, uint64_t rflags)
{
    fake_vcpu_of(vcpu)->write_backs++;
    fake_vcpu_of(vcpu)->rflags = rflags;
}

static void set_cr2(struct vcpu *vcpu, uint64_t address)
{
    fake_vcpu_of(vcpu)->cr2_sets++;
    fake_vcpu_of(vcpu)->cr2 = address;
}

static void dump(struct vcpu *vcpu, struct sink *out)
{
    fake_vcpu_of(vcpu)->dumps++;
    sink_print(out, "a dump of vCPU %u\n", vcpu->index);
}

static void nested_flush(struct vcpu *vcpu) { fake_vcpu_of(vcpu)->flushes++; }

const struct backend fake_backend_table = {
    .name = "fake",
    .vcpu_reset = vcpu_reset,
    .run = run,
    .advance = advance,
    .inject_exception = inject_exception,
    .inject_nmi = inject_nmi,
    .interrupt_ready = interrupt_ready,
    .inject_interrupt = inject_interrupt,
    .interrupt_quiet = interrupt_quiet,
    .interrupt_offer = interrupt_offer,
    .set_timer = set_timer,
    .view = view,
    .write_back = write_back,
    .set_cr2 = set_cr2,
    .dump = dump,
    .nested_flush = nested_flush,
};

struct partition *fake_backend_setup(uint32_t vcpus)
{
    struct partition *p = &fake_guest.partition;
    if (vcpus == 0 || vcpus > FAKE_BACKEND_VCPUS)
        abort();
    fake_backend_teardown();
    memset(&fake_backend, 0, sizeof fake_backend);
    memset(&output, 0, sizeof output);
    memset(fake_guest.vcpus, 0, sizeof fake_guest.vcpus);
    *p = (struct partition){.plan = &fake_guest.plan,
                            .machine = &fake_guest.machine,
                            .vcpus = fake_guest.vcpus,
                            .vcpu_count = vcpus,
                            .apic_ids = apic_ids,
                            .output = &output,
                            .asid = 1};
    fake_guest.machine.tsc_hz = TSC_HZ;
    fake_guest.machine.cpu_count = vcpus + 1;
    fake_guest.machine.caps.physical_bits = 40;
    fake_guest.config.cpu_count = vcpus;
    fake_guest.plan.cpu_count = vcpus;
    for (uint32_t i = 0; i < vcpus; i++) {
        apic_ids[i] = 2 * i;
        p->vcpus[i] = (struct vcpu){
            .backend = &fake_backend.vcpus[i], .partition = p, .index = i, .cpu = i + 1, .apic_id = apic_ids[i]};
        p->vcpus[i].apic = p->plan->virtual_interrupts ? &apics[i] : NULL;
    }
    p->platform = calloc(1, platform_size());
    if (p->platform == NULL)
        abort();
    return p;
}

void fake_backend_teardown(void)
{
    free(fake_guest.partition.platform);
    fake_guest.partition.platform = NULL;
}
