/*
 * Random instruction bytes in every mode on one CPU, random exits on another, beside a heartbeat and a canary, until
 * there were RINGFENCE_EXITS exits (default 200,000). The seed is RINGFENCE_RANDOM_SEED; it and the number of a life
 * give all that this life does, and the guest prints the state that `random-exactly=` runs again.
 *
 * What a life is at makes no difference here: it may hang, end or spoil itself. Policy restarts what has ended, this
 * program what hangs.
 */
#include "tests/system/attack_box.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXITS = 200000, SEED = 4711, PAUSE_NS = 200 * 1000 * 1000 };

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

static void tell(struct box *box, const char *command, const char *partition)
{
    char line[64];
    snprintf(line, sizeof line, "%s %s", command, partition);
    box_command(box, line);
}

/* Exits of the partition since the last look; starts it when it has ended, `renew` or a standstill starts it anew. */
static uint64_t look(struct box *box, const char *partition, bool renew)
{
    char expression[64];
    tell(box, "stats", partition);
    snprintf(expression, sizeof expression, "^%s: (running|stopped|[a-z]+ing)", partition);
    box_expect_line(box, expression);
    bool stopped = strstr(box->line, "stopped") != NULL, running = strstr(box->line, "running") != NULL;
    uint64_t exits = 0;
    if (running) {
        box_expect_line(box, "^    all exits +[0-9]+ +([0-9]+)$");
        exits = box_number(box, 1);
    }
    box_expect(box, "ringfence> ");
    if (stopped)
        tell(box, "start", partition);
    else if (running && (renew || exits == 0))
        tell(box, "restart", partition);
    else
        return exits;
    box_expect(box, "ringfence> ");
    return exits;
}

static uint64_t starts(struct box *box, const char *partition)
{
    char expression[64];
    snprintf(expression, sizeof expression, "^%s +[a-z]+ .*iB +([0-9]+) ", partition);
    box_command(box, "list");
    box_expect_line(box, expression);
    uint64_t number = box_number(box, 1);
    box_expect(box, "ringfence> ");
    return number;
}

static void test_random_instructions_and_exits(void **state)
{
    struct box *box = *state;
    char more[512];
    uint64_t wanted = number_from_environment("RINGFENCE_EXITS", EXITS), exits = 0;
    uint64_t seed = number_from_environment("RINGFENCE_RANDOM_SEED", SEED);
    /*
     * Not of SVM guests: Bochs 2.7 stops by itself at a triple fault, which random code sooner or later is, and QEMU 7.2
     * now and then dies of a segmentation fault of its own.
     */
    bool has_code = strstr(box_machine(), "svm") == NULL;
    attack_machine_set(box_machine());
    const char *interrupts = attack_machine_is_virtual() ? "virtual" : "direct";
    snprintf(more, sizeof more,
             "on_stop = restart\ncmdline = random=%" PRIu64 "\n"
             "[partition exits]\ncpus = 3\nmemory = 4M\nboot = multiboot1\nkernel = hostile\ninterrupts = %s\n"
             "start = manual\non_stop = restart\ncmdline = exits=%" PRIu64 "\n",
             seed, interrupts, seed);
    printf("             seed %" PRIu64 ", %" PRIu64 " exits\n", seed, wanted);
    attack_box_start(box, "random", &attack_beside_console, more);
    while (exits < wanted) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        exits += look(box, "exits", false);
        if (has_code)
            exits += look(box, "hostile", true);
    }
    printf("             %" PRIu64 " exits, %" PRIu64 " lives of random code\n", exits, starts(box, "hostile"));
    attack_check_neighbours(box);
    assert_true(!has_code || starts(box, "hostile") > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_random_instructions_and_exits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
