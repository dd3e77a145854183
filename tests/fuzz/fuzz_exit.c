/*
 * Exits: whatever a guest makes its CPU report, over two partitions with everything real but the CPU. No exit may stop
 * the hypervisor, reach the other partition or its CPUs, or leave a guest neither moved on nor told nor stopped.
 */
#include "core/exit_handle.h"

#include "tests/fuzz/box.h"

enum { FAKE_XCR0 = 7 };

/* A CPU with XSAVE and AVX. */
static void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    *out = (struct cpuid_regs){0};
    if (leaf == 0)
        *out = (struct cpuid_regs){0x16, 0x756e6547, 0x6c65746e, 0x49656e69};
    else if (leaf == 1)
        *out = (struct cpuid_regs){0x306c3, 0, UINT32_MAX, UINT32_MAX};
    else if (leaf == 0xd && subleaf == 0)
        *out = (struct cpuid_regs){FAKE_XCR0, 832, 832, 0};
    else if (leaf == 0xd && subleaf == 2)
        *out = (struct cpuid_regs){256, 576, 0, 0};
}

/* The MSRs and ports that mean something, so that they come up. */
static uint64_t make_address(struct input *in, enum exit_kind kind)
{
    static const uint32_t msrs[] = {0x10,  0x11,  0x12,  0x1b,       0x3a,       0x6e0,     0x80b,
                                    0x830, 0x838, 0x83f, 0x4b564d00, 0x4b564d01, 0xc0000080};
    static const uint16_t ports[] = {0x20, 0x21, 0x40, 0x43, 0x61, 0x70, 0x71, 0x3f8, 0x3f9, 0x3fc, 0x604, 0xcf9};
    uint8_t how = input_8(in);
    if ((how & 1) != 0)
        return kind == EXIT_PORT ? input_16(in) : kind == EXIT_MEMORY ? input_64(in) : input_32(in);
    if (kind == EXIT_PORT)
        return ports[(how >> 1) % array_size(ports)];
    if (kind == EXIT_MEMORY)
        return (how & 2 ? 0xfee00000u : 0xfec00000u) + input_16(in) % 0x1000u;
    if (kind == EXIT_APIC_WRITTEN)
        return (how >> 1) * 16u;
    return msrs[(how >> 1) % array_size(msrs)];
}

static struct exit make_exit(struct input *in)
{
    struct exit exit = {.kind = (enum exit_kind)(input_8(in) % EXIT_KINDS)};
    uint8_t flags = input_8(in);
    exit.length = flags & 15;
    exit.write = (flags & 16) != 0;
    exit.fetch = (flags & 32) != 0;
    exit.string = (flags & 0xc0) == 0xc0;
    exit.size = (uint8_t)(1u << (flags >> 6) % 3);
    exit.address = make_address(in, exit.kind);
    exit.value = (exit.address & 1) != 0 ? input_64(in) : input_16(in); /* short: near the RAM's end */
    exit.vector = exit.kind == EXIT_INSTRUCTION ? 6 : input_8(in) % 32;
    exit.gpr = input_8(in) % GPRS;
    exit.raw_reason = exit.address;
    return exit;
}

/* Code and registers for an access to a device's page, with paging off. */
static void make_code(struct input *in, struct vcpu *vcpu)
{
    uint8_t code[16];
    memset(code, 0x90, sizeof code);
    input_bytes(in, code, input_8(in) % sizeof code);
    require(partition_write(vcpu->partition, gpa(0x100), code, sizeof code));
    box.view = (struct vcpu_state_view){.rip = 0x100, .rflags = 2, .cr0 = 1, .cs_default32 = true};
    for (unsigned i = 0; i < GPRS; i++)
        vcpu->gpr[i] = (input_8(in) & 1) != 0 ? input_32(in) : 0xfec00000u + (i & 3) * 0x10;
}

static bool is_quiet(enum exit_kind kind)
{
    return kind == EXIT_KICK || kind == EXIT_TIMER || kind == EXIT_NMI_WINDOW || kind == EXIT_INTERRUPT_WINDOW ||
           kind == EXIT_INTERRUPT || kind == EXIT_HALT || kind == EXIT_CONTROL_REGISTER ||
           kind == EXIT_INTERRUPT_ENDED || kind == EXIT_APIC_WRITTEN;
}

