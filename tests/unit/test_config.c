/* The parser of ringfence.conf: what it understands, and one test for each thing it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "version = 1\n"
#define GOOD "[partition a]\ncpus = 1\nmemory = 16M\nkernel = k\n"

/* Error lines end up here. */
static char messages[16384];
static size_t messages_length;

static void collect(struct sink *self, const char *text, size_t length)
{
    (void)self;
    assert_true(length < sizeof messages - messages_length);
    memcpy(messages + messages_length, text, length);
    messages_length += length;
    messages[messages_length] = '\0';
}

static struct sink errors = {collect};
static struct config config;

/* Parses a copy that has not one byte too many, so that a read past the end is caught. */
static unsigned parse_bytes(const char *text, size_t length)
{
    static char *copy;

    free(copy); /* the configuration of the last call pointed into it */
    copy = malloc(length == 0 ? 1 : length);
    assert_non_null(copy);
    memcpy(copy, text, length);
    messages_length = 0;
    messages[0] = '\0';
    memset(&config, 0xa5, sizeof config);
    return config_parse("f", copy, length, &config, &errors);
}

static unsigned parse(const char *text) { return parse_bytes(text, strlen(text)); }

/* Exactly this one error, and partition 0, when there is one, is refused. */
static void assert_refused(const char *text, const char *message)
{
    unsigned count = parse(text);
    assert_string_equal(messages, message);
    assert_int_equal(count, 1);
    if (config.partition_count != 0)
        assert_true(config.partitions[0].refused);
}

/* The same for an error that no partition suffers from. */
static void assert_box_error(const char *text, const char *message)
{
    assert_int_equal(parse(text), 1);
    assert_string_equal(messages, message);
    for (uint32_t i = 0; i < config.partition_count; i++)
        assert_false(config.partitions[i].refused);
}

static void assert_good(const char *text)
{
    unsigned count = parse(text);
    assert_string_equal(messages, "");
    assert_int_equal(count, 0);
    for (uint32_t i = 0; i < config.partition_count; i++)
        assert_false(config.partitions[i].refused);
}

static void assert_text(struct config_text text, const char *expected, uint32_t line, uint32_t column)
{
    assert_int_equal(text.text.length, strlen(expected));
    assert_memory_equal(text.text.at, expected, strlen(expected));
    assert_int_equal(text.place.line, line);
    assert_int_equal(text.place.column, column);
}

/* ---- what is understood ---- */

static void defaults(void **state)
{
    (void)state;
    memset(&config, 0xa5, sizeof config);
    config_defaults(&config);
    assert_int_equal(config.console_port, 0x3f8);
    assert_int_equal(config.console_baud, 115200);
    assert_int_equal(config.console_cpu, 0);
    assert_int_equal(config.console_cpu_place.line, 0);
    assert_int_equal(config.escape, 0x1d);
    assert_false(config.share_cores);
    assert_int_equal(config.partition_count, 0);
}

static void minimal_text(void **state)
{
    (void)state;
    assert_good("version = 1");
    assert_int_equal(config.partition_count, 0);
    assert_int_equal(config.console_port, 0x3f8);
}

static void whole_linux_partition(void **state)
{
    (void)state;
    assert_good(HEAD "[box]\nconsole = com2 9600\nconsole_cpu = 3\nescape = ^a\n"
                     "[partition linux-1.x]\n"
                     "  cpus = 0-1, 4 # comment\n"
                     "memory=256M\n"
                     "boot = linux\n"
                     "kernel = vmlinuz\n"
                     "initrd = initrd\n"
                     "cmdline = console=ttyS0 a#b  c\t# comment\n"
                     "console = none\ninterrupts = direct\nstart = manual\non_stop = reboot-box\n");
    assert_int_equal(config.console_port, 0x2f8);
    assert_int_equal(config.console_baud, 9600);
    assert_int_equal(config.console_cpu, 3);
    assert_int_equal(config.console_cpu_place.line, 4);
    assert_int_equal(config.console_cpu_place.column, 15);
    assert_int_equal(config.escape, 1);
    assert_int_equal(config.partition_count, 1);
    const struct config_partition *p = &config.partitions[0];
    assert_string_equal(p->name, "linux-1.x");
    assert_int_equal(p->place.line, 6);
    assert_int_equal(p->place.column, 1);
    assert_int_equal(p->cpu_count, 3);
    assert_int_equal(p->cpus[0], 0);
    assert_int_equal(p->cpus[1], 1);
    assert_int_equal(p->cpus[2], 4);
    assert_int_equal(p->cpus_place.line, 7);
    assert_int_equal(p->cpus_place.column, 10);
    assert_int_equal(p->memory, 256 * MIB);
    assert_int_equal(p->memory_place.column, 8);
    assert_int_equal(p->boot, BOOT_LINUX);
    assert_text(p->kernel, "vmlinuz", 10, 10);
    assert_text(p->initrd, "initrd", 11, 10);
    assert_text(p->cmdline, "console=ttyS0 a#b  c", 12, 11);
    assert_int_equal(p->console, CONSOLE_NONE);
    assert_int_equal(p->interrupts, INTERRUPTS_DIRECT);
    assert_int_equal(p->start, START_MANUAL);
    assert_int_equal(p->on_stop, ON_STOP_REBOOT_BOX);
}

