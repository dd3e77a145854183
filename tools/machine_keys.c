/*
 * The keys of the machine text, whose format is described in core/machine_text.c. The text may have
 * been edited: what struct machine promises (sorted memory, distinct CPUs, counts within bounds,
 * ranges that do not wrap) is checked here.
 */
#include "tools/machine_key.h"

enum { MAX_PHYSICAL_BITS = 52 };

/* Takes a word off `rest` and reads it as a number of at most `max`. */
static bool take_number(struct text_report *report, struct config_text *rest, const char *noun, uint64_t max,
                        uint64_t *out)
{
    struct config_text word;

    if (!text_word_next(rest, &word)) {
        text_error(report, word, "line too short", "expected %s here", noun);
        return false;
    }
    return text_value_number(report, word, noun, 0, max, out);
}

/* Takes a word off `rest` that must be `name`. */
static bool take_name(struct text_report *report, struct config_text *rest, const char *name)
{
    struct config_text word;

    if (text_word_next(rest, &word) && slice_equals(word.text, name))
        return true;
    text_error(report, word, "unexpected word", "expected '%s' here", name);
    return false;
}

static bool take_choice(struct text_report *report, struct config_text *rest, const struct text_choice *choices,
                        size_t count, int *out)
{
    struct config_text word;

    /* Without a word the error names the empty one and what was expected in its place. */
    (void)!text_word_next(rest, &word);
    return text_value_choice(report, word, choices, count, out);
}

/* BASE and SIZE of a range that does not wrap. */
static bool take_range(struct text_report *report, struct config_text *rest, struct range *out)
{
    struct config_text whole = *rest;
    struct range range = {0, 0};

    if (!take_number(report, rest, "an address", UINT64_MAX, &range.base) ||
        !take_number(report, rest, "a size in bytes", UINT64_MAX, &range.size))
        return false;
    if (!range_valid(range)) {
        text_error(report, text_trim(whole), "range passes the end of the address space",
                   "expected base + size of at most 2^64 - 1");
        return false;
    }
    *out = range;
    return true;
}

/* Reports what is left of a line, if anything is. */
static bool line_ends(struct text_report *report, struct config_text rest)
{
    struct config_text word;

    if (!text_word_next(&rest, &word))
        return true;
    text_error(report, word, "text after the value", "expected the end of the line or a comment");
    return false;
}

/* False, reported, when a list is full. */
static bool has_room(struct text_report *report, struct config_text value, uint32_t count, uint32_t max)
{
    if (count < max)
        return true;
    text_error(report, value, "too many lines of this kind", "expected at most %u", max);
    return false;
}

static bool is_known_apic_id(const struct machine *machine, uint64_t apic_id)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        if (machine->cpus[i].apic_id == apic_id)
            return true;
    return false;
}

static void set_cpu(struct text_report *report, struct machine *machine, struct config_text value)
{
    struct config_text rest = value;
    uint64_t number = 0;
    uint64_t apic_id = 0;
    uint64_t uid = 0;
    uint64_t core = 0;
    int online = 0;

    if (!has_room(report, value, machine->cpu_count, MACHINE_MAX_CPUS) ||
        !take_number(report, &rest, "a CPU number", MACHINE_MAX_CPUS - 1, &number) ||
        !take_name(report, &rest, "apic") || !take_number(report, &rest, "an APIC id", UINT32_MAX, &apic_id) ||
        !take_name(report, &rest, "uid") || !take_number(report, &rest, "an ACPI UID", UINT32_MAX, &uid) ||
        !take_name(report, &rest, "core") || !take_number(report, &rest, "a core", UINT32_MAX, &core) ||
        !take_choice(report, &rest, machine_cpu_states, MACHINE_CPU_STATES, &online) || !line_ends(report, rest))
        return;
    if (number != machine->cpu_count)
        text_error(report, value, "CPU out of order", "expected CPU %u here", machine->cpu_count);
    else if (is_known_apic_id(machine, apic_id))
        text_error(report, value, "APIC id used twice", "expected another id than %lu", apic_id);
    else
        machine->cpus[machine->cpu_count++] =
            (struct machine_cpu){(uint32_t)apic_id, (uint32_t)uid, (uint32_t)core, online != 0};
}

