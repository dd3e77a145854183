/*
 * ringfence.conf as a whole is bad: empty, huge, cut short, no text at all, of an unknown version, or not there. Each
 * time the box says in one line what is wrong and where, starts what it can, and serves its console.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <string.h>

/* Lines 1 to 7 of most of these texts: a partition that is good. */
#define GOOD                                                                                                           \
    "version = 1\n"                                                                                                    \
    "[partition good]\n"                                                                                               \
    "cpus = 1\n"                                                                                                       \
    "memory = 16M\n"                                                                                                   \
    "boot = multiboot1\n"                                                                                              \
    "kernel = hello\n"                                                                                                 \
    "cmdline = stay\n"

/* Boots with these bytes as ringfence.conf. */
static void boot(struct box *box, const char *name, const void *conf, size_t size)
{
    static const char *const modules[] = {"ringfence.conf=./bytes", "hello=guests/hello.elf", NULL};
    box_file(box, name, "bytes", conf, size);
    box_start(box, &(struct box_setup){.name = name, .modules = modules, .cpus = 2});
}

static void expect_good_one_runs(struct box *box)
{
    box_expect(box, "ringfence> ");
    box_attach(box, "good");
    box_expect_line(box, "^hello: staying, halted$");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^good +running ");
}

static void expect_nothing_runs(struct box *box)
{
    box_expect(box, "ringfence> ");
    box_command(box, "list");
    box_expect_line(box, "^there is no partition");
    box_command(box, "version");
    box_expect_line(box, "^Ringfence [0-9.]+ on ");
}

static void test_empty(void **state)
{
    struct box *box = *state;
    boot(box, "conf-empty", "", 0);
    box_expect_line(box, "(^|\\] )ringfence\\.conf:1:1: empty file .*expected at least the line 'version = 1'");
    box_expect_line(box, "(^|\\] )ringfence\\.conf: 1 error");
    expect_nothing_runs(box);
}

static void test_huge(void **state)
{
    struct box *box = *state;
    static char text[300 * 1024] = GOOD;
    size_t length = strlen(text);
    memset(text + length, '#', sizeof text - length);
    boot(box, "conf-huge", text, sizeof text);
    box_expect_line(box, "(^|\\] )ringfence\\.conf:1:1: file too large .*307200 bytes; expected at most 32768");
    expect_nothing_runs(box);
}

/* Cut in the middle of a number, with no line feed at its end: what stands before it is good. */
static void test_truncated(void **state)
{
    struct box *box = *state;
    static const char text[] = GOOD "[partition cut]\n"
                                    "cpus = 1\n"
                                    "boot = multiboot1\n"
                                    "kernel = hello\n"
                                    "memory = 16Mi";
    boot(box, "conf-truncated", text, sizeof text - 1);
    box_expect_line(box, "(^|\\] )ringfence\\.conf:12:10: not a size '16Mi' \\(expected .*256M\\)$");
    expect_good_one_runs(box);
}

/* All byte values, after a good part; they must neither reach the terminal nor hide what comes before. */
static void test_binary(void **state)
{
    struct box *box = *state;
    char text[sizeof GOOD "[box]\n" + 2 * 256] = GOOD "[box]\n";
    size_t length = strlen(text);
    for (unsigned i = 0; i < 2 * 256; i++)
        text[length++] = (char)(i * 7);
    boot(box, "conf-binary", text, length);
    box_expect_line(box, "(^|\\] )ringfence\\.conf:9:1: unprintable byte '\\\\x00' ");
    expect_good_one_runs(box);
    for (const char *at = box->text; *at != '\0'; at++)
        if ((*at < ' ' || *at > '~') && strchr("\r\n\t\b\a\x1b", *at) == NULL)
            box_fail(box, "byte 0x%x of the file reached the terminal", (unsigned)(unsigned char)*at);
}

static void test_unknown_version(void **state)
{
    struct box *box = *state;
    static const char text[] = "version = 2\n[partition good]\ncpus = 1\nmemory = 16M\nboot = multiboot1\n"
                               "kernel = hello\n";
    boot(box, "conf-version", text, sizeof text - 1);
    box_expect_line(box, "(^|\\] )ringfence\\.conf:1:11: unknown version '2' \\(expected 1,");
    expect_nothing_runs(box);
}

static void test_no_version(void **state)
{
    struct box *box = *state;
    static const char *const modules[] = {"hello=guests/hello.elf", NULL};
    box_start(box, &(struct box_setup){.name = "conf-no-version",
                                       .conf = "[partition good]\ncpus = 1\nmemory = 16M\nboot = multiboot1\n"
                                               "kernel = hello\n",
                                       .modules = modules,
                                       .cpus = 2});
    box_expect_line(box, "(^|\\] )ringfence\\.conf:1:1: no version .*'version = 1'");
    expect_nothing_runs(box);
}

/* No module of that name: the self-check, the machine, what to write into grub.cfg, the console. */
static void test_none(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "conf-none", .cpus = 2});
    box_expect_line(box, "2 CPUs, [0-9]+ MiB usable, TSC [0-9]+\\.[0-9]+ MHz by the 8254, ");
    box_expect_line(box, "^Self-check:");
    box_expect_line(box, "^  memory +yes");
    box_expect_line(box, "^There is no configuration: no partition is started\\.");
    box_expect_line(box, "^Add this line to the entry in grub\\.cfg, after the multiboot2 line:");
    box_expect_line(box, "^ +module2 /boot/ringfence\\.conf ringfence\\.conf$");
    expect_nothing_runs(box);
    box_command(box, "machine");
    box_expect_line(box, "^cpu +=");
    box_expect_line(box, "^tsc +=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_empty),           box_test(test_huge),       box_test(test_truncated), box_test(test_binary),
        box_test(test_unknown_version), box_test(test_no_version), box_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