static void partition_defaults(void **state)
{
    (void)state;
    assert_good(HEAD GOOD);
    const struct config_partition *p = &config.partitions[0];
    assert_int_equal(p->boot, BOOT_LINUX);
    assert_int_equal(p->initrd.place.line, 0);
    assert_int_equal(p->cmdline.place.line, 0);
    assert_int_equal(p->module_count, 0);
    assert_int_equal(p->console, CONSOLE_UART);
    assert_int_equal(p->start, START_AUTO);
    assert_int_equal(p->on_stop, ON_STOP_STAY);
}

static void multiboot1_partition(void **state)
{
    (void)state;
    assert_good(HEAD GOOD "boot = multiboot1\nmodules = one , two,three\ncmdline =\non_stop = restart\n");
    const struct config_partition *p = &config.partitions[0];
    assert_int_equal(p->boot, BOOT_MULTIBOOT1);
    assert_int_equal(p->module_count, 3);
    assert_text(p->modules[0], "one", 7, 11);
    assert_text(p->modules[1], "two", 7, 17);
    assert_text(p->modules[2], "three", 7, 21);
    assert_int_equal(p->cmdline.text.length, 0);
    assert_int_equal(p->on_stop, ON_STOP_RESTART);
}

static void partitions_of_other_protocols(void **state)
{
    (void)state;
    assert_good(HEAD GOOD "boot = multiboot2\nmodules = one\ncmdline = a b\n");
    assert_int_equal(config.partitions[0].boot, BOOT_MULTIBOOT2);
    assert_int_equal(config.partitions[0].module_count, 1);
    assert_good(HEAD GOOD "boot = pvh\nmodules = initrd\ncmdline = console=ttyS0\n");
    assert_int_equal(config.partitions[0].boot, BOOT_PVH);
    assert_text(config.partitions[0].modules[0], "initrd", 7, 11);
    assert_good(HEAD GOOD "boot = firmware\ninterrupts = virtual\n");
    assert_int_equal(config.partitions[0].boot, BOOT_FIRMWARE);
}

static void flat_partition(void **state)
{
    (void)state;
    assert_good(HEAD GOOD "boot = flat\nload = 1M\n");
    assert_int_equal(config.partitions[0].load, MIB);
    assert_int_equal(config.partitions[0].entry, MIB);
    assert_good(HEAD GOOD "boot = flat\nentry = 0x101000\nload = 0x100000\non_stop = halt-box\n");
    assert_int_equal(config.partitions[0].entry, 0x101000);
    assert_int_equal(config.partitions[0].on_stop, ON_STOP_HALT_BOX);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"4096", 4096},
                 {"0x1000", 4096},
                 {"4K", 4096},
                 {"3g", 3 * GIB},
                 {"2T", 2048 * GIB},
                 {"0X40m", 64 * MIB},
                 {"0xaBM", 0xab * MIB},
                 {"4096T", (uint64_t)1 << 52},
                 {"0x10000000000000", (uint64_t)1 << 52}};
    char text[200];

    (void)state;
    for (size_t i = 0; i < array_size(cases); i++) {
        snprintf(text, sizeof text, HEAD "[partition a]\ncpus=0\nkernel=k\nmemory=%s\n", cases[i].text);
        assert_good(text);
        assert_int_equal(config.partitions[0].memory, cases[i].bytes);
    }
}

static void consoles(void **state)
{
    (void)state;
    assert_good(HEAD "[box]\nconsole = com3\n");
    assert_int_equal(config.console_port, 0x3e8);
    assert_int_equal(config.console_baud, 115200);
    assert_good(HEAD "[box]\nconsole = 0xe000   57600\nescape = ^_\nshare_cores = yes\n");
    assert_int_equal(config.console_port, 0xe000);
    assert_int_equal(config.console_baud, 57600);
    assert_int_equal(config.escape, 0x1f);
    assert_true(config.share_cores);
    assert_good(HEAD "[box]\nshare_cores = no\n");
    assert_false(config.share_cores);
    assert_box_error(HEAD "[box]\nshare_cores = maybe\n" GOOD,
                     "f:3:15: unknown value 'maybe' (expected no or yes)\n");
    assert_false(config.share_cores);
}

