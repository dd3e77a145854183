/*
 * Composition of the virtual PC: the port map, the one wire between two models (UART to I/O APIC), and what comes out.
 */
#include "drivers/virt/platform.h"

#include "core/acpi_tables.h"
#include "drivers/virt/cmos_memory.h"
#include "drivers/virt/nothing.h"

/* Whose ports are empty when the partition has no console. */
enum needs { ALWAYS, NEEDS_UART };

/* What an access may have moved, so that only this is looked at after it. Bits of a bus slot's note. */
enum moves {
    MOVES_NOTHING = 0,
    MOVES_UART = 1 << 0,
    MOVES_LINES = 1 << 1, /* interrupt controllers and timers: all of them hang together */
    MOVES_REQUEST = 1 << 2,
};

struct port_entry {
    uint16_t base;
    uint16_t size;
    uint8_t width;
    uint8_t moves; /* enum moves */
    enum needs needs;
    bus_handler *handle;
    size_t device; /* offset in struct platform */
    const char *name;
};

#define DEVICE(member) offsetof(struct platform, member)

static bus_handler config_window_access;

/*
 * The port map. "empty" ports are ones that guests are known to try on a PC that lacks the device; every other port
 * that is not here belongs to nobody, and the caller's policy decides.
 */
static const struct port_entry port_map[] = {
    {0x000, 16, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-dma"},
    {0x020, PIC8259_PORTS, 1, MOVES_LINES, ALWAYS, pic8259_access, DEVICE(pic.chips[0]), "pic-master"},
    {0x040, PIT8254_PORTS, 1, MOVES_LINES, ALWAYS, pit8254_access, DEVICE(pit), "pit"},
    {0x060, 1, 1, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-keyboard"},
    {0x061, 1, 1, MOVES_LINES, ALWAYS, pit8254_port_b_access, DEVICE(pit), "port-b"},
    {0x064, 1, 1, MOVES_REQUEST, ALWAYS, reset_ports_64_access, DEVICE(reset_ports), "keyboard-reset"},
    {GUEST_RTC_PORT, RTC_PORTS, 1, MOVES_LINES, ALWAYS, rtc_access, DEVICE(rtc), "rtc"},
    {0x080, 1, 1, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-delay"},
    {0x092, 1, 1, MOVES_REQUEST, ALWAYS, reset_ports_92_access, DEVICE(reset_ports), "port-92"},
    {0x0a0, PIC8259_PORTS, 1, MOVES_LINES, ALWAYS, pic8259_access, DEVICE(pic.chips[1]), "pic-slave"},
    {0x0c0, 32, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-dma-16"},
    {0x0e9, 1, 1, MOVES_NOTHING, NEEDS_UART, debug_port_access, DEVICE(debug_port), "debug-port"},
    {0x170, 8, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-ide-secondary"},
    {0x1f0, 8, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-ide-primary"},
    {0x278, 8, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-lpt2"},
    {0x2e8, UART16550_PORTS, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-com4"},
    {0x2f8, UART16550_PORTS, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-com2"},
    {0x378, 8, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-lpt1"},
    {0x3c0, 32, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-vga"},
    {0x3e8, UART16550_PORTS, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-com3"},
    {0x3f0, 8, 0, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-floppy"},
    {GUEST_UART_PORT, UART16550_PORTS, 1, MOVES_UART, NEEDS_UART, uart16550_access, DEVICE(uart), "uart"},
    {0x402, 1, 1, MOVES_NOTHING, ALWAYS, nothing_access, 0, "empty-firmware-messages"},
    {0x4d0, PIC8259_ELCR_PORTS, 1, MOVES_LINES, ALWAYS, pic8259_elcr_access, DEVICE(pic), "elcr"},
    {FW_CFG_PORT, FW_CFG_PORTS, 0, MOVES_NOTHING, ALWAYS, fw_cfg_access, DEVICE(fw_cfg), "firmware-configuration"},
    {GUEST_SLEEP_CONTROL_PORT, ACPI_SLEEP_PORTS, 1, MOVES_REQUEST, ALWAYS, acpi_sleep_access, DEVICE(acpi_sleep),
     "acpi-sleep"},
    {0x608, ACPI_PM_TIMER_PORTS, 0, MOVES_NOTHING, ALWAYS, acpi_pm_timer_access, DEVICE(acpi_pm_timer),
     "acpi-pm-timer"},
    {GUEST_WATCHDOG_PORT, GUEST_WATCHDOG_PORTS, 0, MOVES_NOTHING, ALWAYS, watchdog_access, DEVICE(watchdog),
     "watchdog"},
    {0xcf8, PCI_NONE_PORTS, 0, MOVES_REQUEST, ALWAYS, config_window_access, 0, "pci-config"},
};

_Static_assert(array_size(port_map) <= BUS_MAX_SLOTS, "the port map fits its bus");
_Static_assert((int)GUEST_IOAPIC_PINS == (int)IOAPIC_PINS, "the tables and the model agree");
_Static_assert(GUEST_RESET_PORT == 0xcf8 + 1, "the reset port lies inside the configuration window");

/* CF9h is the reset control register when it is accessed as a byte, and part of CONFIG_ADDRESS otherwise. */
static void config_window_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct platform *platform = device;

    if (offset == 1 && access->size == 1)
        reset_ports_cf9_access(&platform->reset_ports, 0, access);
    else
        pci_none_access(&platform->pci, offset, access);
}

enum { PIT_IRQ = 0, RTC_IRQ = 8 };

size_t platform_size(void) { return sizeof(struct platform); }

/*
 * A slot that does not fit is left out and counted: its addresses are then nobody's, and access to them is refused. The
 * map is constant, so one run of the unit test shows that it does not happen.
 */
static void add_slot(struct platform *platform, struct bus *bus, struct bus_slot slot)
{
    if (!bus_add(bus, slot))
        platform->slots_refused++;
}

static void build_buses(struct platform *platform, bool has_uart)
{
    platform->ports.count = 0;
    platform->memory.count = 0;
    platform->last_port = NULL;
    platform->slots_refused = 0;
    for (size_t i = 0; i < array_size(port_map); i++) {
        const struct port_entry *entry = &port_map[i];
        bool there = entry->needs == ALWAYS || has_uart;
        add_slot(platform, &platform->ports,
                 (struct bus_slot){
                     .base = entry->base,
                     .size = entry->size,
                     .width = there ? entry->width : 0,
                     .handle = there ? entry->handle : nothing_access,
                     .device = (char *)platform + entry->device,
                     .name = entry->name,
                     .note = entry->moves,
                 });
    }
    add_slot(platform, &platform->memory,
             (struct bus_slot){
                 .base = GUEST_IOAPIC_BASE,
                 .size = IOAPIC_WINDOW_SIZE,
                 .handle = ioapic_access,
                 .device = &platform->ioapic,
                 .name = "ioapic",
                 .note = MOVES_LINES,
             });
}

/* CPUs read the TSC before they take the lock, so a later one may bring an earlier time: the clock stays. */
static void advance_clock(struct platform *platform, uint64_t now)
{
    if (now > platform->clock.now)
        platform->clock.now = now;
}

void platform_reset(struct platform *platform, struct ring *output, bool has_uart, bool virtual_interrupts,
                    uint64_t tsc_hz)
{
    spin_lock(&platform->lock);
    platform->clock = (struct virt_clock){.hz = tsc_hz, .now = 0};
    platform->virtual_interrupts = virtual_interrupts;
    platform->uart_line = false;
    platform->extint = false;
    platform->due = VIRT_CLOCK_NEVER;
    acpi_pm_timer_reset(&platform->acpi_pm_timer, &platform->clock);
    acpi_sleep_reset(&platform->acpi_sleep);
    debug_port_reset(&platform->debug_port, output);
    fw_cfg_reset(&platform->fw_cfg);
    /* `interrupts = direct`: the local APICs are the guest's own, and their EOIs are never seen here. */
    ioapic_reset(&platform->ioapic, GUEST_IOAPIC_ID, virtual_interrupts);
    pci_none_reset(&platform->pci);
    pic8259_reset(&platform->pic);
    pit8254_reset(&platform->pit, &platform->clock);
    reset_ports_reset(&platform->reset_ports);
    rtc_reset(&platform->rtc, &platform->clock);
    watchdog_reset(&platform->watchdog, &platform->clock);
    uart16550_reset(&platform->uart, has_uart ? output : NULL);
    build_buses(platform, has_uart);
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

    if (!fell && line == platform->uart_line)
        return;
    platform->uart_line = line;
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

static enum platform_request take_request(struct platform *platform)
{
    enum platform_request request = PLATFORM_NOTHING;

    if (platform->acpi_sleep.power_off_requested)
        request = PLATFORM_POWER_OFF;
    else if (platform->reset_ports.requested)
        request = PLATFORM_RESET;
    platform->acpi_sleep.power_off_requested = false;
    platform->reset_ports.requested = false;
    return request;
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
    outcome->request = moves & MOVES_REQUEST ? take_request(platform) : PLATFORM_NOTHING;
    outcome->message_count = 0;
    while (outcome->message_count < PLATFORM_MAX_MESSAGES &&
           ioapic_next(&platform->ioapic, &outcome->messages[outcome->message_count]))
        outcome->message_count++;
}

static bool access_slot(struct platform *platform, const struct bus_slot *slot, struct bus_access *access, uint64_t now,
                        struct platform_outcome *outcome)
{
    advance_clock(platform, now);
    bool owned = bus_slot_dispatch(slot, access);
    collect(platform, owned ? slot->note : MOVES_NOTHING, outcome);
    return owned;
}

/* Guests come back to the same device many times in a row. */
static const struct bus_slot *port_slot(struct platform *platform, uint64_t port)
{
    const struct bus_slot *last = platform->last_port;

    if (last != NULL && port - last->base < last->size)
        return last;
    const struct bus_slot *slot = bus_find(&platform->ports, port);
    if (slot != NULL)
        platform->last_port = slot;
    return slot;
}

bool platform_port(struct platform *platform, struct bus_access *access, uint64_t now, struct platform_outcome *outcome)
{
    spin_lock(&platform->lock);
    bool owned = access_slot(platform, port_slot(platform, access->address), access, now, outcome);
    spin_unlock(&platform->lock);
    return owned;
}

bool platform_memory(struct platform *platform, struct bus_access *access, uint64_t now,
                     struct platform_outcome *outcome)
{
    spin_lock(&platform->lock);
    bool owned = access_slot(platform, bus_find(&platform->memory, access->address), access, now, outcome);
    spin_unlock(&platform->lock);
    return owned;
}

bool platform_owns_port(const struct platform *platform, uint64_t port)
{
    return bus_find(&platform->ports, port) != NULL;
}

bool platform_owns_memory(const struct platform *platform, uint64_t address)
{
    return bus_find(&platform->memory, address) != NULL;
}

size_t platform_input(struct platform *platform, const char *bytes, size_t length, uint64_t now,
                      struct platform_outcome *outcome)
{
    spin_lock(&platform->lock);
    advance_clock(platform, now);
    /* Without a UART on the bus there is nobody to take the bytes. */
    size_t taken = platform->uart.output == NULL ? 0 : uart16550_receive(&platform->uart, bytes, length);
    collect(platform, MOVES_UART, outcome);
    spin_unlock(&platform->lock);
    return taken;
}

void platform_set_time(struct platform *platform, uint64_t seconds, uint64_t now)
{
    spin_lock(&platform->lock);
    advance_clock(platform, now);
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
    spin_lock(&platform->lock);
    advance_clock(platform, now);
    collect(platform, MOVES_NOTHING, outcome);
    spin_unlock(&platform->lock);
}

bool platform_extint(const struct platform *platform) { return __atomic_load_n(&platform->extint, __ATOMIC_ACQUIRE); }

uint64_t platform_due(const struct platform *platform) { return __atomic_load_n(&platform->due, __ATOMIC_RELAXED); }

void platform_eoi(struct platform *platform, uint8_t vector, uint64_t now, struct platform_outcome *outcome)
{
    spin_lock(&platform->lock);
    advance_clock(platform, now);
    ioapic_eoi(&platform->ioapic, vector);
    collect(platform, MOVES_NOTHING, outcome);
    spin_unlock(&platform->lock);
}

uint8_t platform_acknowledge(struct platform *platform, uint64_t now, struct platform_outcome *outcome)
{
    spin_lock(&platform->lock);
    advance_clock(platform, now);
    connect_timers(platform);
    uint8_t vector = pic8259_acknowledge(&platform->pic);
    collect(platform, MOVES_LINES, outcome);
    spin_unlock(&platform->lock);
    return vector;
}

uint64_t platform_watchdog_due(const struct platform *platform) { return watchdog_due(&platform->watchdog); }

bool platform_watchdog_expire(struct platform *platform, uint64_t now)
{
    spin_lock(&platform->lock);
    advance_clock(platform, now);
    bool expired = watchdog_expire(&platform->watchdog);
    spin_unlock(&platform->lock);
    return expired;
}

void platform_watchdog_hold(struct platform *platform, uint64_t now)
{
    spin_lock(&platform->lock);
    advance_clock(platform, now);
    watchdog_hold(&platform->watchdog);
    spin_unlock(&platform->lock);
}
