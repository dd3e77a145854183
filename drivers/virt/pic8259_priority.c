/*
 * Priorities of the 8259A. Names from the data sheet: "Fully Nested Mode", "Automatic Rotation", "Special Mask Mode",
 * "Special Fully Nested Mode", "Automatic End of Interrupt (AEOI) Mode", "Edge and Level Triggered Modes", "Cascade
 * Mode".
 *
 * An edge is latched until the acknowledge cycle, but the input must stay high that long: an early fall takes the
 * request away. Vectors are those of the 8086 mode; the three-byte calls of the MCS-80 mode have no use on a PC.
 */
#include "drivers/virt/pic8259_priority.h"

enum { INPUTS = 8, NONE = -1, DEFAULT_LEVEL = 7, VECTOR_BASE = 0xf8, SLAVE_ID = 7, FLOATING_BUS = 0xff };
enum { MASTER, SLAVE };

static const struct pic8259 *const_chip(const struct pic8259 *chip, uint32_t index)
{
    return chip - chip->index + index;
}

static uint8_t bit(uint32_t level) { return (uint8_t)(1u << level); }

/* The cascade is a level: as long as the slave asks for service its input of the master is high. */
uint8_t pic8259_requests(const struct pic8259 *chip)
{
    uint32_t requests = chip->requests | (chip->lines & chip->elcr);

    if (chip->index == MASTER && pic8259_winner(const_chip(chip, SLAVE)) != NONE)
        requests |= bit(PIC8259_CASCADE);
    return (uint8_t)requests;
}

/* The first of `levels` in the order of priority, which begins after the lowest. */
static int first_in_priority(const struct pic8259 *chip, uint32_t levels)
{
    uint32_t first = (chip->lowest + 1u) % INPUTS;
    uint32_t in_order = (levels | levels << INPUTS) >> first & ((1u << INPUTS) - 1);

    return in_order == 0 ? NONE : (int)((first + (uint32_t)__builtin_ctz(in_order)) % INPUTS);
}

/* How far an input is from the highest priority; no input is the farthest. */
static uint32_t rank(const struct pic8259 *chip, int level)
{
    return level == NONE ? INPUTS : ((uint32_t)level - chip->lowest - 1) % INPUTS;
}

/*
 * A service holds back its own level and the lower ones. In the special mask mode a masked service holds back nothing
 * (its own level is held back by the mask); in the special fully nested mode the master takes another request from a
 * slave that is in service, since it can only be of higher priority there.
 */
static uint32_t blocking(const struct pic8259 *chip)
{
    uint32_t services = chip->in_service;

    if (chip->special_mask)
        services &= ~(uint32_t)chip->mask;
    return services;
}

int pic8259_winner(const struct pic8259 *chip)
{
    if (chip->step != 0) /* in the middle of its initialization */
        return NONE;
    int request = first_in_priority(chip, pic8259_requests(chip) & ~(uint32_t)chip->mask);
    int service = first_in_priority(chip, blocking(chip));
    if (request == NONE)
        return NONE;
    bool nested = chip->index == MASTER && (chip->icw4 & ICW4_SPECIAL_NESTED) != 0 && request == PIC8259_CASCADE;
    uint32_t limit = rank(chip, service) + (nested && request == service ? 1 : 0);
    return rank(chip, request) < limit ? request : NONE;
}

void pic8259_begin(struct pic8259 *chip, uint32_t level)
{
    chip->requests &= (uint8_t)~bit(level);
    chip->in_service |= bit(level);
    if ((chip->icw4 & ICW4_AEOI) == 0)
        return;
    chip->in_service &= (uint8_t)~bit(level);
    if (chip->rotate_on_aeoi)
        chip->lowest = (uint8_t)level;
}

/* "An IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI" in the special mask mode. */
void pic8259_end_highest(struct pic8259 *chip, bool rotate)
{
    int level = first_in_priority(chip, blocking(chip));

    if (level == NONE)
        return;
    chip->in_service &= (uint8_t)~bit((uint32_t)level);
    if (rotate)
        chip->lowest = (uint8_t)level;
}

static uint8_t acknowledge_chip(struct pic8259 *chip)
{
    int level = pic8259_winner(chip);

    if (level != NONE)
        pic8259_begin(chip, (uint32_t)level);
    return (uint8_t)((chip->vector & VECTOR_BASE) | (level == NONE ? DEFAULT_LEVEL : (uint32_t)level));
}

/*
 * The first pulse freezes the master's choice; in the second the slave that the cascade lines name puts its vector on
 * the bus. When ICW3 of both disagree on that name no chip answers.
 */
uint8_t pic8259_acknowledge(struct pic8259_pair *pair)
{
    struct pic8259 *master = &pair->chips[MASTER];
    struct pic8259 *slave = &pair->chips[SLAVE];
    bool cascaded = (master->icw1 & ICW1_SINGLE) == 0 && (master->icw3 & bit(PIC8259_CASCADE)) != 0;

    if (pic8259_winner(master) != PIC8259_CASCADE || !cascaded)
        return acknowledge_chip(master);
    pic8259_begin(master, PIC8259_CASCADE);
    return (slave->icw3 & SLAVE_ID) == PIC8259_CASCADE ? acknowledge_chip(slave) : FLOATING_BUS;
}

bool pic8259_output(const struct pic8259_pair *pair) { return pic8259_winner(&pair->chips[MASTER]) != NONE; }

void pic8259_set_line(struct pic8259_pair *pair, uint32_t line, bool asserted)
{
    if (line >= PIC8259_LINES || line == PIC8259_CASCADE)
        return;
    struct pic8259 *chip = &pair->chips[line / INPUTS];
    uint8_t input = bit(line % INPUTS);
    if (!asserted) {
        chip->lines &= (uint8_t)~input;
        chip->requests &= (uint8_t)~input;
    } else {
        if (((chip->lines | chip->elcr) & input) == 0)
            chip->requests |= input;
        chip->lines |= input;
    }
}
