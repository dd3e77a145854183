/* Attach: bytes both ways, the escape key, losses, and a partition that stops under one's hands. */
#include "tests/unit/console_box.h"

#include "core/attach.h"

static struct partition *const linux_partition = &partition_table.partitions[0];

static int attached(void **state)
{
    box_setup(state);
    box.platforms[0].takes = SIZE_MAX;
    command("attach linux");
    expect("[attached to linux; Ctrl-] returns]\r\n");
    return 0;
}

static void output_and_input_flow(void **state)
{
    (void)state;
    guest_says(0, "login: \x1b[1m");
    service(2);
    assert_string_equal(box.output + box.checked, "login: \x1b[1m"); /* as it is */
    type("root\r\x03\x7f");
    box.next_outcome.message_count = 1;
    service(2);
    assert_int_equal(box.platforms[0].length, 7);
    assert_memory_equal(box.platforms[0].input, "root\r\x03\x7f", 7);
    assert_int_equal(box.delivered, 1);
    assert_string_equal(box.output + box.checked, "login: \x1b[1m"); /* echo is the guest's */
}

static void output_from_before_is_shown_once(void **state)
{
    (void)state;
    guest_says(0, "before\r\n");
    type("\x1d");
    service(3);
    expect("[detached]\r\nringfence> ");
    guest_says(0, "and while away\r\n");
    command("attach linux");
    expect("[attached to linux; Ctrl-] returns]\r\nbefore\r\nand while away\r\n");
    type("\x1d");
    service(3);
    command("attach linux");
    expect("returns]\r\n");
    expect_none("away");
}

static void the_escape_key_leaves_the_rest_to_the_prompt(void **state)
{
    (void)state;
    guest_says(0, "half a line");
    service(2);
    type("ab\x1dversion\r");
    service(5);
    expect("half a line\r\n[detached]\r\nringfence> version\r\nRingfence");
    assert_int_equal(box.platforms[0].length, 0); /* what was typed right before goes with the attachment */
}

static void input_waits_for_a_slow_guest(void **state)
{
    (void)state;
    box.platforms[0].takes = 3;
    type("abcdef");
    service(3);
    assert_int_equal(box.platforms[0].length, 3);
    box.platforms[0].takes = 1;
    service(3);
    assert_memory_equal(box.platforms[0].input, "abcd", 4);
    box.platforms[0].takes = SIZE_MAX;
    service(1);
    assert_memory_equal(box.platforms[0].input, "abcdef", 6);
}

static void a_deaf_guest_does_not_lock_the_terminal(void **state)
{
    (void)state;
    box.platforms[0].takes = 0;
    for (int i = 0; i < 512; i++)
        type("x");
    service(20);
    expect("\a");
    type("\x1d");
    service(2);
    expect("[detached]");
    box.platforms[0].takes = SIZE_MAX;
    service(5);
    assert_int_equal(box.platforms[0].length, 0);
}

static void overwritten_output_is_counted(void **state)
{
    (void)state;
    box.wire = 0;
    service(1);
    for (int i = 0; i < RING_SIZE + 123; i++)
        guest_says(0, "x");
    box.wire = SIZE_MAX;
    service(100);
    expect("[ringfence: 123 bytes of output lost]\r\nxxx");
    expect_none("lost");
}

static void nothing_is_lost_on_a_slow_wire(void **state)
{
    (void)state;
    box.wire = 10;
    for (int i = 0; i < RING_SIZE - 1; i++)
        guest_says(0, "x");
    guest_says(0, "!");
    box.checked = box.length;
    service(RING_SIZE / 10 + 20);
    assert_int_equal(box.length - box.checked, RING_SIZE);
    assert_int_equal(box.output[box.length - 1], '!');
}

static void messages_come_in_lines_of_their_own(void **state)
{
    (void)state;
    guest_says(0, "# ");
    service(1);
    log_line("tiny: stopped");
    service(2);
    expect("# \r\n[ringfence: tiny: stopped]\r\n");
}

