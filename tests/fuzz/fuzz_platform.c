/*
 * The virtual PC: random accesses to its ports and memory, what drivers do, typed input and time that jumps. Two of
 * them get the same and must answer the same, whatever else the address space holds.
 */
#include "drivers/virt/platform.h"

#include "core/acpi_tables.h"
#include "tests/fuzz/input.h"

enum operation {
    OP_PORT,
    OP_PORT_KNOWN,
    OP_IOAPIC,
    OP_MEMORY,
    OP_INPUT,
    OP_TIME,
    OP_SET_TIME,
    OP_RESET,
    OP_TICK,
    OP_EOI,
    OP_TAKE,
    OP_DRIVER,
    OPS
};
enum { PAIR = 2, LSR_ALWAYS = 0x60, TIME_SHIFT_MAX = 31 };

static const uint16_t known_ports[] = {
    0x20,  0x21,  0x40,  0x41,  0x42,  0x43,  0x60,  0x61,  0x64,  0x70,  0x71,  0x80,  0x92,  0xa0,  0xa1,  0xe9,
    0x2f8, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x4d0, 0x4d1, 0x604, 0x605, 0x608, 0xcf8, 0xcfc,
};

static struct ring rings[PAIR];

struct box {
    struct platform *platforms[PAIR];
    bool has_uart;
    bool virtual_interrupts;
    uint64_t hz;
    uint64_t now;
};

/* Whether an entry of the I/O APIC says what the message says. */
static bool is_entry(uint64_t entry, const struct interrupt_message *m)
{
    return (entry & 1u << 16) == 0 && m->vector == (entry & 0xff) && m->delivery == (entry >> 8 & 7) &&
           m->logical == ((entry & 1u << 11) != 0);
}

static void require_outcome(const struct platform *p, const struct platform_outcome *outcome)
{
    require(outcome->message_count <= PLATFORM_MAX_MESSAGES);
    for (uint32_t i = 0; i < outcome->message_count; i++) {
        const struct interrupt_message *m = &outcome->messages[i];
        bool found = false;
        for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
            found |= is_entry(p->ioapic.entries[pin], m);
        require(found && m->shorthand == SHORTHAND_NONE);
        require(m->destination <= UINT8_MAX || m->destination == UINT32_MAX);
    }
}

static void require_models(const struct platform *p)
{
    require(!p->lock.held);
    require(p->uart.count <= UART16550_FIFO_SIZE && p->uart.first < UART16550_FIFO_SIZE);
    require((p->uart.fcr & 1) != 0 || p->uart.count <= 1);
    require(p->ioapic.lines >> IOAPIC_PINS == 0);
}

static void require_same(const struct platform_outcome *a, const struct platform_outcome *b)
{
    require(a->request == b->request && a->message_count == b->message_count);
    for (uint32_t i = 0; i < a->message_count; i++) {
        require(a->messages[i].vector == b->messages[i].vector);
        require(a->messages[i].destination == b->messages[i].destination);
    }
}

typedef bool platform_access(struct platform *, struct bus_access *, uint64_t, struct platform_outcome *);

static void both(struct box *box, platform_access *access, const struct bus_access *wanted)
{
    struct platform_outcome outcomes[PAIR];
    struct bus_access done[PAIR];
    bool owned[PAIR];
    for (unsigned i = 0; i < PAIR; i++) {
        done[i] = *wanted;
        memset(&outcomes[i], 0xee, sizeof outcomes[i]);
        owned[i] = access(box->platforms[i], &done[i], box->now, &outcomes[i]);
        require_outcome(box->platforms[i], &outcomes[i]);
        require_models(box->platforms[i]);
    }
    require(owned[0] == owned[1] && done[0].value == done[1].value);
    require_same(&outcomes[0], &outcomes[1]);
    if (!owned[0]) {
        require(done[0].value == wanted->value && outcomes[0].request == PLATFORM_NOTHING);
        return;
    }
    require(wanted->size == 1 || wanted->size == 2 || wanted->size == 4 || wanted->size == 8);
    require(wanted->write || (done[0].value & ~bus_all_ones(wanted->size)) == 0);
    require(wanted->write || outcomes[0].request == PLATFORM_NOTHING); /* no read ends or resets a guest */
    require(outcomes[0].request != PLATFORM_POWER_OFF || access == platform_port);
    if (box->has_uart && access == platform_port && wanted->address == GUEST_UART_PORT + 5 && !wanted->write)
        require((done[0].value & LSR_ALWAYS) == LSR_ALWAYS);
}

static void port(struct box *box, struct input *in, bool known)
{
    uint16_t where = input_16(in);
    uint8_t how = input_8(in);
    struct bus_access a = {.address = known ? known_ports[where % array_size(known_ports)] : where,
                           .size = (uint8_t)(1u << (how >> 1 & 1) << (how >> 2 & 1)),
                           .write = (how & 1) != 0};
    a.value = a.write ? input_take(in, a.size) : 0;
    both(box, platform_port, &a);
}

