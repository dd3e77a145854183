/*
 * Composition of the virtual PC: the port map, the one wire between two models (UART to I/O APIC), and what comes out.
 */
#include "drivers/virt/platform.h"

#include "core/acpi_tables.h"
#include "drivers/virt/acpi_pm_timer.h"
#include "drivers/virt/cmos_memory.h"

/* What an access may have moved, so that only this is looked at after it. Bits of a bus slot's note. */
enum moves {
    MOVES_NOTHING = 0,
    MOVES_UART = 1 << 0,
    MOVES_LINES = 1 << 1, /* interrupt controllers and timers: all of them hang together */
};

/* CF9h is the reset control register when it is accessed as a byte, and part of CONFIG_ADDRESS otherwise. */
static void config_window_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct platform *platform = device;

    if (offset == 1 && access->size == 1)
        power_ports_access(&platform->power, 0, access);
    else
        pci_none_access(&platform->pci, offset, access);
}

/* Port E9h of emulators: a byte written is one of console output. By reading E9h a guest knows that somebody listens.
 */
static void debug_port_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct ring *output = ((struct platform *)device)->uart.output;

    if (output == NULL)
        bus_nothing(access);
    else if (access->write)
        ring_put(output, (char)(uint8_t)access->value);
    else
        access->value = 0xe9 + offset;
}

#define DEVICE(member) offsetof(struct platform, member)

/*
 * The port map. Rows without a device are places that guests are known to try on a PC that lacks it; every port that is
 * not here belongs to nobody, and the caller's policy decides.
 */
const struct bus_slot platform_ports[] = {
    {.base = 0x000, .size = 16}, /* DMA */
    {0x020, PIC8259_PORTS, DEVICE(pic.chips[0]), pic8259_access, 1, MOVES_LINES},
    {0x040, PIT8254_PORTS, DEVICE(pit), pit8254_access, 1, MOVES_LINES},
    {.base = 0x060, .size = 1}, /* keyboard */
    {0x061, 1, DEVICE(pit), pit8254_port_b_access, 1, MOVES_LINES},
    {0x064, 1, DEVICE(power), power_ports_access, 1, MOVES_NOTHING},
    {GUEST_RTC_PORT, RTC_PORTS, DEVICE(rtc), rtc_access, 1, MOVES_LINES},
    {.base = 0x080, .size = 1}, /* delay */
    {0x092, 1, DEVICE(power), power_ports_access, 1, MOVES_NOTHING},
    {0x0a0, PIC8259_PORTS, DEVICE(pic.chips[1]), pic8259_access, 1, MOVES_LINES},
    {.base = 0x0c0, .size = 32}, /* DMA, 16 bits */
    {0x0e9, 1, 0, debug_port_access, 1, MOVES_NOTHING},
    {.base = 0x170, .size = 8},               /* IDE, secondary */
    {.base = 0x1f0, .size = 8},               /* IDE, primary */
    {.base = 0x278, .size = 8},               /* LPT2 */
    {.base = 0x2e8, .size = UART16550_PORTS}, /* COM4 */
    {.base = 0x2f8, .size = UART16550_PORTS}, /* COM2 */
    {.base = 0x378, .size = 8},               /* LPT1 */
    {.base = 0x3c0, .size = 32},              /* VGA */
    {.base = 0x3e8, .size = UART16550_PORTS}, /* COM3 */
    {.base = 0x3f0, .size = 8},               /* floppy */
    {GUEST_UART_PORT, UART16550_PORTS, DEVICE(uart), uart16550_access, 1, MOVES_UART},
    {.base = 0x402, .size = 1}, /* firmware's messages */
    {0x4d0, PIC8259_ELCR_PORTS, DEVICE(pic), pic8259_elcr_access, 1, MOVES_LINES},
    {FW_CFG_PORT, FW_CFG_PORTS, DEVICE(fw_cfg), fw_cfg_access, 0, MOVES_NOTHING},
    {GUEST_SLEEP_CONTROL_PORT, 2, DEVICE(power), power_ports_access, 1, MOVES_NOTHING},
    {0x608, ACPI_PM_TIMER_PORTS, DEVICE(clock), acpi_pm_timer_access, 0, MOVES_NOTHING},
    {GUEST_WATCHDOG_PORT, GUEST_WATCHDOG_PORTS, DEVICE(watchdog), watchdog_access, 0, MOVES_NOTHING},
    {0xcf8, PCI_NONE_PORTS, 0, config_window_access, 0, MOVES_NOTHING},
};

const struct bus_slot platform_memories[] = {
    {GUEST_IOAPIC_BASE, IOAPIC_WINDOW_SIZE, DEVICE(ioapic), ioapic_access, 0, MOVES_LINES},
};

