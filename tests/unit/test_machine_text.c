/* The machine as text: exact round trips, and one test for each thing the reader refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/machine_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sink into a string. `base` is first, so that the one address serves for both. */
struct string_sink {
    struct sink base;
    size_t length;
    char text[65536];
};

static void collect(struct sink *self, const char *text, size_t length)
{
    struct string_sink *sink = (struct string_sink *)self;

    assert_true(length < sizeof sink->text - sink->length);
    memcpy(sink->text + sink->length, text, length);
    sink->length += length;
    sink->text[sink->length] = '\0';
}

static struct string_sink errors = {.base = {collect}};
static struct string_sink printed = {.base = {collect}};
static struct machine machine;
static struct machine result;

/* Parses a copy that has not one byte too many, so that a read past the end is caught. */
static bool parse_bytes(const char *text, size_t length)
{
    char *copy = malloc(length == 0 ? 1 : length);

    assert_non_null(copy);
    memcpy(copy, text, length);
    errors.length = 0;
    errors.text[0] = '\0';
    memset(&result, 0xa5, sizeof result);
    bool good = machine_parse("m", copy, length, &result, &errors.base);
    free(copy);
    assert_int_equal(good, errors.length == 0);
    return good;
}

static const char *print(void)
{
    printed.length = 0;
    printed.text[0] = '\0';
    machine_print(&machine, &printed.base);
    return printed.text;
}

/* Field by field rather than memcmp: padding is nobody's. */
static void assert_same_machine(void)
{
    assert_int_equal(result.tsc_hz, machine.tsc_hz);
    assert_int_equal(result.cpu_count, machine.cpu_count);
    assert_int_equal(result.region_count, machine.region_count);
    assert_int_equal(result.module_count, machine.module_count);
    assert_int_equal(result.ioapic_count, machine.ioapic_count);
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        assert_int_equal(result.cpus[i].apic_id, machine.cpus[i].apic_id);
        assert_int_equal(result.cpus[i].acpi_uid, machine.cpus[i].acpi_uid);
        assert_int_equal(result.cpus[i].core, machine.cpus[i].core);
        assert_int_equal(result.cpus[i].online, machine.cpus[i].online);
    }
    for (uint32_t i = 0; i < machine.region_count; i++) {
        assert_int_equal(result.regions[i].range.base, machine.regions[i].range.base);
        assert_int_equal(result.regions[i].range.size, machine.regions[i].range.size);
        assert_int_equal(result.regions[i].kind, machine.regions[i].kind);
    }
    for (uint32_t i = 0; i < machine.module_count; i++) {
        assert_int_equal(result.modules[i].range.base, machine.modules[i].range.base);
        assert_int_equal(result.modules[i].range.size, machine.modules[i].range.size);
        assert_string_equal(result.modules[i].name, machine.modules[i].name);
    }
    for (uint32_t i = 0; i < machine.ioapic_count; i++) {
        assert_int_equal(result.ioapics[i].address, machine.ioapics[i].address);
        assert_int_equal(result.ioapics[i].gsi_base, machine.ioapics[i].gsi_base);
    }
    assert_int_equal(result.hypervisor.base, machine.hypervisor.base);
    assert_int_equal(result.hypervisor.size, machine.hypervisor.size);
    assert_int_equal(result.caps.nested_1g, machine.caps.nested_1g);
    assert_int_equal(result.caps.nested_2m, machine.caps.nested_2m);
    assert_int_equal(result.caps.x2apic, machine.caps.x2apic);
    assert_int_equal(result.caps.tsc_deadline, machine.caps.tsc_deadline);
    assert_int_equal(result.caps.invariant_tsc, machine.caps.invariant_tsc);
    assert_int_equal(result.caps.physical_bits, machine.caps.physical_bits);
    assert_int_equal(result.rsdp.raw, machine.rsdp.raw);
    assert_int_equal(result.has_reset_register, machine.has_reset_register);
    assert_int_equal(result.reset_port, machine.reset_port);
    assert_int_equal(result.reset_value, machine.reset_value);
}

