/* The console: commands, their errors, messages above the prompt, slow wires. */
#include "tests/unit/console_box.h"

#include "core/command.h"

#include <stdio.h>

static struct partition *const linux_partition = &partition_table.partitions[0];

static void greets_and_prompts(void **state)
{
    (void)state;
    assert_string_equal(box.output, "\r\nRingfence 0.1 on VT-x. 'help' shows the commands.\r\nringfence> ");
    service(10);
    expect("ringfence> ");
    expect_none("ringfence");
}

static void help_lists_every_command(void **state)
{
    (void)state;
    static const char *const names[] = {"help",       "list",        "start NAME",  "stop NAME",  "restart NAME",
                                        "pause NAME", "resume NAME", "attach NAME", "log [NAME|crash]", "stats [NAME]",
                                        "mem",        "cpus",        "plan",        "machine",    "version",
                                        "reboot",     "halt"};
    command("help");
    for (size_t i = 0; i < array_size(names); i++)
        expect(names[i]);
    expect("\r\nringfence> ");
}

static void mistakes_get_a_suggestion(void **state)
{
    (void)state;
    command("lst");
    expect("\r\nunknown command 'lst': did you mean 'list'? 'help' shows all\r\nringfence> ");
    command("qwertzuiop");
    expect("\r\nunknown command 'qwertzuiop': 'help' shows all\r\n");
    command("start linx");
    expect("\r\nno partition 'linx': did you mean 'linux'?\r\n");
    command("start windows95");
    expect("no partition 'windows95': 'list' shows all\r\n");
    command("start broken");
    expect("partition 'broken' was refused when the box started: 'log' says why\r\n");
    command("start");
    expect("which partition? The command is 'start NAME': 'list' shows the names\r\n");
    command("  stop   linux now");
    expect("'now' is one word too many: the command is 'stop NAME'\r\n");
    command("list linux");
    expect("'linux' is one word too many: the command is 'list'\r\n");
    command("stats linux 2");
    expect("'2' is one word too many: the command is 'stats [NAME]'\r\n");
    command("   ");
    expect("\r\nringfence> ");
    expect_none("unknown");
    assert_int_equal(box.asked, GOAL_NONE);
}

static void list_shows_the_table(void **state)
{
    (void)state;
    fake_cpu.clock = linux_partition->started_at + (26 * 3600 + 61) * (uint64_t)BOX_HZ;
    strcpy(partition_table.partitions[1].reason, "triple fault at 0x1234\x1b[2J");
    command("list");
    expect("NAME         STATE      CPUS    MEMORY    STARTS  UP         WHY STOPPED\r\n");
    expect("linux        running    1-2     256 MiB   1       1d 2:01:01\r\n");
    expect("tiny         stopped    3       256 MiB   0       -          triple fault at 0x1234?[2J\r\n");
    linux_partition->goal = GOAL_STOP;
    command("list");
    expect("linux        stopping ");
    linux_partition->goal = GOAL_NONE;
    linux_partition->state = PARTITION_PAUSED;
    command("list");
    expect("linux        paused ");
    partition_table.count = 0;
    command("list");
    expect("there is no partition: 'log' says why\r\n");
    command("stats");
    expect("there is no partition");
}

static void lifecycle_commands_ask_and_report_later(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum partition_goal goal;
        enum partition_state end;
        const char *doing, *done;
    } cases[] = {
        {"stop linux", GOAL_STOP, PARTITION_STOPPED, "linux: stopping", "] linux: stopped\r\n"},
        {"start linux", GOAL_START, PARTITION_RUNNING, "linux: starting", "] linux: running\r\n"},
        {"restart linux", GOAL_RESTART, PARTITION_RUNNING, "linux: restarting", "] linux: running\r\n"},
        {"pause linux", GOAL_PAUSE, PARTITION_PAUSED, "linux: pausing", "] linux: paused\r\n"},
        {"resume linux", GOAL_RESUME, PARTITION_RUNNING, "linux: resuming", "] linux: running\r\n"},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        command(cases[i].line);
        assert_int_equal(box.asked, cases[i].goal);
        assert_ptr_equal(box.asked_of, linux_partition);
        expect(cases[i].doing);
        expect("\r\nringfence> ");
        service(10);
        expect_none("linux");
        linux_partition->state = cases[i].end;
        linux_partition->goal = GOAL_NONE;
        service(3);
        expect(cases[i].done);
        expect("ringfence> ");
        service(10);
        expect_none("linux");
    }
}

