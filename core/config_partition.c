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

const struct text_choice config_yes_no[] = {{"no", false}, {"yes", true}};

const char *boot_protocol_name(enum boot_protocol boot)
{
    return text_choice_name(boots, array_size(boots), (int)boot);
}

const char *start_mode_name(enum start_mode mode) { return text_choice_name(starts, array_size(starts), (int)mode); }

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

/*@ requires in_partition(parser) && slice_readable(item.text);
    assigns parser->report.count, parser->partition->cpu_count, parser->partition->cpus[0 .. CONFIG_MAX_CPUS - 1];
    ensures in_partition(parser); */
static bool add_cpus(struct config_parser *parser, struct config_text item)
{
    struct config_partition *partition = parser->partition;
    struct config_range range;

    if (!text_value_range(&parser->report, item, "a CPU number", UINT32_MAX, &range))
        return false;
    if (range.last < range.first) {
        text_error(&parser->report, item, "reversed CPU range", "expected the lower number first: %u-%u", range.last,
                   range.first);
        return false;
    }
    if (range.last - range.first >= CONFIG_MAX_CPUS - partition->cpu_count) {
        text_error(&parser->report, item, "too many CPUs", "expected at most %d in a partition", CONFIG_MAX_CPUS);
        return false;
    }
    /*@ loop invariant range.first <= cpu <= range.last + 1 && in_partition(parser);
        loop invariant partition->cpu_count == \at(partition->cpu_count, LoopEntry) + cpu - range.first;
        loop assigns cpu, parser->report.count, partition->cpu_count, partition->cpus[0 .. CONFIG_MAX_CPUS - 1];
        loop variant range.last - cpu; */
    for (uint64_t cpu = range.first; cpu <= range.last; cpu++) {
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

void config_set_field(struct config_parser *parser, const void *value)
{
    memcpy((char *)parser->partition + parser->key->offset, value, parser->key->size);
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

/*@ requires in_partition(parser) && key_readable(parser->key) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_module(struct config_parser *parser, struct config_text value)
{
    struct config_text name;
    if (parse_module_name(parser, value, &name))
        config_set_field(parser, &name);
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

/*@ requires in_partition(parser) && key_readable(parser->key) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_address(struct config_parser *parser, struct config_text value)
{
    uint64_t address = 0;
    if (text_value_size(&parser->report, value, "an address", MAX_ADDRESS - 1, &address))
        config_set_field(parser, &address);
}

/* Its field is an enumeration or a bool: what does not fit is 0 on this little-endian machine. */
/*@ requires in_partition(parser) && key_readable(parser->key) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_choice(struct config_parser *parser, struct config_text value)
{
    const struct config_key *key = parser->key;
    int choice = 0;
    if (text_value_choice(&parser->report, value, key->choices, key->choice_count, &choice))
        config_set_field(parser, &choice);
}

/*@ requires in_partition(parser) && key_readable(parser->key) && slice_readable(value.text);
    assigns parser->report.count, parser->boot_bad, *parser->partition;
    ensures in_partition(parser); */
static void set_boot(struct config_parser *parser, struct config_text value)
{
    unsigned before = parser->report.count;
    set_choice(parser, value);
    parser->boot_bad = parser->report.count != before;
}

/*@ requires in_partition(parser) && key_readable(parser->key) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
static void set_interrupts(struct config_parser *parser, struct config_text value)
{
    parser->partition->interrupts_place = value.place;
    set_choice(parser, value);
}

/* Indices into partition_keys that the rules below name. */
enum { KEY_BOOT, KEY_LOAD, KEY_ENTRY, KEY_FAULTS = 14 };

#define FAULT(class, name, first_action)                                                                               \
    [KEY_FAULTS + (class)] = {"fault." name, config_set_fault, CONFIG_FIELD(faults[class]),                            \
                              .choices = &config_actions[(first_action) - FAULT_LOG],                                  \
                              .choice_count = FAULT_REBOOT_BOX + 1 - (first_action)}

static const struct config_key partition_keys[] = {
    [KEY_BOOT] = {"boot", set_boot, CONFIG_FIELD(boot), CONFIG_CHOICES(boots)},
    [KEY_LOAD] = {"load", set_address, "load = 0x100000", FOR_FLAT, CONFIG_FIELD(load)},
    [KEY_ENTRY] = {"entry", set_address, .boots = FOR_FLAT, CONFIG_FIELD(entry)},
    {"cpus", set_cpus, .example = "cpus = 0-1"},
    {"memory", set_memory, .example = "memory = 256M"},
    {"kernel", set_module, "kernel = MODULE", CONFIG_FIELD(kernel)},
    {"initrd", set_module, .boots = FOR_LINUX, CONFIG_FIELD(initrd)},
    {"modules", set_modules, .boots = FOR_MODULES},
    {"cmdline", set_cmdline, .boots = FOR_LINUX | FOR_MODULES, .may_be_empty = true},
    {"console", set_choice, CONFIG_FIELD(console), CONFIG_CHOICES(consoles)},
    {"interrupts", set_interrupts, CONFIG_FIELD(interrupts), CONFIG_CHOICES(interrupt_modes)},
    {"acceleration", set_choice, CONFIG_FIELD(acceleration), CONFIG_CHOICES(config_yes_no)},
    {"start", set_choice, CONFIG_FIELD(start), CONFIG_CHOICES(starts)},
    {"on_stop", set_choice, CONFIG_FIELD(on_stop), CONFIG_CHOICES(stop_actions)},
    /* A guest that has ended cannot go on, and only the CPU's own events can be injected. */
    FAULT(FAULT_TRIPLE_FAULT, "triple-fault", FAULT_STOP),
    FAULT(FAULT_PORT, "port", FAULT_LOG),
    FAULT(FAULT_MSR, "msr", FAULT_LOG),
    FAULT(FAULT_MEMORY, "memory", FAULT_LOG),
    FAULT(FAULT_MACHINE_CHECK, "machine-check", FAULT_INJECT),
    FAULT(FAULT_UNKNOWN, "unknown", FAULT_STOP),
    FAULT(FAULT_WATCHDOG, "watchdog", FAULT_LOG),
    FAULT(FAULT_RESET, "reset", FAULT_STOP),
    FAULT(FAULT_POWER_OFF, "power-off", FAULT_STOP),
    {"learn", set_choice, CONFIG_FIELD(learn), CONFIG_CHOICES(config_yes_no)},
    {"allow.port", .set = config_set_allowed_ports},
    {"allow.msr", .set = config_set_allowed_msrs},
};
_Static_assert(array_size(partition_keys) <= CONFIG_MAX_KEYS, "config_parser.seen has no room");

const struct config_keys config_partition_keys = {"[partition NAME]", array_size(partition_keys), partition_keys};

const char *fault_class_name(enum fault_class class)
{
    return class < FAULT_CLASSES ? partition_keys[KEY_FAULTS + class].name + sizeof "fault." - 1 : "?";
}

/* Whether the key and the partition's boot protocol go together; `given`: the key stands in the text. */
/*@ requires in_partition(parser) && \valid_read(key);
    assigns \nothing; */
static bool key_fits(const struct config_parser *parser, const struct config_key *key, bool given)
{
    /* With an unknown protocol only what is the same for all can be judged. */
    if (key->boots == 0 || parser->boot_bad)
        return key->boots == 0 || given;
    return (key->boots & 1u << parser->partition->boot) != 0;
}

/*@ requires in_partition(parser) && \valid_read(key);
    assigns parser->report.count; */
static void report_unfit_key(struct config_parser *parser, const struct config_key *key, struct config_place seen)
{
    struct config_text name = {slice_of(key->name), seen};
    text_error(&parser->report, name, "key of another boot protocol", "expected no such key with boot = %s",
               boot_protocol_name(parser->partition->boot));
}

/*@ requires in_partition(parser) && \valid_read(key);
    assigns parser->report.count; */
static void report_missing_key(struct config_parser *parser, const struct config_key *key)
{
    const struct config_partition *partition = parser->partition;
    struct config_text name = {slice_of(partition->name), partition->place};
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
