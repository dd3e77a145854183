/*
 * An emulated machine as a child process, its COM1 as a socket. For the launcher and the system tests; runs on the
 * host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct emulator_setup {
    const char *engine;    /* as tools/emulate.sh names them */
    const char *image;     /* ISO file */
    const char *directory; /* for the emulator's own files; is created */
    unsigned cpus;
    unsigned memory_mib;
};

struct emulator {
    pid_t pid; /* 0: not running */
    int line;  /* the socket behind COM1; -1 when it has closed */
};

/*
 * Starts the machine and waits until its COM1 is connected. False with one line in `error`; nothing runs then. The
 * machine is ended by the kernel when this process ends in whatever way.
 */
bool emulator_start(struct emulator *emulator, const struct emulator_setup *setup, char *error, size_t size);

/* Whether the machine has ended by itself. */
bool emulator_ended(struct emulator *emulator);

/* Ends it if it still runs, and waits until it is gone. */
void emulator_stop(struct emulator *emulator);