static void stops_and_restarts_are_told(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        guest_says(0, "long ");
    guest_says(0, "last words");
    strcpy(linux_partition->reason, "triple fault");
    linux_partition->state = PARTITION_STOPPED;
    service(20);
    expect("last words\r\n[linux is stopped: triple fault; Ctrl-] returns]\r\n");
    type("typed to nobody");
    service(5);
    expect_none("linux");
    linux_partition->reason[0] = '\0';
    linux_partition->starts++;
    linux_partition->state = PARTITION_RUNNING;
    service(2);
    expect("[linux is running again; Ctrl-] returns]\r\n");
    guest_says(0, "hello again");
    service(2);
    expect("hello again");
    assert_int_equal(box.platforms[0].length, 0);
    linux_partition->starts++; /* so fast that nobody saw it stop */
    service(3);
    expect("\r\n[linux is running again; ");
}

/* The state changes a moment before the request for it is settled: the news waits for both. */
static void news_waits_until_a_change_is_over(void **state)
{
    (void)state;
    strcpy(linux_partition->reason, "powered off");
    linux_partition->goal = GOAL_STOP;
    linux_partition->state = PARTITION_STOPPED;
    service(3);
    expect_none("linux is");
    linux_partition->goal = GOAL_NONE;
    service(3);
    expect("[linux is stopped: powered off; Ctrl-] returns]\r\n");
}

static void pausing_keeps_the_input(void **state)
{
    (void)state;
    linux_partition->state = PARTITION_PAUSED;
    type("ls\r");
    service(3);
    expect("[linux is paused; ");
    assert_int_equal(box.platforms[0].length, 0);
    linux_partition->state = PARTITION_RUNNING;
    service(3);
    assert_int_equal(box.platforms[0].length, 3);
}

static void attaching_to_a_stopped_partition_says_so(void **state)
{
    box_setup(state);
    linux_partition->state = PARTITION_STOPPED;
    command("attach linux");
    expect("[attached to linux; Ctrl-] returns]\r\n[linux is stopped; Ctrl-] returns]\r\n");
}

static void a_partition_without_console_is_refused(void **state)
{
    box_setup(state);
    command("attach tiny");
    expect("tiny has no console: its section says 'console = none'\r\nringfence> ");
}

static void the_escape_key_is_the_configured_one(void **state)
{
    box_setup(state);
    box.config.escape = 0x01;
    console_init(&box.port, &box.config, &box.machine, &box.plan, &box.backend);
    service(2);
    box.platforms[0].takes = SIZE_MAX;
    command("attach linux");
    expect("[attached to linux; Ctrl-A returns]\r\n");
    type("\x1d");
    service(2);
    assert_int_equal(box.platforms[0].length, 1);
    type("\x01");
    service(2);
    expect("[detached]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(output_and_input_flow, attached),
        cmocka_unit_test_setup(output_from_before_is_shown_once, attached),
        cmocka_unit_test_setup(the_escape_key_leaves_the_rest_to_the_prompt, attached),
        cmocka_unit_test_setup(input_waits_for_a_slow_guest, attached),
        cmocka_unit_test_setup(a_deaf_guest_does_not_lock_the_terminal, attached),
        cmocka_unit_test_setup(overwritten_output_is_counted, attached),
        cmocka_unit_test_setup(nothing_is_lost_on_a_slow_wire, attached),
        cmocka_unit_test_setup(messages_come_in_lines_of_their_own, attached),
        cmocka_unit_test_setup(stops_and_restarts_are_told, attached),
        cmocka_unit_test_setup(news_waits_until_a_change_is_over, attached),
        cmocka_unit_test_setup(pausing_keeps_the_input, attached),
        cmocka_unit_test(attaching_to_a_stopped_partition_says_so),
        cmocka_unit_test(a_partition_without_console_is_refused),
        cmocka_unit_test(the_escape_key_is_the_configured_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
