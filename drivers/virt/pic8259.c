/*
 * 8259A model. Names from the data sheet, "Initialization Command Words" and "Operation Command Words":
 *
 *   20h/a0h  write: ICW1 (bit 4), OCW2 (end of interrupt), OCW3 (bit 3)   read: IRR or ISR, both empty here
 *   21h/a1h  write: ICW2..ICW4 after ICW1, else OCW1 (mask)               read: mask
 *   4d0h/4d1h  ELCR: trigger mode of lines 0-7 / 8-15
 */
#include "drivers/virt/pic8259.h"

#include "core/bytes.h"

enum {
    ICW1 = 1u << 4,
    ICW1_NEEDS_ICW4 = 1u << 0,
    ICW1_SINGLE = 1u << 1,
};

/* The timer, the keyboard and the cascade are always edge-triggered, and so are the clock of day and the FPU. */
enum { ELCR_MASTER = 0xf8, ELCR_SLAVE = 0xde };

static void write_command(struct pic8259 *chip, uint8_t value)
{
    if ((value & ICW1) == 0)
        return; /* OCW2 and OCW3 speak about interrupts, of which there are none */
    chip->icw1 = value;
    chip->step = 2;
    chip->mask = 0;
}

static uint8_t step_after(const struct pic8259 *chip)
{
    if (chip->step == 2 && (chip->icw1 & ICW1_SINGLE) == 0)
        return 3;
    return chip->step < 4 && (chip->icw1 & ICW1_NEEDS_ICW4) != 0 ? 4 : 0;
}

static void write_data(struct pic8259 *chip, uint8_t value)
{
    if (chip->step == 0)
        chip->mask = value;
    else
        chip->step = step_after(chip);
}

void pic8259_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pic8259 *chip = device;

    if (!access->write)
        access->value = offset == 0 ? 0 : chip->mask;
    else if (offset == 0)
        write_command(chip, (uint8_t)access->value);
    else
        write_data(chip, (uint8_t)access->value);
}

void pic8259_elcr_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pic8259_pair *pair = device;
    struct pic8259 *chip = &pair->chips[offset == 0 ? 0 : 1];

    if (access->write)
        chip->elcr = (uint8_t)access->value & chip->elcr_mask;
    else
        access->value = chip->elcr;
}

void pic8259_reset(struct pic8259_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->chips[0] = (struct pic8259){.mask = 0xff, .elcr_mask = ELCR_MASTER};
    pair->chips[1] = (struct pic8259){.mask = 0xff, .elcr_mask = ELCR_SLAVE};
}
