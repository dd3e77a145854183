/*
 * Intel 8254 data sheet, "Mode 0" and "Counter latch command"; channel 2's gate and output are bits 0 and 5 of port
 * 61h. ACPI 6.4, "Power Management Timer".
 *
 * Two looks at counter and TSC, some milliseconds apart. An SMI, or an outer hypervisor that takes the CPU away, can
 * fall between reading the one and reading the other; so each look is repeated and the quickest one counts.
 */
#include "drivers/hw/tsc_calibrate.h"

#include "arch/x86_64/cpu_instructions.h"

enum { PIT_CHANNEL2 = 0x42, PIT_CONTROL = 0x43, PORT_B = 0x61, LOOKS = 16, TRIES = 8, INTERVALS_PER_SECOND = 50 };
enum { STANDSTILL = 100000 }; /* equal readings in a row, a microsecond each: none that counts has so many */
#define PIT_START      0xffffu
#define PORT_B_GATE2   0x01u
#define PORT_B_SPEAKER 0x02u
#define PORT_B_OUT2    0x20u

/* It counts up, modulo mask + 1. */
struct counter {
    uint32_t (*read)(uint16_t port);
    uint16_t port;
    uint32_t mask;
    uint32_t hz;
};

struct look {
    uint64_t tsc; /* in the middle of the reading */
    uint32_t count;
};

static struct look look(const struct counter *counter)
{
    struct look best = {0};
    uint64_t quickest = UINT64_MAX;
    for (unsigned i = 0; i < LOOKS; i++) {
        uint64_t before = tsc_read();
        uint32_t count = counter->read(counter->port);
        uint64_t took = tsc_read() - before;
        if (took >= quickest)
            continue;
        quickest = took;
        best = (struct look){before + took / 2, count};
    }
    return best;
}

/* 0: it does not count. */
static uint64_t measure(const struct counter *counter)
{
    struct look first = look(counter);
    uint32_t now = first.count, standing = 0;
    while (((now - first.count) & counter->mask) < counter->hz / INTERVALS_PER_SECOND) {
        uint32_t before = now;
        now = counter->read(counter->port);
        standing = now == before ? standing + 1 : 0;
        if (standing == STANDSTILL)
            return 0;
    }
    struct look last = look(counter);
    uint32_t counted = (last.count - first.count) & counter->mask;
    return counted != 0 ? (last.tsc - first.tsc) * counter->hz / counted : 0;
}

static uint32_t pit_read(uint16_t port)
{
    out8(PIT_CONTROL, 0x80); /* latch channel 2 */
    uint32_t low = in8(port);
    return PIT_START - (low | (uint32_t)in8(port) << 8);
}

/* It has run out, and counts on from the top: the CPU was away for too long. A port that nobody has says so too. */
static bool pit_expired(void) { return in8(PORT_B) & PORT_B_OUT2; }

uint64_t tsc_calibrate_by_pit(void)
{
    static const struct counter pit = {pit_read, PIT_CHANNEL2, PIT_START, 1193182};
    uint64_t hz = 0;
    for (unsigned i = 0; i < TRIES && hz == 0; i++) {
        uint8_t port_b = (uint8_t)(in8(PORT_B) & ~(PORT_B_SPEAKER | PORT_B_GATE2));
        out8(PORT_B, port_b);
        out8(PIT_CONTROL, 0xb0); /* channel 2, low then high byte, mode 0 */
        out8(PIT_CHANNEL2, (uint8_t)PIT_START);
        out8(PIT_CHANNEL2, (uint8_t)(PIT_START >> 8));
        out8(PORT_B, port_b | PORT_B_GATE2);
        hz = pit_expired() ? 0 : measure(&pit);
        if (pit_expired())
            hz = 0;
        out8(PORT_B, port_b);
    }
    return hz;
}

static uint32_t pm_timer_read(uint16_t port) { return in32(port) & 0xffffff; }

uint64_t tsc_calibrate_by_pm_timer(uint16_t port)
{
    struct counter timer = {pm_timer_read, port, 0xffffff, 3579545}; /* it may have 32 bits; the lower 24 do */
    return measure(&timer);
}
