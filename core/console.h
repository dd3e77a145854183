/*
 * The control console: one line editor, a table of commands, `attach`. Runs only on the console CPU.
 */
#pragma once

#include "core/outbox.h"
#include "core/partition.h"

void console_init(struct console_port *port, const struct config *config, const struct machine *machine,
                  const struct plan *plan, const struct backend *backend);

/* Handles what has arrived, moves output on. Returns soon; call it often. */
void console_service(void);

/* A policy ends the box: the console says what is left to say, then halts or reboots it. From any CPU. */
void console_end_box(bool reboot);

/* A message of the hypervisor itself: goes to the console (above the prompt) and to the log. From any CPU. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same about a partition: "NAME: text". */
void log_partition(const struct partition *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