/* There and back, and there again gives the same bytes. */
static void assert_round_trip(void)
{
    bool good = parse_bytes(print(), strlen(print()));
    assert_string_equal(errors.text, "");
    assert_true(good);
    assert_same_machine();

    char *first = strdup(print());
    assert_non_null(first);
    machine = result;
    assert_string_equal(print(), first);
    free(first);
}

static void make_small_machine(void)
{
    memset(&machine, 0, sizeof machine);
    machine.tsc_hz = 2400000000;
    machine.cpu_count = 2;
    machine.cpus[0] = (struct machine_cpu){4, 9, 2, true};
    machine.cpus[1] = (struct machine_cpu){UINT32_MAX, 0, UINT32_MAX, false};
    machine.region_count = 4;
    machine.regions[0] = (struct machine_region){{0, 0x9f000}, MEMORY_USABLE};
    machine.regions[1] = (struct machine_region){{0x9f000, 0x1000}, MEMORY_RESERVED};
    machine.regions[2] = (struct machine_region){{0x100000, 0x3ff00000}, MEMORY_ACPI};
    machine.regions[3] = (struct machine_region){{0xfffffffffffff000, 0xfff}, MEMORY_BAD};
    machine.module_count = 3;
    machine.modules[0] = (struct machine_module){{0x1000000, 12345}, "vmlinuz"};
    machine.modules[1] = (struct machine_module){{0x2000000, 0}, ""};
    machine.modules[2] = (struct machine_module){{0, UINT64_MAX}, "#a \"b\\x41=~"};
    machine.ioapic_count = 1;
    machine.ioapics[0] = (struct machine_ioapic){0xfec00000, 24};
    machine.hypervisor = (struct range){0x200000, 0x600000};
    machine.caps = (struct cpu_caps){true, false, true, false, true, false, 39};
    machine.rsdp = hpa(0x3fff0014);
    machine.has_reset_register = true;
    machine.reset_port = 0xcf9;
    machine.reset_value = 6;
}

static void small_machine(void **state)
{
    (void)state;
    make_small_machine();
    assert_round_trip();
}

/* The very text, so that a change of the format is noticed: old texts must go on being read. */
static void text_of_the_small_machine(void **state)
{
    (void)state;
    make_small_machine();
    assert_string_equal(print(), "# This box, as rf-check --machine reads it.\n"
                                 "version = 1\n"
                                 "\n"
                                 "[machine]\n"
                                 "cpu           = 0 apic 4 uid 9 core 2 online\n"
                                 "cpu           = 1 apic 4294967295 uid 0 core 4294967295 offline\n"
                                 "memory        = 0x0 0x9f000 usable # 636 KiB\n"
                                 "memory        = 0x9f000 0x1000 reserved # 4 KiB\n"
                                 "memory        = 0x100000 0x3ff00000 acpi # 1023 MiB\n"
                                 "memory        = 0xfffffffffffff000 0xfff bad # 4095 bytes\n"
                                 "module        = 0x1000000 0x3039 vmlinuz\n"
                                 "module        = 0x2000000 0x0\n"
                                 "module        = 0x0 0xffffffffffffffff "
                                 "\\x23a\\x20\\x22b\\x5cx41=~\n"
                                 "ioapic        = 0xfec00000 24\n"
                                 "hypervisor    = 0x200000 0x600000\n"
                                 "rsdp          = 0x3fff0014\n"
                                 "reset         = 0xcf9 0x6\n"
                                 "physical_bits = 39\n"
                                 "caps          = nested_1g x2apic invariant_tsc\n"
                                 "tsc           = 2400000000\n");
}

static void bare_machine(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    machine.cpu_count = 1;
    machine.region_count = 1;
    assert_round_trip();
    assert_non_null(strstr(print(), "\nreset         = none\n"));
    assert_non_null(strstr(print(), "\ncaps          = none\n"));
}