static void quotes_hold_a_comment_sign(void **state)
{
    (void)state;
    assert_good(HEAD GOOD "cmdline = \"a # b\"   # \"comment\"\n");
    assert_text(config.partitions[0].cmdline, "a # b", 6, 12);
    assert_good(HEAD GOOD "cmdline = dyndbg=\"file x +p\" quiet\n");
    assert_text(config.partitions[0].cmdline, "dyndbg=\"file x +p\" quiet", 6, 11);
    assert_good(HEAD GOOD "cmdline = \"x=\"1 # 2\" y\"\n");
    assert_text(config.partitions[0].cmdline, "x=\"1 # 2\" y", 6, 12);
    assert_good(HEAD GOOD "cmdline = \"\"\n");
    assert_text(config.partitions[0].cmdline, "", 6, 12);
}

static void line_ends_and_mark(void **state)
{
    (void)state;
    assert_good("\xef\xbb\xbfversion = 1\r\n\r\n[partition a]\r\ncpus = 1\r\nmemory = 16M\r\nkernel = k\r");
    assert_text(config.partitions[0].kernel, "k", 6, 10);
    assert_good("# gr\xc3\xbc\xc3\x9f"
                "e, \x01\n" HEAD "\n \t\n" GOOD "cmdline = x");
    assert_text(config.partitions[0].cmdline, "x", 9, 11);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(boot_protocol_name(BOOT_LINUX), "linux");
    assert_string_equal(boot_protocol_name(BOOT_MULTIBOOT1), "multiboot1");
    assert_string_equal(boot_protocol_name(BOOT_MULTIBOOT2), "multiboot2");
    assert_string_equal(boot_protocol_name(BOOT_PVH), "pvh");
    assert_string_equal(boot_protocol_name(BOOT_FIRMWARE), "firmware");
    assert_string_equal(boot_protocol_name(BOOT_FLAT), "flat");
    assert_string_equal(stop_action_name(ON_STOP_STAY), "stay");
    assert_string_equal(stop_action_name(ON_STOP_REBOOT_BOX), "reboot-box");
    assert_string_equal(stop_action_name((enum stop_action)77), "?");
}

/* ---- the text as a whole ---- */

static void empty_file(void **state)
{
    (void)state;
    messages_length = 0;
    assert_int_equal(config_parse("f", NULL, 0, &config, &errors), 1);
    assert_string_equal(messages, "f:1:1: empty file '' (expected at least the line 'version = 1')\n");
    assert_int_equal(config.partition_count, 0);
    assert_int_equal(config.console_port, 0x3f8);
}

static void size_limit(void **state)
{
    static char text[CONFIG_MAX_SIZE + 1];

    (void)state;
    memset(text, '#', sizeof text);
    memcpy(text, HEAD, strlen(HEAD));
    assert_int_equal(parse_bytes(text, CONFIG_MAX_SIZE), 0);
    assert_int_equal(parse_bytes(text, CONFIG_MAX_SIZE + 1), 1);
    assert_string_equal(messages, "f:1:1: file too large '' (32769 bytes; expected at most 32768)\n");
}

static void version_errors(void **state)
{
    (void)state;
    assert_refused("version = 2\n" GOOD, "f:1:11: unknown version '2' (expected 1, the one this program reads)\n");
    assert_refused(GOOD, "f:1:1: no version '' (expected the line 'version = 1' before the first section)\n");
    assert_refused("version =\n" GOOD, "f:1:1: key without a value 'version' (expected version = VALUE)\n");
    assert_refused("# nothing\n", "f:1:1: no version '' (expected the line 'version = 1' before the first section)\n");
    assert_box_error(HEAD HEAD GOOD, "f:2:1: key given twice 'version' (expected it once; it is on line 1 already)\n");
    assert_int_equal(parse(GOOD "version = 1\n"), 2);
    assert_non_null(strstr(messages, "f:5:1: unknown key 'version' (it belongs in the part before the first section, "
                                     "this is [partition NAME])\n"));
    assert_true(config.partitions[0].refused);
}

