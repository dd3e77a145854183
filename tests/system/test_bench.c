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

/* Whether this computer's tests are to run on an engine that has such figures at all. */
static const char *engine(void)
{
    const char *given = getenv("RINGFENCE_ENGINE");
    return given != NULL && strcmp(given, "bochs-svm") == 0 ? given : "bochs-vmx";
}

static void test_no_path_has_grown(void **state)
{
    static struct figures figures;
    struct box *box = *state;
    char file[64];
    snprintf(file, sizeof file, "tests/bench/expected.%s", engine());
    box_start(box, &(struct box_setup){.name = "bench",
                                       .conf = "version = 1\n"
                                               "[partition bench]\n"
                                               "cpus = 0\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = bench\n",
                                       .modules = modules,
                                       .engine = engine()});
    box_expect(box, "ringfence> ");
    box_attach(box, "bench");
    figures_collect(box, &figures);
    assert_int_equal(figures_compare(box, &figures, file, MORE_PERCENT, stderr), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_the_comparison_names_what_has_grown),
        box_test(test_no_path_has_grown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
