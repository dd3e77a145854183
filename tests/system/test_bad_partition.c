/*
 * Partitions with mistakes, many on one box: each gets one line that names file, line and value, and the good one among
 * them runs as if it were alone.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const small_modules[] = {"hello=guests/hello.elf", NULL};

/* `good` runs, and nothing else is there. */
static void expect_only_the_good_one(struct box *box)
{
    box_expect(box, "ringfence> ");
    box_attach(box, "good");
    box_expect_line(box, "^hello: staying, halted$");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^NAME ");
    size_t heads = box->at;
    box_expect_line(box, "^good +running ");
    box_expect(box, "ringfence> ");
    unsigned lines = 0;
    for (size_t i = heads; i < box->at; i++)
        lines += box->text[i] == '\n';
    if (lines != 1)
        box_fail(box, "`list` shows %u partitions, expected 'good' alone", lines);
}

/* What the parser finds: the value, what was expected, the nearest known word. */
static void test_bad_words(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "bad-words",
                                       .conf = "version = 1\n"
                                               "[box]\n"
                                               "console_cpu = 77\n"
                                               "colour = green\n"
                                               "[partition key]\n"
                                               "memry = 16M\n"
                                               "cpus = 1\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "[partition value]\n"
                                               "cpus = 1-x\n"
                                               "memory = 16M\n"
                                               "boot = multibot1\n"
                                               "kernel = hello\n"
                                               "[partition good]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "cmdline = stay\n"
                                               "[partition good]\n"
                                               "cpus = 0\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "[partitoin other]\n"
                                               "cpus = 1\n",
                                       .modules = small_modules,
                                       .cpus = 2});
    box_expect_line(box,
                    "(^|\\] )ringfence\\.conf:4:1: unknown key 'colour' \\(expected console, console_cpu, escape, "
                    "share_cores\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:6:1: unknown key 'memry' \\(did you mean 'memory'\\?\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:5:1: key missing in partition 'key' \\(.*memory = ");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:11:10: not a number 'x' \\(expected a CPU number");
    box_expect_line(box,
                    "(^|\\] )ringfence\\.conf:13:8: unknown value 'multibot1' \\(.*did you mean 'multiboot1'\\?\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:21:[0-9]+: partition name used twice 'good' \\(.*line 15");
    box_expect_line(box,
                    "(^|\\] )ringfence\\.conf:26:[0-9]+: unknown section 'partitoin other' \\(.*'partition'\\?\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf: 7 errors; ");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:3:15: console_cpu: using CPU 0: CPU 77 is not there");
    expect_only_the_good_one(box);
    box_command(box, "start key");
    box_expect_line(box, "^partition 'key' was refused when the box started: 'log' says why");
    box_command(box, "log");
    box_expect_line(box, "ringfence\\.conf:6:1: unknown key 'memry' ");
}

/* What the plan finds: more than the box has, or what it has twice. */
static void test_more_than_the_box_has(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "bad-resources",
                                       .conf = "version = 1\n"
                                               "[partition cpu]\n"
                                               "cpus = 9\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "[partition module]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hallo\n"
                                               "[partition good]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "cmdline = stay\n"
                                               "[partition twice]\n"
                                               "cpus = 0-1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "[partition large]\n"
                                               "cpus = 0\n"
                                               "memory = 3G\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "[partition larger]\n"
                                               "cpus = 0\n"
                                               "memory = 64T\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "[partition initrd]\n"
                                               "cpus = 0\n"
                                               "memory = 64M\n"
                                               "kernel = hello\n"
                                               "initrd = gone\n",
                                       .modules = small_modules,
                                       .cpus = 2});
    box_expect_line(box,
                    "(^|\\] )ringfence\\.conf:3:8: partition 'cpu': CPU 9 is not there \\(this box has CPUs 0-1\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:11:10: partition 'module': kernel 'hallo': no such module "
                         "\\(modules: ringfence\\.conf, hello\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:19:8: partition 'twice': CPU 1 belongs to partition 'good' already "
                         "\\(line 13\\)$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:25:10: partition 'large': memory 3 GiB: [0-9]+ [KM]iB are free$");
    box_expect_line(
        box, "(^|\\] )ringfence\\.conf:30:10: partition 'larger': memory (64 TiB|65536 GiB): [0-9]+ [KM]iB are free$");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:37:10: partition 'initrd': initrd 'gone': no such module ");
    box_expect_line(box, "6 of 7 partitions left out$");
    expect_only_the_good_one(box);
}

/* Little-endian, from an image's header. */
static uint64_t field(const uint8_t *image, size_t at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)image[at + i] << 8 * i;
    return value;
}

/* Linux documentation, "The Linux/x86 Boot Protocol": offsets in the header. */
enum { PREF_ADDRESS = 0x258, INIT_SIZE = 0x260, TRUNCATED = 1000 * 1000, MIB = 1024 * 1024 };