static void strange_bytes(void **state)
{
    static const char zero[] = HEAD GOOD "initrd = x\0y\n";

    (void)state;
    assert_int_equal(parse_bytes(zero, sizeof zero - 1), 1);
    assert_string_equal(messages, "f:6:11: unprintable byte '\\x00' (expected plain ASCII text; other characters may "
                                  "stand in comments only)\n");
    assert_true(config.partitions[0].refused);
    assert_refused(HEAD GOOD "cmdline = a\rb\n", "f:6:12: unprintable byte '\\x0d' (expected plain ASCII text; other "
                                                 "characters may stand in comments only)\n");
    assert_refused(HEAD GOOD "cmdline = \x9b"
                             "1m\n",
                   "f:6:11: unprintable byte '\\x9b' (expected plain ASCII text; other characters may stand in "
                   "comments only)\n");
}

static void lines_that_are_nothing(void **state)
{
    (void)state;
    assert_refused(
        HEAD GOOD "hello there\n",
        "f:6:1: line that is neither a section nor a key 'hello there' (expected [SECTION] or KEY = VALUE)\n");
    assert_refused(HEAD GOOD " = 3\n", "f:6:2: line without a key '= 3' (expected KEY = VALUE)\n");
    assert_refused(HEAD GOOD "cmdline = \"abc # x\n",
                   "f:6:11: value without a closing quote '\"abc' (expected '\"' at its end)\n");
    assert_refused(HEAD GOOD "cmdline = \"abc\" x\n",
                   "f:6:11: value without a closing quote '\"abc\" x' (expected '\"' at its end)\n");
    assert_refused(HEAD GOOD "cmdline = \"abc\"#x\n",
                   "f:6:11: value without a closing quote '\"abc\"#x' (expected '\"' at its end)\n");
    assert_refused(HEAD GOOD "initrd = \"\n",
                   "f:6:10: value without a closing quote '\"' (expected '\"' at its end)\n");
}

static void long_text_is_cut(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "0123456789012345678901234567890123456789x\n",
                   "f:6:1: line that is neither a section nor a key '0123456789012345678901234567890123456789...' "
                   "(expected [SECTION] or KEY = VALUE)\n");
}

static void many_errors_are_counted(void **state)
{
    static char text[2000];

    (void)state;
    strcpy(text, HEAD);
    for (int i = 0; i < 300; i++)
        strcat(text, "x\n");
    assert_int_equal(parse(text), 300);
    assert_non_null(strstr(messages, "f:65:1: "));
    assert_null(strstr(messages, "f:66:1: "));
    assert_non_null(strstr(messages, "\nf: 236 more errors are not shown\n"));
}

/* ---- sections ---- */

static void section_errors(void **state)
{
    (void)state;
    assert_box_error(HEAD "[bxo]\nconsole = 1\n" GOOD,
                     "f:2:2: unknown section 'bxo' (expected [box] or [partition NAME]; did you mean 'box'?)\n");
    assert_box_error(HEAD "[]\n" GOOD, "f:2:2: unknown section '' (expected [box] or [partition NAME])\n");
    assert_box_error(HEAD "[partitions a]\ncpus = 1\n",
                     "f:2:2: unknown section 'partitions a' (expected [box] or [partition NAME]; did you mean "
                     "'partition'?)\n");
    assert_box_error(HEAD "[box]\nconsole_cpu = 1\n" GOOD "[box]\nconsole_cpu = 2\n",
                     "f:8:2: section given twice 'box' (expected [box] once)\n");
    assert_int_equal(config.console_cpu, 1);
    assert_refused(HEAD "[partition a\ncpus = 1\nmemory = 16M\nkernel = k\n",
                   "f:2:1: section header without an end '[partition a' (expected ']' at the end of the line)\n");
    assert_string_equal(config.partitions[0].name, "a");
    assert_refused(HEAD "[partition a] x\ncpus = 1\nmemory = 16M\nkernel = k\n",
                   "f:2:14: text after a section header ' x' (expected nothing but a comment after ']')\n");
}

/* An error in a header belongs to the section it opens, not to the one before. */
static void bad_header_spares_the_section_before(void **state)
{
    (void)state;
    assert_int_equal(parse(HEAD GOOD "[partition b] x\ncpus = 2\nmemory = 4K\nkernel = k\n"), 1);
    assert_int_equal(config.partition_count, 2);
    assert_false(config.partitions[0].refused);
    assert_true(config.partitions[1].refused);
}

/* And what is missing at a section's end does not spoil the next one. */
static void incomplete_section_spares_the_next(void **state)
{
    (void)state;
    assert_int_equal(parse(HEAD "[partition b]\ncpus = 2\nmemory = 4K\n" GOOD), 1);
    assert_string_equal(messages, "f:2:1: key missing in partition 'b' (expected a line such as 'kernel = MODULE')\n");
    assert_true(config.partitions[0].refused);
    assert_false(config.partitions[1].refused);
}