static void each_capability(void **state)
{
    (void)state;
    for (uint32_t mask = 0; mask < 64; mask++) {
        make_small_machine();
        machine.caps =
            (struct cpu_caps){(mask & 1) != 0,  (mask & 2) != 0,  (mask & 4) != 0, (mask & 8) != 0,
                              (mask & 16) != 0, (mask & 32) != 0, 52};
        assert_round_trip();
    }
}

static void fullest_machine(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    machine.tsc_hz = UINT64_MAX;
    machine.cpu_count = MACHINE_MAX_CPUS;
    for (uint32_t i = 0; i < MACHINE_MAX_CPUS; i++)
        machine.cpus[i] = (struct machine_cpu){i * 3, i + 7, i / 2 * 5, i % 2 == 0};
    machine.region_count = MACHINE_MAX_REGIONS;
    for (uint32_t i = 0; i < MACHINE_MAX_REGIONS; i++)
        machine.regions[i] = (struct machine_region){{i * GIB, GIB}, (enum memory_kind)(i % 4)};
    machine.module_count = MACHINE_MAX_MODULES;
    for (uint32_t i = 0; i < MACHINE_MAX_MODULES; i++) {
        machine.modules[i].range = (struct range){i, i};
        memset(machine.modules[i].name, '"', MACHINE_MODULE_NAME_SIZE - 1);
    }
    machine.ioapic_count = MACHINE_MAX_IOAPICS;
    for (uint32_t i = 0; i < MACHINE_MAX_IOAPICS; i++)
        machine.ioapics[i] = (struct machine_ioapic){UINT32_MAX - i, i * 24};
    assert_round_trip();
}

static void find_module(void **state)
{
    (void)state;
    make_small_machine();
    assert_int_equal(machine_find_module(&machine, slice_of("vmlinuz")), 0);
    assert_int_equal(machine_find_module(&machine, slice_of("")), 1);
    assert_int_equal(machine_find_module(&machine, slice_of("vmlinu")), -1);
    machine.module_count = 0;
    assert_int_equal(machine_find_module(&machine, slice_of("vmlinuz")), -1);
}

/* ---- refusals ---- */

#define HEAD    "version = 1\n[machine]\n"
#define LISTS   "cpu = 0 apic 1 uid 1 core 1 online\nmemory = 0 0x1000 usable\n"
#define SCALARS "hypervisor = 1 2\nrsdp = 0\nreset = none\nphysical_bits = 39\ncaps = none\ntsc = 1\n"

/* `line` after the lists of an otherwise good text (line 5) gives just this error. */
static void assert_line_refused(const char *line, const char *message)
{
    char text[1000];

    snprintf(text, sizeof text, HEAD LISTS "%s\n" SCALARS, line);
    assert_false(parse_bytes(text, strlen(text)));
    assert_string_equal(errors.text, message);
}

static void assert_refused(const char *text, const char *message)
{
    assert_false(parse_bytes(text, strlen(text)));
    assert_string_equal(errors.text, message);
}