/* CPUs that belong to somebody else. */
static void require_own_cpus(const struct partition *p)
{
    for (uint32_t cpu = 0; cpu < FAKE_CPUS; cpu++) {
        bool own = false;
        for (uint32_t i = 0; i < p->vcpu_count; i++)
            own |= p->vcpus[i].cpu == cpu;
        require(own || fake_cpu.kicks[cpu] == 0);
    }
    require(fake_cpu.vectors_sent == 0 || fake_cpu.last_vector >= 16);
    bool own = fake_cpu.vectors_sent == 0;
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        own |= p->vcpus[i].cpu == fake_cpu.last_vector_cpu;
    require(own);
}

/* Everything of the other partition that an exit of this one could reach. */
struct neighbour {
    struct vcpu vcpus[BOX_VCPUS];
    struct partition partition;
    uint8_t ram[BOX_RAM];
};

static void copy_neighbour(const struct partition *p, struct neighbour *to)
{
    memset(to, 0, sizeof *to);
    to->partition = *p;
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        to->vcpus[i] = p->vcpus[i];
    require(partition_read(p, gpa(0), to->ram, BOX_RAM));
}

/* What the run loop does before an entry; false: the vCPU waits in HLT, and then not for a time that has passed. */
static bool prepare(struct vcpu *vcpu)
{
    uint64_t due = UINT64_MAX;
    if (vcpu->apic == NULL)
        return true;
    bool runs = virtual_interrupts_prepare(vcpu, &box.backend, &due);
    require(runs || due > fake_cpu.clock);
    return runs;
}

static void handle(struct input *in, struct vcpu *vcpu)
{
    static struct neighbour before, after;
    struct partition *p = vcpu->partition;
    const struct partition *other = &partition_table.partitions[1 - p->index];
    make_code(in, vcpu);
    struct exit exit = make_exit(in);
    copy_neighbour(other, &before);
    memset(&box.calls, 0, sizeof box.calls);
    memset(fake_cpu.kicks, 0, sizeof fake_cpu.kicks);
    fake_cpu.vectors_sent = 0;
    fake_cpu.current = vcpu->cpu;

    exit_handle(vcpu, &box.backend, &exit);
    unsigned outcomes = box.calls.advanced + box.calls.injected;
    bool ends = !lifecycle_settled(p);
    require(outcomes <= 1);
    require(outcomes == 1 || ends || is_quiet(exit.kind) || box.calls.written_back == 1);
    require((fake_cpu.xcr0 & ~(uint64_t)FAKE_XCR0) == 0 && (vcpu->xcr0 & ~(uint64_t)FAKE_XCR0) == 0);
    require_own_cpus(p);
    copy_neighbour(other, &after);
    require(memcmp(&before, &after, sizeof before) == 0);
}

/* One action for all classes, also where the configuration would not take it; FAULT_BY_DEFAULT among them. */
static void set_policy(struct config_partition *config, uint8_t flags)
{
    config->on_stop = flags & 4 ? ON_STOP_RESTART : ON_STOP_STAY;
    config->learn = flags & 8;
    for (uint32_t class = 0; class < FAULT_CLASSES; class++)
        config->faults[class] = (struct fault_rule){.action = (enum fault_action)((flags >> 4) % (FAULT_RESTART + 1)),
                                                    .limit = flags & 0x80 ? 3 : 0,
                                                    .seconds = flags & 0x80 ? 60 : 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t flags = input_8(&in);
    box_setup(flags & 3);
    fake_cpu.cpuid = host_cpuid;
    for (uint32_t i = 0; i < BOX_PARTITIONS; i++) {
        set_policy(&box.config.partitions[i], flags);
        require(lifecycle_ask(&partition_table.partitions[i], GOAL_START) == LIFECYCLE_ACCEPTED);
    }
    (void)box_obey();
    (void)box_obey();
    for (uint32_t i = 0; i < BOX_PARTITIONS; i++)
        require(partition_table.partitions[i].state == PARTITION_RUNNING);
    while (in.left != 0) {
        unsigned may_run = box_obey();
        uint8_t how = input_8(&in);
        fake_cpu.clock += (uint64_t)how << (how & 15);
        box.deaf = (how & 0x40) != 0;
        box.by_itself = (how & 0x20) != 0;
        unsigned which = how % BOX_VCPUS;
        if ((may_run >> which & 1) != 0 && prepare(&box.vcpus[which]))
            handle(&in, &box.vcpus[which]);
        else if (may_run == 0)
            break;
    }
    box_require_isolated();
    box_teardown();
    return 0;
}
