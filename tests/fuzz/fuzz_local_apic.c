/*
 * The local APIC model: register accesses, messages, lines and time in any order. What the run loop builds on: a vector
 * that is offered can be taken and was asked for, a timer that was brought up to date is due later, and no message
 * leaves that the guest did not write.
 */
#include "core/local_apic.h"

#include "core/bytes.h"
#include "tests/fuzz/input.h"

enum operation { OP_MEMORY, OP_MSR, OP_POST, OP_LINE, OP_TIME, OP_TAKE, OP_INIT, OP_CR8, OP_CPU, OPS };
enum { MSR_FIRST = 0x800, MSR_APIC_BASE = 0x1b, MSR_DEADLINE = 0x6e0, BASE_EXTD = 1 << 10, BASE_ENABLED = 1 << 11 };

static struct local_apic *lapic;
static uint64_t now;

enum { ISR = 0x100, IRR = 0x200 };

static bool has_bit(unsigned map, unsigned vector)
{
    return (lapic->registers[map / 4 + vector / 32 * 4] >> (vector % 32) & 1) != 0;
}

static void require_sane(void)
{
    int vector = local_apic_pending(lapic);
    require(vector == -1 || (vector >= 16 && vector <= 255 && has_bit(IRR, (unsigned)vector)));
    require(vector == -1 || vector >> 4 > (int)(local_apic_cr8(lapic)));
    for (unsigned v = 0; v < 16; v++)
        require(!has_bit(IRR, v) && !has_bit(ISR, v));
    for (int v = vector + 1; vector != -1 && v <= 255; v++)
        require(!has_bit(IRR, (unsigned)v)); /* the highest comes first */
    require(local_apic_cr8(lapic) <= 15);
    require((lapic->base & (BASE_EXTD | BASE_ENABLED)) != BASE_EXTD); /* no such mode */
    require((lapic->base & ~(uint64_t)0xfff) == LOCAL_APIC_BASE);
    require(local_apic_page(lapic, LOCAL_APIC_BASE) == ((lapic->base & (BASE_EXTD | BASE_ENABLED)) == BASE_ENABLED));
}

static struct local_apic_outcome take_outcome(void)
{
    struct local_apic_outcome out = lapic->outcome;
    require(!out.send || (out.message.delivery <= 7 && out.message.shorthand <= SHORTHAND_OTHERS));
    require(!out.eoi || out.eoi_vector >= 16);
    lapic->outcome = (struct local_apic_outcome){0};
    return out;
}

static void access_memory(struct input *in)
{
    uint8_t how = input_8(in);
    struct bus_access a = {.size = how & 2 ? 4 : how >> 4, .write = (how & 1) != 0};
    uint64_t offset = input_8(in) * (uint64_t)16 + (how & 4 ? input_8(in) & 15 : 0);
    a.address = LOCAL_APIC_BASE + offset;
    a.value = a.write ? input_32(in) : 0;
    bool page = local_apic_page(lapic, a.address);
    bool owned = local_apic_memory(lapic, &a, now);
    require(owned == page);
    if (!owned)
        return;
    struct local_apic_outcome out = take_outcome();
    require(a.write || (!out.send && !out.eoi));
    require(!out.eoi || offset == 0xb0);
}

static void access_msr(struct input *in)
{
    uint8_t how = input_8(in);
    uint32_t number = MSR_FIRST + (how & 0x7f);
    if (number == MSR_FIRST || number == MSR_FIRST + 1)
        number = number == MSR_FIRST ? MSR_APIC_BASE : MSR_DEADLINE;
    bool x2apic = (lapic->base & (BASE_EXTD | BASE_ENABLED)) == (BASE_EXTD | BASE_ENABLED);
    if ((how & 0x80) == 0) {
        uint64_t value = UINT64_MAX;
        bool good = local_apic_msr_read(lapic, number, now, &value);
        require(x2apic || number < MSR_FIRST || !good);
        return;
    }
    uint64_t value = input_64(in);
    if (number == MSR_APIC_BASE && (value & 1) == 0) /* half of them well-formed */
        value = LOCAL_APIC_BASE | (value & 0xd00);
    if (!local_apic_msr_write(lapic, number, value, now))
        return;
    struct local_apic_outcome out = take_outcome();
    require(x2apic || number < MSR_FIRST);
    require(!out.send || number == 0x830 || number == 0x83f);
}