static void partition_name_errors(void **state)
{
    static const char *const bad[] = {"", "-a", "a b", "a/b", "a=b", "abcdefghijklmnopqrstuvwx", "_", "?"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < array_size(bad); i++) {
        snprintf(text, sizeof text, HEAD "[partition %s]\ncpus = 1\nmemory = 16M\nkernel = k\n", bad[i]);
        assert_int_equal(parse(text), 1);
        assert_non_null(strstr(messages, ": bad partition name '"));
        assert_true(config.partitions[0].refused);
        assert_non_null(strchr(config.partitions[0].name, '?'));
    }
    assert_good(HEAD "[partition abcdefghijklmnopqrstuvw]\ncpus = 1\nmemory = 16M\nkernel = k\n");
    assert_string_equal(config.partitions[0].name, "abcdefghijklmnopqrstuvw");
}

static void duplicate_partition(void **state)
{
    (void)state;
    assert_int_equal(parse(HEAD GOOD GOOD), 1);
    assert_string_equal(messages,
                        "f:6:12: partition name used twice 'a' (expected another name; it is on line 2 already)\n");
    assert_int_equal(config.partition_count, 2);
    assert_false(config.partitions[0].refused);
    assert_true(config.partitions[1].refused);
}

static void too_many_partitions(void **state)
{
    static char text[4096];
    size_t used = (size_t)snprintf(text, sizeof text, HEAD);

    (void)state;
    for (int i = 0; i <= CONFIG_MAX_PARTITIONS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "[partition p%d]\ncpus = 1\nmemory = 16M\nkernel = k\n", i);
    assert_int_equal(parse(text), 1);
    assert_string_equal(messages, "f:66:1: too many partitions '[partition p16]' (expected at most 16)\n");
    assert_int_equal(config.partition_count, CONFIG_MAX_PARTITIONS);
    assert_false(config.partitions[CONFIG_MAX_PARTITIONS - 1].refused);
}

/* ---- keys ---- */

static void unknown_keys(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "ram_size = 4K\n", "f:6:1: unknown key 'ram_size' (expected boot, load, entry, cpus, "
                                                "memory, kernel, initrd, modules, cmdline, console, interrupts, "
                                                "acceleration, start, on_stop, fault.triple-fault, fault.port, fault.msr, "
                                                "fault.memory, fault.machine-check, fault.unknown, fault.watchdog, "
                                                "fault.reset, fault.power-off, learn, allow.port, allow.msr)\n");
    assert_refused(HEAD GOOD "cmdlien = x\n", "f:6:1: unknown key 'cmdlien' (did you mean 'cmdline'?)\n");
    assert_refused(HEAD GOOD "INTERUPTS = x\n", "f:6:1: unknown key 'INTERUPTS' (did you mean 'interrupts'?)\n");
    assert_refused(HEAD GOOD "console_cpu = 1\n",
                   "f:6:1: unknown key 'console_cpu' (it belongs in [box], this is [partition NAME])\n");
    assert_box_error("versoin = 1\n" HEAD GOOD, "f:1:1: unknown key 'versoin' (did you mean 'version'?)\n");
    assert_box_error("cpus = 1\n" HEAD GOOD, "f:1:1: unknown key 'cpus' (it belongs in [partition NAME], this is the "
                                             "part before the first section)\n");
    assert_box_error(HEAD "[box]\nescap = ^A\n" GOOD, "f:3:1: unknown key 'escap' (did you mean 'escape'?)\n");
    assert_int_equal(config.escape, 0x1d);
}

static void duplicate_key(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "memory = 32M\n",
                   "f:6:1: key given twice 'memory' (expected it once; it is on line 4 already)\n");
    assert_int_equal(config.partitions[0].memory, 16 * MIB);
}

static void empty_value(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "initrd =   # none\n", "f:6:1: key without a value 'initrd' (expected initrd = VALUE)\n");
    assert_refused(HEAD GOOD "initrd = \"\"\n", "f:6:1: key without a value 'initrd' (expected initrd = VALUE)\n");
}

