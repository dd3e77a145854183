/*
 * One attack after the other on one box, and what became of each.
 */
#include "tests/system/attack_box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/attack_table.h"

enum { PATIENCE = 8, NAME_SIZE = 64 };

const struct attack_layout attack_beside_console = {"1", "0", "2"};
const struct attack_layout attack_on_console_cpu = {"0", "1", "2"};
const struct attack_layout attack_two_cpus = {"1-2", "0", "3"};

static const char *const modules[] = {"hostile=guests/hostile.elf", "canary=guests/canary.elf",
                                      "heartbeat=guests/heartbeat.elf", NULL};

/*
 * What an emulator itself does wrong: attacks whose name, or whose required reason, contains the text. They are not
 * run, or anything may become of the guest.
 */
static const struct emulator_fault {
    const char *machine, *text;
    bool runs;
    const char *why;
} emulator_faults[] = {
    {"bochs-svm", "triple fault", false, "Bochs 2.7 stops by itself at a triple fault of an SVM guest"},
    {"bochs-svm", "control-bits", false, "Bochs 2.7 stops by itself when an SVM guest clears CR0.PE"},
    {"bochs-svm", "control-random", false, "Bochs 2.7 stops by itself when an SVM guest clears CR0.PE"},
    {"bochs-svm", "v86-loop", false, "Bochs 2.7 stops by itself at a triple fault of an SVM guest"},
    {"qemu-svm", "control-bits", true, "QEMU 7.2 lets 64-bit mode lose CR0.PG"},
    {"qemu-svm", "control-random", true, "QEMU 7.2 lets 64-bit mode lose CR0.PG"},
    {"qemu-svm", "task-", false, "QEMU 7.2 ignores the intercept of task switches"},
    {"qemu-svm", "cr3-reserved", true, "QEMU 7.2 tells a CR3 with reserved bits as a refused VMRUN"},
    {"qemu-svm", "table-pointers", true, "QEMU 7.2 loads any base with LGDT and LIDT"},
};

static char machine_name[NAME_SIZE], engine[NAME_SIZE];
static bool is_virtual;
/* Whether hostile runs and waits for a command, and this terminal is attached to it. */
static bool ready;

static bool contains(const char *line, const char *text) { return line != NULL && strstr(line, text) != NULL; }

void attack_machine_set(const char *name)
{
    const char *slash = strchr(name, '/');
    size_t length = slash != NULL ? (size_t)(slash - name) : strlen(name);
    snprintf(machine_name, sizeof machine_name, "%s", name);
    snprintf(engine, sizeof engine, "%.*s", (int)length, name);
    is_virtual = slash != NULL ? strcmp(slash, "/virtual") == 0 : strstr(engine, "svm") != NULL;
    setenv("RINGFENCE_ENGINE", engine, 1);
}

const char *attack_machine(void) { return machine_name; }
bool attack_machine_is_virtual(void) { return is_virtual; }

void attack_box_start(struct box *box, const char *name, const struct attack_layout *layout, const char *hostile)
{
    char conf[1024], case_name[2 * NAME_SIZE];
    const char *interrupts = is_virtual ? "virtual" : "direct";
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition hostile]\ncpus = %s\nmemory = 4M\nboot = multiboot1\nkernel = hostile\ninterrupts = %s\n"
             "start = manual\n%s"
             "[partition canary]\ncpus = %s\nmemory = 4M\nboot = multiboot1\nkernel = canary\ninterrupts = %s\n"
             "[partition heartbeat]\ncpus = %s\nmemory = 4M\nboot = multiboot1\nkernel = heartbeat\ninterrupts = %s\n",
             layout->hostile_cpus, interrupts, hostile, layout->canary_cpus, interrupts, layout->heartbeat_cpus,
             interrupts);
    snprintf(case_name, sizeof case_name, "attack-%s-%s-%s", name, engine, interrupts);
    /* A guest whose handler cannot be reached raises one exception after the other: gigabytes of log lines. */
    setenv("RINGFENCE_BOCHS_ERRORS", "ignore", 0);
    box_start(
        box, &(struct box_setup){.name = case_name, .conf = conf, .modules = modules, .cpus = 4, .limit_seconds = 240});
    box_expect(box, "ringfence> ");
    attack_table_group(name);
    ready = false;
}

