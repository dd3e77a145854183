/*
 * An SMP Linux guest with virtual interrupts under timer ticks and messages between its CPUs for as long as SECONDS
 * says (default 60, guest time). What is lost shows in the guest: a sleeper is late, a CPU stays asleep, the kernel's
 * own counters fall behind what the load has done, its log complains, or its last line never comes.
 * tests/endurance/load.c is the load; a pipe of busybox's programs across both CPUs now and then adds what forking and
 * ending processes does. Not part of `make test`: `make endurance`.
 */
#include "tests/system/box.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CPUS = 2,
    LATE = 1000000,          /* microseconds: later than this is lost */
    WAIT_LIMIT = 3600,       /* wall-clock seconds for a minute of the guest's */
    DRIFT_PER_MILLION = 300, /* Linux counts the TSC's rate in whole kHz: 200 at 5 MHz */
};

#define COMPLAINTS                                                                                                     \
    "lockup|stall|lost|unexpected|hrtimer: interrupt took|nobody cared|hung|unstable|too long|no irq handler|spurious"

static const char conf[] = "version = 1\n"
                           "[partition linux]\n"
                           "cpus = 0-1\n"
                           "memory = 256M\n"
                           "kernel = vmlinuz\n"
                           "initrd = initrd\n"
                           "cmdline = console=ttyS0 cryptomgr.notests\n"
                           "interrupts = virtual\n";

/* A line of the load's. */
struct figures {
    uint64_t seconds, ticks[CPUS], reschedules[CPUS], calls[CPUS], shootdowns[CPUS], bad;
    uint64_t sleeps[CPUS], sleeps_due, sleep_worst;
    uint64_t rounds, rounds_due, round_worst;
    uint64_t storms, storms_due, storm_worst;
};

/* One moment, in milliseconds: the box's clock before and after the guest was asked for its own. */
struct moment {
    uint64_t before, guest, after;
};

static unsigned duration_given(void)
{
    const char *given = getenv("SECONDS_OF_LOAD");
    return given != NULL && atoi(given) > 0 ? (unsigned)atoi(given) : 60;
}

/* From the guest's prompt to the console's, and back. */
static uint64_t box_milliseconds(struct box *box)
{
    box_detach(box);
    box_command(box, "stats linux");
    box_expect_line(box, ": running, ([0-9]+)\\.([0-9]{3}) s since its start");
    uint64_t milliseconds = box_number(box, 1) * 1000 + box_number(box, 2);
    box_attach(box, "linux");
    return milliseconds;
}

static struct moment moment_now(struct box *box)
{
    struct moment m;
    box_send(box, "read u x </proc/uptime; echo up=$u"); /* all but the Enter key, so that the answer comes at once */
    box_expect(box, "up=$u");
    m.before = box_milliseconds(box);
    box_send(box, "\r");
    box_expect_line(box, "^up=([0-9]+)\\.([0-9]{2})$");
    m.guest = box_number(box, 1) * 1000 + box_number(box, 2) * 10;
    m.after = box_milliseconds(box);
    return m;
}

static struct figures figures_next(struct box *box)
{
    struct figures f;
    const char *line = box_expect_line(box, "^load: [0-9]+ s, ");
    int fields =
        sscanf(line,
               "load: %" SCNu64 " s, ticks %" SCNu64 " %" SCNu64 ", reschedule %" SCNu64 " %" SCNu64 ", call %" SCNu64
               " %" SCNu64 ", shootdown %" SCNu64 " %" SCNu64 ", bad %" SCNu64 ", sleeps %" SCNu64 " %" SCNu64
               " of %" SCNu64 " worst %" SCNu64 " us, rounds %" SCNu64 " of %" SCNu64 " worst %" SCNu64
               " us, storms %" SCNu64 " of %" SCNu64 " worst %" SCNu64 " us",
               &f.seconds, &f.ticks[0], &f.ticks[1], &f.reschedules[0], &f.reschedules[1], &f.calls[0], &f.calls[1],
               &f.shootdowns[0], &f.shootdowns[1], &f.bad, &f.sleeps[0], &f.sleeps[1], &f.sleeps_due, &f.sleep_worst,
               &f.rounds, &f.rounds_due, &f.round_worst, &f.storms, &f.storms_due, &f.storm_worst);
    print_message("%s\n", line);
    assert_int_equal(fields, 20);
    return f;
}

/*
 * A sleeper needs a timer interrupt of its own each time. Of messages the kernel sends fewer than there are rounds and
 * storms when the other CPU is awake already. A due time that has passed is not slept for: some may be, on a slow CPU.
 */