_Static_assert(sizeof(struct platform) <= UINT16_MAX, "a slot can say where each model is");
_Static_assert((int)GUEST_IOAPIC_PINS == (int)IOAPIC_PINS, "the tables and the model agree");
_Static_assert(GUEST_RESET_PORT == 0xcf8 + 1, "the reset port lies inside the configuration window");
_Static_assert(GUEST_SLEEP_STATUS_PORT == GUEST_SLEEP_CONTROL_PORT + 1, "one slot holds both registers");

enum { PIT_IRQ = 0, RTC_IRQ = 8 };

size_t platform_size(void) { return sizeof(struct platform); }

/* CPUs read the TSC before they take the lock, so a later one may bring an earlier time: the clock stays. */
static void enter(struct platform *platform, uint64_t now)
{
    spin_lock(&platform->lock);
    if (now > platform->clock.now)
        platform->clock.now = now;
}

void platform_reset(struct platform *platform, struct ring *output, bool has_uart, bool virtual_interrupts,
                    uint64_t tsc_hz)
{
    spin_lock(&platform->lock);
    platform->clock = (struct virt_clock){.hz = tsc_hz, .now = 0};
    platform->virtual_interrupts = virtual_interrupts;
    platform->last_port = NULL;
    platform->extint = false;
    platform->due = VIRT_CLOCK_NEVER;
    fw_cfg_reset(&platform->fw_cfg);
    /* `interrupts = direct`: the local APICs are the guest's own, and their EOIs are never seen here. */
    ioapic_reset(&platform->ioapic, GUEST_IOAPIC_ID, virtual_interrupts);
    platform->pci = (struct pci_none){0};
    pic8259_reset(&platform->pic);
    pit8254_reset(&platform->pit, &platform->clock);
    platform->power = (struct power_ports){0};
    rtc_reset(&platform->rtc, &platform->clock);
    watchdog_reset(&platform->watchdog, &platform->clock);
    uart16550_reset(&platform->uart, has_uart ? output : NULL);
    spin_unlock(&platform->lock);
}

/* The output of the 8259s, for those who look without the lock: where local APICs are models. It changes with what
 * moves lines only. */
static void publish_extint(struct platform *platform)
{
    if (platform->virtual_interrupts)
        __atomic_store_n(&platform->extint, pic8259_output(&platform->pic), __ATOMIC_RELEASE);
}

/* A wire that goes to an input of the 8259s and to the IOAPIC's pin of the same number. */
static void wire_set(struct platform *platform, uint32_t line, bool asserted)
{
    ioapic_set_line(&platform->ioapic, line, asserted);
    pic8259_set_line(&platform->pic, line, asserted);
}

/* Moves the UART's interrupt line to its wire; a low moment within the access must be seen there as one. */
static void connect_uart(struct platform *platform)
{
    bool fell = uart16550_line_fell(&platform->uart), line = uart16550_line(&platform->uart);

    if (!fell && line == ((platform->ioapic.lines >> GUEST_UART_IRQ & 1) != 0))
        return;
    if (fell)
        wire_set(platform, GUEST_UART_IRQ, false);
    wire_set(platform, GUEST_UART_IRQ, line);
    publish_extint(platform);
}

static bool heard(const struct platform *platform, uint32_t line)
{
    const struct pic8259 *chip = &platform->pic.chips[line / 8];
    return !((chip->mask >> (line % 8)) & 1) || !ioapic_masked(&platform->ioapic, line);
}

/*
 * The same for the timers' lines. While nobody listens their edges are not waited for: what has risen meanwhile is seen
 * at the access that unmasks the line.
 */
static void connect_timers(struct platform *platform)
{
    if (pit8254_line_rose(&platform->pit)) {
        wire_set(platform, PIT_IRQ, false);
        wire_set(platform, PIT_IRQ, true);
    }
    wire_set(platform, PIT_IRQ, pit8254_line(&platform->pit));
    wire_set(platform, RTC_IRQ, rtc_line(&platform->rtc));

    uint64_t due = VIRT_CLOCK_NEVER;
    if (heard(platform, PIT_IRQ))
        due = pit8254_next_rise(&platform->pit);
    if (heard(platform, RTC_IRQ) && rtc_next_rise(&platform->rtc) < due)
        due = rtc_next_rise(&platform->rtc);
    __atomic_store_n(&platform->due, due, __ATOMIC_RELAXED);
}

/*
 * Looks at what may have moved, and at the timers that came due. What does not fit into one outcome stays due and comes
 * with the next; there are three wires, so it always fits.
 */
static void collect(struct platform *platform, uint32_t moves, struct platform_outcome *outcome)
{
    bool timers = platform->virtual_interrupts && ((moves & MOVES_LINES) || platform->clock.now >= platform->due);

    if (moves & MOVES_UART)
        connect_uart(platform);
    if (timers)
        connect_timers(platform);
    if (timers || (moves & MOVES_LINES))
        publish_extint(platform);
    outcome->request = platform->power.request;
    platform->power.request = PLATFORM_NOTHING;
    outcome->message_count = 0;
    while (outcome->message_count < PLATFORM_MAX_MESSAGES &&
           ioapic_next(&platform->ioapic, &outcome->messages[outcome->message_count]))
        outcome->message_count++;
}

