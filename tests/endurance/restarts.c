/*
 * COUNT restarts of one partition in one boot, by the console and by policy, while it boots, spins with interrupts off,
 * is halted, exits as fast as it can, is paused or stopped, with its second CPU waiting, running, or gone: each one is
 * counted, memory and registers are fresh, `mem` is as before, and the two neighbours have noticed nothing.
 *
 * SEED draws what is done in each round; both come from the environment as RINGFENCE_RESTARTS and RINGFENCE_SEED.
 * `make restarts COUNT=1000 SEED=7`; `make test` does fifty. A moment is so many characters typed ahead, which is the
 * box's time: it takes them at its own pace.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEW = 50,
    SHOWN = 100,
    LINE = 50,      /* spaces before a command; three such lines take as long as the guest takes to boot */
    QUICK_ENDS = 4, /* in a row, before policy gives up */
};

static const char conf[] = "version = 1\n"
                           "[partition life]\ncpus = 1-2\nmemory = 4M\nboot = multiboot1\nkernel = hostile\n"
                           "on_stop = restart\n"
                           "[partition canary]\ncpus = 0\nmemory = 4M\nboot = multiboot1\nkernel = canary\n"
                           "[partition heartbeat]\ncpus = 3\nmemory = 4M\nboot = multiboot1\nkernel = heartbeat\n";

static const char *const modules[] = {"hostile=guests/hostile.elf", "canary=guests/canary.elf",
                                      "heartbeat=guests/heartbeat.elf", NULL};

static struct {
    uint64_t random;
    uint64_t starts;     /* what `list` must say */
    unsigned quick_ends; /* since a person's last word */
    unsigned syncs;
} life;

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

/* Below `limit`. */
static unsigned draw(unsigned limit)
{
    life.random ^= life.random << 13;
    life.random ^= life.random >> 7;
    life.random ^= life.random << 17;
    return (unsigned)(life.random >> 11) % limit;
}

/* ---- one partition ---- */

/* The row of `list`; the prompt is waited for too. */
static void expect_row(struct box *box, const char *partition, const char *rest)
{
    char expression[128];
    box_command(box, "list");
    snprintf(expression, sizeof expression, "^%s +%s", partition, rest);
    box_expect_line(box, expression);
}

/* All that was asked for is done: no start is missing and none is too many. */
static void expect_starts(struct box *box)
{
    uint64_t starts;
    bool settled;
    do {
        expect_row(box, "life", "([a-z]+) +1-2 +4 MiB +([0-9]+) ");
        settled = strstr(box->line, " running ") != NULL;
        starts = box_number(box, 2);
        box_expect(box, "ringfence> ");
        if (starts > life.starts || strstr(box->line, " stopped ") != NULL)
            box_fail(box, "%lu starts were asked for, but: %s", life.starts, box->line);
    } while (!settled || starts < life.starts);
}

/*
 * Attaches and makes sure that the guest of this life listens: what an earlier one has said may still come, and what is
 * typed before the guest has set up its UART is lost.
 */
static void attach(struct box *box)
{
    char word[32], line[64], answer[64];
    snprintf(word, sizeof word, "s%u", ++life.syncs);
    snprintf(line, sizeof line, "%s\r", word);
    snprintf(answer, sizeof answer, "hostile: FAIL %s:", word);
    box_attach(box, "life");
    box_send(box, line); /* to one that has been waiting since before */
    do {
        box_expect_line(box, "^hostile: ");
        if (strstr(box->line, "hostile: ready") != NULL)
            box_send(box, line);
    } while (strstr(box->line, answer) == NULL);
}

static void give(struct box *box, const char *command)
{
    print_message("  start %lu: %s\n", life.starts, command);
    box_send(box, command);
    box_send(box, "\r");
}

/* Types the command after a random while, in one go with what is before it. */
static void type_later(struct box *box, const char *before, const char *command)
{
    char text[8 * LINE];
    size_t length = (size_t)snprintf(text, sizeof text, "%s", before);
    for (unsigned lines = draw(4); lines > 0; lines--)
        length += (size_t)snprintf(text + length, sizeof text - length, "%*s\r", (int)draw(LINE), "");
    snprintf(text + length, sizeof text - length, "%*s%s\r", (int)draw(LINE), "", command);
    box_send(box, text);
}

/* ---- what a round can be: each leaves it running, and adds to life.starts what it has caused ---- */

static void restart_by(struct box *box, const char *before, const char *command, unsigned starts)
{
    type_later(box, before, command);
    box_expect_line(box, "life: running$");
    box_expect(box, "ringfence> ");
    life.starts += starts;
    life.quick_ends = 0;
}

static void restart(struct box *box) { restart_by(box, "", "restart life", 1); }

/* The second restart finds it somewhere in its boot, or still restarting. */
static void booting(struct box *box)
{
    restart_by(box, "restart life\r", "restart life", 2);
    expect_starts(box);
    /* Whether there was a line for each of them depends on the moment: let them pass. */
    box_command(box, "version");
    box_expect(box, "Ringfence");
    box_expect(box, "ringfence> ");
}