static void post(struct input *in)
{
    uint32_t bits = input_32(in);
    struct interrupt_message m = {.destination = bits,
                                  .level = (bits & 1) != 0,
                                  .assert_line = (bits & 2) != 0,
                                  .logical = (bits & 4) != 0,
                                  .delivery = bits >> 4 & 7,
                                  .vector = (uint8_t)(bits >> 8)};
    bool kick = local_apic_post(lapic, &m);
    require(!kick || local_apic_has_posts(lapic));
    (void)local_apic_matches(lapic, &m);
    if ((bits & 8) != 0)
        return;
    local_apic_absorb(lapic);
    require(!local_apic_has_posts(lapic));
}

static void pass_time(struct input *in)
{
    uint8_t how = input_8(in);
    now += (uint64_t)input_8(in) << (how & 31);
    local_apic_tick(lapic, now);
    require(local_apic_next_deadline(lapic) > now); /* or the CPU would do nothing but come back */
}

static void take(void)
{
    local_apic_absorb(lapic);
    if (local_apic_extint(lapic))
        local_apic_take_extint(lapic);
    int vector = local_apic_pending(lapic);
    if (vector >= 0) {
        local_apic_take(lapic, (uint8_t)vector);
        require(has_bit(ISR, (unsigned)vector) && !has_bit(IRR, (unsigned)vector));
        require(local_apic_pending(lapic) == -1 || local_apic_pending(lapic) >> 4 > vector >> 4);
    }
    lapic->nmi = false;
}

static void set_cr8(uint64_t value)
{
    uint64_t before = local_apic_cr8(lapic);
    bool good = local_apic_set_cr8(lapic, value);
    require(good == (value <= 15) && local_apic_cr8(lapic) == (good ? value : before));
}

/* A CPU that works on the registers itself: it takes a vector, ends one, or writes the registers that it may. */
static void work_on_registers(struct input *in)
{
    static const uint16_t offsets[] = {0x80, 0xb0, 0x300, 0x3f0};
    uint8_t how = input_8(in);
    uint16_t offset = offsets[how % 4];
    uint8_t in_service = local_apic_in_service(lapic);
    if ((how & 0x80) == 0) {
        lapic->registers[offset / 4] = offset == 0x300 ? input_32(in) : offset == 0xb0 ? 0 : input_8(in);
        local_apic_written(lapic, how & 0x40 ? input_16(in) : offset, now);
    } else if (in_service != 0) {
        lapic->registers[ISR / 4 + in_service / 32 * 4] &= ~(1u << in_service % 32);
        local_apic_ended(lapic, in_service);
        require(!lapic->outcome.eoi || lapic->outcome.eoi_vector == in_service);
    } else {
        return;
    }
    (void)take_outcome();
    require((local_apic_take_changes(lapic) & ~3u) == 0 && local_apic_take_changes(lapic) == 0);
    require(local_apic_requested(lapic) >= local_apic_pending(lapic));
}

static void operate(struct input *in)
{
    switch ((enum operation)(input_8(in) % OPS)) {
    case OP_MEMORY:
        access_memory(in);
        break;
    case OP_MSR:
        access_msr(in);
        break;
    case OP_POST:
        post(in);
        break;
    case OP_LINE:
        local_apic_set_lint0(lapic, (input_8(in) & 1) != 0);
        break;
    case OP_TIME:
        pass_time(in);
        break;
    case OP_TAKE:
        take();
        break;
    case OP_INIT:
        local_apic_init_reset(lapic);
        break;
    case OP_CR8:
        set_cr8(input_8(in) % 20);
        break;
    case OP_CPU:
        work_on_registers(in);
        break;
    case OPS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t clocks[] = {2400000000, 25000000, 1000000000, 0};
    struct input in = {data, size};
    uint8_t flags = input_8(&in);
    struct local_apic_config config = {.id = input_8(&in),
                                       .bootstrap = (flags & 1) != 0,
                                       .bus_hz = (uint32_t)clocks[(flags >> 5 & 3) % 3],
                                       .tsc_hz = clocks[flags >> 3 & 3]};
    lapic = aligned_alloc(_Alignof(struct local_apic), sizeof *lapic);
    require(lapic != NULL);
    memset(lapic, 0xee, sizeof *lapic); /* it may hold anything */
    now = 1000;
    local_apic_power_on(lapic, &config);
    require_sane();
    while (in.left != 0) {
        operate(&in);
        require_sane();
    }
    free(lapic);
    return 0;
}
