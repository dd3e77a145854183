/*
 * Intel 8254 data sheet, "Mode 0" and "Counter latch command"; channel 2's gate and output are bits 0 and 5 of port 61h.
 *
 * Two looks at counter and TSC, some milliseconds apart. An SMI, or an outer hypervisor that takes the CPU away, can fall
 * between reading the one and reading the other; so each look is repeated and the quickest one counts.
 */
#include "drivers/hw/pit_calibrate.h"

#include "arch/x86_64/cpu_instructions.h"

enum { PIT_CHANNEL2 = 0x42, PIT_CONTROL = 0x43, PORT_B = 0x61, LOOKS = 16, TRIES = 8 };
#define PIT_HZ          1193182ull
#define PIT_START       0xffffu
#define PIT_INTERVAL    23864u /* 20 ms */
#define PORT_B_GATE2    0x01u
#define PORT_B_SPEAKER  0x02u
#define PORT_B_OUT2     0x20u

struct look {
    uint64_t tsc;   /* in the middle of the reading */
    uint32_t count; /* of the counter, downwards */
};

static uint32_t counter_read(void)
{
    out8(PIT_CONTROL, 0x80); /* latch channel 2 */
    uint32_t low = in8(PIT_CHANNEL2);
    return low | (uint32_t)in8(PIT_CHANNEL2) << 8;
}

static struct look look(void)
{
    struct look best = {0};
    uint64_t quickest = UINT64_MAX;
    for (unsigned i = 0; i < LOOKS; i++) {
        uint64_t before = tsc_read();
        uint32_t count = counter_read();
        uint64_t took = tsc_read() - before;
        if (took >= quickest)
            continue;
        quickest = took;
        best = (struct look){before + took / 2, count};
    }
    return best;
}

static bool expired(void) { return in8(PORT_B) & PORT_B_OUT2; }

/* 0: the counter does not count, or ran out while the CPU was away. */
static uint64_t measure(void)
{
    uint8_t port_b = (uint8_t)(in8(PORT_B) & ~(PORT_B_SPEAKER | PORT_B_GATE2));
    out8(PORT_B, port_b);
    out8(PIT_CONTROL, 0xb0); /* channel 2, low then high byte, mode 0 */
    out8(PIT_CHANNEL2, (uint8_t)PIT_START);
    out8(PIT_CHANNEL2, (uint8_t)(PIT_START >> 8));
    out8(PORT_B, port_b | PORT_B_GATE2);
    struct look first = look();
    uint64_t patience = 1000000; /* a look takes some microseconds: seconds */
    while (patience > 0 && !expired() && first.count - counter_read() < PIT_INTERVAL)
        patience--;
    struct look last = look();
    bool good = patience > 0 && !expired() && first.count > last.count;
    out8(PORT_B, port_b);
    return good ? (last.tsc - first.tsc) * PIT_HZ / (first.count - last.count) : 0;
}

uint64_t pit_calibrate_tsc(void)
{
    uint64_t hz = 0;
    for (unsigned i = 0; i < TRIES && hz == 0; i++)
        hz = measure();
    return hz;
}
