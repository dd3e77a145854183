/*
 * 8254 model: the registers. What a counter does between accesses is in pit8254_counter.c.
 *
 *   40h, 41h, 42h  counters 0, 1, 2 (read: latched status, latched count or the count itself; write: the count)
 *   43h            control word (write only): SC1:0, RW1:0, M2:0, BCD
 *   61h            port B: 0 gate of counter 2, 1 speaker, 4 refresh toggle, 5 output of counter 2
 *
 * Names from the Intel 8254 data sheet, "Programming the 8254", "Read Operations", "Read-Back Command".
 */
#include "drivers/virt/pit8254_counter.h"

#include "core/bytes.h"

enum { PORT_CONTROL = 3 };

enum {
    CONTROL_SELECT_SHIFT = 6,
    CONTROL_READ_BACK = 3,
    CONTROL_ACCESS = 0x30, /* 0: latch the count */
    READ_BACK_NO_COUNT = 1u << 5,
    READ_BACK_NO_STATUS = 1u << 4,
    READ_BACK_COUNTER_0 = 1u << 1,
};

enum {
    PORT_B_GATE = 1u << 0,
    PORT_B_WRITABLE = 0x0f,
    PORT_B_REFRESH = 1u << 4,
    PORT_B_OUTPUT = 1u << 5,
    REFRESH_PERIOD = 18, /* clocks of counter 1 on every PC: 15 us */
};

static uint64_t clock_number(const struct pit8254 *pit) { return virt_clock_count(pit->clock, PIT8254_HZ); }

/* Takes note of a rise in the time that has passed. */
static void look_at_line(struct pit8254 *pit, uint64_t now)
{
    if (now < pit->rise_at)
        return;
    pit->rose = true;
    pit->rise_at = pit8254_counter_next_rise(&pit->counters[0], now);
}

static void read_back(struct pit8254 *pit, uint8_t command, uint64_t now)
{
    for (uint32_t i = 0; i < PIT8254_COUNTERS; i++) {
        if ((command & ((uint32_t)READ_BACK_COUNTER_0 << i)) == 0)
            continue;
        if ((command & READ_BACK_NO_COUNT) == 0)
            pit8254_counter_latch_count(&pit->counters[i], now);
        if ((command & READ_BACK_NO_STATUS) == 0)
            pit8254_counter_latch_status(&pit->counters[i], now);
    }
}

static void write_control(struct pit8254 *pit, uint8_t value, uint64_t now)
{
    uint32_t select = value >> CONTROL_SELECT_SHIFT;

    if (select == CONTROL_READ_BACK)
        read_back(pit, value, now);
    else if ((value & CONTROL_ACCESS) == 0)
        pit8254_counter_latch_count(&pit->counters[select], now);
    else
        pit8254_counter_program(&pit->counters[select], value);
}

/* A write can make the line rise itself: a control word of any mode but 0 sets OUT. */
static void write_port(struct pit8254 *pit, uint64_t offset, uint8_t value, uint64_t now)
{
    look_at_line(pit, now);
    bool before = pit8254_counter_output(&pit->counters[0], now);
    if (offset < PIT8254_COUNTERS)
        pit8254_counter_write(&pit->counters[offset], value, now);
    else if (offset == PORT_CONTROL)
        write_control(pit, value, now);
    if (!before && pit8254_counter_output(&pit->counters[0], now))
        pit->rose = true;
    pit->rise_at = pit8254_counter_next_rise(&pit->counters[0], now);
}

void pit8254_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pit8254 *pit = device;
    uint64_t now = clock_number(pit);

    if (access->write)
        write_port(pit, offset, (uint8_t)access->value, now);
    else
        access->value = offset < PIT8254_COUNTERS ? pit8254_counter_read(&pit->counters[offset], now) : 0xff;
}

bool pit8254_line(struct pit8254 *pit) { return pit8254_counter_output(&pit->counters[0], clock_number(pit)); }

bool pit8254_line_rose(struct pit8254 *pit)
{
    look_at_line(pit, clock_number(pit));
    bool rose = pit->rose;
    pit->rose = false;
    return rose;
}

uint64_t pit8254_next_rise(struct pit8254 *pit)
{
    look_at_line(pit, clock_number(pit));
    return pit->rise_at == VIRT_CLOCK_NEVER ? VIRT_CLOCK_NEVER : virt_clock_when(pit->clock, PIT8254_HZ, pit->rise_at);
}

void pit8254_port_b_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pit8254 *pit = device;
    struct pit8254_counter *speaker = &pit->counters[2];
    uint64_t now = clock_number(pit);

    (void)offset;
    if (access->write) {
        pit->port_b = (uint8_t)access->value & PORT_B_WRITABLE;
        pit8254_counter_set_gate(speaker, (pit->port_b & PORT_B_GATE) != 0, now);
        return;
    }
    access->value = pit->port_b | (now / REFRESH_PERIOD % 2 != 0 ? PORT_B_REFRESH : 0u) |
                    (pit8254_counter_output(speaker, now) ? PORT_B_OUTPUT : 0u);
}

void pit8254_reset(struct pit8254 *pit, const struct virt_clock *clock)
{
    memset(pit, 0, sizeof *pit);
    pit->clock = clock;
    for (uint32_t i = 0; i < PIT8254_COUNTERS; i++)
        pit8254_counter_reset(&pit->counters[i]);
    /* Both bytes, rate generator: count 0 stands for 65536. */
    pit8254_counter_program(&pit->counters[0], 0x34);
    pit8254_counter_write(&pit->counters[0], 0, 0);
    pit8254_counter_write(&pit->counters[0], 0, 0);
    pit8254_counter_program(&pit->counters[1], 0x54);
    pit8254_counter_write(&pit->counters[1], REFRESH_PERIOD, 0);
    /* The gates of counters 0 and 1 are tied high. */
    pit->counters[0].gate = true;
    pit->counters[1].gate = true;
    pit->rise_at = pit8254_counter_next_rise(&pit->counters[0], 0);
}