static void missing_keys(void **state)
{
    (void)state;
    assert_int_equal(parse(HEAD "[partition a]\n"), 3);
    assert_string_equal(messages, "f:2:1: key missing in partition 'a' (expected a line such as 'cpus = 0-1')\n"
                                  "f:2:1: key missing in partition 'a' (expected a line such as 'memory = 256M')\n"
                                  "f:2:1: key missing in partition 'a' (expected a line such as 'kernel = MODULE')\n");
    assert_true(config.partitions[0].refused);
    assert_refused(HEAD GOOD "boot = flat\n",
                   "f:2:1: key missing in partition 'a' (expected a line such as 'load = 0x100000')\n");
}

static void keys_of_other_protocols(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "load = 1M\n",
                   "f:6:1: key of another boot protocol 'load' (expected no such key with boot = linux)\n");
    assert_refused(HEAD GOOD "entry = 1M\n",
                   "f:6:1: key of another boot protocol 'entry' (expected no such key with boot = linux)\n");
    assert_refused(HEAD GOOD "modules = x\n",
                   "f:6:1: key of another boot protocol 'modules' (expected no such key with boot = linux)\n");
    assert_refused(HEAD GOOD "initrd = i\nboot = multiboot1\n",
                   "f:6:1: key of another boot protocol 'initrd' (expected no such key with boot = multiboot1)\n");
    assert_refused(HEAD GOOD "boot = flat\nload = 1M\ncmdline = x\n",
                   "f:8:1: key of another boot protocol 'cmdline' (expected no such key with boot = flat)\n");
}

static void bad_words(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "boot = lunix\nmodules = x\n", "f:6:8: unknown value 'lunix' (expected linux, multiboot1, multiboot2, pvh, firmware "
                                                            "or flat; did you mean 'linux'?)\n");
    assert_int_equal(parse(HEAD GOOD "boot = lunix\n[partition b]\ncpus = 2\nmemory = 4K\nkernel = k\nload = 0\n"), 2);
    assert_non_null(strstr(messages, "f:11:1: key of another boot protocol 'load'"));
    assert_refused(HEAD GOOD "console = vga\n", "f:6:11: unknown value 'vga' (expected uart or none)\n");
    assert_refused(HEAD GOOD "interrupts = some\n",
                   "f:6:14: unknown value 'some' (expected direct, virtual or any)\n");
    assert_refused(HEAD GOOD "start = Auto\n",
                   "f:6:9: unknown value 'Auto' (expected auto or manual; did you mean 'auto'?)\n");
    assert_refused(HEAD GOOD "on_stop = reboot\n",
                   "f:6:11: unknown value 'reboot' (expected stay, restart, halt-box or reboot-box)\n");
}

static void assert_memory_refused(const char *value, const char *message)
{
    char text[200];

    snprintf(text, sizeof text, HEAD "[partition a]\ncpus = 1\nkernel = k\nmemory = %s\n", value);
    assert_refused(text, message);
    assert_int_equal(config.partitions[0].memory, 0);
}

static void bad_sizes(void **state)
{
    (void)state;
    assert_memory_refused("0", "f:5:10: bad amount of memory '0' (expected a multiple of 4K, not zero)\n");
    assert_memory_refused("6K", "f:5:10: bad amount of memory '6K' (expected a multiple of 4K, not zero)\n");
    assert_memory_refused("256", "f:5:10: bad amount of memory '256' (expected a multiple of 4K, not zero)\n");
    const char *too_large[] = {"4097T", "0x10000000001000", "18446744073709551616", "99999999999999999999999K",
                               "0x10000000000000000"};
    const char *no_size[] = {"256MB", "256 M", "M", "0x", "0xM", "-4K", "4.5K", "12a", "0xgg"};
    char message[200];

    for (size_t i = 0; i < array_size(too_large); i++) {
        snprintf(message, sizeof message,
                 "f:5:10: size out of range '%s' (expected an amount of memory of at most 4194304 GiB)\n",
                 too_large[i]);
        assert_memory_refused(too_large[i], message);
    }
    for (size_t i = 0; i < array_size(no_size); i++) {
        snprintf(message, sizeof message,
                 "f:5:10: not a size '%s' (expected an amount of memory in bytes, or with K, M, G or T, such as "
                 "256M)\n",
                 no_size[i]);
        assert_memory_refused(no_size[i], message);
    }
}

static void assert_cpus_refused(const char *value, const char *message)
{
    char text[400];

    snprintf(text, sizeof text, HEAD "[partition a]\ncpus = %s\nkernel = k\nmemory = 4K\n", value);
    assert_refused(text, message);
}

