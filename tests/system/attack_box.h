/*
 * A box under attack: a partition `hostile`, whose guest takes attacks as lines over its UART, beside a `heartbeat`
 * that must not miss a beat and a `canary` that watches its own memory and registers.
 */
#pragma once

#include "tests/system/box.h"

enum must {
    HOLDS,      /* the guest lives and says PASS */
    ENDS,       /* the partition is ended, for the reason given */
    RESTARTS,   /* the partition starts anew */
    LOOPS,      /* goes on for ever; the console's `stop` ends it */
    HOLDS_ONCE, /* says PASS, and then nothing more */
    CONTAINED,  /* any of the above: what it does to itself is not this test's business */
};

struct attack {
    const char *command;
    enum must must;
    const char *reason; /* of ENDS: an extended regular expression */
};

/* How a group's box is laid out. */
struct attack_layout {
    const char *hostile_cpus, *canary_cpus, *heartbeat_cpus;
};
extern const struct attack_layout attack_beside_console, attack_on_console_cpu, attack_two_cpus;

/*
 * The machine under attack: ENGINE or ENGINE/direct or ENGINE/virtual, the latter being how interrupts come to all of
 * its partitions; default: direct where the engine's CPUs have x2APIC. The name is a column of the table.
 */
void attack_machine_set(const char *name);
const char *attack_machine(void);
bool attack_machine_is_virtual(void);

/* Boots; `hostile` is more lines of that partition's configuration. It is started by the first attack. */
void attack_box_start(struct box *box, const char *name, const struct attack_layout *layout, const char *hostile);
/* One attack, noted in the table; false when something else came of it than must. Fails the case on a panic. */
bool attack_run(struct box *box, const struct attack *attack);
/* Ends the partition `hostile`, or fails the case. From the prompt and back to it. */
void attack_stop(struct box *box);
/* Back to the prompt; then the console must answer, all beats be counted and the canary be untouched. */
void attack_check_neighbours(struct box *box);
