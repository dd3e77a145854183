/*
 * From the line that was typed to the command that is run. See core/command.h.
 */
#pragma once

#include "core/command.h"

/*
 * Finds the command a line names and prepares `run`. False when there is nothing to do: an empty line, or one with an
 * error, which has been printed in one line.
 */
bool must_check commands_begin(struct command_context *context, struct command_run *run, const char *line);

/* Prints the next piece; true when there is more to come. The outbox must have room for COMMAND_STEP_SIZE bytes. */
bool commands_step(struct command_context *context, struct command_run *run);