static void bad_cpu_lists(void **state)
{
    (void)state;
    assert_cpus_refused("0-1,4,", "f:3:14: not a number '' (expected a CPU number, decimal or 0x hexadecimal)\n");
    assert_cpus_refused("a", "f:3:8: not a number 'a' (expected a CPU number, decimal or 0x hexadecimal)\n");
    assert_cpus_refused("1-", "f:3:10: not a number '' (expected a CPU number, decimal or 0x hexadecimal)\n");
    assert_cpus_refused("-1", "f:3:8: not a number '' (expected a CPU number, decimal or 0x hexadecimal)\n");
    assert_cpus_refused("0, 3-1", "f:3:11: reversed CPU range '3-1' (expected the lower number first: 1-3)\n");
    assert_cpus_refused("0-2,1", "f:3:12: CPU listed twice '1' (expected CPU 1 once)\n");
    assert_cpus_refused("4294967296", "f:3:8: number out of range '4294967296' (expected a CPU number from 0 to "
                                      "4294967295)\n");
    assert_cpus_refused("0-4294967295", "f:3:8: too many CPUs '0-4294967295' (expected at most 64 in a partition)\n");
    assert_cpus_refused("0-63,64", "f:3:13: too many CPUs '64' (expected at most 64 in a partition)\n");
    assert_good(HEAD "[partition a]\ncpus = 4294967232-4294967295\nkernel = k\nmemory = 4K\n");
    assert_int_equal(config.partitions[0].cpu_count, 64);
    assert_int_equal(config.partitions[0].cpus[63], UINT32_MAX);
}

static void bad_module_names(void **state)
{
    char name[65] = "", text[200], message[200];

    (void)state;
    assert_refused(HEAD GOOD "initrd = a b\n",
                   "f:6:10: bad module name 'a b' (expected one word, as after GRUB's module2 PATH)\n");
    assert_refused(HEAD GOOD "boot = multiboot1\nmodules = a,,b\n",
                   "f:7:13: bad module name '' (expected one word, as after GRUB's module2 PATH)\n");
    assert_refused(HEAD GOOD "boot = multiboot1\nmodules = 1,2,3,4,5,6,7,8,9\n",
                   "f:7:27: too many modules '9' (expected at most 8 in a partition)\n");
    memset(name, 'n', 64);
    snprintf(text, sizeof text, HEAD GOOD "initrd = %s\n", name);
    snprintf(message, sizeof message, "f:6:10: module name too long '%.40s...' (expected at most 63 characters)\n",
             name);
    assert_refused(text, message);
    snprintf(text, sizeof text, HEAD GOOD "initrd = %.63s\n", name);
    assert_good(text);
}

static void bad_addresses(void **state)
{
    (void)state;
    assert_refused(HEAD GOOD "boot = flat\nload = here\n", "f:7:8: not a size 'here' (expected an address in bytes, or "
                                                           "with K, M, G or T, such as 256M)\n");
    assert_refused(HEAD GOOD "boot = flat\nload = 0\nentry = 4096T\n",
                   "f:8:9: size out of range '4096T' (expected an address of at most 4503599627370495 bytes)\n");
}

/* ---- [box] ---- */

static void bad_console(void **state)
{
    static const struct {
        const char *value, *message;
    } cases[] = {
        {"com5", "f:3:11: unknown value 'com5' (expected com1, com2, com3 or com4; did you mean 'com1'?)\n"},
        {"0x3f9", "f:3:11: bad UART port '0x3f9' (expected a multiple of 8)\n"},
        {"0x60", "f:3:11: number out of range '0x60' (expected an I/O port from 256 to 65528)\n"},
        {"0x10000", "f:3:11: number out of range '0x10000' (expected an I/O port from 256 to 65528)\n"},
        {"3f8", "f:3:11: not a number '3f8' (expected an I/O port, decimal or 0x hexadecimal)\n"},
        {"com2 0", "f:3:16: number out of range '0' (expected a speed in baud from 1 to 115200)\n"},
        {"com2 230400", "f:3:16: number out of range '230400' (expected a speed in baud from 1 to 115200)\n"},
        {"com2 1", "f:3:16: impossible speed '1' (expected one that a 16550 makes by dividing 115200, such as 115200 "
                   "or 9600)\n"},
        {"com2 100000", "f:3:16: impossible speed '100000' (expected one that a 16550 makes by dividing 115200, such "
                        "as 115200 or 9600)\n"},
        {"com2 9600 8n1", "f:3:21: text after the speed '8n1' (expected a port and a speed only)\n"},
        {"\"  \"", "f:3:14: console without a port '' (expected com1 to com4 or a port number)\n"},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < array_size(cases); i++) {
        snprintf(text, sizeof text, HEAD "[box]\nconsole = %s\n" GOOD, cases[i].value);
        assert_box_error(text, cases[i].message);
        assert_int_equal(config.console_port, 0x3f8);
        assert_int_equal(config.console_baud, 115200);
    }
}