static void judge(const struct figures *f)
{
    for (size_t cpu = 0; cpu < CPUS; cpu++) {
        assert_true(f->ticks[cpu] >= f->sleeps[cpu]);
        assert_in_range(f->sleeps[cpu], f->sleeps_due - f->sleeps_due / 10, f->sleeps_due + 1);
        assert_true(f->reschedules[cpu] > 0 && f->calls[cpu] > 0 && f->shootdowns[cpu] > 0);
    }
    assert_true(f->reschedules[0] + f->reschedules[1] >= f->rounds / 2);
    assert_true(f->calls[0] + f->calls[1] >= f->storms / 2);
    assert_true(f->shootdowns[0] + f->shootdowns[1] >= f->storms / 2);
    assert_true(f->rounds >= f->rounds_due - f->rounds_due / 10);
    assert_true(f->storms >= f->storms_due - f->storms_due / 10);
    assert_true(f->sleep_worst < LATE && f->round_worst < LATE && f->storm_worst < LATE);
    assert_int_equal(f->bad, 0);
}

/* The shell goes on while the load runs. Each CPU's timers stay with it, so that each CPU has its own interrupts. */
static void start_load(struct box *box, unsigned duration)
{
    char line[256];
    box_send(box, "echo 0 >/proc/sys/kernel/timer_migration\r");
    box_expect(box, "# ");
    snprintf(
        line, sizeof line,
        "(load %u; touch /tmp/e) & r=0; while [ ! -e /tmp/e ]; do yes | taskset 2 head -n 500 | taskset 1 tail -n 1 "
        ">/dev/null; sleep 30; r=$((r+1)); done; echo pipes=$r\r",
        duration);
    box_send(box, line);
}

static void expect_no_complaint(struct box *box)
{
    box_send(box, "dmesg | grep -iE '" COMPLAINTS "'; echo complaints=$(dmesg | grep -ciE '" COMPLAINTS "')\r");
    box_expect_line(box, "^complaints=([0-9]+)$");
    assert_int_equal(box_number(box, 1), 0);
    box_expect(box, "# ");
}

/* How many milliseconds the guest's clock went on by more than the box's: at least and at most. */
struct drift {
    int64_t least, most;
};

static struct drift drift_between(const struct moment *begin, const struct moment *end)
{
    int64_t guest = (int64_t)(end->guest - begin->guest);
    return (struct drift){guest - (int64_t)(end->after - begin->before), guest - (int64_t)(end->before - begin->after)};
}

/* A row of a table for a document. */
static void summarize(const struct figures *f, uint64_t pipes, const struct drift *drift)
{
    print_message(
        "| machine | seconds | timer interrupts | reschedule | function call | TLB shootdown | bad | sleeps | worst "
        "wake-up ms | rounds | worst ms | storms | worst ms | pipes | guest's clock ahead by ms |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    print_message("| %s | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64
                  " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRId64
                  " to %" PRId64 " |\n",
                  getenv("RINGFENCE_ENGINE"), f->seconds, f->ticks[0] + f->ticks[1],
                  f->reschedules[0] + f->reschedules[1], f->calls[0] + f->calls[1], f->shootdowns[0] + f->shootdowns[1],
                  f->bad, f->sleeps[0] + f->sleeps[1], f->sleep_worst / 1000, f->rounds, f->round_worst / 1000,
                  f->storms, f->storm_worst / 1000, pipes, drift->least, drift->most);
}

static void test_interrupts_are_not_lost(void **state)
{
    struct box *box = *state;
    unsigned duration = duration_given();
    const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd-load", NULL};
    struct figures f = {0};
    box_start(box, &(struct box_setup){.name = "endurance",
                                       .conf = conf,
                                       .modules = modules,
                                       .cpus = CPUS,
                                       .memory_mib = 512,
                                       .limit_seconds = WAIT_LIMIT});
    box_expect(box, "ringfence> ");
    box_attach(box, "linux");
    box_expect(box, "guest:~# ");
    struct moment begin = moment_now(box);
    start_load(box, duration);
    while (f.seconds < duration)
        f = figures_next(box);
    box_expect_line(box, "^load: 5 threads have come to their end");
    box_expect_line(box, "^pipes=([0-9]+)$");
    uint64_t pipes = box_number(box, 1);
    box_expect(box, "# ");
    struct moment end = moment_now(box);
    expect_no_complaint(box);
    struct drift drift = drift_between(&begin, &end);
    summarize(&f, pipes, &drift);
    judge(&f);
    int64_t allowed = (int64_t)duration * DRIFT_PER_MILLION / 1000;
    assert_true(drift.least <= allowed && drift.most >= -allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {box_test(test_interrupts_are_not_lost)};
    setvbuf(stdout, NULL, _IOLBF, 0); /* progress is to be seen */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
