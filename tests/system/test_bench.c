/*
 * What each path to the hypervisor and back costs, held against what it cost before. In Bochs a tick is an
 * instruction and every run is the same, so a path that has grown is a change of ours and no noise.
 */
#include "tests/bench/figures.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MORE_PERCENT = 5 };

static const char *const modules[] = {"bench=guests/bench.elf", NULL};

static void start(struct box *box, const char *name, const char *engine, const char *more)
{
    char conf[256];
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition bench]\n"
             "cpus = 0\n"
             "memory = 16M\n"
             "boot = multiboot1\n"
             "kernel = bench\n"
             "%s",
             more);
    box_start(box, &(struct box_setup){.name = name, .conf = conf, .modules = modules, .engine = engine});
}

static void measure(struct box *box, struct figures *figures, const char *name, const char *engine, const char *mode,
                    const char *suffix)
{
    char more[64];
    snprintf(more, sizeof more, "start = manual\ninterrupts = %s\n", mode);
    start(box, name, engine, more);
    figures_run(box, figures, suffix);
    box_stop(box);
}

static void measure_restart(struct box *box, struct figures *figures, const char *name, const char *engine)
{
    start(box, name, engine, "cmdline = restart\n");
    figures_restart(box, figures);
}

static void no_path_has_grown(struct box *box, const struct figures *figures, const char *engine)
{
    char file[64];
    snprintf(file, sizeof file, "tests/bench/expected.%s", engine);
    assert_int_equal(figures_compare(box, figures, file, MORE_PERCENT, stderr), 0);
}

/* The engines are those in which a tick is an instruction, whatever the other tests run on. */
static void test_no_path_has_grown_on_vtx(void **state)
{
    static struct figures figures;
    measure(*state, &figures, "bench-vtx", "bochs-vmx", "direct", "");
    measure(*state, &figures, "bench-vtx-virtual", "bochs-vmx", "virtual\nacceleration = yes", "_virtual");
    measure(*state, &figures, "bench-vtx-emulated", "bochs-vmx", "virtual", "_emulated");
    measure_restart(*state, &figures, "bench-vtx-restart", "bochs-vmx");
    no_path_has_grown(*state, &figures, "bochs-vmx");
}

static void test_no_path_has_grown_on_amdv(void **state)
{
    static struct figures figures;
    measure(*state, &figures, "bench-amdv", "bochs-svm", "virtual", "");
    measure_restart(*state, &figures, "bench-amdv-restart", "bochs-svm");
    no_path_has_grown(*state, &figures, "bochs-svm");
}

/* The comparison itself: it must be able to fail, and say which path it was. */
static void compare_text(struct box *box, const char *text, unsigned wanted, const char *name)
{
    static struct figures figures;
    char *said = NULL, file[] = "/tmp/ringfence-bench-XXXXXX";
    size_t size = 0;
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    figures.count = 0;
    figures_add(box, &figures, "cpuid", 100);
    figures_add_absent(box, &figures, "xapic_tpr", "there is none");
    FILE *report = open_memstream(&said, &size);
    assert_non_null(report);
    assert_int_equal(figures_compare(box, &figures, file, MORE_PERCENT, report), wanted);
    fclose(report);
    unlink(file);
    assert_true(name == NULL ? size == 0 : strstr(said, name) != NULL);
    free(said);
}

static void test_the_comparison_names_what_has_grown(void **state)
{
    struct box *box = *state;
    compare_text(box, "# nothing\n\n", 0, NULL);
    compare_text(box, "cpuid 100\n", 0, NULL);
    compare_text(box, "cpuid 96\n", 0, NULL);
    compare_text(box, "cpuid 95\n", 1, "cpuid takes 100 ticks, expected 95");
    compare_text(box, "cpuid 120\n", 0, "cpuid takes only 100");
    compare_text(box, "xapic_tpr 10\n", 1, "xapic_tpr was not measured");
    compare_text(box, "cpuid 90\nnot_there 10\n", 2, "not_there was not measured");
}

/* Runs the report over figures made up here; its output goes to `said`. Returns its exit status. */
static int report(struct box *box, const char *figures_text, const char *peer_text, const char *of, char *said,
                  size_t size)
{
    char command[3 * BOX_PATH_SIZE];
    const char *build = getenv("RINGFENCE_BUILD");
    box_file(box, "bench-report", "figures", figures_text, strlen(figures_text));
    box_file(box, "bench-report", "figures.peer", peer_text, strlen(peer_text));
    snprintf(command, sizeof command, "tools/bench-report.sh %s %s/ringfence.elf %s %s 2>&1", box->directory,
             build != NULL ? build : "build", of, box->directory);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    said[fread(said, 1, size - 1, pipe)] = '\0';
    return pclose(pipe);
}

