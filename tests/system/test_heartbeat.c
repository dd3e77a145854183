/*
 * A guest that owns its CPU: a thousand beats a second, none missed, with the CPU's own timer and with one of ours.
 */
#include "tests/system/box.h"

#include <stdio.h>

static const char *const modules[] = {"heartbeat=guests/heartbeat.elf", NULL};

static void expect_beats(struct box *box, const char *name, const char *interrupts)
{
    char conf[256];
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition heartbeat]\n"
             "cpus = 1\n"
             "memory = 16M\n"
             "boot = multiboot1\n"
             "kernel = heartbeat\n"
             "interrupts = %s\n",
             interrupts);
    box_start(box, &(struct box_setup){.name = name, .conf = conf, .modules = modules, .cpus = 2});
    box_expect(box, "ringfence> ");
    box_attach(box, "heartbeat");
    box_expect_line(box, "heartbeat: APIC id [01], 1000 beats a second, a period is ([0-9]+) ticks");
    uint64_t period = box_number(box, 1);
    for (uint64_t second = 1; second <= 4; second++) {
        box_expect_line(box, "heartbeat: second ([0-9]+), ([0-9]+) beats, ([0-9]+) missed, worst late ([0-9]+) ticks");
        assert_int_equal(box_number(box, 1), second);
        box_check_beat_line(box);
        assert_true(box_number(box, 4) < period || !box_clock_is_exact());
    }
}

static void test_no_beat_of_its_own_timer_is_missed(void **state) { expect_beats(*state, "heartbeat", "direct"); }

static void test_no_beat_of_a_modelled_timer_is_missed(void **state)
{
    expect_beats(*state, "heartbeat-virtual", "virtual");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_no_beat_of_its_own_timer_is_missed),
        box_test(test_no_beat_of_a_modelled_timer_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
