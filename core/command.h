/*
 * What a command of the control console is: a function that is called again and again, each time to print one more
 * piece of at most COMMAND_STEP_SIZE bytes, so that long output waits for the wire and not the box for the output.
 * core/commands.c holds the table; core/command_*.c the functions.
 */
#pragma once

#include "core/log.h"

enum { COMMAND_STEP_SIZE = 1536 };

/* What commands act on and what they keep from one time to the next. */
struct command_context {
    struct outbox *out;
    const struct config *config;
    const struct machine *machine;
    const struct plan *plan;
    const struct backend *backend;
    enum partition_goal asked[CONFIG_MAX_PARTITIONS]; /* by the operator, outcome not yet told; GOAL_NONE: nothing */
    uint64_t looked_at[CONFIG_MAX_PARTITIONS];        /* TSC of the last `stats` */
    uint32_t looked_starts[CONFIG_MAX_PARTITIONS];    /* partition.starts then; 0: never looked */
    uint32_t looked_smis;                             /* of this CPU, at the last `stats` */
};

/* How the whole box is to end. */
enum box_end { BOX_GOES_ON, BOX_HALTS, BOX_REBOOTS };

/* One command being carried out. */
struct command_run {
    const struct command *command;
    struct partition *partition; /* the one named, or NULL */
    uint32_t step;               /* calls so far */
    uint64_t at, end;            /* the command's own, 0 at first */
    bool crash;                  /* `log`: the crash record is meant */
    bool attach;                 /* when it has ended, the terminal goes to `partition` */
};

/* Prints the next piece; true when there is more to come. The outbox has room for COMMAND_STEP_SIZE bytes. */
typedef bool command_function(struct command_context *context, struct command_run *run);

enum command_arguments {
    ARGUMENTS_NONE,
    ARGUMENTS_PARTITION,
    ARGUMENTS_PARTITION_OR_NONE,
    ARGUMENTS_LOG, /* a partition, or the word for the crash record, or nothing */
};

/* What command_show shows. */
enum { SHOW_MEMORY, SHOW_CPUS, SHOW_PLAN, SHOW_MACHINE };

struct command {
    const char *name;
    enum command_arguments arguments;
    const char *help; /* one line */
    command_function *function;
    uint8_t what; /* of command_lifecycle: enum partition_goal; of command_end: enum box_end; of command_show */
};

command_function command_lifecycle, command_end, command_attach; /* core/command_control.c */
command_function command_list, command_stats, command_log;       /* core/command_partition.c */
command_function command_show, command_version;                  /* core/command_box.c */

/* core/commands.c: from the line that was typed to the command that is run. */

/*
 * Finds the command a line names and prepares `run`. False when there is nothing to do: an empty line, or one with an
 * error, which has been printed in one line.
 */
bool must_check commands_begin(struct command_context *context, struct command_run *run, const char *line);

/* Prints the next piece; true when there is more to come. The outbox must have room for COMMAND_STEP_SIZE bytes. */
bool commands_step(struct command_context *context, struct command_run *run);

/* Logs the outcome of what the operator asked for, once it is there. */
void command_report_settled(struct command_context *context);

/* "running", or what is being done to the partition: "stopping". */
const char *partition_state_text(const struct partition *p);
enum partition_state partition_state_now(const struct partition *p);

/* Copies why the partition stopped, as one line of printable ASCII; "" when it runs or was never started. */
void partition_reason_copy(struct partition *p, char reason[PARTITION_REASON_SIZE]);
