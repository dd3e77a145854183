/*
 * rf-check: reads ringfence.conf on a PC with the hypervisor's own parser and planner, so that the
 * tool and the box cannot disagree.
 *
 *     rf-check FILE                       the text alone: what was understood of each partition
 *     rf-check FILE --machine MACHINE     also the plan for the box that printed MACHINE
 *
 * Exit status: 0 all is well, 1 something was refused, 2 wrong usage or an unreadable file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"
#include "tools/machine_parse.h"

enum {
    EXIT_WELL = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    MACHINE_TEXT_MAX = 1024 * 1024, /* bytes; the largest machine prints about 40 KiB */
};

/* A sink on a stdio stream. `base` is first, so that the one address serves for both. */
struct stream_sink {
    struct sink base;
    FILE *stream;
};

struct arguments {
    const char *config_file;
    const char *machine_file; /* or NULL */
    bool help;
};

static void stream_put(struct sink *self, const char *text, size_t length)
{
    struct stream_sink *sink = (struct stream_sink *)self;
    fwrite(text, 1, length, sink->stream);
}

static void print_usage(FILE *to)
{
    fputs("usage: rf-check FILE [--machine MACHINE]\n"
          "Checks the Ringfence configuration FILE. With MACHINE, the text that the command\n"
          "`machine` printed on the box, it also decides who would get which CPU and memory.\n"
          "Exit status: 0 all is well, 1 something was refused, 2 wrong usage or unreadable file.\n",
          to);
}

static bool parse_arguments(int count, char **words, struct arguments *out)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
            out->help = true;
            return true;
        }
        if (strcmp(words[i], "--machine") == 0) {
            if (i + 1 == count || out->machine_file != NULL) {
                fputs("rf-check: --machine takes one file, once\n", stderr);
                return false;
            }
            out->machine_file = words[++i];
        } else if (words[i][0] == '-' || out->config_file != NULL) {
            fprintf(stderr, "rf-check: unexpected argument '%s' (expected one FILE)\n", words[i]);
            return false;
        } else {
            out->config_file = words[i];
        }
    }
    if (out->config_file == NULL)
        fputs("rf-check: no file given\n", stderr);
    return out->config_file != NULL;
}

/* Reads at most `max` bytes of a file into new memory; a longer one is cut there. NULL, reported, on failure. */
static char *read_file(const char *name, size_t max, size_t *length)
{
    FILE *file = fopen(name, "rb");
    char *text = malloc(max);

    if (file == NULL || text == NULL) {
        fprintf(stderr, "rf-check: cannot read '%s': %s\n", name, strerror(errno));
        goto failed;
    }
    *length = fread(text, 1, max, file);
    if (ferror(file)) {
        fprintf(stderr, "rf-check: cannot read '%s': %s\n", name, strerror(errno));
        goto failed;
    }
    fclose(file);
    return text;
failed:
    if (file != NULL)
        fclose(file);
    free(text);
    return NULL;
}

static void print_text(const char *label, struct config_text text)
{
    if (text.place.line != 0)
        printf("    %-10s %.*s\n", label, (int)text.text.length, text.text.at);
}

static void print_partition(const struct config_partition *p)
{
    printf("partition %s: %s\n", p->name, p->refused ? "REFUSED" : "ok");
    if (p->refused)
        return;
    printf("    %-10s", "cpus");
    for (uint32_t i = 0; i < p->cpu_count; i++)
        printf(" %u", p->cpus[i]);
    printf("\n    %-10s %s\n", "memory", size_text(p->memory).text);
    printf("    %-10s %s\n", "boot", boot_protocol_name(p->boot));
    print_text("kernel", p->kernel);
    print_text("initrd", p->initrd);
    for (uint32_t i = 0; i < p->module_count; i++)
        print_text("module", p->modules[i]);
    print_text("cmdline", p->cmdline);
    if (p->boot == BOOT_FLAT)
        printf("    %-10s 0x%lx, entry 0x%lx\n", "load", p->load, p->entry);
    printf("    %-10s %s\n", "console", p->console == CONSOLE_UART ? "uart" : "none");
    printf("    %-10s %s, on_stop %s\n", "start", p->start == START_AUTO ? "auto" : "manual",
           stop_action_name(p->on_stop));
}

static void print_config(const struct config *config)
{
    printf("box: console port 0x%x at %u baud, served by CPU %u, escape ^%c\n", config->console_port,
           config->console_baud, config->console_cpu, config->escape + '@');
    for (uint32_t i = 0; i < config->partition_count; i++)
        print_partition(&config->partitions[i]);
}

/* The plan for the machine described in `file`. */
static int check_plan(const char *config_file, const struct config *config, const char *file, struct sink *out,
                      struct sink *errors)
{
    static struct machine machine;
    static struct plan plan;
    size_t length = 0;
    char *text = read_file(file, MACHINE_TEXT_MAX, &length);

    if (text == NULL)
        return EXIT_USAGE;
    bool understood = machine_parse(file, text, length, &machine, errors);
    free(text);
    if (!understood)
        return EXIT_REFUSED;
    unsigned left_out = plan_build(config_file, config, &machine, &plan, errors);
    bool kept = plan_check(&plan, &machine, errors);
    plan_print(&plan, &machine, out);
    return left_out == 0 && kept ? EXIT_WELL : EXIT_REFUSED;
}

static int check(const struct arguments *arguments, struct sink *out, struct sink *errors)
{
    static struct config config;
    size_t length = 0;
    /* One byte more than is allowed, so that the parser sees when there is too much. */
    char *text = read_file(arguments->config_file, CONFIG_MAX_SIZE + 1, &length);

    if (text == NULL)
        return EXIT_USAGE;
    int status = config_parse(arguments->config_file, text, length, &config, errors) == 0 ? EXIT_WELL : EXIT_REFUSED;
    if (arguments->machine_file == NULL) {
        print_config(&config);
    } else {
        int plan_status = check_plan(arguments->config_file, &config, arguments->machine_file, out, errors);
        status = plan_status > status ? plan_status : status;
    }
    free(text);
    return status;
}

int main(int count, char **words)
{
    struct stream_sink out = {{stream_put}, stdout};
    struct stream_sink errors = {{stream_put}, stderr};
    struct arguments arguments = {NULL, NULL, false};

    if (!parse_arguments(count, words, &arguments)) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (arguments.help) {
        print_usage(stdout);
        return EXIT_WELL;
    }
    int status = check(&arguments, &out.base, &errors.base);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "rf-check: cannot write the result: %s\n", strerror(errno));
        return EXIT_USAGE;
    }
    return status;
}
