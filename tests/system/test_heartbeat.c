/*
 * A guest that owns its CPU and its timer: a thousand beats a second, none missed.
 */
#include "tests/system/box.h"

static const char *const modules[] = {"heartbeat=guests/heartbeat.elf", NULL};

static void test_no_beat_is_missed(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "heartbeat",
                                       .conf = "version = 1\n"
                                               "[partition heartbeat]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = heartbeat\n"
                                               "interrupts = direct\n",
                                       .modules = modules,
                                       .cpus = 2});
    box_expect(box, "ringfence> ");
    box_attach(box, "heartbeat");
    box_expect_line(box, "heartbeat: APIC id 1, 1000 beats a second, a period is ([0-9]+) ticks");
    uint64_t period = box_number(box, 1);
    for (uint64_t second = 1; second <= 4; second++) {
        box_expect_line(box, "heartbeat: second ([0-9]+), ([0-9]+) beats, ([0-9]+) missed, worst late ([0-9]+) ticks");
        assert_int_equal(box_number(box, 1), second);
        assert_true(box_number(box, 2) >= second * 1000);
        assert_int_equal(box_number(box, 3), 0);
        assert_true(box_number(box, 4) < period);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_no_beat_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
