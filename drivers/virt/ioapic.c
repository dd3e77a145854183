/*
 * I/O APIC model. Names from the 82093AA data sheet, "Register Description":
 *
 *   memory   10h-aligned window:  00h IOREGSEL   10h IOWIN   40h EOI (version 20h, write only)
 *   indexed  00h IOAPICID   01h IOAPICVER   02h IOAPICARB   10h + 2n, 11h + 2n  IOREDTBL[n]
 *
 * An edge that comes while the pin is masked is kept and sent on unmasking. The polarity bit is stored and means
 * nothing: a line here is asserted or not, whatever its voltage.
 */
#include "drivers/virt/ioapic.h"

#include "core/bytes.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, EOI = 0x40 };
enum { IOAPICID = 0x00, IOAPICVER = 0x01, IOAPICARB = 0x02, IOREDTBL = 0x10 };

enum { VERSION = 0x20, VERSION_MAX_ENTRY_SHIFT = 16, ID_SHIFT = 24, ID_MASK = 0x0f };

/* A redirection entry. Delivery status (bit 12) and remote IRR (bit 14) are read-only. */
#define ENTRY_VECTOR            0xffull
#define ENTRY_DELIVERY_SHIFT    8
#define ENTRY_DELIVERY_MASK     7u
#define ENTRY_LOGICAL           (1ull << 11)
#define ENTRY_REMOTE_IRR        (1ull << 14)
#define ENTRY_LEVEL             (1ull << 15)
#define ENTRY_MASKED            (1ull << 16)
#define ENTRY_DESTINATION_SHIFT 56
#define ENTRY_WRITABLE_LOW      0x0001afffull
#define ENTRY_WRITABLE_HIGH     0xff00000000000000ull

/* Physical destination ffh is everybody; messages carry it in the x2APIC's width. */
enum { DESTINATION_ALL = 0xff };
#define X2APIC_DESTINATION_ALL 0xffffffffu

static uint32_t pin_bit(uint32_t pin) { return (uint32_t)1 << pin; }
static bool is_level(const struct ioapic *ioapic, uint32_t pin) { return (ioapic->level & pin_bit(pin)) != 0; }

/* All pins at once, because this is asked after every access: high and not yet sent, or risen. */
static uint32_t due(const struct ioapic *ioapic)
{
    uint32_t levels = ioapic->lines & ~ioapic->sent & ioapic->level;
    return (levels | (ioapic->edges & ~ioapic->level)) & ~ioapic->masked;
}

static struct interrupt_message message_of(uint64_t entry)
{
    uint32_t destination = (uint32_t)(entry >> ENTRY_DESTINATION_SHIFT);
    bool logical = (entry & ENTRY_LOGICAL) != 0;

    return (struct interrupt_message){
        .destination = !logical && destination == DESTINATION_ALL ? X2APIC_DESTINATION_ALL : destination,
        .logical = logical,
        .level = (entry & ENTRY_LEVEL) != 0,
        .assert_line = true,
        .shorthand = SHORTHAND_NONE,
        .delivery = (uint8_t)((entry >> ENTRY_DELIVERY_SHIFT) & ENTRY_DELIVERY_MASK),
        .vector = (uint8_t)(entry & ENTRY_VECTOR),
    };
}

bool ioapic_next(struct ioapic *ioapic, struct interrupt_message *message)
{
    uint32_t pins = due(ioapic);

    if (pins == 0)
        return false;
    uint32_t pin = (uint32_t)__builtin_ctz(pins);
    if (is_level(ioapic, pin))
        ioapic->sent |= pin_bit(pin);
    ioapic->edges &= ~pin_bit(pin);
    *message = message_of(ioapic->entries[pin]);
    return true;
}

void ioapic_set_line(struct ioapic *ioapic, uint32_t pin, bool asserted)
{
    if (pin >= IOAPIC_PINS)
        return;
    if (!asserted) {
        ioapic->lines &= ~pin_bit(pin);
        /* Where no EOI is ever seen, the fall of the line is the sign that the guest has served the device. */
        if (!ioapic->eoi_visible)
            ioapic->sent &= ~pin_bit(pin);
        return;
    }
    if ((ioapic->lines & pin_bit(pin)) == 0 && !is_level(ioapic, pin))
        ioapic->edges |= pin_bit(pin);
    ioapic->lines |= pin_bit(pin);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (uint32_t left = ioapic->sent & ioapic->level; left != 0; left &= left - 1) {
        uint32_t pin = (uint32_t)__builtin_ctz(left);
        if ((ioapic->entries[pin] & ENTRY_VECTOR) == vector)
            ioapic->sent &= ~pin_bit(pin);
    }
}