static void expect_text(const char *said, const char *wanted)
{
    if (strstr(said, wanted) == NULL)
        fail_msg("'%s' is not in:\n%s", wanted, said);
}

static void test_the_report_tells_what_is_met_and_what_is_missed(void **state)
{
    static char said[16384];
    struct box *box = *state;
    int status = report(box,
                        "hypercall 30 31 90 1000\ncpuid 60 63 64 1000\nfirst_touch 1 2 3 1000\n"
                        "heartbeat_exits 2 2 2 1\ntimer_virtual absent there is none\n",
                        "cpuid 900 945 990 1000\n", "bochs-nothing", said, sizeof said);
    assert_int_equal(status, 0);
    expect_text(said, "hypercall that does nothing                              30           31           90 ticks "
                      "            40  met");
    expect_text(said, "missed by 5.0 %         945    15.0");
    expect_text(said, "missed by 2");
    expect_text(said, "absent");
    expect_text(said, "there is none");
    expect_text(said, "1 of ");
}

static void test_the_report_writes_what_a_program_can_read(void **state)
{
    static char said[16384];
    struct box *box = *state;
    char file[BOX_PATH_SIZE + 32];
    assert_int_equal(
        report(box, "cpuid 60 63 64 1000\n", "cpuid 900 945 990 1000\n", "bochs-nothing", said, sizeof said), 0);
    snprintf(file, sizeof file, "%s/bench.json", box->directory);
    FILE *from = fopen(file, "r");
    assert_non_null(from);
    said[fread(said, 1, sizeof said - 1, from)] = '\0';
    fclose(from);
    expect_text(said, "{\"name\": \"cpuid\", \"unit\": \"ticks\", \"min\": 60, \"median\": 63, \"max\": 64, "
                      "\"target\": 60, \"peer\": 945}");
    expect_text(said, "{\"name\": \"hypercall\", \"unit\": \"ticks\", \"min\": null, \"median\": null");
}

/* Where the clock is a real one, it is said, and nothing is held against what Bochs has shown. */
static void test_the_report_of_another_machine_is_in_cycles(void **state)
{
    static char said[16384];
    assert_int_equal(report(*state, "cpuid 9000 9000 9000 1000\n", "", "qemu-svm", said, sizeof said), 0);
    expect_text(said, "qemu-svm, cycles of its clock");
    expect_text(said, "9000 cycles");
}

/* The table in a README: only what is between the two lines changes. */
static void test_the_readme_gets_the_promises(void **state)
{
    static char said[16384];
    char command[4 * BOX_PATH_SIZE];
    struct box *box = *state;
    static const char readme[] = "before\n<!-- bench: x -->\nold\n<!-- bench: end -->\nafter\n";
    assert_int_equal(report(box, "restart_ticks 1 4500000 9 5\n", "restart_ticks 1 9000000 9 5\n", "bochs-nothing",
                            said, sizeof said),
                     0);
    box_file(box, "bench-report", "README.md", readme, strlen(readme));
    snprintf(command, sizeof command, "tools/bench-readme.sh %s/bench.json %s/README.md >&2 && cat %s/README.md",
             box->directory, box->directory, box->directory);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    expect_text(said, "before\n<!-- bench: x -->\n");
    expect_text(said, "| stop to first instruction, ticks | 4,500,000 | 5,000,000 | met | 9,000,000 | 2.0 |\n");
    expect_text(said, "| hypercall that does nothing, ticks | - | 40 | not measured | - | - |\n");
    expect_text(said, "\n<!-- bench: end -->\nafter\n");
    assert_null(strstr(said, "old"));
}

static void test_the_report_fails_when_a_path_has_grown(void **state)
{
    static char said[16384];
    struct box *box = *state;
    assert_int_not_equal(report(box, "cpuid 9000 9000 9000 1000\n", "", "bochs-vmx", said, sizeof said), 0);
    expect_text(said, "bench: cpuid takes 9000 ticks, expected");
}

static void test_the_report_wants_figures(void **state)
{
    static char said[16384];
    assert_int_not_equal(report(*state, "", "", "bochs-vmx", said, sizeof said), 0);
    expect_text(said, "nothing was measured");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_the_comparison_names_what_has_grown),
        box_test(test_the_report_tells_what_is_met_and_what_is_missed),
        box_test(test_the_report_writes_what_a_program_can_read),
        box_test(test_the_report_of_another_machine_is_in_cycles),
        box_test(test_the_readme_gets_the_promises),
        box_test(test_the_report_fails_when_a_path_has_grown),
        box_test(test_the_report_wants_figures),
        box_test(test_no_path_has_grown_on_vtx),
        box_test(test_no_path_has_grown_on_amdv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
