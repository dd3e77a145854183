/*
 * The keys of [partition NAME], and what must hold between them.
 */
#include "core/config_key.h"
#include "core/machine.h"
#include "core/text_line.h"
#include "core/text_value.h"

/* No x86 address is wider than 52 bits: Intel SDM, "MAXPHYADDR". */
#define MAX_ADDRESS ((uint64_t)1 << 52)

static const struct text_choice boots[] = {{"linux", BOOT_LINUX},           {"multiboot1", BOOT_MULTIBOOT1},
                                           {"multiboot2", BOOT_MULTIBOOT2}, {"pvh", BOOT_PVH},
                                           {"firmware", BOOT_FIRMWARE},     {"flat", BOOT_FLAT}};
static const struct text_choice consoles[] = {{"uart", CONSOLE_UART}, {"none", CONSOLE_NONE}};
static const struct text_choice interrupt_modes[] = {
    {"direct", INTERRUPTS_DIRECT}, {"virtual", INTERRUPTS_VIRTUAL}, {"any", INTERRUPTS_ANY}};
static const struct text_choice starts[] = {{"auto", START_AUTO}, {"manual", START_MANUAL}};
static const struct text_choice stop_actions[] = {{"stay", ON_STOP_STAY},
                                                  {"restart", ON_STOP_RESTART},
                                                  {"halt-box", ON_STOP_HALT_BOX},
                                                  {"reboot-box", ON_STOP_REBOOT_BOX}};

const char *boot_protocol_name(enum boot_protocol boot)
{
    return text_choice_name(boots, array_size(boots), (int)boot);
}

const char *stop_action_name(enum stop_action action)
{
    return text_choice_name(stop_actions, array_size(stop_actions), (int)action);
}

void config_partition_defaults(struct config_partition *partition)
{
    memset(partition, 0, sizeof *partition);
    partition->boot = BOOT_LINUX;
    partition->console = CONSOLE_UART;
    partition->interrupts = INTERRUPTS_ANY;
    partition->acceleration = false;
    partition->start = START_AUTO;
    partition->on_stop = ON_STOP_STAY;
}

/*@ requires \valid_read(partition) && partition->cpu_count <= CONFIG_MAX_CPUS;
    assigns \nothing; */
static bool has_cpu(const struct config_partition *partition, uint64_t cpu)
{
    /*@ loop invariant 0 <= i <= partition->cpu_count;
        loop assigns i;
        loop variant partition->cpu_count - i; */
    for (uint32_t i = 0; i < partition->cpu_count; i++)
        if (partition->cpus[i] == cpu)
            return true;
    return false;
}

/* "N" or "N-M", both CPU numbers. */
/*@ requires \valid(parser) && slice_readable(item.text) && \valid(first) && \valid(last);
    requires \separated(parser, first, last);
    assigns parser->report.count, *first, *last;
    ensures \result ==> *first <= UINT32_MAX && *last <= UINT32_MAX; */
static bool parse_cpu_range(struct config_parser *parser, struct config_text item, uint64_t *first, uint64_t *last)
{
    size_t dash = 0;

    /*@ loop invariant 0 <= dash <= item.text.length;
        loop assigns dash;
        loop variant item.text.length - dash; */
    while (dash < item.text.length && item.text.at[dash] != '-')
        dash++;
    if (!text_value_number(&parser->report, text_part(item, 0, dash), "a CPU number", 0, UINT32_MAX, first))
        return false;
    *last = *first;
    if (dash == item.text.length)
        return true;
    return text_value_number(&parser->report, text_part(item, dash + 1, item.text.length - dash - 1), "a CPU number", 0,
                             UINT32_MAX, last);
}

/*@ requires in_partition(parser) && slice_readable(item.text);
    assigns parser->report.count, parser->partition->cpu_count, parser->partition->cpus[0 .. CONFIG_MAX_CPUS - 1];
    ensures in_partition(parser); */
