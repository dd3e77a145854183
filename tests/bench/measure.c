/*
 * `make bench`: boots one box after another and adds what each showed to $RINGFENCE_BUILD/bench/figures, which
 * tools/bench-report.sh turns into the table. A case that this version of the hypervisor cannot have is noted as
 * absent, with the reason; what fails is a failure. `measure peer NAME IMAGE CPUS` boots the peer's image instead and
 * adds to figures.peer.
 */
#include "tests/bench/figures.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 600, MEMORY_MIB = 1024 };

static const char *const bench_module[] = {"bench=guests/bench.elf", NULL};
static const char *const heartbeat_module[] = {"heartbeat=guests/heartbeat.elf", NULL};
static const char *const linux_modules[] = {"bench=guests/bench.elf", "vmlinuz=guests/vmlinuz-6.1",
                                            "initrd=bench/initrd", NULL};

/*
 * The kernel decides the same with and without a hypervisor: the same mitigations, and the same way to copy memory (the
 * emulated machine itself says that it has no fast string operations). tests/bench/bare.menu has the same options.
 */
#define KERNEL_OPTIONS                                                                                                 \
    "console=ttyS0,115200 quiet panic=-1 cryptomgr.notests mitigations=off clearcpuid=erms,fsrm,rep_good"
/* Bochs's machine does not tell how fast its clock is, and Linux on AMD-V cannot find out. */
#define KERNEL_OPTIONS_BOCHS " tsc_early_khz=100000"

static const char *engine(void)
{
    const char *given = getenv("RINGFENCE_ENGINE");
    return given != NULL && *given != '\0' ? given : "bochs-vmx";
}

static struct figures figures; /* of the case under way */

static const char *build_directory(void)
{
    const char *build = getenv("RINGFENCE_BUILD");
    return build != NULL ? build : "build";
}

/* $RINGFENCE_FIGURES: another file than figures. */
static const char *figures_name(void)
{
    const char *given = getenv("RINGFENCE_FIGURES");
    return given != NULL && *given != '\0' ? given : "figures";
}

static void save_as(struct box *box, const char *name)
{
    char file[BOX_PATH_SIZE];
    snprintf(file, sizeof file, "%s/bench/%s", build_directory(), name);
    figures_append(box, &figures, file);
    figures.count = 0;
}

static void save(struct box *box) { save_as(box, figures_name()); }

static void start(struct box *box, const char *name, const char *conf, const char *const *modules, unsigned cpus)
{
    box_start(box, &(struct box_setup){.name = name,
                                       .conf = conf,
                                       .modules = modules,
                                       .engine = engine(),
                                       .cpus = cpus,
                                       .memory_mib = MEMORY_MIB,
                                       .limit_seconds = LIMIT_SECONDS});
}

/* One partition with the bench guest; `more` is further lines of its section. */
static void start_bench(struct box *box, const char *name, const char *cpus, unsigned cpu_count, const char *more)
{
    char conf[1024];
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition bench]\n"
             "cpus = %s\n"
             "boot = multiboot1\n"
             "kernel = bench\n"
             "%s",
             cpus, more);
    start(box, name, conf, strstr(more, "vmlinuz") != NULL ? linux_modules : bench_module, cpu_count);
}

static void test_exits(void **state)
{
    struct box *box = *state;
    start_bench(box, "bench-exits", "0", 1, "memory = 16M\nstart = manual\n");
    figures_run(box, &figures, "");
    save(box);
}

/* The same cases where the local APIC is emulated, which it is everywhere on AMD-V's machine. */
static void test_exits_virtual(void **state)
{
    struct box *box = *state;
    start_bench(box, "bench-virtual", "0", 1,
                "memory = 16M\nstart = manual\ninterrupts = virtual\nacceleration = yes\n");
    figures_run(box, &figures, "_virtual");
    save(box);
}

/* And without the CPU's help, which AMD-V's machine never gives. */
static void test_exits_emulated(void **state)
{
    struct box *box = *state;
    if (strcmp(engine(), "bochs-vmx") != 0)
        return;
    start_bench(box, "bench-emulated", "0", 1, "memory = 16M\nstart = manual\ninterrupts = virtual\n");
    figures_run(box, &figures, "_emulated");
    save(box);
}