static void make_ready(struct box *box)
{
    if (ready)
        return;
    box_command(box, "start hostile");
    box_expect_line(box, "hostile: running$"); /* while attached this news would look like a restart */
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

void attack_stop(struct box *box)
{
    leave(box);
    box_command(box, "stop hostile");
    box_expect(box, "ringfence> ");
    for (unsigned patience = 0; patience < PATIENCE; patience++) {
        box_command(box, "list");
        box_expect_line(box, "^hostile +(stopped|stopping)");
        bool stopped = contains(box->line, "stopped");
        box_expect(box, "ringfence> ");
        if (stopped)
            return;
    }
    box_fail(box, "hostile is still not stopped");
}

/* Waits for what becomes of the attack, in the words of the line that tells. */
static const char *answer(struct box *box)
{
    return box_expect_line(
        box, "hostile: (PASS|FAIL|goes on)|\\[hostile is (stopped|running again)|Ringfence panic|Assertion");
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

/* Brings hostile back to where the next attack can be given. */
static void settle(struct box *box, const char *line)
{
    if (contains(line, "is stopped")) {
        leave(box);
        return;
    }
    /* After a restart its prompt may have come before the news: an empty line asks for another. */
    if (contains(line, "running again"))
        box_send(box, "\r");
    box_expect(box, "hostile: ready");
}

static bool is_as_it_must(const struct attack *attack, const char *line)
{
    switch (attack->must) {
    case HOLDS:
    case HOLDS_ONCE:
        return contains(line, "hostile: PASS");
    case ENDS:
        return contains(line, "is stopped") && is_match(line, attack->reason);
    case RESTARTS:
        return contains(line, "running again");
    case LOOPS:
        return contains(line, "goes on");
    case CONTAINED:
        return !contains(line, "panic") && !contains(line, "FAIL");
    }
    return false;
}

/* NULL: this emulator can stand it. */
static const struct emulator_fault *find_fault(const struct attack *attack)
{
    for (size_t i = 0; i < sizeof emulator_faults / sizeof emulator_faults[0]; i++)
        if (strcmp(engine, emulator_faults[i].machine) == 0 &&
            (contains(attack->command, emulator_faults[i].text) || contains(attack->reason, emulator_faults[i].text)))
            return &emulator_faults[i];
    return NULL;
}

bool attack_run(struct box *box, const struct attack *attack)
{
    char line[BOX_LINE_SIZE];
    const struct emulator_fault *fault = find_fault(attack);
    attack_table_note(attack->command);
    if (fault != NULL && !fault->runs) {
        snprintf(line, sizeof line, "not run: %s", fault->why);
        attack_table_outcome(true, line);
        return true;
    }
    make_ready(box);
    box_send(box, attack->command);
    box_send(box, "\r");
    do
        snprintf(line, sizeof line, "%s", answer(box));
    while (attack->must == RESTARTS && contains(line, "goes on"));
    bool held = is_as_it_must(fault != NULL ? &(struct attack){attack->command, CONTAINED, NULL} : attack, line);
    attack_table_outcome(held, line);
    if (fault != NULL)
        attack_table_remark(fault->why);
    if (contains(line, "panic"))
        box_fail(box, "'%s' took the box down: %s", attack->command, line);
    if (!contains(line, "is stopped") && (attack->must == HOLDS_ONCE || contains(line, "goes on")))
        attack_stop(box);
    else
        settle(box, line);
    if (!held)
        fprintf(stderr, "attack '%s' on %s: %s\n", attack->command, machine_name, line);
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

void attack_check_neighbours(struct box *box)
{
    leave(box);
    attack_table_note("(the neighbours, after all of these)");
    box_command(box, "version");
    box_expect(box, "Ringfence ");
    box_expect(box, "ringfence> ");
    box_check_beats(box, "heartbeat");
    check_canary(box);
    attack_table_outcome(true,
                         box_clock_is_exact()
                             ? "console answers, canary intact, 0 beats missed"
                             : "console answers, canary intact, all beats counted (late ones are the computer's)");
}