static void bad_cpus(void **state)
{
    (void)state;
    assert_true(parse_bytes(HEAD LISTS SCALARS, strlen(HEAD LISTS SCALARS)));
    assert_line_refused("cpu = 2 apic 2 uid 2 core 2 online",
                        "m:5:7: CPU out of order '2 apic 2 uid 2 core 2 online' (expected CPU 1 here)\n");
    assert_line_refused("cpu = 1 apic 1 uid 2 core 1 online",
                        "m:5:7: APIC id used twice '1 apic 1 uid 2 core 1 online' (expected another id than 1)\n");
    assert_line_refused("cpu = 256 apic 1 uid 2 core 1 online",
                        "m:5:7: number out of range '256' (expected a CPU number from 0 to 255)\n");
    assert_line_refused("cpu = 1 apic", "m:5:13: line too short '' (expected an APIC id here)\n");
    assert_line_refused("cpu = 1 2", "m:5:9: unexpected word '2' (expected 'apic' here)\n");
    assert_line_refused("cpu = 1 apic 2 uod 2", "m:5:16: unexpected word 'uod' (expected 'uid' here)\n");
    assert_line_refused("cpu = 1 apic 2 uid 2 online", "m:5:22: unexpected word 'online' (expected 'core' here)\n");
    assert_line_refused("cpu = 1 apic 2 uid 2 core x online",
                        "m:5:27: not a number 'x' (expected a core, decimal or 0x hexadecimal)\n");
    assert_line_refused("cpu = 1 apic 2 uid 2 core 4294967296 online",
                        "m:5:27: number out of range '4294967296' (expected a core from 0 to 4294967295)\n");
    assert_line_refused("cpu = 1 apic 2 uid 2 core 1", "m:5:28: unknown value '' (expected online or offline)\n");
    assert_line_refused("cpu = 1 apic 2 uid 2 core 1 onlin",
                        "m:5:29: unknown value 'onlin' (expected online or offline; did you mean 'online'?)\n");
    assert_line_refused("cpu = 1 apic 2 uid 2 core 2 online 3",
                        "m:5:36: text after the value '3' (expected the end of the line or a comment)\n");
    assert_line_refused("cpu = 1 apic 4294967296 uid 2 core 1 online",
                        "m:5:14: number out of range '4294967296' (expected an APIC id from 0 to 4294967295)\n");
}

static void bad_memory(void **state)
{
    (void)state;
    assert_line_refused("memory = 0xfff 1 usable", "m:5:10: memory out of order or overlapping '0xfff 1 usable' "
                                                   "(expected a base of 0x1000 or more)\n");
    assert_line_refused("memory = 0x1000 0xfffffffffffff000 usable",
                        "m:5:10: range passes the end of the address space '0x1000 0xfffffffffffff000 usable' "
                        "(expected base + size of at most 2^64 - 1)\n");
    assert_line_refused("memory = 0x1000 4096 free",
                        "m:5:22: unknown value 'free' (expected usable, reserved, acpi or bad)\n");
    assert_line_refused("memory = 0x1000", "m:5:16: line too short '' (expected a size in bytes here)\n");
    assert_line_refused("memory = low 1 usable",
                        "m:5:10: not a number 'low' (expected an address, decimal or 0x hexadecimal)\n");
    assert_line_refused("memory = 0x1000 1 usable x",
                        "m:5:26: text after the value 'x' (expected the end of the line or a comment)\n");
}

static void bad_modules(void **state)
{
    static const char *const bad[] = {"\\", "\\x", "\\x4", "\\x00", "\\y41", "\\xg1", "\\xA1", "\\x09", "\\x7f", "x\\x8c"};
    char line[200], message[200];

    (void)state;
    for (size_t i = 0; i < array_size(bad); i++) {
        snprintf(line, sizeof line, "module = 1 2 %s", bad[i]);
        snprintf(message, sizeof message,
                 "m:5:14: bad module name '%s' (expected at most 63 characters, odd ones as \\xNN)\n", bad[i]);
        assert_line_refused(line, message);
    }
    /* A slot that a bad name was unpacked into is clean for the next module. */
    assert_false(
        parse_bytes(HEAD "module = 1 2 ab\\\nmodule = 3 4\n", strlen(HEAD "module = 1 2 ab\\\nmodule = 3 4\n")));
    assert_int_equal(result.module_count, 1);
    assert_string_equal(result.modules[0].name, "");
    snprintf(line, sizeof line, "module = 1 2 %064d", 0);
    assert_line_refused(line, "m:5:14: bad module name '0000000000000000000000000000000000000000...' (expected at most "
                              "63 characters, odd ones as \\xNN)\n");
    assert_line_refused("module = 1 2 a b",
                        "m:5:16: text after the value 'b' (expected the end of the line or a comment)\n");
    assert_line_refused("module = 1", "m:5:11: line too short '' (expected a size in bytes here)\n");
}