static bool add_cpus(struct config_parser *parser, struct config_text item)
{
    struct config_partition *partition = parser->partition;
    uint64_t first = 0;
    uint64_t last = 0;

    if (!parse_cpu_range(parser, item, &first, &last))
        return false;
    if (last < first) {
        text_error(&parser->report, item, "reversed CPU range", "expected the lower number first: %lu-%lu", last,
                   first);
        return false;
    }
    if (last - first >= CONFIG_MAX_CPUS - partition->cpu_count) {
        text_error(&parser->report, item, "too many CPUs", "expected at most %d in a partition", CONFIG_MAX_CPUS);
        return false;
    }
    /*@ loop invariant first <= cpu <= last + 1 && in_partition(parser);
        loop invariant partition->cpu_count == \at(partition->cpu_count, LoopEntry) + cpu - first;
        loop assigns cpu, parser->report.count, partition->cpu_count, partition->cpus[0 .. CONFIG_MAX_CPUS - 1];
        loop variant last - cpu; */
    for (uint64_t cpu = first; cpu <= last; cpu++) {
        if (has_cpu(partition, cpu)) {
            text_error(&parser->report, item, "CPU listed twice", "expected CPU %lu once", cpu);
            return false;
        }
        partition->cpus[partition->cpu_count++] = (uint32_t)cpu;
    }
    return true;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_cpus(struct config_parser *parser, struct config_text value)
{
    struct config_text item;

    parser->partition->cpus_place = value.place;
    /*@ loop invariant in_partition(parser) && slice_readable(value.text);
        loop assigns value, item, parser->report.count, parser->partition->cpu_count,
          parser->partition->cpus[0 .. CONFIG_MAX_CPUS - 1];
        loop variant items_left(value.text); */
    while (text_item_next(&value, &item))
        if (!add_cpus(parser, item))
            return;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_memory(struct config_parser *parser, struct config_text value)
{
    uint64_t size = 0;

    parser->partition->memory_place = value.place;
    if (!text_value_size(&parser->report, value, "an amount of memory", MAX_ADDRESS, &size))
        return;
    if (size == 0 || size % PAGE_SIZE != 0)
        text_error(&parser->report, value, "bad amount of memory", "expected a multiple of 4K, not zero");
    else
        parser->partition->memory = size;
}

/* A word that can be the name of a module of this machine. */
/*@ requires \valid(parser) && slice_readable(value.text) && \valid(out) && \separated(parser, out);
    assigns parser->report.count, *out; */
static bool parse_module_name(struct config_parser *parser, struct config_text value, struct config_text *out)
{
    struct config_text rest = value;
    struct config_text word;

    if (!text_word_next(&rest, &word) || word.text.length != value.text.length) {
        text_error(&parser->report, value, "bad module name", "expected one word, as after GRUB's module2 PATH");
        return false;
    }
    if (word.text.length >= MACHINE_MODULE_NAME_SIZE) {
        text_error(&parser->report, value, "module name too long", "expected at most %d characters",
                   MACHINE_MODULE_NAME_SIZE - 1);
        return false;
    }
    *out = value;
    return true;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_kernel(struct config_parser *parser, struct config_text value)
{
    (void)!parse_module_name(parser, value, &parser->partition->kernel);
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_initrd(struct config_parser *parser, struct config_text value)
{
    (void)!parse_module_name(parser, value, &parser->partition->initrd);
}

/*@ requires in_partition(parser) && slice_readable(item.text);
    assigns parser->report.count, parser->partition->module_count,
      parser->partition->modules[0 .. CONFIG_MAX_MODULES - 1];
    ensures in_partition(parser); */
static bool add_module(struct config_parser *parser, struct config_text item)
{
    struct config_partition *partition = parser->partition;
    struct config_text name;

    if (partition->module_count == CONFIG_MAX_MODULES) {
        text_error(&parser->report, item, "too many modules", "expected at most %d in a partition", CONFIG_MAX_MODULES);
        return false;
    }
    if (!parse_module_name(parser, item, &name))
        return false;
    partition->modules[partition->module_count] = name;
    /*@ assert in_partition(parser) && partition->module_count < CONFIG_MAX_MODULES; */
    partition->module_count++;
    return true;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_modules(struct config_parser *parser, struct config_text value)
{
    struct config_text item;

    /*@ loop invariant in_partition(parser) && slice_readable(value.text);
        loop invariant parser->partition == \at(parser->partition, Pre);
        loop assigns value, item, parser->report.count, *\at(parser->partition, Pre);
        loop variant items_left(value.text); */
    while (text_item_next(&value, &item))
        if (!add_module(parser, item))
            return;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_cmdline(struct config_parser *parser, struct config_text value) { parser->partition->cmdline = value; }

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_load(struct config_parser *parser, struct config_text value)
{
    parser->partition->load_place = value.place;
    (void)!text_value_size(&parser->report, value, "an address", MAX_ADDRESS - 1, &parser->partition->load);
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_entry(struct config_parser *parser, struct config_text value)
{
    (void)!text_value_size(&parser->report, value, "an address", MAX_ADDRESS - 1, &parser->partition->entry);
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, parser->boot_bad, *parser->partition;
    ensures in_partition(parser); */
static void set_boot(struct config_parser *parser, struct config_text value)
{
    int choice = 0;
    if (text_value_choice(&parser->report, value, boots, array_size(boots), &choice)) {
        /*@ admit BOOT_LINUX <= choice <= BOOT_FLAT; */
        parser->partition->boot = (enum boot_protocol)choice;
    } else {
        parser->boot_bad = true;
    }
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_console(struct config_parser *parser, struct config_text value)
{
    int choice = 0;
    if (text_value_choice(&parser->report, value, consoles, array_size(consoles), &choice))
        parser->partition->console = (enum partition_console)choice;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_interrupts(struct config_parser *parser, struct config_text value)
{
    int choice = 0;
    if (text_value_choice(&parser->report, value, interrupt_modes, array_size(interrupt_modes), &choice))
        parser->partition->interrupts = (enum interrupt_mode)choice;
    parser->partition->interrupts_place = value.place;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_acceleration(struct config_parser *parser, struct config_text value)
{
    text_value_yes_no(&parser->report, value, &parser->partition->acceleration);
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_start(struct config_parser *parser, struct config_text value)
{
    int choice = 0;
    if (text_value_choice(&parser->report, value, starts, array_size(starts), &choice))
        parser->partition->start = (enum start_mode)choice;
}

/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_on_stop(struct config_parser *parser, struct config_text value)
{
    int choice = 0;
    if (text_value_choice(&parser->report, value, stop_actions, array_size(stop_actions), &choice))
        parser->partition->on_stop = (enum stop_action)choice;
}

/* Indices into partition_keys that the rules below name. */
enum { KEY_BOOT, KEY_LOAD, KEY_ENTRY };

static const struct config_key partition_keys[] = {
    [KEY_BOOT] = {"boot", set_boot, FOR_EVERY_BOOT, false, NULL},
    [KEY_LOAD] = {"load", set_load, FOR_FLAT, false, "load = 0x100000"},
    [KEY_ENTRY] = {"entry", set_entry, FOR_FLAT, false, NULL},
    {"cpus", set_cpus, FOR_EVERY_BOOT, false, "cpus = 0-1"},
    {"memory", set_memory, FOR_EVERY_BOOT, false, "memory = 256M"},
    {"kernel", set_kernel, FOR_EVERY_BOOT, false, "kernel = MODULE"},
    {"initrd", set_initrd, FOR_LINUX, false, NULL},
    {"modules", set_modules, FOR_MODULES, false, NULL},
    {"cmdline", set_cmdline, FOR_LINUX | FOR_MODULES, true, NULL},
    {"console", set_console, FOR_EVERY_BOOT, false, NULL},
    {"interrupts", set_interrupts, FOR_EVERY_BOOT, false, NULL},
    {"acceleration", set_acceleration, FOR_EVERY_BOOT, false, NULL},
    {"start", set_start, FOR_EVERY_BOOT, false, NULL},
    {"on_stop", set_on_stop, FOR_EVERY_BOOT, false, NULL},
    {"fault.triple-fault", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.port", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.msr", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.memory", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.machine-check", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.unknown", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.watchdog", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.reset", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"fault.power-off", config_set_fault, FOR_EVERY_BOOT, false, NULL},
    {"learn", config_set_learn, FOR_EVERY_BOOT, false, NULL},
    {"allow.port", config_set_allowed_ports, FOR_EVERY_BOOT, false, NULL},
    {"allow.msr", config_set_allowed_msrs, FOR_EVERY_BOOT, false, NULL},
};
_Static_assert(array_size(partition_keys) <= CONFIG_MAX_KEYS, "config_parser.seen has no room");

const struct config_keys config_partition_keys = {"[partition NAME]", array_size(partition_keys), partition_keys};

/* Whether the key and the partition's boot protocol go together; `given`: the key stands in the text. */
/*@ requires in_partition(parser) && \valid_read(key);
    assigns \nothing; */
static bool key_fits(const struct config_parser *parser, const struct config_key *key, bool given)
{
    /* With an unknown protocol only what is the same for all can be judged. */
    if (parser->boot_bad)
        return given || key->boots == FOR_EVERY_BOOT;
    return (key->boots & 1u << parser->partition->boot) != 0;
}

/*@ requires in_partition(parser) && \valid_read(key);
    assigns parser->report.count; */
static void report_unfit_key(struct config_parser *parser, const struct config_key *key, struct config_place seen)
{
    struct config_text name = {{key->name, strlen(key->name)}, seen};
    text_error(&parser->report, name, "key of another boot protocol", "expected no such key with boot = %s",
               boot_protocol_name(parser->partition->boot));
}

/*@ requires in_partition(parser) && \valid_read(key);
    assigns parser->report.count; */
static void report_missing_key(struct config_parser *parser, const struct config_key *key)
{
    const struct config_partition *partition = parser->partition;
    struct config_text name = {{partition->name, strlen(partition->name)}, partition->place};
    text_error(&parser->report, name, "key missing in partition", "expected a line such as '%s'", key->example);
}

void config_partition_finish(struct config_parser *parser)
{
    struct config_partition *partition = parser->partition;

    /*@ loop invariant 0 <= i <= array_size(partition_keys) && in_partition(parser);
        loop assigns i, parser->report.count;
        loop variant array_size(partition_keys) - i; */
    for (size_t i = 0; i < array_size(partition_keys); i++) {
        const struct config_key *key = &partition_keys[i];
        struct config_place seen = parser->seen[i];
        bool given = seen.line != 0;
        bool fits = key_fits(parser, key, given);

        if (given && !fits)
            report_unfit_key(parser, key, seen);
        else if (!given && fits && key->example != NULL)
            report_missing_key(parser, key);
    }
    if (parser->seen[KEY_ENTRY].line == 0)
        partition->entry = partition->load;
}
