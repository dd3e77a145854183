/*
 * Every port, every size, both directions. A port that no model has must read all-ones and swallow writes.
 */
#include "guests/common/console.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"

enum { PORTS = 0x10000 };

/* Ports with a model behind them: what they answer is theirs. */
static const struct {
    uint16_t first, last;
} models[] = {
    {0x20, 0x21},   {0x40, 0x43},   {0x61, 0x61},   {0x70, 0x71},   {0x92, 0x92},   {0xa0, 0xa1},   {0xe9, 0xe9},
    {0x3f8, 0x3ff}, {0x4d0, 0x4d1}, {0x604, 0x605}, {0x608, 0x60b}, {0x610, 0x61b}, {0xcf8, 0xcff},
};

/* Not written: these end the partition by design and have attacks of their own, or are the console of this report. */
static bool is_spared(uint32_t port)
{
    return port == 0x64 || port == 0x92 || port == 0xcf9 || (port >= 0x604 && port <= 0x605) ||
           (port >= 0x610 && port <= 0x61b) || /* a watchdog that is started and not fed does end it */
           (port >= 0x3f8 && port <= 0x3ff) || port == 0xe9;
}

static bool has_model(uint32_t port)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (port >= models[i].first && port <= models[i].last)
            return true;
    return false;
}

static void run_read(const uint64_t *numbers)
{
    (void)numbers;
    for (unsigned size = 1; size <= 4; size *= 2) {
        uint32_t nothing = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
        for (uint32_t port = 0; port < PORTS; port++) {
            uint32_t value = 0;
            struct trap_probe probe = probe_in((uint16_t)port, size, &value);
            value &= nothing;
            attack_check(!probe.faulted, "in faults at port", port, probe.vector);
            attack_check(has_model(port) || value == nothing, "in finds something at port", port, value);
        }
    }
    console_init();
}

static void run_write(const uint64_t *numbers)
{
    for (unsigned size = 1; size <= 4; size *= 2)
        for (uint32_t port = 0; port < PORTS; port++) {
            if (is_spared(port))
                continue;
            struct trap_probe probe = probe_out((uint16_t)port, size, (uint32_t)numbers[0]);
            attack_check(!probe.faulted, "out faults at port", port, probe.vector);
        }
    console_init();
}

/* One write: port, value, size. */
static void run_out(const uint64_t *numbers)
{
    (void)probe_out((uint16_t)numbers[0], (unsigned)numbers[2], (uint32_t)numbers[1]);
    attack_survived("out");
}

static void run_ins(const uint64_t *numbers)
{
    uint64_t at = numbers[1], count = numbers[2];
    __asm__ volatile("rep insb" : "+D"(at), "+c"(count) : "d"((uint16_t)numbers[0]) : "memory");
}

static void run_outs(const uint64_t *numbers)
{
    uint64_t at = numbers[1], count = numbers[2];
    __asm__ volatile("rep outsl" : "+S"(at), "+c"(count) : "d"((uint16_t)numbers[0]) : "memory");
}

static const struct attack table[] = {
    {"ports-read", 0, run_read}, {"ports-write", 1, run_write}, {"out", 3, run_out},
    {"ins", 3, run_ins},         {"outs", 3, run_outs},
};
const struct attack_list attacks_ports = ATTACK_LIST(table);
