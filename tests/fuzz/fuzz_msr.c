/*
 * The MSR table: any number. Bisection must find what a scan finds, and no register that belongs to the machine may be
 * the guest's to write, whatever rows the table grows.
 */
#include "core/msr.h"

#include "tests/fuzz/input.h"

/* Registers whose writing reaches beyond the partition, or takes the CPU away from the hypervisor. */
static const uint32_t forbidden[] = {
    0x10,  0x1b,  0x3a,       0x3b,       0x79,       0x8b,       0x9b,       0x9e,       0xfe,       0x17a, 0x199,
    0x19a, 0x1a0, 0x1d9,      0x200,      0x2ff,      0x38f,      0x480,      0x4e0,      0x570,      0x600, 0x610,
    0x830, 0xc80, 0xc0010010, 0xc0010015, 0xc0010020, 0xc0010114, 0xc0010117, 0xc0010131, 0xc001011e,
};

static const struct msr_rule *scan(uint32_t number)
{
    for (size_t i = 0; i < msr_rule_count; i++)
        if (number >= msr_rules[i].first && number <= msr_rules[i].last)
            return &msr_rules[i];
    return NULL;
}

static void require_rule(uint32_t number)
{
    const struct msr_rule *rule = msr_find(number);
    const struct msr_rule *wanted = scan(number);
    require(rule != NULL);
    require(wanted == NULL ? rule->read == MSR_REFUSE && rule->write == MSR_REFUSE : rule == wanted);
    require(rule->first <= number && number <= rule->last);
    require(rule->read != MSR_IGNORE && rule->write != MSR_CONSTANT);
    for (size_t i = 0; i < array_size(forbidden); i++)
        require(number != forbidden[i] || !msr_is_direct(rule->write, false));
    /* Every MSR whose writing is direct is in the tables that both vendors' permission bitmaps can say. */
    bool in_bitmap = number <= 0x1fff || (number >= 0xc0000000 && number <= 0xc0001fff) ||
                     (number >= 0xc0010000 && number <= 0xc0011fff);
    require(in_bitmap || (!msr_is_direct(rule->read, false) && !msr_is_direct(rule->write, false)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    do {
        uint32_t number = input_32(&in);
        require_rule(number);
        require_rule(number & 0x1fff);
        require_rule(0xc0000000 | (number & 0x11fff));
    } while (in.left != 0);
    for (size_t i = 0; i < array_size(forbidden); i++)
        require_rule(forbidden[i]);
    return 0;
}