static void a_start_that_fails_says_why(void **state)
{
    (void)state;
    linux_partition->state = PARTITION_STOPPED;
    command("start linux");
    strcpy(linux_partition->reason, "image 'vmlinuz' is no bzImage");
    linux_partition->goal = GOAL_NONE;
    service(3);
    expect("linux: not running: image 'vmlinuz' is no bzImage\r\n");
    command("stop linux");
    linux_partition->goal = GOAL_NONE;
    service(3);
    expect("linux: stopped: image 'vmlinuz' is no bzImage\r\n");
}

static void refused_requests_say_why(void **state)
{
    (void)state;
    box.answer = LIFECYCLE_REFUSED;
    command("start linux");
    expect("linux is running already\r\n");
    command("stop tiny");
    expect("tiny is stopped already\r\n");
    linux_partition->state = PARTITION_PAUSED;
    command("pause linux");
    expect("linux is paused already\r\n");
    command("start linux");
    expect("linux is paused: 'resume' lets it go on, 'restart' begins anew\r\n");
    box.answer = LIFECYCLE_REFUSED;
    command("pause tiny");
    expect("tiny is stopped: 'start' starts it\r\n");
    command("resume tiny");
    expect("tiny is stopped: 'start' starts it\r\n");
    linux_partition->goal = GOAL_NONE;
    service(5);
    expect_none("] linux:"); /* nothing was asked, so nothing is reported */
}

static void a_request_that_comes_later_is_reported(void **state)
{
    (void)state;
    box.answer = LIFECYCLE_LATER;
    linux_partition->goal = GOAL_STOP;
    command("start linux");
    expect("linux is still stopping: starting comes next\r\n");
    service(5);
    expect_none("] linux:");
    box.answer = LIFECYCLE_BUSY;
    command("pause linux");
    expect("linux is still stopping, and another command waits for that: try again\r\n");
    linux_partition->goal = GOAL_NONE;
    linux_partition->state = PARTITION_RUNNING;
    service(5);
    expect("linux: running\r\n");
}

static void stats_count_from_look_to_look(void **state)
{
    (void)state;
    fake_cpu.clock = 12345 * (uint64_t)BOX_HZ / 1000;
    box.vcpus[0].stats.exits[EXIT_CPUID] = 1000;
    box.vcpus[0].stats.exits[EXIT_PORT] = 7;
    command("stats linux");
    expect("linux: running, 12.345 s since its start, 12.345 s since the last look\r\n");
    expect("vCPU 0   on CPU 1");
    expect("cpuid                      1000         1000\r\n");
    expect("port                          7            7\r\n");
    expect("all exits                  1007         1007\r\n");
    expect("vCPU 1   on CPU 2");
    expect("all exits                     0            0\r\n");
    expect_none("tiny");
    fake_cpu.clock += 2 * (uint64_t)BOX_HZ;
    box.vcpus[0].stats.exits[EXIT_CPUID] = 1001;
    command("stats");
    expect("14.345 s since its start, 2.000 s since the last look\r\n");
    expect("cpuid                      1001            1\r\n");
    expect("port                          7            0\r\n");
    expect("tiny: stopped\r\n");
    /* Started anew: the counters began at 0 again, and so does the look. */
    linux_partition->starts = 2;
    linux_partition->started_at = fake_cpu.clock - BOX_HZ;
    box.vcpus[0].stats.exits[EXIT_CPUID] = 2000;
    command("stats linux");
    expect("1.000 s since its start, 1.000 s since the last look\r\n");
    expect("cpuid                      2000         2000\r\n");
}

