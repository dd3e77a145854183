/*
 * Random traffic to the registers of every device model, of all sizes, at once.
 */
#include "guests/common/console.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"

enum { ROUNDS = 60000, IOAPIC_WINDOW = 0x1000, UART_BASE = 0x3f8 };
#define IOAPIC_BASE 0xfec00000u

static const struct {
    uint16_t base, count;
} ports[] = {
    {0x20, 2},  {0x40, 4},  {0x60, 1},  {0x61, 1},  {0x64, 1},  {0x70, 2},  {0x80, 1},  {0x92, 1},  {0xa0, 2},
    {0x2e8, 8}, {0x2f8, 8}, {0x3e8, 8}, {0x3f8, 8}, {0x4d0, 2}, {0x604, 2}, {0x608, 4}, {0xcf8, 8},
};

/* What ends the partition by design has attacks of its own: here such a value is made harmless. */
static uint32_t tamed(uint32_t port, unsigned size, uint32_t value)
{
    if (port == 0x64)
        return value & ~0xf0u;
    if (port == 0x92)
        return value & ~1u;
    if (port == 0xcf9 && size == 1)
        return value & ~4u;
    if (port == 0x604)
        return value & ~0x20u;
    return value;
}

static void port_round(uint64_t random)
{
    size_t i = random % (sizeof ports / sizeof ports[0]);
    uint32_t port = ports[i].base + (uint32_t)(random >> 8) % ports[i].count;
    unsigned size = 1u << (random >> 16) % 3;
    uint32_t value = (uint32_t)(random >> 32);
    if (port == UART_BASE && (random >> 20) % 16 != 0)
        return; /* each one may be a character on somebody's terminal */
    if ((random >> 18 & 1) != 0)
        (void)probe_in((uint16_t)port, size, &value);
    else
        (void)probe_out((uint16_t)port, size, tamed(port, size, value));
}

/* A redirection entry whose message is an INIT starts this guest anew: it becomes an NMI. */
static uint32_t tamed_entry(uint32_t value) { return (value >> 8 & 7) == 5 ? value & ~0x100u : value; }

static void ioapic_round(uint64_t random)
{
    uint32_t offset =
        (random >> 8 & 3) != 0 ? (uint32_t)(random >> 12 & 0x10) : (uint32_t)(random >> 12) % IOAPIC_WINDOW;
    uintptr_t at = IOAPIC_BASE + offset;
    uint32_t value = tamed_entry((uint32_t)(random >> 32));
    switch (random >> 10 & 7) {
    case 0:
        (void)*(volatile uint32_t *)at;
        break;
    case 1:
        if (offset < IOAPIC_WINDOW - 1)
            *(volatile uint16_t *)at = (uint16_t)value;
        break;
    case 2:
        (void)*(volatile uint8_t *)at;
        break;
    case 3:
        if (offset <= IOAPIC_WINDOW - 8)
            *(volatile uint64_t *)at = (uint64_t)value << 32 | tamed_entry((uint32_t)random);
        break;
    default:
        /* An index that exists, more often than not. */
        if (offset <= IOAPIC_WINDOW - 4)
            *(volatile uint32_t *)at = offset == 0 ? value & 0x3f : value;
        break;
    }
}

/* Interrupts are off: what the models send waits in the local APIC. */
static void run(const uint64_t *numbers)
{
    uint64_t state = numbers[0];
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t random = attack_random(&state);
        if (i % 3 == 0)
            ioapic_round(random);
        else
            port_round(random);
    }
    console_init();
}

void devices_step(uint64_t random)
{
    if (random % 3 == 0)
        ioapic_round(random >> 2);
    else
        port_round(random >> 2);
}

static const struct attack table[] = {{"devices", 1, run}};
const struct attack_list attacks_devices = ATTACK_LIST(table);