/*
 * KVM in Bochs loses a CPU whose guest stays long with interrupts off, as firmware's and a boot's other CPUs do: there
 * figures that need them are absent. `names` ends with NULL.
 */
static bool lacks_cpus(struct box *box, const char *const *names)
{
    if (strncmp(engine(), "bochs", 5) != 0 || strstr(engine(), "-kvm") == NULL)
        return false;
    for (; *names != NULL; names++)
        figures_add_absent(box, &figures, *names, "Bochs 2.7 ends no guest with IF=0 for an interrupt");
    save(box);
    return true;
}

static void test_two_cpus(void **state)
{
    static const char *const names[] = {"icr_cross_cpu", "ipi_round_trip", "memory_ping_pong", "cpuid_both", NULL};
    struct box *box = *state;
    if (lacks_cpus(box, names))
        return;
    start_bench(box, "bench-smp", "0-1", 2, "memory = 16M\nstart = manual\ncmdline = only-smp\n");
    figures_run(box, &figures, "");
    save(box);
}

static void test_two_cpus_virtual(void **state)
{
    static const char *const names[] = {"icr_cross_cpu_virtual", "ipi_round_trip_virtual", NULL};
    struct box *box = *state;
    if (lacks_cpus(box, names))
        return;
    start_bench(box, "bench-smp-virtual", "0-1", 2,
                "memory = 16M\nstart = manual\ncmdline = only-smp\ninterrupts = virtual\n");
    figures_run(box, &figures, "_virtual");
    save(box);
}

/* "  cpuid   120   15" of `stats`: a kind of exit, since the start and since the last look. */
struct exits {
    uint64_t all;          /* since the last look */
    uint64_t milliseconds; /* which was so long ago */
};

/* One look at a partition of one vCPU. `prefix` not NULL: adds PREFIX_KIND, the exits of each kind since the start. */
static struct exits look(struct box *box, const char *partition, const char *prefix)
{
    char command[64], name[FIGURE_NAME_SIZE], *dash;
    struct exits exits;
    snprintf(command, sizeof command, "stats %s", partition);
    box_command(box, command);
    box_expect_line(box, "s since its start, ([0-9]+)\\.([0-9]{3}) s since the last look");
    exits.milliseconds = box_number(box, 1) * 1000 + box_number(box, 2);
    for (;;) {
        const char *line = box_expect_line(box, "^ +([a-z -]+[a-z]) +([0-9]+) +([0-9]+)$");
        const regmatch_t *kind = &box->matches[1];
        snprintf(name, sizeof name, "%s_%.*s", prefix != NULL ? prefix : "", (int)(kind->rm_eo - kind->rm_so),
                 line + kind->rm_so);
        exits.all = box_number(box, 3);
        bool last = strstr(name, "_all exits") != NULL;
        while ((dash = strpbrk(name, "- ")) != NULL)
            *dash = '_';
        if (prefix != NULL)
            figures_add(box, &figures, name, box_number(box, 2));
        if (last)
            break;
    }
    box_expect(box, "ringfence> ");
    return exits;
}

/* A second look `milliseconds` of the box's own time after the first. The console is asked until that time is over. */
static struct exits look_after(struct box *box, const char *partition, uint64_t milliseconds)
{
    struct exits sum = {0, 0};
    (void)look(box, partition, NULL);
    while (sum.milliseconds < milliseconds) {
        usleep(200000);
        struct exits exits = look(box, partition, NULL);
        sum.all += exits.all;
        sum.milliseconds += exits.milliseconds;
    }
    return sum;
}

/* In a second, rounded up: only none at all is 0. */
static uint64_t rate(struct exits exits)
{
    return (exits.all * 1000 + exits.milliseconds - 1) / (exits.milliseconds != 0 ? exits.milliseconds : 1);
}

