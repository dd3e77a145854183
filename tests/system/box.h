/*
 * A whole machine under test: an image made for the case, booted in an emulator, its COM1 read and written.
 *
 * Waits are for events. Each has a generous limit of wall-clock time that only catches what hangs: the case's own, else
 * 180 s; RINGFENCE_LIMIT (seconds) replaces both on a slow computer. A wait that fails shows the end of the transcript
 * and ends the case. Everything of a case lies in $RINGFENCE_BUILD/system/NAME: the configuration, the image,
 * console.log, the emulator's own logs. The end of a case prints its time, its limit and where its log is.
 *
 *     static void test_x(void **state)
 *     {
 *         struct box *box = *state;
 *         box_start(box, &(struct box_setup){.name = "x", .conf = "version = 1\n...", .modules = modules});
 *         box_expect(box, "ringfence> ");
 *     }
 *     ... box_test(test_x) in the list of tests
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <regex.h>

#include "tools/emulator.h"

enum { BOX_MATCHES = 10, BOX_LINE_SIZE = 1024, BOX_PATH_SIZE = 512 };

struct box_setup {
    const char *name;           /* of the case, unique in all programs: its folder, and its word in `cases` */
    const char *conf;           /* text of ringfence.conf; NULL: none */
    const char *const *modules; /* "NAME=FILE", FILE below the build folder; ends with NULL; may be NULL */
    const char *engine;         /* NULL: $RINGFENCE_ENGINE, else the best one here */
    unsigned cpus;              /* 0: 1 */
    unsigned memory_mib;        /* 0: 512 */
    unsigned limit_seconds;     /* of each wait; 0: 180 */
};

struct box {
    char directory[BOX_PATH_SIZE];
    char conf[BOX_PATH_SIZE]; /* file, "-": none */
    char image[BOX_PATH_SIZE];
    struct emulator emulator;
    int log;    /* console.log */
    char *text; /* all that came from COM1, terminated */
    size_t length, capacity;
    size_t at;                /* what lies before has been consumed by an expectation */
    bool ended;               /* the machine is gone */
    time_t started;           /* seconds of the monotonic clock; of the first machine of the case */
    time_t limit;             /* seconds a wait may last */
    char line[BOX_LINE_SIZE]; /* box_expect_line: the line found, with its groups */
    regmatch_t matches[BOX_MATCHES];
};

/* cmocka fixtures: a box without a machine; ends the machine whatever became of the case. */
int box_create(void **state);
int box_destroy(void **state);
#define box_test(function) cmocka_unit_test_setup_teardown(function, box_create, box_destroy)

/*
 * Writes a file of the case's own before its image is made. box_setup.modules names it as "NAME=./FILE", and
 * "ringfence.conf=..." with conf = NULL is a configuration of any bytes.
 */
void box_file(struct box *box, const char *name, const char *file, const void *bytes, size_t size);
/*
 * Reads all of a file below the build folder, followed by a zero byte that `size` does not count. The caller frees it.
 */
void *box_read(struct box *box, const char *file, size_t *size);

/*
 * The machine that this program is run on: $RINGFENCE_ENGINE, else the best one here. A case with a line PROGRAM/NAME
 * of its own in tests/system/cases is skipped on every machine that the line does not list.
 */
const char *box_machine(void);
/* Whether its clock counts instructions: only there a beat that comes late is the box's fault, not the computer's. */
bool box_clock_is_exact(void);

/* Makes the image and boots it. Fails the case when either does not work. */
void box_start(struct box *box, const struct box_setup *setup);
/* Boots an image that is there already. */
void box_boot(struct box *box, const struct box_setup *setup, const char *image);
/* Ends the machine; box_boot(box, setup, box->image) boots the same image again. */
void box_stop(struct box *box);

/* Waits until `text` comes, and consumes all up to its end. */
void box_expect(struct box *box, const char *text);
/*
 * Waits for a whole line in which the extended regular expression matches, and consumes it. Returns the line without
 * its end, valid until the next call.
 */
const char *box_expect_line(struct box *box, const char *expression);
/* The group of the last box_expect_line as a decimal number. */
uint64_t box_number(struct box *box, unsigned group);
/* Waits until the machine has switched itself off or has reset itself. */
void box_expect_end(struct box *box);
/* Waits until `text` comes or the machine is gone: true in the first case. */
bool box_expect_or_end(struct box *box, const char *text);
/* Whether nothing comes for so long and the machine is still there: how a box that is halted looks. */
bool box_is_silent(struct box *box, unsigned seconds);
/* Whether `text` has come so far, consumed or not. */
bool box_seen(const struct box *box, const char *text);

void box_send(struct box *box, const char *text);
/* Types a console command and waits for its echo; what it prints is left for the next expectation. */
void box_command(struct box *box, const char *command);
/* `attach PARTITION`, and back to the prompt. */
void box_attach(struct box *box, const char *partition);
void box_detach(struct box *box);

/*
 * Waits for a line of the guest `heartbeat` in the partition of that name which it wrote after now, not one that has
 * waited to be read. It must have counted all of its beats, and missed none where the clock is exact. From the prompt
 * and back to it.
 */
void box_check_beats(struct box *box, const char *partition);
/* The same of a line "heartbeat: second N, N beats, N missed" that has just been found, in groups 1 to 3. */
void box_check_beat_line(struct box *box);

/* Shows the end of the transcript and fails the case. */
void box_fail(struct box *box, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
