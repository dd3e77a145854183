/*
 * The registers of the 8259A. Names from the data sheet, "Initialization Command Words" and "Operation Command Words":
 *
 *   20h/a0h  write: ICW1 (bit 4), OCW2 (end of interrupt, priorities), OCW3 (bit 3)   read: IRR, ISR or a poll
 *   21h/a1h  write: ICW2..ICW4 after ICW1, else OCW1 (mask)                           read: mask, or a poll
 *   4d0h/4d1h  ELCR: trigger mode of lines 0-7 / 8-15; where it exists, bit 3 of ICW1 means nothing
 */
#include "drivers/virt/pic8259.h"

#include "core/bytes.h"
#include "drivers/virt/pic8259_priority.h"

enum { LOWEST_AT_RESET = 7, SLAVE_ADDRESS_AT_RESET = 7, LEVEL_MASK = 7 };

/* "Operation Command Word 2 (OCW2)": bits 7:5, rotate, specific, end of interrupt. */
enum {
    OCW2_SHIFT = 5,
    OCW2_ROTATE_AEOI_CLEAR = 0,
    OCW2_END = 1,
    OCW2_NOTHING = 2,
    OCW2_END_SPECIFIC = 3,
    OCW2_ROTATE_AEOI_SET = 4,
    OCW2_ROTATE_END = 5,
    OCW2_SET_PRIORITY = 6,
    OCW2_ROTATE_END_SPECIFIC = 7,
};

/* "Operation Command Word 3 (OCW3)" */
enum {
    OCW3 = 1u << 3,
    OCW3_READ_IN_SERVICE = 1u << 0,
    OCW3_READ = 1u << 1,
    OCW3_POLL = 1u << 2,
    OCW3_SPECIAL_MASK = 1u << 5,
    OCW3_SPECIAL_MASK_ENABLE = 1u << 6,
    POLL_INTERRUPT = 1u << 7,
};

/* The timer, the keyboard and the cascade are always edge-triggered, and so are the clock of day and the FPU. */
enum { ELCR_MASTER = 0xf8, ELCR_SLAVE = 0xde };

/*
 * What ICW1 does besides beginning the sequence: edges must come anew, the mask is cleared, input 7 is the lowest, a
 * slave's address is 7, the special mask mode ends, IRR is read; and without ICW4 its functions are off. Services end
 * too: the chip starts afresh.
 */
static void write_icw1(struct pic8259 *chip, uint8_t value)
{
    *chip = (struct pic8259){
        .icw1 = value,
        .step = 2,
        .vector = chip->vector,
        .icw3 = chip->index == 0 ? 0 : SLAVE_ADDRESS_AT_RESET,
        .lines = chip->lines,
        .lowest = LOWEST_AT_RESET,
        .index = chip->index,
        .elcr = chip->elcr,
        .elcr_mask = chip->elcr_mask,
    };
}

static void write_ocw2(struct pic8259 *chip, uint8_t value)
{
    uint8_t level = value & LEVEL_MASK;

    switch (value >> OCW2_SHIFT) {
    case OCW2_ROTATE_AEOI_CLEAR:
    case OCW2_ROTATE_AEOI_SET:
        chip->rotate_on_aeoi = value >> OCW2_SHIFT == OCW2_ROTATE_AEOI_SET;
        return;
    case OCW2_END:
    case OCW2_ROTATE_END:
        pic8259_end_highest(chip, value >> OCW2_SHIFT == OCW2_ROTATE_END);
        return;
    case OCW2_END_SPECIFIC:
    case OCW2_ROTATE_END_SPECIFIC:
        chip->in_service &= (uint8_t) ~(1u << level);
        if (value >> OCW2_SHIFT == OCW2_ROTATE_END_SPECIFIC)
            chip->lowest = level;
        return;
    case OCW2_SET_PRIORITY:
        chip->lowest = level;
        return;
    default: /* OCW2_NOTHING */
        return;
    }
}

static void write_ocw3(struct pic8259 *chip, uint8_t value)
{
    if ((value & OCW3_SPECIAL_MASK_ENABLE) != 0)
        chip->special_mask = (value & OCW3_SPECIAL_MASK) != 0;
    chip->poll = (value & OCW3_POLL) != 0;
    /* "If both are set, poll overrides": and a poll word selects nothing. */
    if (!chip->poll && (value & OCW3_READ) != 0)
        chip->read_in_service = (value & OCW3_READ_IN_SERVICE) != 0;
}

static void write_command(struct pic8259 *chip, uint8_t value)
{
    if ((value & ICW1) != 0)
        write_icw1(chip, value);
    else if ((value & OCW3) != 0)
        write_ocw3(chip, value);
    else
        write_ocw2(chip, value);
}

static uint8_t step_after(const struct pic8259 *chip)
{
    if (chip->step == 2 && (chip->icw1 & ICW1_SINGLE) == 0)
        return 3;
    return chip->step < 4 && (chip->icw1 & ICW1_NEEDS_ICW4) != 0 ? 4 : 0;
}

static void write_data(struct pic8259 *chip, uint8_t value)
{
    if (chip->step == 0) {
        chip->mask = value;
        return;
    }
    if (chip->step == 2)
        chip->vector = value;
    else if (chip->step == 3)
        chip->icw3 = value;
    else
        chip->icw4 = value;
    chip->step = step_after(chip);
}

/* "Poll Command": the read is the acknowledge of this chip alone; bit 7 says that there was something. */
static uint8_t read_poll(struct pic8259 *chip)
{
    int level = pic8259_winner(chip);

    chip->poll = false;
    if (level < 0)
        return 0;
    pic8259_begin(chip, (uint32_t)level);
    return (uint8_t)(POLL_INTERRUPT | (uint32_t)level);
}

static uint8_t read_port(struct pic8259 *chip, uint64_t offset)
{
    if (chip->poll)
        return read_poll(chip);
    if (offset != 0)
        return chip->mask;
    return chip->read_in_service ? chip->in_service : pic8259_requests(chip);
}

void pic8259_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pic8259 *chip = device;

    if (!access->write)
        access->value = read_port(chip, offset);
    else if (offset == 0)
        write_command(chip, (uint8_t)access->value);
    else
        write_data(chip, (uint8_t)access->value);
}

/* A line that becomes level-triggered asks by its level from now on; one that becomes edge-triggered needs an edge. */
void pic8259_elcr_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pic8259_pair *pair = device;
    struct pic8259 *chip = &pair->chips[offset == 0 ? 0 : 1];

    if (access->write) {
        chip->elcr = (uint8_t)access->value & chip->elcr_mask;
        chip->requests &= (uint8_t)~chip->elcr;
    } else {
        access->value = chip->elcr;
    }
}

void pic8259_reset(struct pic8259_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->chips[0] = (struct pic8259){.mask = 0xff, .lowest = LOWEST_AT_RESET, .index = 0, .elcr_mask = ELCR_MASTER};
    pair->chips[1] = (struct pic8259){.mask = 0xff, .lowest = LOWEST_AT_RESET, .index = 1, .elcr_mask = ELCR_SLAVE};
}