/* Exits while 10,000 timer interrupts a second come and nothing else happens: for each thousand of them. */
static void test_timer_interrupts_without_exits(void **state)
{
    struct box *box = *state;
    start_bench(box, "bench-stream", "1", 2, "memory = 16M\ncmdline = stream=20000\n");
    box_expect(box, "ringfence> ");
    struct exits exits = look_after(box, "bench", 500);
    box_attach(box, "bench");
    assert_false(box_seen(box, "bench: timer_stream")); /* or the looks were not all inside the silence */
    box_expect_line(box, "bench: timer_stream 20000 ");
    figures_add(box, &figures, "timer_direct_exits", (exits.all * 100 + exits.milliseconds - 1) / exits.milliseconds);
    save(box);
}

static void test_heartbeat(void **state)
{
    struct box *box = *state;
    start(box, "bench-heartbeat",
          "version = 1\n"
          "[partition heartbeat]\n"
          "cpus = 1\n"
          "memory = 16M\n"
          "boot = multiboot1\n"
          "kernel = heartbeat\n"
          "cmdline = quiet=1000000\n",
          heartbeat_module, 2);
    box_expect(box, "ringfence> ");
    figures_add(box, &figures, "heartbeat_exits", rate(look_after(box, "heartbeat", 1000)));
    save(box);
}

static void test_restart(void **state)
{
    struct box *box = *state;
    start_bench(box, "bench-restart", "0", 1, "memory = 16M\ncmdline = restart\n");
    figures_restart(box, &figures);
    save(box);
}

