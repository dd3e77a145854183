/*
 * Virtual interrupts as a guest sees them, on CPUs that help with them in different ways: all the same.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <string.h>

static const char *const modules[] = {"hello=guests/hello.elf", NULL};
static const char *const checks[] = {"register", "cr8", "nesting", "halt", "halt-below", "disabled", "level"};

static void expect_priorities(struct box *box, const char *name, const char *engine, const char *words,
                              const char *more)
{
    char conf[512], line[64];
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition hello]\n"
             "cpus = 1\n"
             "memory = 16M\n"
             "boot = multiboot1\n"
             "kernel = hello\n"
             "start = manual\n"
             "interrupts = virtual\n"
             "cmdline = %s\n%s",
             words, more);
    box_start(box, &(struct box_setup){.name = name, .conf = conf, .modules = modules, .engine = engine, .cpus = 2});
    box_expect(box, "ringfence> ");
    box_command(box, "start hello");
    box_expect(box, "hello: stopped");
    box_command(box, "log hello");
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        snprintf(line, sizeof line, "^hello: priority %s ok", checks[i]);
        box_expect_line(box, line);
    }
}

static void test_priorities(void **state)
{
    expect_priorities(*state, "priority", NULL, "priority", "acceleration = yes\n");
}
static void test_priorities_in_memory(void **state)
{
    expect_priorities(*state, "priority-xapic", NULL, "xapic priority", "acceleration = yes\n");
}
static void test_priorities_without_the_cpus_help(void **state)
{
    expect_priorities(*state, "priority-emulated", NULL, "priority", "");
}

/* A CPU with the TPR shadow, but without virtual-interrupt delivery. */
static void test_priorities_with_a_shadow_alone(void **state)
{
    expect_priorities(*state, "priority-shadow", "bochs:corei7_sandy_bridge_2600k", "priority", "acceleration = yes\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_priorities),
        box_test(test_priorities_in_memory),
        box_test(test_priorities_without_the_cpus_help),
        box_test(test_priorities_with_a_shadow_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
