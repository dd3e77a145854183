/*
 * The machine text that rf-check reads. What is accepted must keep struct machine's promises, print and read back as
 * the same, and no plan made on it may break plan_check, however odd the box.
 */
#include "tools/machine_parse.h"

#include "core/plan.h"
#include "tests/fuzz/machine_promises.h"

enum { PRINTED_SIZE = 64 * 1024 };

static const char configuration[] = "version = 1\n"
                                    "[partition one]\ncpus = 0\nmemory = 64M\nboot = linux\nkernel = vmlinuz\n"
                                    "[partition two]\ncpus = 1-2\nmemory = 5G\nboot = linux\nkernel = vmlinuz\n"
                                    "[partition three]\ncpus = 3\nmemory = 4K\nboot = multiboot1\nkernel = vmlinuz\n";

static struct machine first, second;
static struct config config;
static struct plan plan;

static size_t print(const struct machine *m, char *to)
{
    struct text_sink text;
    text_sink_init(&text, to, PRINTED_SIZE);
    machine_print(m, &text.sink);
    require(text.length < PRINTED_SIZE);
    return text.length;
}

static void require_round_trip(const struct machine *m)
{
    static char one[PRINTED_SIZE], two[PRINTED_SIZE];
    struct line_sink errors = line_sink_new();
    size_t length = print(m, one);
    require(machine_parse("p", one, length, &second, &errors.sink));
    require(line_sink_count(&errors) == 0);
    require(print(&second, two) == length && memcmp(one, two, length) == 0);
}

static void require_plan(const struct machine *m)
{
    struct line_sink errors = line_sink_new();
    struct line_sink complaints = line_sink_new();
    unsigned problems = config_parse("c", configuration, sizeof configuration - 1, &config, &errors.sink);
    require(problems == 0 && config.partition_count == 3);
    unsigned left_out = plan_build("c", &config, m, &plan, &errors.sink);
    require(left_out + plan.partition_count == 3);
    bool kept = plan_check(&plan, m, &complaints.sink);
    /* The one thing that plan_build cannot mend: a box whose console CPU is not there. */
    bool console = plan.console_cpu < m->cpu_count && m->cpus[plan.console_cpu].online;
    require(kept == console);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_sink errors = line_sink_new();
    char *text = malloc(size);
    require(text != NULL || size == 0);
    if (size != 0)
        memcpy(text, data, size);
    memset(&first, 0xee, sizeof first);
    bool good = machine_parse("m", text, size, &first, &errors.sink);
    require(good == (line_sink_count(&errors) == 0));
    require_regions(&first); /* also when there were errors: nothing half-read is wild */
    require_cpus(&first);
    require_modules(&first);
    require(first.ioapic_count <= MACHINE_MAX_IOAPICS);
    if (good) {
        require(first.cpu_count >= 1 && first.region_count >= 1 && range_valid(first.hypervisor));
        require_round_trip(&first);
        require_plan(&first);
    }
    free(text);
    return 0;
}