/* Busy with something that never ends by itself. */
static void busy(struct box *box)
{
    static const char *const loops[] = {
        "loop-cli",
        "loop-halt",
        "loop-mov-ss",
        "loop-sti",
        "loop-exception",
        "loop-exits 0",
        "loop-exits 1",
        "loop-exits 2",
        "loop-exits 3",
        "storm-timer",
        "other-sends 1 2 0x4440",
        "mutual 1",
        "other-sends 1 0 0x4400",
    };
    attach(box);
    give(box, loops[draw(sizeof loops / sizeof loops[0])]);
    box_expect_line(box, "^hostile: goes on");
    box_detach(box);
    restart(box);
}

/* Polls its UART; its second CPU has never been started. */
static void idle(struct box *box)
{
    attach(box);
    box_detach(box);
    restart(box);
}

static void paused(struct box *box)
{
    type_later(box, "", "pause life");
    restart_by(box, "", "restart life", 1);
}

static void stopped(struct box *box)
{
    type_later(box, "", "stop life");
    restart_by(box, "", "start life", 1);
}

/* Ends itself; its policy starts it again. */
static void ends(struct box *box, const char *command)
{
    attach(box);
    give(box, command);
    box_expect(box, "[life is running again;");
    box_detach(box);
    life.starts++;
}

static void faulty(struct box *box)
{
    static const char *const faults[] = {"idt-null", "read 0x400000 1", "vanish 1", "leave-vectors"};
    if (life.quick_ends == QUICK_ENDS) {
        restart(box);
        return;
    }
    ends(box, faults[draw(sizeof faults / sizeof faults[0])]);
    life.quick_ends++;
}

static void resetting(struct box *box)
{
    static const char *const resets[] = {"out 0xcf9 6 1", "out 0x64 0xfe 1", "out 0x92 1 1"};
    ends(box, resets[draw(sizeof resets / sizeof resets[0])]);
}

/*
 * Fills memory, registers and local APIC and dies: the next life finds nothing of it. QEMU 7.2 itself dies when debug
 * registers are written in one life after the other (its list of breakpoints is broken then): there only the local
 * APIC.
 */
static void dirty(struct box *box)
{
    restart(box);
    ends(box, box_clock_is_exact() ? "leave-state" : "leave-in-service");
    life.quick_ends++;
    attach(box);
    give(box, "fresh");
    box_expect_line(box, "^hostile: (PASS|FAIL) fresh");
    if (strstr(box->line, "PASS") == NULL)
        box_fail(box, "not all is fresh: %s", box->line);
    box_detach(box);
}

static void do_round(struct box *box)
{
    static void (*const rounds[])(struct box *) = {booting, busy,    busy,   busy,      idle,
                                                   paused,  stopped, faulty, resetting, dirty};
    rounds[draw(sizeof rounds / sizeof rounds[0])](box);
}

/* ---- the box ---- */

/* What `mem` prints; the caller frees it. */
static char *memory_map(struct box *box)
{
    box_command(box, "mem");
    box_expect(box, "\n");
    size_t from = box->at;
    box_expect_line(box, "owned by partitions$");
    char *text = strndup(box->text + from, box->at - from);
    box_expect(box, "ringfence> ");
    return text;
}

static void check_canary(struct box *box)
{
    box_command(box, "stats canary");
    box_expect_line(box, ": running, ([0-9]+)\\.[0-9]{3} s since its start");
    uint64_t now = box_number(box, 1);
    box_attach(box, "canary");
    do
        box_expect_line(box, "^canary: second ([0-9]+), .* ([0-9]+) changed, ([0-9]+) interrupts$");
    while (box_number(box, 1) <= now);
    assert_int_equal(box_number(box, 2), 0);
    assert_int_equal(box_number(box, 3), 0);
    box_detach(box);
}

static void check_neighbours(struct box *box)
{
    expect_row(box, "canary", "running +0 +4 MiB +1 ");
    expect_row(box, "heartbeat", "running +3 +4 MiB +1 ");
    check_canary(box);
    box_check_beats(box, "heartbeat");
    print_message("%s\n", box->line);
}

static void test_restarts_leave_nothing_behind(void **state)
{
    struct box *box = *state;
    uint64_t count = number_from_environment("RINGFENCE_RESTARTS", FEW);
    uint64_t seed = number_from_environment("RINGFENCE_SEED", 1);
    life.random = seed * 0x9e3779b97f4a7c15u + 1;
    print_message("%lu restarts, seed %lu\n", count, seed);
    /* In Bochs a slower CPU: a character on the wire takes as long as ever, and costs fewer instructions. */
    setenv("RINGFENCE_IPS", "10000000", 0);
    box_start(box, &(struct box_setup){.name = "restarts", .conf = conf, .modules = modules, .cpus = 4});
    box_expect(box, "ringfence> ");
    char *before = memory_map(box);
    life.starts = 1;
    for (uint64_t shown = SHOWN; life.starts <= count;) {
        do_round(box);
        if (life.starts < shown)
            continue;
        expect_starts(box);
        print_message("%lu restarts\n", life.starts - 1);
        shown += SHOWN;
    }
    expect_starts(box);
    char *after = memory_map(box);
    assert_string_equal(before, after);
    free(before);
    free(after);
    check_neighbours(box);
    assert_false(box_seen(box, "that the hardware sent")); /* each NMI was one of ours */
    assert_false(box_seen(box, "has not answered"));
    print_message("%lu restarts: `mem` as before, canary unchanged\n", life.starts - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {box_test(test_restarts_leave_nothing_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
