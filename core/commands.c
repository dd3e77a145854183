/* The table of commands, and the errors of those who mistype. */
#include "core/command.h"

#include "core/text_nearest.h"

static command_function help;

static const struct command commands[] = {
    {"help", ARGUMENTS_NONE, "this list", help, 0},
    {"list", ARGUMENTS_NONE, "partitions and their state", command_list, 0},
    {"start", ARGUMENTS_PARTITION, "starts a stopped partition", command_lifecycle, GOAL_START},
    {"stop", ARGUMENTS_PARTITION, "stops a partition at once", command_lifecycle, GOAL_STOP},
    {"restart", ARGUMENTS_PARTITION, "stops and starts it from a fresh image", command_lifecycle, GOAL_RESTART},
    {"pause", ARGUMENTS_PARTITION, "holds a running partition", command_lifecycle, GOAL_PAUSE},
    {"resume", ARGUMENTS_PARTITION, "lets a paused partition go on", command_lifecycle, GOAL_RESUME},
    {"attach", ARGUMENTS_PARTITION, "connects this terminal to its console", command_attach, 0},
    {"log", ARGUMENTS_LOG, "last output of a partition or the hypervisor; of the last crash", command_log, 0},
    {"stats", ARGUMENTS_PARTITION_OR_NONE, "exits by reason, in all and since the last look", command_stats, 0},
    {"mem", ARGUMENTS_NONE, "who owns which memory", command_show, SHOW_MEMORY},
    {"cpus", ARGUMENTS_NONE, "who owns which CPU", command_show, SHOW_CPUS},
    {"plan", ARGUMENTS_NONE, "the whole plan: CPUs, memory and devices", command_show, SHOW_PLAN},
    {"machine", ARGUMENTS_NONE, "the machine, as rf-check reads it", command_show, SHOW_MACHINE},
    {"version", ARGUMENTS_NONE, "which Ringfence this is", command_version, 0},
    {"reboot", ARGUMENTS_NONE, "restarts the whole box", command_end, BOX_REBOOTS},
    {"halt", ARGUMENTS_NONE, "stops every partition and every CPU", command_end, BOX_HALTS},
};

/* What stands behind a command's name. */
static const char *const arguments_texts[] = {
    [ARGUMENTS_NONE] = "",
    [ARGUMENTS_PARTITION] = " NAME",
    [ARGUMENTS_PARTITION_OR_NONE] = " [NAME]",
    [ARGUMENTS_LOG] = " [NAME|crash]",
};

/* One line a step. */
static bool help(struct command_context *context, struct command_run *run)
{
    const struct command *command = &commands[run->step];
    sink_print(&context->out->sink, "  %s%s", command->name, arguments_texts[command->arguments]);
    outbox_pad(context->out, 18);
    sink_print(&context->out->sink, "%s\n", command->help);
    return run->step + 1 < array_size(commands);
}

/* Takes the next word off the front of `rest`; empty when there is none. */
static struct slice next_word(struct slice *rest)
{
    size_t start = 0;
    while (start < rest->length && rest->at[start] == ' ')
        start++;
    size_t end = slice_find(*rest, start, ' ');
    struct slice word = {rest->at + start, end - start};
    *rest = (struct slice){rest->at + end, rest->length - end};
    return word;
}

static const struct command *find_command(struct slice word)
{
    for (size_t i = 0; i < array_size(commands); i++) {
        if (slice_equals(word, commands[i].name))
            return &commands[i];
    }
    return NULL;
}

static void report_unknown_command(struct sink *out, struct slice word)
{
    struct text_nearest nearest;
    text_nearest_init(&nearest, word);
    for (size_t i = 0; i < array_size(commands); i++)
        text_nearest_consider(&nearest, commands[i].name);
    sink_print(out, "unknown command '%.*s': ", (int)word.length, word.at);
    if (nearest.name != NULL)
        sink_print(out, "did you mean '%s'? ", nearest.name);
    sink_print(out, "'help' shows all\n");
}

static bool is_configured(const struct config *config, struct slice name)
{
    for (uint32_t i = 0; i < config->partition_count; i++) {
        if (slice_equals(name, config->partitions[i].name))
            return true;
    }
    return false;
}

static void report_unknown_partition(const struct command_context *context, struct slice name)
{
    struct sink *out = &context->out->sink;
    struct text_nearest nearest;
    text_nearest_init(&nearest, name);
    for (uint32_t i = 0; i < partition_table.count; i++)
        text_nearest_consider(&nearest, partition_name(&partition_table.partitions[i]));
    if (is_configured(context->config, name))
        sink_print(out, "partition '%.*s' was refused when the box started: 'log' says why\n", (int)name.length,
                   name.at);
    else if (nearest.name != NULL)
        sink_print(out, "no partition '%.*s': did you mean '%s'?\n", (int)name.length, name.at, nearest.name);
    else
        sink_print(out, "no partition '%.*s': 'list' shows all\n", (int)name.length, name.at);
}

/* Checks the words behind the command's name and finds the partition. */
static bool take_arguments(const struct command_context *context, struct command_run *run, struct slice rest)
{
    struct sink *out = &context->out->sink;
    const struct command *command = run->command;
    struct slice name = next_word(&rest);
    struct slice extra = command->arguments == ARGUMENTS_NONE ? name : next_word(&rest);
    if (extra.length != 0) {
        sink_print(out, "'%.*s' is one word too many: the command is '%s%s'\n", (int)extra.length, extra.at,
                   command->name, arguments_texts[command->arguments]);
        return false;
    }
    if (name.length == 0) {
        if (command->arguments == ARGUMENTS_PARTITION)
            sink_print(out, "which partition? The command is '%s NAME': 'list' shows the names\n", command->name);
        return command->arguments != ARGUMENTS_PARTITION;
    }
    run->partition = partition_find(name);
    /* A partition of that name comes first: what its operator sees of it is not to depend on a record. */
    run->crash = run->partition == NULL && command->arguments == ARGUMENTS_LOG && slice_equals(name, "crash");
    if (run->crash)
        return true;
    if (run->partition == NULL)
        report_unknown_partition(context, name);
    return run->partition != NULL;
}

bool commands_begin(struct command_context *context, struct command_run *run, const char *line)
{
    struct slice rest = {line, strlen(line)};
    struct slice word = next_word(&rest);
    if (word.length == 0)
        return false;
    *run = (struct command_run){.command = find_command(word)};
    if (run->command == NULL) {
        report_unknown_command(&context->out->sink, word);
        return false;
    }
    return take_arguments(context, run, rest);
}

bool commands_step(struct command_context *context, struct command_run *run)
{
    bool more = run->command->function(context, run);
    run->step++;
    return more;
}