static bool access_slot(struct platform *platform, const struct bus_slot *slot, struct bus_access *access,
                        struct platform_outcome *outcome)
{
    bool owned = bus_dispatch(slot, platform, access);
    collect(platform, owned ? slot->note : MOVES_NOTHING, outcome);
    return owned;
}

/* Guests come back to the same device many times in a row. */
static const struct bus_slot *port_slot(struct platform *platform, uint64_t port)
{
    const struct bus_slot *slot = platform->last_port;

    if (slot != NULL && port - slot->base < slot->size)
        return slot;
    slot = bus_find(platform_ports, PLATFORM_PORT_SLOTS, port);
    if (slot != NULL)
        platform->last_port = slot;
    return slot;
}

bool platform_port(struct platform *platform, struct bus_access *access, uint64_t now, struct platform_outcome *outcome)
{
    enter(platform, now);
    bool owned = access_slot(platform, port_slot(platform, access->address), access, outcome);
    spin_unlock(&platform->lock);
    return owned;
}

bool platform_memory(struct platform *platform, struct bus_access *access, uint64_t now,
                     struct platform_outcome *outcome)
{
    const struct bus_slot *slot = bus_find(platform_memories, PLATFORM_MEMORY_SLOTS, access->address);

    enter(platform, now);
    bool owned = access_slot(platform, slot, access, outcome);
    spin_unlock(&platform->lock);
    return owned;
}

bool platform_owns_port(const struct platform *platform, uint64_t port)
{
    (void)platform;
    return bus_find(platform_ports, PLATFORM_PORT_SLOTS, port) != NULL;
}

bool platform_owns_memory(const struct platform *platform, uint64_t address)
{
    (void)platform;
    return bus_find(platform_memories, PLATFORM_MEMORY_SLOTS, address) != NULL;
}

size_t platform_input(struct platform *platform, const char *bytes, size_t length, uint64_t now,
                      struct platform_outcome *outcome)
{
    enter(platform, now);
    size_t taken = uart16550_receive(&platform->uart, bytes, length);
    collect(platform, MOVES_UART, outcome);
    spin_unlock(&platform->lock);
    return taken;
}

void platform_set_time(struct platform *platform, uint64_t seconds, uint64_t now)
{
    enter(platform, now);
    rtc_set_time(&platform->rtc, seconds);
    spin_unlock(&platform->lock);
}

void platform_set_memory(struct platform *platform, uint64_t low, uint64_t high, uint32_t cpus)
{
    spin_lock(&platform->lock);
    cmos_memory_write(&platform->rtc, low, high, cpus);
    spin_unlock(&platform->lock);
}

bool platform_add_firmware(struct platform *platform, const struct firmware_item *item)
{
    spin_lock(&platform->lock);
    bool added = fw_cfg_add(&platform->fw_cfg, item);
    spin_unlock(&platform->lock);
    return added;
}

bool platform_patch_firmware(struct platform *platform, uint16_t key, uint32_t at, uint8_t byte)
{
    spin_lock(&platform->lock);
    bool patched = fw_cfg_patch(&platform->fw_cfg, key, at, byte);
    spin_unlock(&platform->lock);
    return patched;
}

void platform_tick(struct platform *platform, uint64_t now, struct platform_outcome *outcome)
{
    enter(platform, now);
    collect(platform, MOVES_NOTHING, outcome);
    spin_unlock(&platform->lock);
}

bool platform_extint(const struct platform *platform) { return __atomic_load_n(&platform->extint, __ATOMIC_ACQUIRE); }

uint64_t platform_due(const struct platform *platform) { return __atomic_load_n(&platform->due, __ATOMIC_RELAXED); }

void platform_eoi(struct platform *platform, uint8_t vector, uint64_t now, struct platform_outcome *outcome)
{
    enter(platform, now);
    ioapic_eoi(&platform->ioapic, vector);
    collect(platform, MOVES_NOTHING, outcome);
    spin_unlock(&platform->lock);
}

uint8_t platform_acknowledge(struct platform *platform, uint64_t now, struct platform_outcome *outcome)
{
    enter(platform, now);
    connect_timers(platform);
    uint8_t vector = pic8259_acknowledge(&platform->pic);
    collect(platform, MOVES_LINES, outcome);
    spin_unlock(&platform->lock);
    return vector;
}

uint64_t platform_watchdog_due(const struct platform *platform) { return watchdog_due(&platform->watchdog); }

bool platform_watchdog_expire(struct platform *platform, uint64_t now)
{
    enter(platform, now);
    bool expired = watchdog_expire(&platform->watchdog);
    spin_unlock(&platform->lock);
    return expired;
}

void platform_watchdog_hold(struct platform *platform, uint64_t now)
{
    enter(platform, now);
    watchdog_hold(&platform->watchdog);
    spin_unlock(&platform->lock);
}