static void bad_ioapics(void **state)
{
    (void)state;
    assert_line_refused("ioapic = 0x100000000 0",
                        "m:5:10: number out of range '0x100000000' (expected an address from 0 to 4294967295)\n");
    assert_line_refused("ioapic = 1 2 3",
                        "m:5:14: text after the value '3' (expected the end of the line or a comment)\n");
}

static void full_lists(void **state)
{
    static const struct {
        const char *key;
        uint32_t max;
    } lists[] = {{"cpu", MACHINE_MAX_CPUS},
                 {"memory", MACHINE_MAX_REGIONS},
                 {"module", MACHINE_MAX_MODULES},
                 {"ioapic", MACHINE_MAX_IOAPICS}};
    static char text[32768];

    (void)state;
    for (size_t k = 0; k < array_size(lists); k++) {
        size_t used = (size_t)snprintf(text, sizeof text, HEAD);
        for (uint32_t i = 0; i <= lists[k].max; i++) {
            const char *key = lists[k].key;
            switch (k) {
            case 0:
                used += (size_t)snprintf(text + used, sizeof text - used, "%s = %u apic %u uid 0 core 0 online\n", key, i, i);
                break;
            case 1:
                used += (size_t)snprintf(text + used, sizeof text - used, "%s = 0x%x000 1 usable\n", key, i);
                break;
            default:
                used += (size_t)snprintf(text + used, sizeof text - used, "%s = %u 1\n", key, i);
                break;
            }
        }
        assert_false(parse_bytes(text, used));
        char message[80];
        snprintf(message, sizeof message, "m:%u:%zu: too many lines of this kind '", lists[k].max + 3,
                 strlen(lists[k].key) + 4);
        assert_non_null(strstr(errors.text, message));
        snprintf(message, sizeof message, "(expected at most %u)\n", lists[k].max);
        assert_non_null(strstr(errors.text, message));
    }
}

#define WITHOUT_TSC "hypervisor = 1 2\nrsdp = 0\nreset = none\nphysical_bits = 39\ncaps = none\n"

static void bad_scalars(void **state)
{
    (void)state;
    assert_line_refused("rsdp = 1\n#", "m:8:1: key given twice 'rsdp' (expected it once; it is on line 5 already)\n");
    assert_refused(HEAD LISTS WITHOUT_TSC "tsc = fast\n",
                   "m:10:7: not a number 'fast' (expected a frequency in Hz, decimal or 0x hexadecimal)\n");
    assert_refused(HEAD LISTS WITHOUT_TSC "tsc = \n", "m:10:1: key without a value 'tsc' (expected tsc = VALUE)\n");
    assert_refused(HEAD LISTS WITHOUT_TSC "tsc = 1 MHz\n",
                   "m:10:9: text after the value 'MHz' (expected the end of the line or a comment)\n");
    assert_refused(HEAD LISTS "tsc = 1\nhypervisor = 1 0xffffffffffffffff\nrsdp = x\nreset = 0x10000 6\n"
                              "physical_bits = 53\ncaps = x3apic vmx\n",
                   "m:6:14: range passes the end of the address space '1 0xffffffffffffffff' (expected base + size of "
                   "at most 2^64 - 1)\n"
                   "m:7:8: not a number 'x' (expected an address, decimal or 0x hexadecimal)\n"
                   "m:8:9: number out of range '0x10000' (expected an I/O port or none from 0 to 65535)\n"
                   "m:9:17: number out of range '53' (expected a number of bits from 0 to 52)\n"
                   "m:10:8: unknown value 'x3apic' (expected nested_1g, nested_2m, x2apic, tsc_deadline, "
                   "invariant_tsc or guest_timer; did you mean 'x2apic'?)\n"
                   "m:10:15: unknown value 'vmx' (expected nested_1g, nested_2m, x2apic, tsc_deadline, "
                   "invariant_tsc or guest_timer)\n");
    assert_refused(HEAD LISTS
                   "tsc = 1\nhypervisor = 1 1\nrsdp = 0\nreset = 0xcf9 256\nphysical_bits = 1\ncaps = none\n",
                   "m:8:15: number out of range '256' (expected a byte from 0 to 255)\n");
}