static uint32_t read_entry(const struct ioapic *ioapic, uint32_t index)
{
    uint32_t pin = (index - IOREDTBL) / 2;

    if (pin >= IOAPIC_PINS)
        return 0;
    uint64_t entry = ioapic->entries[pin];
    if (ioapic->eoi_visible && (ioapic->sent & pin_bit(pin)) != 0)
        entry |= ENTRY_REMOTE_IRR;
    return (uint32_t)(index % 2 != 0 ? entry >> 32 : entry);
}

/* Keeps the two maps in step with an entry. */
static void entry_set(struct ioapic *ioapic, uint32_t pin, uint64_t entry)
{
    uint32_t bit = pin_bit(pin);

    ioapic->entries[pin] = entry;
    ioapic->level = (entry & ENTRY_LEVEL) != 0 ? ioapic->level | bit : ioapic->level & ~bit;
    ioapic->masked = (entry & ENTRY_MASKED) != 0 ? ioapic->masked | bit : ioapic->masked & ~bit;
}

/* The low half decides what is kept of the past: a pin made edge-triggered ends its level interrupt, and vice versa. */
static void write_entry_low(struct ioapic *ioapic, uint32_t pin, uint32_t value)
{
    uint64_t before = ioapic->entries[pin];
    uint64_t after = (before & ENTRY_WRITABLE_HIGH) | (value & ENTRY_WRITABLE_LOW);
    bool unmasked = (before & ENTRY_MASKED) != 0 && (after & ENTRY_MASKED) == 0;

    entry_set(ioapic, pin, after);
    if ((after & ENTRY_LEVEL) != 0)
        ioapic->edges &= ~pin_bit(pin);
    if ((after & ENTRY_LEVEL) == 0 || (unmasked && !ioapic->eoi_visible))
        ioapic->sent &= ~pin_bit(pin);
}

static void write_entry(struct ioapic *ioapic, uint32_t index, uint32_t value)
{
    uint32_t pin = (index - IOREDTBL) / 2;

    if (pin >= IOAPIC_PINS)
        return;
    if (index % 2 == 0)
        write_entry_low(ioapic, pin, value);
    else
        ioapic->entries[pin] =
            (ioapic->entries[pin] & ENTRY_WRITABLE_LOW) | (((uint64_t)value << 32) & ENTRY_WRITABLE_HIGH);
}

static uint32_t read_indexed(const struct ioapic *ioapic)
{
    switch (ioapic->select) {
    case IOAPICID:
    case IOAPICARB:
        return (uint32_t)ioapic->id << ID_SHIFT;
    case IOAPICVER:
        return VERSION | (uint32_t)(IOAPIC_PINS - 1) << VERSION_MAX_ENTRY_SHIFT;
    default:
        return ioapic->select >= IOREDTBL ? read_entry(ioapic, ioapic->select) : 0;
    }
}

static void write_indexed(struct ioapic *ioapic, uint32_t value)
{
    if (ioapic->select == IOAPICID)
        ioapic->id = (uint8_t)((value >> ID_SHIFT) & ID_MASK);
    else if (ioapic->select >= IOREDTBL)
        write_entry(ioapic, ioapic->select, value);
}

int64_t ioapic_read(const struct ioapic *ioapic, uint64_t offset)
{
    if (offset == IOWIN)
        return read_indexed(ioapic);
    return offset == IOREGSEL ? ioapic->select : -1;
}

bool ioapic_select(struct ioapic *ioapic, uint64_t offset, uint32_t value)
{
    if (offset != IOREGSEL)
        return false;
    ioapic->select = (uint8_t)value;
    return true;
}

static void write_window(struct ioapic *ioapic, uint64_t offset, uint32_t value)
{
    if (offset == IOWIN)
        write_indexed(ioapic, value);
    else if (offset == EOI)
        ioapic_eoi(ioapic, (uint8_t)value);
    else
        (void)!ioapic_select(ioapic, offset, value);
}

void ioapic_access(void *device, uint64_t offset, struct bus_access *access)
{
    int64_t answer = access->size == 4 ? ioapic_read(device, offset) : -1;

    if (!access->write)
        access->value = answer >= 0 ? (uint64_t)answer : 0;
    else if (access->size == 4)
        write_window(device, offset, (uint32_t)access->value);
}

void ioapic_reset(struct ioapic *ioapic, uint8_t id, bool eoi_visible)
{
    memset(ioapic, 0, sizeof *ioapic);
    ioapic->id = id & ID_MASK;
    ioapic->eoi_visible = eoi_visible;
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        entry_set(ioapic, pin, ENTRY_MASKED);
}

bool ioapic_masked(const struct ioapic *ioapic, uint32_t pin) { return (ioapic->masked & pin_bit(pin)) != 0; }