static void set_memory(struct text_report *report, struct machine *machine, struct config_text value)
{
    struct config_text rest = value;
    struct range range = {0, 0};
    int kind = 0;

    if (!has_room(report, value, machine->region_count, MACHINE_MAX_REGIONS) || !take_range(report, &rest, &range) ||
        !take_choice(report, &rest, machine_memory_kinds, MACHINE_MEMORY_KINDS, &kind) || !line_ends(report, rest))
        return;
    uint64_t end = machine->region_count == 0 ? 0 : range_end(machine->regions[machine->region_count - 1].range);
    if (range.base < end)
        text_error(report, value, "memory out of order or overlapping", "expected a base of 0x%lx or more", end);
    else
        machine->regions[machine->region_count++] = (struct machine_region){range, (enum memory_kind)kind};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Undoes print_name of core/machine_text.c; false when no box could have said the word: names are printable there. */
static bool unescape_name(struct slice word, char *name, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < word.length; i++) {
        char byte = word.at[i];
        if (byte == '\\') {
            if (word.length - i < 4 || word.at[i + 1] != 'x')
                return false;
            int high = hex_digit(word.at[i + 2]);
            int low = hex_digit(word.at[i + 3]);
            if (high < 0 || low < 0 || (high | low) == 0)
                return false;
            byte = (char)(uint8_t)(high * 16 + low);
            i += 3;
        }
        if (used == size - 1 || byte < ' ' || byte > '~')
            return false;
        name[used++] = byte;
    }
    name[used] = '\0';
    return true;
}

static void set_module(struct text_report *report, struct machine *machine, struct config_text value)
{
    struct config_text rest = value;
    struct config_text word;
    struct range range = {0, 0};

    if (!has_room(report, value, machine->module_count, MACHINE_MAX_MODULES) || !take_range(report, &rest, &range))
        return;
    bool named = text_word_next(&rest, &word);
    if (!line_ends(report, rest))
        return;
    struct machine_module *module = &machine->modules[machine->module_count];
    memset(module, 0, sizeof *module);
    if (named && !unescape_name(word.text, module->name, sizeof module->name)) {
        text_error(report, word, "bad module name", "expected at most %d characters, odd ones as \\xNN",
                   MACHINE_MODULE_NAME_SIZE - 1);
        return;
    }
    module->range = range;
    machine->module_count++;
}

static void set_ioapic(struct text_report *report, struct machine *machine, struct config_text value)
{
    struct config_text rest = value;
    uint64_t address = 0;
    uint64_t gsi_base = 0;

    if (has_room(report, value, machine->ioapic_count, MACHINE_MAX_IOAPICS) &&
        take_number(report, &rest, "an address", UINT32_MAX, &address) &&
        take_number(report, &rest, "an interrupt number", UINT32_MAX, &gsi_base) && line_ends(report, rest))
        machine->ioapics[machine->ioapic_count++] = (struct machine_ioapic){(uint32_t)address, (uint32_t)gsi_base};
}

static void set_hypervisor(struct text_report *report, struct machine *machine, struct config_text value)
{
    struct range range = {0, 0};
    if (take_range(report, &value, &range) && line_ends(report, value))
        machine->hypervisor = range;
}

static void set_rsdp(struct text_report *report, struct machine *machine, struct config_text value)
{
    uint64_t address = 0;
    if (take_number(report, &value, "an address", UINT64_MAX, &address) && line_ends(report, value))
        machine->rsdp = hpa(address);
}

static void set_reset(struct text_report *report, struct machine *machine, struct config_text value)
{
    uint64_t port = 0;
    uint64_t code = 0;

    if (slice_equals(value.text, "none"))
        return;
    if (!take_number(report, &value, "an I/O port or none", UINT16_MAX, &port) ||
        !take_number(report, &value, "a byte", UINT8_MAX, &code) || !line_ends(report, value))
        return;
    machine->has_reset_register = true;
    machine->reset_port = (uint16_t)port;
    machine->reset_value = (uint8_t)code;
}

static void set_physical_bits(struct text_report *report, struct machine *machine, struct config_text value)
{
    uint64_t bits = 0;
    if (take_number(report, &value, "a number of bits", MAX_PHYSICAL_BITS, &bits) && line_ends(report, value))
        machine->caps.physical_bits = (uint8_t)bits;
}

static void set_caps(struct text_report *report, struct machine *machine, struct config_text value)
{
    struct text_choice names[MACHINE_CAPS];
    struct config_text word;
    const bool present = true;
    int index = 0;

    if (slice_equals(value.text, "none"))
        return;
    for (int i = 0; i < MACHINE_CAPS; i++)
        names[i] = (struct text_choice){machine_caps[i].name, i};
    while (text_word_next(&value, &word))
        if (text_value_choice(report, word, names, MACHINE_CAPS, &index))
            memcpy((char *)&machine->caps + machine_caps[index].offset, &present, sizeof present);
}

static void set_tsc(struct text_report *report, struct machine *machine, struct config_text value)
{
    uint64_t hz = 0;
    if (take_number(report, &value, "a frequency in Hz", UINT64_MAX, &hz) && line_ends(report, value))
        machine->tsc_hz = hz;
}

const struct machine_key machine_keys[MACHINE_KEYS] = {
    {"cpu", set_cpu, true, true},
    {"memory", set_memory, true, true},
    {"module", set_module, true, false},
    {"ioapic", set_ioapic, true, false},
    {"hypervisor", set_hypervisor, false, true},
    {"rsdp", set_rsdp, false, true},
    {"reset", set_reset, false, true},
    {"physical_bits", set_physical_bits, false, true},
    {"caps", set_caps, false, true},
    {"tsc", set_tsc, false, true},
};