static void bad_structure(void **state)
{
    (void)state;
    assert_refused("version = 2\n[machine]\n" LISTS SCALARS,
                   "m:1:11: unknown version '2' (expected 1, the one this program reads)\n");
    assert_refused("[machine]\n" LISTS SCALARS,
                   "m:1:1: no version '' (expected the line 'version = 1' before [machine])\n");
    assert_refused("tsc = 1\n" HEAD LISTS SCALARS,
                   "m:1:1: key outside of a section 'tsc' (expected 'version' or [machine] before it)\n");
    assert_refused(HEAD LISTS SCALARS "[mashine]\nfoo = 1\n",
                   "m:11:2: unknown section 'mashine' (expected [machine])\n");
    assert_line_refused("modul = 1 2", "m:5:1: unknown key 'modul' (did you mean 'module'?)\n");
    assert_line_refused("frequency_of_everything = 1", "m:5:1: unknown key 'frequency_of_everything' (expected cpu, "
                                                       "memory, module and so on, as `machine` prints)\n");
    assert_line_refused("ringfence> ", "m:5:1: line that is neither a section nor a key 'ringfence>' (expected "
                                       "[SECTION] or KEY = VALUE)\n");
}

static void empty_text(void **state)
{
    (void)state;
    errors.length = 0;
    assert_false(machine_parse("m", NULL, 0, &result, &errors.base));
    assert_non_null(strstr(errors.text, "m:1:1: no version"));
    assert_non_null(strstr(errors.text, "m:1:1: key missing 'cpu' (expected all that `machine` prints; is the text cut "
                                        "short?)\n"));
    assert_int_equal(result.cpu_count, 0);
}

/* Cut anywhere before the last value, the text is refused. */
static void every_truncation(void **state)
{
    (void)state;
    make_small_machine();
    size_t last = (size_t)(strstr(print(), "tsc           = ") - printed.text) + strlen("tsc           = ");
    for (size_t length = 0; length <= last; length++)
        assert_false(parse_bytes(printed.text, length));
    assert_true(parse_bytes(printed.text, printed.length));
    assert_true(parse_bytes(printed.text, printed.length - 1));
}

static void random_damage(void **state)
{
    static const char spice[] = "\n\n[]=\"#\\x,0 \r\t\xff^zK";
    static char text[4096];
    uint32_t random = 1;

    (void)state;
    make_small_machine();
    size_t length = strlen(print());
    assert_true(length < sizeof text);
    for (int round = 0; round < 10000; round++) {
        memcpy(text, printed.text, length);
        for (int i = 0; i < 3; i++) {
            random = random * 1664525 + 1013904223;
            text[(random >> 8) % length] = spice[(random >> 24) % sizeof spice];
        }
        (void)!parse_bytes(text, length);
        assert_true(result.cpu_count <= MACHINE_MAX_CPUS && result.region_count <= MACHINE_MAX_REGIONS);
        assert_true(result.module_count <= MACHINE_MAX_MODULES && result.ioapic_count <= MACHINE_MAX_IOAPICS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_machine),    cmocka_unit_test(text_of_the_small_machine),
        cmocka_unit_test(bare_machine),     cmocka_unit_test(each_capability),
        cmocka_unit_test(fullest_machine),  cmocka_unit_test(find_module),
        cmocka_unit_test(bad_cpus),         cmocka_unit_test(bad_memory),
        cmocka_unit_test(bad_modules),      cmocka_unit_test(bad_ioapics),
        cmocka_unit_test(full_lists),       cmocka_unit_test(bad_scalars),
        cmocka_unit_test(bad_structure),    cmocka_unit_test(empty_text),
        cmocka_unit_test(every_truncation), cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
