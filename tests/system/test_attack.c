/*
 * A hostile partition against the box: every attack of guests/hostile, and what must become of it. Beside it a
 * partition whose timer must not miss a beat and one that watches its own memory and registers; after each group of
 * attacks both must be as they were, and the console must answer.
 *
 * What happened is written as a table, one line an attack and one column an engine, to $RINGFENCE_BUILD/attack.txt.
 * RINGFENCE_ATTACK_ONLY is a pattern for the names of the tests. RINGFENCE_ATTACK_ENGINES names the engines (default:
 * the best one here), RINGFENCE_RANDOM_SECONDS how long random instructions are executed (default 20),
 * RINGFENCE_RANDOM_SEED their seed.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/system/attack_table.h"

enum must {
    HOLDS,      /* the guest lives and says PASS */
    ENDS,       /* the partition is ended, for the reason given */
    RESTARTS,   /* the partition starts anew */
    LOOPS,      /* goes on for ever; the console's `stop` ends it */
    HOLDS_ONCE, /* says PASS, and then nothing more */
    CONTAINED,  /* any of the above: what it does to itself is not this test's business */
};

struct attack {
    const char *command;
    enum must must;
    const char *reason; /* of ENDS: an extended regular expression */
};

/* How a group's box is laid out. */
struct layout {
    const char *hostile_cpus, *canary_cpus, *heartbeat_cpus;
};

static const struct layout beside_console = {"1", "0", "2"};
static const struct layout on_console_cpu = {"0", "1", "2"};
static const struct layout two_cpus = {"1-2", "0", "3"};

static const char *const modules[] = {"hostile=guests/hostile.elf", "canary=guests/canary.elf",
                                      "heartbeat=guests/heartbeat.elf", NULL};

static const char *current_engine;
/* Whether hostile runs and waits for a command, and this terminal is attached to it. */
static bool ready;

static void start_box(struct box *box, const char *name, const struct layout *layout, const char *hostile)
{
    char conf[1024], case_name[64];
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition hostile]\ncpus = %s\nmemory = 4M\nboot = multiboot1\nkernel = hostile\ninterrupts = direct\n"
             "start = manual\n%s"
             "[partition canary]\ncpus = %s\nmemory = 4M\nboot = multiboot1\nkernel = canary\ninterrupts = direct\n"
             "[partition heartbeat]\ncpus = %s\nmemory = 4M\nboot = multiboot1\nkernel = heartbeat\n"
             "interrupts = direct\n",
             layout->hostile_cpus, hostile, layout->canary_cpus, layout->heartbeat_cpus);
    snprintf(case_name, sizeof case_name, "attack-%s-%s", name, current_engine);
    box_start(box, &(struct box_setup){.name = case_name,
                                       .conf = conf,
                                       .modules = modules,
                                       .engine = current_engine,
                                       .cpus = 4,
                                       .limit_seconds = 120});
    box_expect(box, "ringfence> ");
    ready = false;
}

static void make_ready(struct box *box)
{
    if (ready)
        return;
    box_command(box, "start hostile");
    box_expect(box, "ringfence> ");
    box_attach(box, "hostile");
    box_expect(box, "hostile: ready");
    ready = true;
}

static void leave(struct box *box)
{
    if (ready)
        box_detach(box);
    ready = false;
}

static void stop_hostile(struct box *box)
{
    leave(box);
    box_command(box, "stop hostile");
    box_expect(box, "ringfence> ");
    for (unsigned patience = 0; patience < 8; patience++) {
        box_command(box, "list");
        box_expect_line(box, "^hostile +(stopped|stopping)");
        bool stopped = strstr(box->line, "stopped") != NULL;
        box_expect(box, "ringfence> ");
        if (stopped)
            return;
    }
    box_fail(box, "hostile is still not stopped");
}