static void bad_escape_and_cpu(void **state)
{
    static const char *const bad[] = {"^", "]", "^]]", "^1", "^@", "^M", "^m", "^j", "^[", "^{", "^?"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < array_size(bad); i++) {
        snprintf(text, sizeof text, HEAD "[box]\nescape = %s\n" GOOD, bad[i]);
        assert_int_equal(parse(text), 1);
        assert_non_null(strstr(messages, "f:3:10: bad escape key '"));
        assert_int_equal(config.escape, 0x1d);
    }
    assert_box_error(HEAD "[box]\nconsole_cpu = first\n" GOOD,
                     "f:3:15: not a number 'first' (expected a CPU number, decimal or 0x hexadecimal)\n");
    assert_int_equal(config.console_cpu_place.line, 0);
}

/* ---- any bytes ---- */

static const char sample[] = "\xef\xbb\xbf" HEAD "[box]\r\nconsole = com1 115200\nescape = ^]\n"
                             "[partition linux] # c\ncpus = 0-1,4\nmemory = 256M\ninitrd = i\nkernel = vmlinuz\n"
                             "cmdline = \"a # \"b\" c\" # d\n[partition b]\ncpus = 7\nboot = multiboot1\nkernel = k\n"
                             "memory = 0x1000\nmodules = a, b,c\n";

/* What holds of every result, whatever came in. */
static void assert_sane(unsigned count)
{
    bool refused = false;

    assert_true(config.partition_count <= CONFIG_MAX_PARTITIONS);
    for (uint32_t i = 0; i < config.partition_count; i++) {
        const struct config_partition *p = &config.partitions[i];
        refused = refused || p->refused;
        assert_true(strlen(p->name) < CONFIG_NAME_SIZE);
        if (p->refused)
            continue;
        assert_in_range(p->cpu_count, 1, CONFIG_MAX_CPUS);
        assert_true(p->memory != 0 && p->memory % PAGE_SIZE == 0);
        assert_true(p->kernel.text.length != 0);
        assert_true(p->module_count <= CONFIG_MAX_MODULES);
    }
    if (refused)
        assert_true(count != 0);
    assert_true((count == 0) == (messages_length == 0));
}

static void every_truncation(void **state)
{
    (void)state;
    assert_int_equal(parse_bytes(sample, sizeof sample - 1), 0);
    for (size_t length = 0; length < sizeof sample; length++)
        assert_sane(parse_bytes(sample, length));
}

static void random_damage(void **state)
{
    static const char spice[] = "\n\n\n[]=\"#-,0 \r\t\xff^xK";
    char text[sizeof sample];
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        memcpy(text, sample, sizeof sample);
        for (int i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            text[(random >> 8) % (sizeof sample - 1)] = spice[(random >> 24) % sizeof spice];
        }
        assert_sane(parse_bytes(text, sizeof sample - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(minimal_text),
        cmocka_unit_test(whole_linux_partition),
        cmocka_unit_test(partition_defaults),
        cmocka_unit_test(multiboot1_partition),
        cmocka_unit_test(partitions_of_other_protocols),
        cmocka_unit_test(flat_partition),
        cmocka_unit_test(sizes),
        cmocka_unit_test(consoles),
        cmocka_unit_test(quotes_hold_a_comment_sign),
        cmocka_unit_test(line_ends_and_mark),
        cmocka_unit_test(names),
        cmocka_unit_test(empty_file),
        cmocka_unit_test(size_limit),
        cmocka_unit_test(version_errors),
        cmocka_unit_test(strange_bytes),
        cmocka_unit_test(lines_that_are_nothing),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(many_errors_are_counted),
        cmocka_unit_test(section_errors),
        cmocka_unit_test(bad_header_spares_the_section_before),
        cmocka_unit_test(incomplete_section_spares_the_next),
        cmocka_unit_test(partition_name_errors),
        cmocka_unit_test(duplicate_partition),
        cmocka_unit_test(too_many_partitions),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(duplicate_key),
        cmocka_unit_test(empty_value),
        cmocka_unit_test(missing_keys),
        cmocka_unit_test(keys_of_other_protocols),
        cmocka_unit_test(bad_words),
        cmocka_unit_test(bad_sizes),
        cmocka_unit_test(bad_cpu_lists),
        cmocka_unit_test(bad_module_names),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(bad_console),
        cmocka_unit_test(bad_escape_and_cpu),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