static void box_commands(void **state)
{
    (void)state;
    command("mem");
    expect("000000200000-000000a00000 8 MiB         hypervisor\r\n");
    expect("000001000000-000001345000 3348 KiB      module vmlinuz\r\n");
    expect("000040000000-000050000000 256 MiB       linux at 0x0\r\n");
    expect("000080000000-000090000000 256 MiB       tiny at 0x0\r\n");
    expect("4095 MiB usable in this machine, 512 MiB owned by partitions\r\n");
    command("cpus");
    expect("0     0         0         online    nobody (serves this console)\r\n");
    expect("1     2         1         online    linux, vCPU 0\r\n");
    expect("3     6         3         online    tiny, vCPU 0\r\n");
    expect("4     8         4         offline   nobody\r\n");
    command("version");
    expect("Ringfence 0.1 on VT-x\r\n");
}

/* Collects what a printer prints, with a terminal's line ends. */
struct expected {
    struct sink sink;
    size_t length;
    char text[64 * 1024];
};
static void expected_put(struct sink *self, const char *text, size_t length)
{
    struct expected *to = (struct expected *)self;
    for (size_t i = 0; i < length; i++) {
        assert_true(to->length + 3 < sizeof to->text);
        if (text[i] == '\n')
            to->text[to->length++] = '\r';
        to->text[to->length++] = text[i];
    }
    to->text[to->length] = '\0';
}
static struct expected expected;

/* The report of a machine with all CPUs is longer than the output buffer: not a byte may be missing or twice. */
static void a_long_report_on_a_slow_wire_is_whole(void **state)
{
    (void)state;
    box.machine.cpu_count = MACHINE_MAX_CPUS;
    for (uint32_t i = 0; i < MACHINE_MAX_CPUS; i++)
        box.machine.cpus[i] = (struct machine_cpu){.apic_id = 1000 + i, .acpi_uid = i, .online = true};
    expected = (struct expected){.sink = {expected_put}};
    machine_print(&box.machine, &expected.sink);
    assert_true(expected.length > OUTBOX_SIZE);
    for (box.wire = 1000; box.wire > 7; box.wire /= 3) {
        command("machine");
        expect("machine\r\n");
        assert_memory_equal(box.output + box.checked, expected.text, expected.length);
        box.checked += expected.length;
        assert_string_equal(box.output + box.checked, "ringfence> ");
    }
    box.wire = SIZE_MAX;
    command("plan");
    expected = (struct expected){.sink = {expected_put}};
    plan_print(&box.plan, &box.machine, &expected.sink);
    expect("plan\r\n");
    assert_memory_equal(box.output + box.checked, expected.text, expected.length);
}

static void log_of_a_partition_spells_control_characters(void **state)
{
    (void)state;
    command("log linux");
    expect("log linux\r\nringfence> ");
    guest_says(0, "boot\r\n\x1b[31mred\x07 \xe2\x82\xac\ttab\x7f");
    command("log linux");
    expect("log linux\r\nboot\r\n^[[31mred^G ...\ttab^?\r\nringfence> ");
}

static void log_of_a_partition_is_whole(void **state)
{
    (void)state;
    expected = (struct expected){.sink = {expected_put}};
    for (int i = 0; i < RING_SIZE / 16 + 3; i++) {
        char line[32];
        snprintf(line, sizeof line, "this is no %04d\n", i);
        guest_says(0, line);
        if (i >= 3)
            sink_print(&expected.sink, "%s", line);
    }
    box.wire = 100;
    command("log linux");
    expect("log linux\r\n");
    assert_memory_equal(box.output + box.checked, expected.text, expected.length);
    box.checked += expected.length;
    assert_string_equal(box.output + box.checked, "ringfence> ");
}

static void log_tells_what_was_overwritten_meanwhile(void **state)
{
    (void)state;
    for (int i = 0; i < RING_SIZE; i++)
        guest_says(0, "a");
    box.wire = 0;
    box.checked = box.length;
    type("log linux\r");
    service(20);
    for (int i = 0; i < RING_SIZE; i++)
        guest_says(0, "b");
    box.wire = SIZE_MAX;
    service(100);
    expect("aaaa\r\n[ringfence: ");
    expect(" bytes of output lost]\r\nbbbb");
    expect("\r\nringfence> ");
}

static void log_of_a_busy_guest_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        guest_says(0, "f");
    box.checked = box.length;
    type("log linux\r");
    service(1);
    for (int i = 0; i < 50; i++) {
        guest_says(0, "again\n");
        service(1);
    }
    expect("fff\r\nringfence> ");
    expect_none("again");
}