/* Waits for what becomes of the attack, in the words of the line that tells. */
static const char *answer(struct box *box)
{
    box_expect_line(box,
                    "hostile: (PASS|FAIL|goes on)|\\[hostile is (stopped|running again)|Ringfence panic|Assertion");
    return box->line;
}

static bool is_match(const char *text, const char *expression)
{
    regex_t compiled;
    if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static bool says(const char *line, const char *text) { return strstr(line, text) != NULL; }

/* Brings hostile back to where the next attack can be given. */
static void settle(struct box *box, const char *line)
{
    if (says(line, "is stopped")) {
        leave(box);
        return;
    }
    /* After a restart its prompt may have come before the news: an empty line asks for another. */
    if (says(line, "running again"))
        box_send(box, "\r");
    box_expect(box, "hostile: ready");
}

static bool is_as_it_must(const struct attack *attack, const char *line)
{
    switch (attack->must) {
    case HOLDS:
    case HOLDS_ONCE:
        return says(line, "hostile: PASS");
    case ENDS:
        return says(line, "is stopped") && is_match(line, attack->reason);
    case RESTARTS:
        return says(line, "running again");
    case LOOPS:
        return says(line, "goes on");
    case CONTAINED:
        return !says(line, "panic") && !says(line, "FAIL");
    }
    return false;
}

/* One attack; false when something else came of it than must. */
static bool attack_run(struct box *box, const struct attack *attack)
{
    char line[BOX_LINE_SIZE];
    make_ready(box);
    attack_table_note(current_engine, attack->command, "NO ANSWER");
    box_send(box, attack->command);
    box_send(box, "\r");
    do
        snprintf(line, sizeof line, "%s", answer(box));
    while (attack->must == RESTARTS && says(line, "goes on"));
    bool held = is_as_it_must(attack, line);
    attack_table_outcome(held, line);
    if (says(line, "panic"))
        box_fail(box, "'%s' took the box down: %s", attack->command, line);
    if (!says(line, "is stopped") && (attack->must == HOLDS_ONCE || says(line, "goes on")))
        stop_hostile(box);
    else
        settle(box, line);
    if (!held)
        fprintf(stderr, "attack '%s' on %s: %s\n", attack->command, current_engine, line);
    return held;
}

/* Seconds for which a partition has been up. */
static uint64_t up_seconds(struct box *box, const char *partition)
{
    char expression[64];
    box_command(box, "list");
    snprintf(expression, sizeof expression, "^%s +running .* ([0-9]+):([0-9]+):([0-9]+)", partition);
    box_expect_line(box, expression);
    uint64_t seconds = box_number(box, 1) * 3600 + box_number(box, 2) * 60 + box_number(box, 3);
    box_expect(box, "ringfence> ");
    return seconds;
}

static void check_heartbeat(struct box *box)
{
    uint64_t now = up_seconds(box, "heartbeat"), second;
    box_attach(box, "heartbeat");
    do {
        box_expect_line(box, "heartbeat: second ([0-9]+), ([0-9]+) beats, ([0-9]+) missed");
        second = box_number(box, 1);
        assert_int_equal(box_number(box, 3), 0);
    } while (second <= now);
    box_detach(box);
}

static void check_canary(struct box *box)
{
    uint64_t now = up_seconds(box, "canary"), second;
    box_attach(box, "canary");
    do {
        box_expect_line(box, "canary: second ([0-9]+), ([0-9]+) sweeps, .* ([0-9]+) changed, ([0-9]+) interrupts");
        second = box_number(box, 1);
        assert_int_equal(box_number(box, 3), 0);
        assert_int_equal(box_number(box, 4), 0);
        assert_true(box_number(box, 2) > 0);
    } while (second <= now);
    box_detach(box);
    assert_false(box_seen(box, "CHANGED"));
}

static void check_neighbours(struct box *box)
{
    box_command(box, "version");
    box_expect(box, "Ringfence ");
    box_expect(box, "ringfence> ");
    check_heartbeat(box);
    check_canary(box);
}

static void run_group(void **state, const char *name, const struct layout *layout, const struct attack *attacks,
                      size_t count)
{
    struct box *box = *state;
    unsigned wrong = 0;
    start_box(box, name, layout, "");
    for (size_t i = 0; i < count; i++)
        wrong += !attack_run(box, &attacks[i]);
    leave(box);
    check_neighbours(box);
    assert_int_equal(wrong, 0);
}
#define RUN_GROUP(state, name, layout, attacks)                                                                        \
    run_group(state, name, layout, attacks, sizeof(attacks) / sizeof((attacks)[0]))

static void test_what_a_guest_survives_is_refused(void **state)
{
    static const struct attack attacks[] = {
        {"edges", HOLDS, NULL},
        {"instructions", HOLDS, NULL},
        {"instructions-prefixed", HOLDS, NULL},
        {"hypercalls 7", HOLDS, NULL},
        {"apic-base", HOLDS, NULL},
        {"kvm-clock", HOLDS, NULL},
        {"msrs", HOLDS, NULL},
        {"msrs-own", HOLDS, NULL},
        {"msrs-random 11", HOLDS, NULL},
        {"ports-read", HOLDS, NULL},
        {"ports-write 0xffffffff", HOLDS, NULL},
        {"ports-write 0", HOLDS, NULL},
        {"control-bits", HOLDS, NULL},
        {"control-random 13", HOLDS, NULL},
        {"table-loop", HOLDS, NULL},
        {"cr3-reserved", HOLDS, NULL},
        {"table-pointers", HOLDS, NULL},
        {"gates 17", HOLDS, NULL},
        {"decoder-straddle", HOLDS, NULL},
        {"decoder-modify", HOLDS, NULL},
        {"decoder-prefixes", HOLDS, NULL},
        {"icr", HOLDS, NULL},
        {"icr-random 19", HOLDS, NULL},
        {"storm-nmi", HOLDS, NULL},
        {"storm-interrupts", HOLDS, NULL},
        {"apic-registers 23", HOLDS, NULL},
        {"descriptors 29", HOLDS, NULL},
    };
    RUN_GROUP(state, "refused", &beside_console, attacks);
}

/* 0x1000000 up: behind the end of its 4 MiB. The hypervisor and the neighbours are somewhere in the box's 512 MiB. */
static void test_an_address_outside_ends_the_partition(void **state)
{
    static const struct attack attacks[] = {
        {"read 0x400000 1", ENDS, "reads from guest-physical 400000"},
        {"read 0x3ffffc 8", ENDS, "reads from guest-physical 400000"},
        {"write 0x3fffff 2", ENDS, "writes to guest-physical 400000"},
        {"execute 0x400000", ENDS, "executes at guest-physical 400000"},
        {"execute 0xfffff0", ENDS, "executes at guest-physical fffff0"},
        {"read 0x1000000 8", ENDS, "reads from guest-physical 1000000"},
        {"write 0x1fc00000 8", ENDS, "writes to guest-physical 1fc00000"},
        {"write 0x1ff00000 4", ENDS, "writes to guest-physical 1ff00000"},
        {"read 0x20000000 4", ENDS, "reads from guest-physical 20000000"},
        {"read 0xfee00030 4", ENDS, "reads from guest-physical fee00030"},
        {"write 0xfee00300 4", ENDS, "writes to guest-physical fee00300"},
        {"execute 0xfec00000", ENDS, "executes at guest-physical fec00000"},
        {"read 0xfec00ffc 8", ENDS, "fec0"},
        {"read 0xfebffffc 8", ENDS, "feb|fec0"},
        {"read 0xfed00000 4", ENDS, "reads from guest-physical fed00000"},
        {"read 0xfffffff0 1", ENDS, "reads from guest-physical fffffff0"},
        {"execute 0xfffffff0", ENDS, "executes at guest-physical fffffff0"},
        {"write 0x100000000 8", ENDS, "writes to guest-physical 100000000"},
        {"read 0x7ffffff000 8", ENDS, "reads from guest-physical 7ffffff000"},
        {"copy 0x200000 0x3ffff0 4096", ENDS, "reads from guest-physical 400000"},
        {"copy 0x3ffff0 0x200000 4096", ENDS, "writes to guest-physical 400000"},
        {"walk 0x20000000", ENDS, "guest-physical 20000000"},
        {"walk 0xfee00000", ENDS, "guest-physical fee00"},
        {"walk 0xfec00000", ENDS, "fec0"},
        {"cr3 0x20000000", ENDS, "guest-physical 20000"},
        {"cr3 0xfec00000", ENDS, "fec0"},
        {"pae 0x20000000", ENDS, "guest-physical 20000|triple fault"},
        {"unpaged 0x20000000", ENDS, "reads from guest-physical 20000000"},
        {"real 3", ENDS, "reads from guest-physical 20000000"},
        {"decoder-string 0x200000 0xfec00000 0x40000000", ENDS, "fec0"},
        {"decoder-string 0xfec00ff0 0x200000 0x1000", ENDS, "fec0"},
        {"decoder-string 0x20000000 0xfec00000 1", ENDS, "writes to guest-physical 20000000"},
        {"decoder-bytes 0x07ae0f 3 0", ENDS, "the decoder does not know|fec0"},
        {"decoder-bytes 0x37ff 2 0", ENDS, "the decoder does not know|fec0"},
        {"decoder-bytes 0x07b10f48 4 0", CONTAINED, NULL},
        {"decoder-bytes 0x07c10f 3 0", CONTAINED, NULL},
        {"decoder-bytes 0x078b48 3 0xffc", CONTAINED, NULL},
        {"decoder-bytes 0x17ff 2 0", CONTAINED, NULL},
        {"decoder-bytes 0x0fc70f 3 0", CONTAINED, NULL},
        {"decoder-bytes 0x07100f 3 0", CONTAINED, NULL},
        {"decoder-bytes 0x07c7 2 0", CONTAINED, NULL},
    };
    RUN_GROUP(state, "addresses", &beside_console, attacks);
}

static void test_a_guest_that_ends_itself_ends_alone(void **state)
{
    static const struct attack attacks[] = {
        {"idt-null", ENDS, "triple fault"},
        {"idt-empty", ENDS, "triple fault"},
        {"df-chain", ENDS, "triple fault"},
        {"idt-at 0x20000000", ENDS, "reads from guest-physical 20000"},
        {"idt-at 0xfec00000", ENDS, "fec0"},
        {"gdt-at 0x20000000", ENDS, "guest-physical 20000"},
        {"tss-at 0x20000000", ENDS, "guest-physical 20000"},
        {"stack-exception 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-int 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-nmi 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-interrupt 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-ist 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-exception 0xfec00800", ENDS, "fec0"},
        {"stack-int 0xfec00800", ENDS, "fec0"},
        {"stack-interrupt 0xfec00800", ENDS, "fec0"},
        {"task-jump", ENDS, "."},
        {"task-gate", ENDS, "."},
        {"task-return", ENDS, "."},
        {"v86", ENDS, "triple fault"},
        {"real 1", ENDS, "triple fault"},
        {"real 2", HOLDS_ONCE, NULL},
        {"real 4", HOLDS_ONCE, NULL},
        {"ins 0x1f0 0x200000 16", CONTAINED, NULL},
        {"ins 0x1f0 0x20000000 16", CONTAINED, NULL},
        {"outs 0xcf8 0x3ffff8 16", CONTAINED, NULL},
        {"out 0xcf9 6 1", RESTARTS, NULL},
        {"out 0x64 0xfe 1", RESTARTS, NULL},
        {"out 0x92 1 1", RESTARTS, NULL},
        {"out 0x604 0x34 1", ENDS, "powered off"},
        {"init-self", RESTARTS, NULL},
    };
    RUN_GROUP(state, "endings", &beside_console, attacks);
}

/* loop-exits: CPUID, hypercall, CR0, MSR. */
static const struct attack loops[] = {
    {"loop-cli", LOOPS, NULL},        {"loop-halt", LOOPS, NULL},    {"loop-apic-off", LOOPS, NULL},
    {"loop-mov-ss", LOOPS, NULL},     {"loop-sti", LOOPS, NULL},     {"loop-exception", LOOPS, NULL},
    {"loop-page-fault", LOOPS, NULL}, {"loop-exits 0", LOOPS, NULL}, {"loop-exits 1", LOOPS, NULL},
    {"loop-exits 2", LOOPS, NULL},    {"loop-exits 3", LOOPS, NULL}, {"storm-timer", LOOPS, NULL},
    {"alignment-loop", LOOPS, NULL},  {"v86-loop", LOOPS, NULL},     {"real 0", LOOPS, NULL},
    {"real 5", LOOPS, NULL},
};

static void test_a_guest_that_never_yields_is_stopped(void **state)
{
    RUN_GROUP(state, "loops", &beside_console, loops);
}

static void test_a_guest_on_the_consoles_cpu_does_not_hold_it(void **state)
{
    RUN_GROUP(state, "console-cpu", &on_console_cpu, loops);
}

/* On its own, because a CPU that is caught in it may be lost. */
static void test_an_endless_debug_exception_is_stopped(void **state)
{
    static const struct attack attacks[] = {{"loop-debug", LOOPS, NULL}};
    RUN_GROUP(state, "debug", &beside_console, attacks);
}

static void test_nothing_is_left_in_the_cpu(void **state)
{
    static const struct attack attacks[] = {
        {"leave-state", ENDS, "triple fault"},      {"fresh", HOLDS, NULL},
        {"leave-in-service", ENDS, "triple fault"}, {"fresh", HOLDS, NULL},
        {"leave-vectors", ENDS, "triple fault"},    {"fresh", HOLDS, NULL},
    };
    RUN_GROUP(state, "leftovers", &beside_console, attacks);
}

/* Vectors 16 to 31 are legal interrupts with the numbers of exceptions; device models can be made to send them too. */
static void test_interrupts_with_the_numbers_of_exceptions(void **state)
{
    static const struct attack attacks[] = {
        {"leave-low-vectors", ENDS, "triple fault"},
        {"fresh", HOLDS, NULL},
        {"devices 31", HOLDS, NULL},
        {"devices 37", HOLDS, NULL},
        {"leave-low-vectors", ENDS, "triple fault"},
        {"fresh", HOLDS, NULL},
    };
    RUN_GROUP(state, "low-vectors", &beside_console, attacks);
}

static void test_cpus_of_one_partition_against_each_other(void **state)
{
    static const struct attack attacks[] = {
        {"cpus-storm 2 41", HOLDS, NULL},
        {"vanish 2", ENDS, "vCPU 1: triple fault"},
        {"other-sends 2 1 0x4500", RESTARTS, NULL}, /* INIT of the first */
        {"other-sends 2 1 0x4400", LOOPS, NULL},    /* NMIs to the first */
        {"other-sends 2 2 0x4500", LOOPS, NULL},    /* INIT of itself */
        {"other-sends 2 3 0x4440", LOOPS, NULL},    /* to the neighbour */
        {"other-sends 2 0xffffffff 0x440f0", LOOPS, NULL},
        {"mutual 2", LOOPS, NULL},
        {"cpus-nmi 2", CONTAINED, NULL},
        {"flip 2", CONTAINED, NULL},
    };
    RUN_GROUP(state, "cpus", &two_cpus, attacks);
}

/* RINGFENCE_ATTACK="COMMAND;COMMAND": any attacks by hand, on two CPUs. */
static void test_attacks_by_hand(void **state)
{
    struct box *box = *state;
    char list[1024], *rest = list;
    const char *given = getenv("RINGFENCE_ATTACK");
    if (given == NULL || *given == '\0')
        skip();
    snprintf(list, sizeof list, "%s", given);
    start_box(box, "by-hand", &two_cpus, "");
    for (char *command; (command = strtok_r(rest, ";", &rest)) != NULL;)
        (void)attack_run(box, &(struct attack){command, CONTAINED, NULL});
    leave(box);
    check_neighbours(box);
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

/* The policy restarts what ends; what hangs, or ends too often, is restarted from here. */
static void test_random_instructions(void **state)
{
    struct box *box = *state;
    char hostile[128], outcome[128];
    uint64_t seconds = number_from_environment("RINGFENCE_RANDOM_SECONDS", 20);
    uint64_t seed = number_from_environment("RINGFENCE_RANDOM_SEED", 4711), starts = 0;
    snprintf(hostile, sizeof hostile, "on_stop = restart\ncmdline = random=%lu\n", seed);
    start_box(box, "random", &beside_console, hostile);
    attack_table_note(current_engine, "random", "NO ANSWER");
    box_command(box, "start hostile");
    box_expect(box, "ringfence> ");
    for (time_t end = time(NULL) + (time_t)seconds; time(NULL) < end;) {
        box_command(box, "version");
        box_expect(box, "Ringfence ");
        box_expect(box, "ringfence> ");
        nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
        box_command(box, "list");
        box_expect_line(box, "^hostile +(running|stopped|restarting|starting|stopping) .*iB +([0-9]+)");
        starts = box_number(box, 2);
        bool stopped = strstr(box->line, "stopped") != NULL;
        box_expect(box, "ringfence> ");
        box_command(box, stopped ? "start hostile" : "restart hostile");
        box_expect(box, "ringfence> ");
    }
    snprintf(outcome, sizeof outcome, "contained, seed %lu, %lu starts", seed, starts);
    attack_table_outcome(true, outcome);
    check_neighbours(box);
    assert_true(starts > 1);
}

static const struct CMUnitTest tests[] = {
    box_test(test_what_a_guest_survives_is_refused),
    box_test(test_an_address_outside_ends_the_partition),
    box_test(test_a_guest_that_ends_itself_ends_alone),
    box_test(test_a_guest_that_never_yields_is_stopped),
    box_test(test_a_guest_on_the_consoles_cpu_does_not_hold_it),
    box_test(test_an_endless_debug_exception_is_stopped),
    box_test(test_nothing_is_left_in_the_cpu),
    box_test(test_interrupts_with_the_numbers_of_exceptions),
    box_test(test_cpus_of_one_partition_against_each_other),
    box_test(test_random_instructions),
    box_test(test_attacks_by_hand),
};

/* RINGFENCE_ATTACK_ENGINES, or RINGFENCE_ENGINE, or Bochs: the one that has a cost model and both vendors. */
static const char *engines(void)
{
    static const char *const names[] = {"RINGFENCE_ATTACK_ENGINES", "RINGFENCE_ENGINE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = getenv(names[i]);
        if (text != NULL && *text != '\0')
            return text;
    }
    return "bochs-vmx";
}

int main(void)
{
    char list[256], *rest = list;
    int failed = 0;
    const char *only = getenv("RINGFENCE_ATTACK_ONLY"); /* a pattern for the names of the tests */
    if (only != NULL && *only != '\0')
        cmocka_set_test_filter(only);
    snprintf(list, sizeof list, "%s", engines());
    for (char *engine; (engine = strtok_r(rest, " ", &rest)) != NULL;) {
        current_engine = engine;
        failed |= cmocka_run_group_tests_name(engine, tests, NULL, NULL);
    }
    return attack_table_write() ? failed : 1;
}