/* MiB that the kernel alone needs, and a bit less than it needs for itself as its own initrd. */
static uint64_t memory_without_initrd(struct box *box)
{
    size_t size;
    uint8_t *kernel = box_read(box, "guests/vmlinuz-6.1", &size);
    assert_true(size > 8 * MIB);
    uint64_t end = field(kernel, PREF_ADDRESS, 8) + field(kernel, INIT_SIZE, 4);
    box_file(box, "bad-images", "truncated", kernel, TRUNCATED);
    free(kernel);
    return end / MIB + 4;
}

/* What the loaders find in the modules. One CPU for each, because these are found when the plan stands. */
static void test_bad_images(void **state)
{
    struct box *box = *state;
    char conf[2048];
    static const char *const modules[] = {"hello=guests/hello.elf", "vmlinuz=guests/vmlinuz-6.1",
                                          "truncated=./truncated", "text=./ringfence.conf", NULL};
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition no-linux]\n"
             "cpus = 0\n"
             "memory = 64M\n"
             "kernel = hello\n"
             "[partition cut]\n"
             "cpus = 2\n"
             "memory = 64M\n"
             "kernel = truncated\n"
             "[partition good]\n"
             "cpus = 1\n"
             "memory = 16M\n"
             "boot = multiboot1\n"
             "kernel = hello\n"
             "cmdline = stay\n"
             "[partition initrd]\n"
             "cpus = 3\n"
             "memory = %luM\n"
             "kernel = vmlinuz\n"
             "initrd = vmlinuz\n"
             "[partition no-elf]\n"
             "cpus = 4\n"
             "memory = 16M\n"
             "boot = multiboot1\n"
             "kernel = text\n"
             "[partition flat]\n"
             "cpus = 5\n"
             "memory = 16M\n"
             "boot = flat\n"
             "load = 0xfff000\n"
             "kernel = hello\n",
             (unsigned long)memory_without_initrd(box));
    box_start(box, &(struct box_setup){.name = "bad-images", .conf = conf, .modules = modules, .cpus = 6});
    box_expect_line(box, "(^|\\] )ringfence\\.conf:5:10: partition 'no-linux': kernel 'hello' is not a Linux bzImage ");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:9:10: partition 'cut': kernel 'truncated' is truncated: "
                         "header says [0-9]+ bytes, the module has 1000000$");
    box_expect_line(box,
                    "(^|\\] )ringfence\\.conf:20:10: partition 'initrd': initrd 'vmlinuz' does not fit: [0-9]+ bytes, "
                    "there are [0-9]+ between ");
    box_expect_line(box, "(^|\\] )ringfence\\.conf:25:10: partition 'no-elf': kernel 'text' is not ");
    box_expect_line(
        box, "(^|\\] )ringfence\\.conf:31:10: partition 'flat': kernel 'hello' does not fit: [0-9]+ bytes at load "
             "address 0xfff000");
    expect_only_the_good_one(box);
}

/* Four CPUs that are two cores: what shares a core is left out, and may be had when the configuration says so. */
static void test_hyperthreads_of_one_core(void **state)
{
    struct box *box = *state;
    static const char *const confs[] = {"", "[box]\nshare_cores = yes\n"};
    assert_int_equal(setenv("RINGFENCE_THREADS", "2", 1), 0);
    for (int share = 0; share < 2; share++) {
        char conf[1024];
        snprintf(conf, sizeof conf,
                 "version = 1\n%s"
                 "[partition good]\ncpus = 2-3\nmemory = 16M\nboot = multiboot1\nkernel = hello\ncmdline = stay\n"
                 "[partition first]\ncpus = 0\nmemory = 16M\nboot = multiboot1\nkernel = hello\nstart = manual\n"
                 "[partition second]\ncpus = 1\nmemory = 16M\nboot = multiboot1\nkernel = hello\nstart = manual\n",
                 confs[share]);
        box_start(box, &(struct box_setup){.name = share ? "cores-shared" : "cores-refused",
                                           .conf = conf,
                                           .modules = small_modules,
                                           .cpus = 4});
        if (!share)
            box_expect_line(box, "(^|\\] )ringfence\\.conf:15:8: partition 'second': CPU 1 is a hyperthread of the same "
                                 "core as CPU 0 of partition 'first' \\(line 9\\): give both to one partition, or write "
                                 "share_cores = yes under \\[box\\]$");
        box_expect(box, "ringfence> ");
        box_command(box, "cpus");
        box_expect_line(box, "^0 +[0-9]+ +0 +online +first, vCPU 0");
        box_expect_line(box, share ? "^1 +[0-9]+ +0 +online +second, vCPU 0" : "^1 +[0-9]+ +0 +online +nobody");
        box_expect_line(box, "^2 +[0-9]+ +1 +online +good, vCPU 0");
        box_expect_line(box, "^3 +[0-9]+ +1 +online +good, vCPU 1");
        box_stop(box);
    }
    unsetenv("RINGFENCE_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_bad_words),
        box_test(test_more_than_the_box_has),
        box_test(test_bad_images),
        box_test(test_hyperthreads_of_one_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
