/*
 * The load of the endurance test, a program in a Linux guest of two CPUs: load SECONDS. On each CPU a thread sleeps to
 * points in time of its own (timer interrupts), two threads on different CPUs wake each other by turns (reschedule
 * messages), and one withdraws a page and asks for barriers while its neighbour runs on the other CPU (TLB shootdowns
 * and function calls). A lost timer interrupt leaves a sleeper late, a lost message a CPU asleep or the kernel in a
 * wait: so each thread keeps the worst that it has seen. A line each minute and one at the end, all figures since the
 * start:
 *
 *   load: S s, ticks A B, reschedule A B, call A B, shootdown A B, bad N, sleeps A B of E worst U us, rounds R of E
 * worst U us, storms R of E worst U us
 *
 * A and B are of CPU 0 and 1. The first five are the kernel's own counters; "bad" are the interrupts it calls spurious,
 * erroneous or misrouted. E is how many there should be; a sleeper that comes too late for its time does not sleep.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    CPUS = 2,
    PAGE = 4096,
    COUNTER_NAMES = 4,
    TEXT_SIZE = 16384, /* more than /proc/interrupts has */
    STORM_CALLS = 4,
    ROUNDS = 4, /* of one burst */
};

static const uint64_t second = 1000000000, tick = 40000000, burst_period = 400000000, storm_period = 1000000000;

struct meter {
    _Atomic uint64_t count, worst; /* nanoseconds */
};

static struct sleeper {
    struct meter meter;
    uint32_t cpu;
} sleepers[CPUS];

static struct table_tennis {
    struct meter meter;
    sem_t there, back;
} tennis;

/* `cpu` disturbs, the other one is disturbed. */
static struct storm {
    struct meter meter;
    sem_t go;
    _Atomic uint32_t victim_runs;
    uint32_t cpu;
} storms[CPUS];

struct counters {
    uint64_t of[COUNTER_NAMES][CPUS];
    uint64_t bad;
};

static uint64_t begin;
static atomic_bool over;

static void __attribute__((noreturn)) fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * second + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t when)
{
    struct timespec t = {.tv_sec = (time_t)(when / second), .tv_nsec = (long)(when % second)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
        ;
}

/* Only its own thread writes a meter. */
static void meter_add(struct meter *meter, uint64_t took)
{
    atomic_fetch_add(&meter->count, 1);
    if (took > atomic_load(&meter->worst))
        atomic_store(&meter->worst, took);
}

static void stay_on(uint32_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fail("sched_setaffinity");
}

/* The two CPUs' sleepers wake up half a tick apart: one interrupt cannot serve both. */
static void *sleeper_run(void *argument)
{
    struct sleeper *s = argument;
    stay_on(s->cpu);
    for (uint64_t next = begin + s->cpu * tick / 2; !atomic_load(&over); next += tick) {
        if (now() >= next)
            continue;
        sleep_until(next);
        meter_add(&s->meter, now() - next);
    }
    return NULL;
}

static void *tennis_serve(void *argument)
{
    (void)argument;
    stay_on(0);
    for (uint64_t next = begin; !atomic_load(&over); next += burst_period) {
        sleep_until(next);
        for (uint32_t i = 0; i < ROUNDS; i++) {
            uint64_t start = now();
            sem_post(&tennis.there);
            sem_wait(&tennis.back);
            meter_add(&tennis.meter, now() - start);
        }
    }
    return NULL;
}

/* The two that answer go on until the program ends. */
static void *tennis_return(void *argument)
{
    (void)argument;
    stay_on(1);
    for (;;) {
        sem_wait(&tennis.there);
        sem_post(&tennis.back);
    }
    return NULL;
}

static void *victim_run(void *argument)
{
    struct storm *s = argument;
    stay_on(1 - s->cpu);
    for (;;) {
        sem_wait(&s->go);
        atomic_store(&s->victim_runs, 1);
        while (atomic_load(&s->victim_runs) != 0)
            __builtin_ia32_pause();
    }
    return NULL;
}

/* A page that was written to and may not be any longer must go from the other CPU's TLB too. */
static void disturb(volatile uint8_t *page)
{
    *page = 1;
    if (mprotect((void *)page, PAGE, PROT_READ) != 0 || mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) != 0)
        fail("mprotect");
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        fail("membarrier");
}