static void memory(struct box *box, struct input *in, uint64_t address)
{
    uint8_t how = input_8(in);
    struct bus_access a = {.address = address, .size = how >> 4, .write = (how & 1) != 0};
    if ((how & 2) != 0)
        a.size = 4;
    a.value = a.write ? input_32(in) : 0;
    require(platform_owns_memory(box->platforms[0], address) == (address - GUEST_IOAPIC_BASE < IOAPIC_WINDOW_SIZE));
    both(box, platform_memory, &a);
}

static void type(struct box *box, struct input *in)
{
    struct platform_outcome outcomes[PAIR];
    size_t taken[PAIR];
    size_t length;
    uint8_t *bytes = input_block(in, input_8(in) % 40, &length);
    for (unsigned i = 0; i < PAIR; i++) {
        taken[i] = platform_input(box->platforms[i], (const char *)bytes, length, box->now, &outcomes[i]);
        require_outcome(box->platforms[i], &outcomes[i]);
        require_models(box->platforms[i]);
    }
    require(taken[0] <= length && taken[0] == taken[1] && (box->has_uart || taken[0] == 0));
    require(outcomes[0].request == PLATFORM_NOTHING);
    require_same(&outcomes[0], &outcomes[1]);
    free(bytes);
}

static void reset(struct box *box)
{
    for (unsigned i = 0; i < PAIR; i++) {
        platform_reset(box->platforms[i], &rings[i], box->has_uart, box->virtual_interrupts, box->hz);
        require_models(box->platforms[i]);
    }
}

static void set_time(struct box *box, uint64_t seconds)
{
    for (unsigned i = 0; i < PAIR; i++)
        platform_set_time(box->platforms[i], seconds, box->now);
}

/* Mostly forwards; a CPU that waited for the lock brings an earlier time. */
static void move_time(struct box *box, struct input *in)
{
    uint8_t how = input_8(in);
    uint64_t step = (uint64_t)input_8(in) << (how & TIME_SHIFT_MAX);
    if ((how & 0x80) != 0)
        box->now -= step < box->now ? step : box->now;
    else
        box->now += step;
}

/* A platform that has been brought up to `now` must not ask to be brought there again: the CPU would do nothing else.
 */
static void tick(struct box *box)
{
    struct platform_outcome outcomes[PAIR];
    for (unsigned i = 0; i < PAIR; i++) {
        struct platform *p = box->platforms[i];
        platform_tick(p, box->now, &outcomes[i]);
        require_outcome(p, &outcomes[i]);
        require_models(p);
        require(platform_due(p) > box->now);
    }
    require_same(&outcomes[0], &outcomes[1]);
    require(platform_due(box->platforms[0]) == platform_due(box->platforms[1]));
}

static void end_of_interrupt(struct box *box, uint8_t vector)
{
    struct platform_outcome outcomes[PAIR];
    for (unsigned i = 0; i < PAIR; i++) {
        platform_eoi(box->platforms[i], vector, box->now, &outcomes[i]);
        require_outcome(box->platforms[i], &outcomes[i]);
    }
    require_same(&outcomes[0], &outcomes[1]);
}

static void take(struct box *box)
{
    struct platform_outcome outcomes[PAIR];
    uint8_t vectors[PAIR];
    for (unsigned i = 0; i < PAIR; i++) {
        vectors[i] = platform_acknowledge(box->platforms[i], box->now, &outcomes[i]);
        require_outcome(box->platforms[i], &outcomes[i]);
        require_models(box->platforms[i]);
    }
    require(vectors[0] == vectors[1]);
    require_same(&outcomes[0], &outcomes[1]);
}

static void out(struct box *box, uint16_t at, unsigned value)
{
    const struct bus_access a = {.address = at, .size = 1, .write = true, .value = value & 0xff};
    both(box, platform_port, &a);
}

static void in_8(struct box *box, uint16_t at)
{
    const struct bus_access a = {.address = at, .size = 1};
    both(box, platform_port, &a);
}

static void write_ioapic(struct box *box, uint32_t index, uint32_t value)
{
    const struct bus_access select = {.address = GUEST_IOAPIC_BASE, .size = 4, .write = true, .value = index};
    const struct bus_access window = {.address = GUEST_IOAPIC_BASE + 0x10, .size = 4, .write = true, .value = value};
    both(box, platform_memory, &select);
    both(box, platform_memory, &window);
}

/*
 * What drivers do in one go: sequences that only mean something as a whole. `how` and `value` are two bytes of the
 * input.
 */
typedef void sequence(struct box *box, struct input *in, uint8_t how, uint8_t value);

/* ICW1 to ICW4 and a mask, for one of the two. */
static void begin_8259(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    uint16_t chip = how & 0x80 ? 0xa0 : 0x20, data = chip | 1;
    out(box, chip, 0x10 | (value & 0x0f));
    out(box, data, input_8(in));
    if ((value & 2) == 0)
        out(box, data, chip == 0x20 ? 4 : 2);
    if ((value & 1) != 0)
        out(box, data, input_8(in));
    out(box, data, how & 0x40 ? 0 : input_8(in));
}