/* "boot: entered at TSC 100; ticks from there: console 10, machine 20". */
static uint64_t boot_stages(struct box *box)
{
    box_expect_line(box, "boot: entered at TSC ([0-9]+); ticks from there: (.*)$");
    uint64_t entered = box_number(box, 1);
    char stages[BOX_LINE_SIZE], name[FIGURE_NAME_SIZE], *rest = NULL;
    snprintf(stages, sizeof stages, "%s", box->line + box->matches[2].rm_so);
    for (char *item = strtok_r(stages, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        char stage[24];
        unsigned long ticks;
        if (sscanf(item, " %23[a-z_] %lu", stage, &ticks) != 2)
            box_fail(box, "'%s' is no stage of the boot", item);
        snprintf(name, sizeof name, "stage_%s", stage);
        figures_add(box, &figures, name, ticks);
    }
    return entered;
}

/*
 * A kernel of 14 MiB and its RAM disk, loaded by our loader for the bench guest, which then starts that kernel: when
 * its first instruction ran, when it came to its first program, and what that took of the hypervisor.
 */
static void test_linux(void **state)
{
    struct box *box = *state;
    char more[512];
    snprintf(more, sizeof more, "memory = 256M\nmodules = vmlinuz, initrd\ncmdline = linux -- %s%s\n", KERNEL_OPTIONS,
             strncmp(engine(), "bochs", 5) == 0 ? KERNEL_OPTIONS_BOCHS : "");
    start_bench(box, "bench-linux", "1", 2, more);
    uint64_t entered = boot_stages(box);
    box_expect(box, "ringfence> ");
    box_attach(box, "bench");
    box_expect_line(box, "bench: entered at ([0-9]+)");
    figures_add(box, &figures, "first_guest_ticks", box_number(box, 1) - entered);
    box_expect_line(box, "bench: linux enters at ([0-9]+)");
    uint64_t from = box_number(box, 1);
    box_expect_line(box, "bench-init: tsc ([0-9]+)");
    figures_add(box, &figures, "linux_ticks", box_number(box, 1) - from);
    box_expect_line(box, "bench-init: idle");
    box_detach(box);
    (void)look(box, "bench", "linux_exits"); /* a few more than at the first program: it has printed two lines */
    figures_add(box, &figures, "linux_idle_exits", rate(look_after(box, "bench", 1000)));
    box_attach(box, "bench");
    box_expect_line(box, "bench-init: busy");
    box_detach(box);
    figures_add(box, &figures, "linux_busy_exits", rate(look_after(box, "bench", 1000)));
    save(box);
}

/* The same kernel, RAM disk, options and loader without a hypervisor. */
static void test_linux_on_the_bare_machine(void **state)
{
    char image[BOX_PATH_SIZE];
    struct box *box = *state;
    snprintf(image, sizeof image, "%s/bench/bare-%s.iso", build_directory(), engine());
    box_boot(
        box,
        &(struct box_setup){
            .name = "bench-bare", .engine = engine(), .cpus = 1, .memory_mib = 256, .limit_seconds = LIMIT_SECONDS},
        image);
    box_expect_line(box, "bench: linux enters at ([0-9]+)");
    uint64_t from = box_number(box, 1);
    box_expect_line(box, "bench-init: tsc ([0-9]+)");
    figures_add(box, &figures, "linux_bare_ticks", box_number(box, 1) - from);
    save(box);
}

/* Bytes of the hypervisor's two rows of `mem`. */
static uint64_t memory_of(struct box *box, const char *name, unsigned partitions)
{
    char conf[2048];
    size_t length = (size_t)snprintf(conf, sizeof conf, "version = 1\n");
    for (unsigned i = 0; i < partitions; i++)
        length += (size_t)snprintf(conf + length, sizeof conf - length,
                                   "[partition p%u]\ncpus = %u\nmemory = 64M\nboot = multiboot1\nkernel = bench\n"
                                   "start = manual\n",
                                   i, i);
    start(box, name, conf, bench_module, 4);
    box_expect(box, "ringfence> ");
    box_command(box, "mem");
    uint64_t bytes = 0;
    for (unsigned row = 0; row < 2; row++) {
        const char *line = box_expect_line(box, "^([0-9a-f]+)-([0-9a-f]+) .*hypervisor");
        uint64_t first = strtoull(line + box->matches[1].rm_so, NULL, 16);
        bytes += strtoull(line + box->matches[2].rm_so, NULL, 16) - first;
    }
    box_stop(box);
    return bytes;
}

static void test_memory(void **state)
{
    static const char *const names[] = {"memory_bytes", "memory_more_bytes", NULL};
    struct box *box = *state;
    if (lacks_cpus(box, names))
        return;
    uint64_t two = memory_of(box, "bench-memory-2", 2);
    uint64_t four = memory_of(box, "bench-memory-4", 4);
    figures_add(box, &figures, "memory_bytes", two);
    figures_add(box, &figures, "memory_more_bytes", (four - two) / 2);
    save(box);
}

/* The bench guest under the peer: an image that boots it and ends by itself. */
static struct {
    const char *name, *image;
    unsigned cpus;
} peer;

static void test_peer(void **state)
{
    struct box *box = *state;
    box_boot(box,
             &(struct box_setup){.name = peer.name,
                                 .engine = engine(),
                                 .cpus = peer.cpus,
                                 .memory_mib = MEMORY_MIB,
                                 .limit_seconds = LIMIT_SECONDS},
             peer.image);
    box_expect_line(box, "bench-peer: KVM of Linux ");
    box_expect_line(box, "bench: entered at ");
    figures_collect(box, &figures, "");
    save_as(box, "figures.peer");
}

static int run_peer(char **arguments)
{
    const struct CMUnitTest tests[] = {box_test(test_peer)};
    peer.name = arguments[0];
    peer.image = arguments[1];
    peer.cpus = (unsigned)strtoul(arguments[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* All cases, or those whose names fit the pattern (with * and ?). */
static int run(const char *only)
{
    const struct CMUnitTest tests[] = {
        box_test(test_exits),
        box_test(test_exits_virtual),
        box_test(test_exits_emulated),
        box_test(test_two_cpus),
        box_test(test_two_cpus_virtual),
        box_test(test_timer_interrupts_without_exits),
        box_test(test_heartbeat),
        box_test(test_restart),
        box_test(test_memory),
        box_test(test_linux),
        box_test(test_linux_on_the_bare_machine),
    };
    if (only != NULL)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int count, char **arguments)
{
    if (count == 5 && strcmp(arguments[1], "peer") == 0)
        return run_peer(arguments + 2);
    if (count > 2) {
        fprintf(stderr, "usage: measure [CASE] | measure peer NAME IMAGE CPUS\n");
        return 2;
    }
    return run(count == 2 ? arguments[1] : NULL);
}