static void *storm_run(void *argument)
{
    struct storm *s = argument;
    stay_on(s->cpu);
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        fail("mmap");
    for (uint64_t next = begin + s->cpu * storm_period / 2; !atomic_load(&over); next += storm_period) {
        sleep_until(next);
        sem_post(&s->go);
        while (atomic_load(&s->victim_runs) == 0)
            sched_yield();
        for (uint32_t i = 0; i < STORM_CALLS; i++) {
            uint64_t start = now();
            disturb(page);
            meter_add(&s->meter, now() - start);
        }
        atomic_store(&s->victim_runs, 0);
    }
    return NULL;
}

/* The line of a counter in /proc/interrupts. */
static const char *line_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    if (at == NULL)
        fail(name);
    return at + strlen(name);
}

static void counters_read(struct counters *out)
{
    static const char *const names[COUNTER_NAMES] = {"LOC:", "RES:", "CAL:", "TLB:"};
    static char text[TEXT_SIZE];
    FILE *file = fopen("/proc/interrupts", "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (length == 0)
        fail("/proc/interrupts");
    fclose(file);
    text[length] = '\0';
    *out = (struct counters){0};
    for (size_t i = 0; i < COUNTER_NAMES; i++)
        if (sscanf(line_of(text, names[i]), "%lu %lu", &out->of[i][0], &out->of[i][1]) != CPUS)
            fail(names[i]);
    uint64_t spurious[CPUS], bad[2];
    if (sscanf(line_of(text, "SPU:"), "%lu %lu", &spurious[0], &spurious[1]) != CPUS ||
        sscanf(line_of(text, "ERR:"), "%lu", &bad[0]) != 1 || sscanf(line_of(text, "MIS:"), "%lu", &bad[1]) != 1)
        fail("SPU, ERR or MIS");
    out->bad = spurious[0] + spurious[1] + bad[0] + bad[1];
}

static uint64_t worst_of(const struct meter *a, const struct meter *b)
{
    uint64_t x = atomic_load(&a->worst), y = atomic_load(&b->worst);
    return (x > y ? x : y) / 1000;
}

/* `passed`: nanoseconds since the begin. */
static void report(const struct counters *before, uint64_t passed)
{
    static const char *const names[COUNTER_NAMES] = {"ticks", "reschedule", "call", "shootdown"};
    struct counters c;
    counters_read(&c);
    printf("load: %lu s", passed / second);
    for (size_t i = 0; i < COUNTER_NAMES; i++)
        printf(", %s %lu %lu", names[i], c.of[i][0] - before->of[i][0], c.of[i][1] - before->of[i][1]);
    printf(", bad %lu, sleeps %lu %lu of %lu worst %lu us", c.bad, atomic_load(&sleepers[0].meter.count),
           atomic_load(&sleepers[1].meter.count), passed / tick, worst_of(&sleepers[0].meter, &sleepers[1].meter));
    printf(", rounds %lu of %lu worst %lu us", atomic_load(&tennis.meter.count), passed / burst_period * ROUNDS,
           atomic_load(&tennis.meter.worst) / 1000);
    printf(", storms %lu of %lu worst %lu us\n",
           atomic_load(&storms[0].meter.count) + atomic_load(&storms[1].meter.count),
           passed / storm_period * STORM_CALLS * CPUS, worst_of(&storms[0].meter, &storms[1].meter));
    fflush(stdout);
}

static pthread_t start(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0)
        fail("pthread_create");
    return thread;
}

/* A thread that still waits for what was lost keeps this program from its end. */
int main(int count, char **arguments)
{
    struct counters before;
    pthread_t threads[1 + 2 * CPUS];
    size_t started = 0;
    uint64_t seconds = count == 2 ? strtoull(arguments[1], NULL, 10) : 0;
    if (seconds == 0) {
        fprintf(stderr, "usage: load SECONDS\n");
        return 2;
    }
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
        fail("membarrier");
    sem_init(&tennis.there, 0, 0);
    sem_init(&tennis.back, 0, 0);
    counters_read(&before);
    begin = now() + second / 10;
    start(tennis_return, NULL);
    threads[started++] = start(tennis_serve, NULL);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        sleepers[cpu].cpu = storms[cpu].cpu = cpu;
        sem_init(&storms[cpu].go, 0, 0);
        start(victim_run, &storms[cpu]);
        threads[started++] = start(sleeper_run, &sleepers[cpu]);
        threads[started++] = start(storm_run, &storms[cpu]);
    }
    for (uint64_t passed = 60; passed < seconds; passed += 60) {
        sleep_until(begin + passed * second);
        report(&before, passed * second);
    }
    sleep_until(begin + seconds * second);
    report(&before, seconds * second);
    atomic_store(&over, true);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    printf("load: %zu threads have come to their end\n", started);
    return 0;
}