static void own_log_and_messages(void **state)
{
    (void)state;
    fake_cpu.clock += 1234567;
    log_line("CPU %d: %s", 3, "hello\x1b\n");
    box.checked = box.length;
    service(2);
    expect("\r           \r[    1.234] CPU 3: hello??\r\nringfence> ");
    command("log");
    expect("log\r\n[    1.234] CPU 3: hello??\r\nringfence> ");
}

static void messages_leave_the_line_being_typed(void **state)
{
    (void)state;
    type("start li\x02");
    service(3);
    box.checked = box.length;
    for (int i = 0; i < 6; i++)
        log_line("message %d", i);
    service(5);
    expect("\r                   \r[");
    expect("message 0\r\n");
    expect("message 3\r\n");
    expect("message 5\r\nringfence> start li\b");
    type("\x05nux\r");
    service(5);
    assert_int_equal(box.asked, GOAL_START);
}

static void long_messages_are_cut_and_lost_ones_counted(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_line("%s", text);
    service(2);
    expect("xxx...\r\n");
    box.checked = box.length;
    for (int i = 0; i < 100; i++)
        log_line("%d %s", i, text);
    service(200);
    expect("[ringfence: ");
    expect(" bytes of messages lost]\r\n");
    expect("] 99 xxx");
}

static void messages_wait_for_a_command_to_end(void **state)
{
    (void)state;
    type("help\r");
    service(3);
    log_line("in between");
    box.checked = box.length;
    service(40);
    expect("halt");
    expect("in between\r\nringfence> ");
}

static void lines_of_a_log_sink(void **state)
{
    (void)state;
    struct log_sink log;
    log_sink_init(&log);
    sink_print(&log.sink, "one\ntwo: %d", 2);
    sink_print(&log.sink, "2\n\nrest");
    log_sink_flush(&log);
    for (int i = 0; i < LOG_LINE_SIZE; i++)
        sink_print(&log.sink, "y");
    log_sink_flush(&log);
    box.checked = box.length;
    service(5);
    expect("] one\r\n[");
    expect("] two: 22\r\n[");
    expect("] rest\r\n[");
    expect("] yyy");
    expect("] yyy");
    expect("ringfence> ");
    expect_none("...");
}

static void control_c_ends_a_long_command(void **state)
{
    (void)state;
    for (int i = 0; i < RING_SIZE; i++)
        guest_says(0, "z");
    box.wire = 16;
    box.checked = box.length;
    type("log linux\r");
    service(30);
    for (int i = 0; i < 300; i++) /* more than the input holds: it still gets through */
        type("q");
    type("\x03version\r");
    box.wire = 512;
    service(100);
    expect("^C\r\nringfence> version\r\nRingfence 0.1");
    assert_true(box.length < RING_SIZE);
}

static void typing_ahead_waits_its_turn(void **state)
{
    (void)state;
    box.checked = box.length;
    type("help\rversion\rlst\r");
    service(60);
    expect("this list\r\n");
    expect("ringfence> version\r\nRingfence 0.1 on VT-x\r\nringfence> lst\r\nunknown command 'lst'");
}

static void a_dead_wire_holds_nobody_up(void **state)
{
    (void)state;
    box.wire = 0;
    for (int i = 0; i < 50; i++) {
        type("machine\rhelp\rlist\r");
        service(20);
        log_line("message");
        guest_says(0, "output\r\n");
    }
    box.wire = SIZE_MAX;
    box.typed_length = 0;
    service(2000);
    expect_none("console output lost");
    command("\x03version"); /* what was typed meanwhile is still there, as far as it was kept */
    expect("^C\r\nringfence> version\r\nRingfence 0.1 on VT-x\r\nringfence> ");
}

static void end_of_the_box(const char *line, uint32_t *count, const char *message)
{
    jmp_buf end;
    fake_cpu.box_end = &end;
    volatile bool ended = false;
    box.wire = 1;
    type(line);
    if (setjmp(end) == 0)
        service(300);
    else
        ended = true;
    assert_true(ended);
    assert_int_equal(*count, 1);
    expect(message); /* the last words are out */
}