/* A poll, or an EOI of some kind. */
static void end_8259(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    uint16_t chip = how & 0x80 ? 0xa0 : 0x20;
    (void)in;
    out(box, chip, how & 0x40 ? 0x0c : value & 0xe7);
    in_8(box, chip);
}

/* A control word, then the count. */
static void set_counter(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    uint16_t counter = value % 3;
    out(box, 0x43, (unsigned)counter << 6 | (how >> 3 & 3u) << 4 | (value >> 2 & 15u));
    out(box, 0x40 | counter, input_8(in));
    out(box, 0x40 | counter, how & 0x80 ? 0 : input_8(in));
}

/* The read-back command, and what it latched. */
static void read_counters(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    (void)in, (void)how;
    out(box, 0x43, 0xc0 | (value & 0x3e));
    for (uint16_t i = 0; i < 3; i++)
        in_8(box, 0x40 | (uint16_t)((value + i) % 3));
}

static void set_clock(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    (void)how;
    out(box, 0x70, value & 0x8f);
    out(box, 0x71, input_8(in));
    in_8(box, 0x71);
}

/* The clock's line falls by this read. */
static void end_clock(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    (void)in, (void)how, (void)value;
    out(box, 0x70, 0x0c);
    in_8(box, 0x71);
}

/* An entry that lets interrupts through, with a vector that can be taken. */
static void set_pin(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    uint32_t entry = 0x10 + 2 * (uint32_t)(value % IOAPIC_PINS);
    write_ioapic(box, entry + 1, input_32(in));
    write_ioapic(box, entry, (how & 0x40 ? 0x8000u : 0) | (0x20u + input_8(in) % 0xd0));
}

/* As a driver opens the serial port, and a byte. */
static void open_uart(struct box *box, struct input *in, uint8_t how, uint8_t value)
{
    (void)in;
    out(box, GUEST_UART_PORT + 3, 3);
    out(box, GUEST_UART_PORT + 2, how & 0xc1);
    out(box, GUEST_UART_PORT + 4, 0x08 | (value & 0x13));
    out(box, GUEST_UART_PORT + 1, value >> 4);
    out(box, GUEST_UART_PORT, 'x');
}

static void drive(struct box *box, struct input *in)
{
    static sequence *const sequences[] = {begin_8259, end_8259,  set_counter, read_counters,
                                          set_clock,  end_clock, set_pin,     open_uart};
    uint8_t how = input_8(in), value = input_8(in);
    sequences[how % array_size(sequences)](box, in, how, value);
}

/* What core/platform.h has for virtual interrupts alone. With direct ones no time is ever asked for. */
static void interrupt(struct box *box, struct input *in, enum operation operation)
{
    if (!box->virtual_interrupts)
        require(platform_due(box->platforms[0]) == UINT64_MAX);
    else if (operation == OP_TICK)
        tick(box);
    else if (operation == OP_EOI)
        end_of_interrupt(box, input_8(in));
    else
        take(box);
}

static void operate(struct box *box, struct input *in)
{
    enum operation operation = input_8(in) % OPS;
    switch (operation) {
    case OP_PORT:
        port(box, in, false);
        break;
    case OP_PORT_KNOWN:
        port(box, in, true);
        break;
    case OP_IOAPIC:
        memory(box, in, GUEST_IOAPIC_BASE + (input_8(in) & 0xf0));
        break;
    case OP_MEMORY:
        memory(box, in, input_64(in));
        break;
    case OP_INPUT:
        type(box, in);
        break;
    case OP_TIME:
        move_time(box, in);
        break;
    case OP_SET_TIME:
        set_time(box, input_64(in));
        break;
    case OP_RESET:
        reset(box);
        break;
    case OP_TICK:
    case OP_EOI:
    case OP_TAKE:
        interrupt(box, in, operation);
        break;
    case OP_DRIVER:
        drive(box, in);
        break;
    case OPS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct box box = {.now = 1000};
    uint8_t flags = input_8(&in);
    box.has_uart = (flags & 1) == 0;
    box.virtual_interrupts = (flags & 8) != 0;
    box.hz = (uint64_t[]){2400000000, 1000000, 0, 1}[flags >> 1 & 3];
    for (unsigned i = 0; i < PAIR; i++) {
        /* Blocks of exactly the size that the boot-time allocator would give. */
        box.platforms[i] = calloc(1, platform_size());
        require(box.platforms[i] != NULL);
        rings[i].written = 0;
    }
    reset(&box);
    while (in.left != 0)
        operate(&box, &in);
    require(rings[0].written == rings[1].written && (box.has_uart || rings[0].written == 0));
    require(memcmp(rings[0].bytes, rings[1].bytes, rings[0].written < RING_SIZE ? rings[0].written : RING_SIZE) == 0);
    for (unsigned i = 0; i < PAIR; i++)
        free(box.platforms[i]);
    return 0;
}