static void reboot_and_halt_say_goodbye(void **state)
{
    (void)state;
    end_of_the_box("reboot\r", &fake_cpu.reboots, "] the box restarts\r\n");
    box_setup(NULL);
    end_of_the_box("halt\r", &fake_cpu.halts, "] the box is halted\r\n");
    assert_int_equal(fake_cpu.reboots, 0);
}

/* As a partition's policy on_stop does it: in the middle of a command, and with its reason in the log. */
static void another_cpu_ends_the_box(void **state)
{
    (void)state;
    jmp_buf end;
    fake_cpu.box_end = &end;
    type("help\r");
    service(3);
    for (int i = 0; i < 20; i++)
        log_line("linux: stopped: reason %d", i);
    console_end_box(true);
    console_end_box(false);
    if (setjmp(end) == 0)
        service(100);
    assert_int_equal(fake_cpu.reboots, 1);
    assert_int_equal(fake_cpu.halts, 0);
    expect("reason 19\r\n");
}

static void halt_does_not_wait_for_a_dead_wire(void **state)
{
    (void)state;
    jmp_buf end;
    fake_cpu.box_end = &end;
    box.wire = 0;
    type("halt\r");
    if (setjmp(end) == 0) {
        service(100);
        assert_int_equal(fake_cpu.halts, 0);
        fake_cpu.clock += 3 * (uint64_t)BOX_HZ;
        service(1);
    }
    assert_int_equal(fake_cpu.halts, 1);
}

static size_t lying_read(struct console_port *self, char *to, size_t size)
{
    (void)self;
    memset(to, 'x', size);
    return SIZE_MAX;
}
static size_t lying_write(struct console_port *self, const char *from, size_t size)
{
    (void)self;
    (void)from;
    (void)size;
    return SIZE_MAX;
}

static void a_port_that_lies_is_not_believed(void **state)
{
    (void)state;
    box.port = (struct console_port){lying_read, lying_write};
    service(100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(greets_and_prompts, box_setup),
        cmocka_unit_test_setup(help_lists_every_command, box_setup),
        cmocka_unit_test_setup(mistakes_get_a_suggestion, box_setup),
        cmocka_unit_test_setup(list_shows_the_table, box_setup),
        cmocka_unit_test_setup(lifecycle_commands_ask_and_report_later, box_setup),
        cmocka_unit_test_setup(a_start_that_fails_says_why, box_setup),
        cmocka_unit_test_setup(refused_requests_say_why, box_setup),
        cmocka_unit_test_setup(a_request_that_comes_later_is_reported, box_setup),
        cmocka_unit_test_setup(stats_count_from_look_to_look, box_setup),
        cmocka_unit_test_setup(box_commands, box_setup),
        cmocka_unit_test_setup(a_long_report_on_a_slow_wire_is_whole, box_setup),
        cmocka_unit_test_setup(log_of_a_partition_spells_control_characters, box_setup),
        cmocka_unit_test_setup(log_of_a_partition_is_whole, box_setup),
        cmocka_unit_test_setup(log_tells_what_was_overwritten_meanwhile, box_setup),
        cmocka_unit_test_setup(log_of_a_busy_guest_ends, box_setup),
        cmocka_unit_test_setup(own_log_and_messages, box_setup),
        cmocka_unit_test_setup(messages_leave_the_line_being_typed, box_setup),
        cmocka_unit_test_setup(long_messages_are_cut_and_lost_ones_counted, box_setup),
        cmocka_unit_test_setup(messages_wait_for_a_command_to_end, box_setup),
        cmocka_unit_test_setup(lines_of_a_log_sink, box_setup),
        cmocka_unit_test_setup(control_c_ends_a_long_command, box_setup),
        cmocka_unit_test_setup(typing_ahead_waits_its_turn, box_setup),
        cmocka_unit_test_setup(a_dead_wire_holds_nobody_up, box_setup),
        cmocka_unit_test_setup(reboot_and_halt_say_goodbye, box_setup),
        cmocka_unit_test_setup(another_cpu_ends_the_box, box_setup),
        cmocka_unit_test_setup(halt_does_not_wait_for_a_dead_wire, box_setup),
        cmocka_unit_test_setup(a_port_that_lies_is_not_believed, box_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
