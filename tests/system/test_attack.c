/*
 * A hostile partition against the box: every attack of guests/hostile, and what must become of it. Beside it a
 * partition whose timer must not miss a beat and one that watches its own memory and registers; after each group of
 * attacks both must be as they were, and the console must answer.
 *
 * RINGFENCE_ATTACK_ROWS is the file to which attack_table.h writes what happened. RINGFENCE_ATTACK_MACHINE names the
 * machine, as attack_box.h has it; RINGFENCE_ATTACK_ONLY is a pattern for the names of the tests, which --list prints;
 * RINGFENCE_ATTACK is "COMMAND;COMMAND", attacks by hand, and RINGFENCE_ATTACK_WORDS the guest's command line for these.
 */
#include "tests/system/attack_box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/attack_table.h"

static void run_group(struct box *box, const struct attack *attacks, size_t count)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += !attack_run(box, &attacks[i]);
    attack_check_neighbours(box);
    assert_int_equal(wrong, 0);
}
#define RUN_GROUP(state, name, layout, attacks)                                                                        \
    do {                                                                                                               \
        attack_box_start(*(state), name, &(layout), "");                                                               \
        run_group(*(state), attacks, sizeof(attacks) / sizeof((attacks)[0]));                                          \
    } while (0)

static void test_what_a_guest_survives_is_refused(void **state)
{
    static const struct attack attacks[] = {
        {"edges", HOLDS, NULL},
        {"instructions", HOLDS, NULL},
        {"instructions-prefixed", HOLDS, NULL},
        {"hypercalls 7", HOLDS, NULL},
        {"apic-base", HOLDS, NULL},
        {"kvm-clock", HOLDS, NULL},
        {"msrs", HOLDS, NULL},
        {"msrs-own", HOLDS, NULL},
        {"msrs-random 11", HOLDS, NULL},
        {"ports-read", HOLDS, NULL},
        {"ports-write 0xffffffff", HOLDS, NULL},
        {"ports-write 0", HOLDS, NULL},
        {"control-bits", HOLDS, NULL},
        {"control-random 13", HOLDS, NULL},
        {"control-shown", HOLDS, NULL},
        {"table-loop", HOLDS, NULL},
        {"cr3-reserved", HOLDS, NULL},
        {"table-pointers", HOLDS, NULL},
        {"gates 17", HOLDS, NULL},
        {"decoder-straddle", HOLDS, NULL},
        {"decoder-modify", HOLDS, NULL},
        {"decoder-prefixes", HOLDS, NULL},
        {"icr", HOLDS, NULL},
        {"icr-random 19", HOLDS, NULL},
        {"storm-nmi", HOLDS, NULL},
        {"storm-interrupts", HOLDS, NULL},
        {"apic-registers 23", HOLDS, NULL},
        {"descriptors 29", HOLDS, NULL},
    };
    RUN_GROUP(state, "refused", attack_beside_console, attacks);
}

/* The local APIC as a page of memory, which only a modelled one can be. */
static void test_an_old_local_apic_is_its_own(void **state)
{
    static const struct attack attacks[] = {
        {"icr", HOLDS, NULL},
        {"icr-random 43", HOLDS, NULL},
        {"storm-nmi", HOLDS, NULL},
        {"storm-interrupts", HOLDS, NULL},
        {"apic-registers 47", HOLDS, NULL},
        {"apic-page 53", HOLDS, NULL},
        {"apic-modes 59", HOLDS, NULL},
        {"storm-timer", LOOPS, NULL},
        {"loop-apic-off", LOOPS, NULL},
        {"init-self", RESTARTS, NULL},
    };
    if (!attack_machine_is_virtual())
        skip();
    attack_box_start(*state, "xapic", &attack_beside_console, "cmdline = xapic\n");
    run_group(*state, attacks, sizeof attacks / sizeof attacks[0]);
}

/* 0x1000000 up: behind the end of its 4 MiB. The hypervisor and the neighbours are somewhere in the box's 512 MiB. */
static void test_an_address_outside_ends_the_partition(void **state)
{
    static const struct attack attacks[] = {
        {"read 0x400000 1", ENDS, "reads from guest-physical 400000"},
        {"read 0x3ffffc 8", ENDS, "reads from guest-physical 400000"},
        {"write 0x3fffff 2", ENDS, "writes to guest-physical 400000"},
        {"execute 0x400000", ENDS, "executes at guest-physical 400000"},
        {"execute 0xfffff0", ENDS, "executes at guest-physical fffff0"},
        {"read 0x1000000 8", ENDS, "reads from guest-physical 1000000"},
        {"write 0x1fc00000 8", ENDS, "writes to guest-physical 1fc00000"},
        {"write 0x1ff00000 4", ENDS, "writes to guest-physical 1ff00000"},
        {"read 0x20000000 4", ENDS, "reads from guest-physical 20000000"},
        {"read 0xfee00030 4", ENDS, "reads from guest-physical fee00030"},
        {"write 0xfee00300 4", ENDS, "writes to guest-physical fee00300"},
        {"execute 0xfec00000", ENDS, "executes at guest-physical fec00000"},
        {"read 0xfec00ffc 8", ENDS, "fec0"},
        {"read 0xfebffffc 8", ENDS, "feb|fec0"},
        {"read 0xfed00000 4", ENDS, "reads from guest-physical fed00000"},
        {"read 0xfffffff0 1", ENDS, "reads from guest-physical fffffff0"},
        {"execute 0xfffffff0", ENDS, "executes at guest-physical fffffff0"},
        {"write 0x100000000 8", ENDS, "writes to guest-physical 100000000"},
        {"read 0x7ffffff000 8", ENDS, "reads from guest-physical 7ffffff000"},
        {"copy 0x200000 0x3ffff0 4096", ENDS, "reads from guest-physical 400000"},
        {"copy 0x3ffff0 0x200000 4096", ENDS, "writes to guest-physical 400000"},
        {"walk 0x20000000", ENDS, "guest-physical 20000000"},
        {"walk 0xfee00000", ENDS, "guest-physical fee00"},
        {"walk 0xfec00000", ENDS, "fec0"},
        {"cr3 0x20000000", ENDS, "guest-physical 20000"},
        {"cr3 0xfec00000", ENDS, "fec0"},
        {"pae 0x20000000", ENDS, "guest-physical 20000|triple fault"},
        {"unpaged 0x20000000", ENDS, "reads from guest-physical 20000000"},
        {"real 3", ENDS, "reads from guest-physical 20000000"},
        {"decoder-string 0x200000 0xfec00000 0x40000000", ENDS, "fec0"},
        {"decoder-string 0xfec00ff0 0x200000 0x1000", ENDS, "fec0"},
        {"decoder-string 0x20000000 0xfec00000 1", ENDS, "writes to guest-physical 20000000"},
        {"decoder-bytes 0x07ae0f 3 0", ENDS, "the decoder does not know|fec0"},
        {"decoder-bytes 0x37ff 2 0", ENDS, "the decoder does not know|fec0"},
        {"decoder-bytes 0x07b10f48 4 0", CONTAINED, NULL},
        {"decoder-bytes 0x07c10f 3 0", CONTAINED, NULL},
        {"decoder-bytes 0x078b48 3 0xffc", CONTAINED, NULL},
        {"decoder-bytes 0x17ff 2 0", CONTAINED, NULL},
        {"decoder-bytes 0x0fc70f 3 0", CONTAINED, NULL},
        {"decoder-bytes 0x07100f 3 0", CONTAINED, NULL},
        {"decoder-bytes 0x07c7 2 0", CONTAINED, NULL},
    };
    RUN_GROUP(state, "addresses", attack_beside_console, attacks);
}

static void test_a_guest_that_ends_itself_ends_alone(void **state)
{
    static const struct attack attacks[] = {
        {"idt-null", ENDS, "triple fault"},
        {"idt-empty", ENDS, "triple fault"},
        {"df-chain", ENDS, "triple fault"},
        {"idt-at 0x20000000", ENDS, "reads from guest-physical 20000"},
        {"idt-at 0xfec00000", ENDS, "fec0"},
        {"gdt-at 0x20000000", ENDS, "guest-physical 20000"},
        {"tss-at 0x20000000", ENDS, "guest-physical 20000"},
        {"stack-exception 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-int 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-nmi 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-interrupt 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-ist 0x20001000", ENDS, "writes to guest-physical 20000"},
        {"stack-exception 0xfec00800", ENDS, "fec0"},
        {"stack-int 0xfec00800", ENDS, "fec0"},
        {"stack-interrupt 0xfec00800", ENDS, "fec0"},
        {"task-jump", ENDS, "."},
        {"task-gate", ENDS, "."},
        {"task-return", ENDS, "."},
        {"v86", ENDS, "triple fault"},
        {"real 1", ENDS, "triple fault"},
        {"real 2", HOLDS_ONCE, NULL},
        {"real 4", HOLDS_ONCE, NULL},
        {"ins 0x1f0 0x200000 16", CONTAINED, NULL},
        {"ins 0x1f0 0x20000000 16", CONTAINED, NULL},
        {"outs 0xcf8 0x3ffff8 16", CONTAINED, NULL},
        {"out 0xcf9 6 1", RESTARTS, NULL},
        {"out 0x64 0xfe 1", RESTARTS, NULL},
        {"out 0x92 1 1", RESTARTS, NULL},
        {"out 0x604 0x34 1", ENDS, "powered off"},
        {"init-self", RESTARTS, NULL},
    };
    RUN_GROUP(state, "endings", attack_beside_console, attacks);
}

/* loop-exits: CPUID, hypercall, CR0, MSR. */
static const struct attack loops[] = {
    {"loop-cli", LOOPS, NULL},        {"loop-halt", LOOPS, NULL},      {"loop-apic-off", LOOPS, NULL},
    {"loop-mov-ss", LOOPS, NULL},     {"loop-sti", LOOPS, NULL},       {"loop-exception", LOOPS, NULL},
    {"loop-page-fault", LOOPS, NULL}, {"loop-exits 0", LOOPS, NULL},   {"loop-exits 1", LOOPS, NULL},
    {"loop-exits 2", LOOPS, NULL},    {"loop-exits 3", LOOPS, NULL},   {"storm-timer", LOOPS, NULL},
    {"loop-nmi", LOOPS, NULL},        {"alignment-loop", LOOPS, NULL}, {"v86-loop", LOOPS, NULL},
    {"real 0", LOOPS, NULL},          {"real 5", LOOPS, NULL},
};

static void test_a_guest_that_never_yields_is_stopped(void **state)
{
    RUN_GROUP(state, "loops", attack_beside_console, loops);
}

static void test_a_guest_on_the_consoles_cpu_does_not_hold_it(void **state)
{
    /* Bochs 2.7 takes no physical interrupt while an SVM guest has IF clear: its timer does not give the CPU back. */
    if (strcmp(attack_machine(), "bochs-svm") == 0)
        skip();
    RUN_GROUP(state, "console-cpu", attack_on_console_cpu, loops);
}

/* On its own, because a CPU that is caught in it may be lost. */
static void test_an_endless_debug_exception_is_stopped(void **state)
{
    static const struct attack attacks[] = {{"loop-debug", LOOPS, NULL}};
    RUN_GROUP(state, "debug", attack_beside_console, attacks);
}

static void test_nothing_is_left_in_the_cpu(void **state)
{
    static const struct attack attacks[] = {
        {"leave-state", ENDS, "powered off"},      {"fresh", HOLDS, NULL},
        {"leave-in-service", ENDS, "powered off"}, {"fresh", HOLDS, NULL},
        {"leave-vectors", ENDS, "powered off"},    {"fresh", HOLDS, NULL},
    };
    RUN_GROUP(state, "leftovers", attack_beside_console, attacks);
}

/* Vectors 16 to 31 are legal interrupts with the numbers of exceptions; device models can be made to send them too. */
static void test_interrupts_with_the_numbers_of_exceptions(void **state)
{
    static const struct attack attacks[] = {
        {"leave-low-vectors", ENDS, "powered off"},
        {"fresh", HOLDS, NULL},
        {"devices 31", HOLDS, NULL},
        {"devices 37", HOLDS, NULL},
        {"leave-low-vectors", ENDS, "powered off"},
        {"fresh", HOLDS, NULL},
    };
    RUN_GROUP(state, "low-vectors", attack_beside_console, attacks);
}

static void test_cpus_of_one_partition_against_each_other(void **state)
{
    static const struct attack attacks[] = {
        {"cpus-storm 1 41", HOLDS, NULL},
        {"vanish 1", ENDS, "vCPU 1: triple fault"},
        {"other-sends 1 0 0x4500", RESTARTS, NULL}, /* INIT of the first */
        {"other-sends 1 0 0x4400", LOOPS, NULL},    /* NMIs to the first */
        {"other-sends 1 1 0x4500", LOOPS, NULL},    /* INIT of itself */
        {"other-sends 1 2 0x4440", LOOPS, NULL},    /* to the neighbour */
        {"other-sends 1 0xffffffff 0x440f0", LOOPS, NULL},
        {"mutual 1", LOOPS, NULL},
        {"cpus-nmi 1", CONTAINED, NULL},
        {"flip 1", CONTAINED, NULL},
    };
    RUN_GROUP(state, "cpus", attack_two_cpus, attacks);
}

/* On two CPUs. */
static void test_attacks_by_hand(void **state)
{
    struct box *box = *state;
    char list[4096], more[128], *rest = list;
    const char *given = getenv("RINGFENCE_ATTACK");
    if (given == NULL || *given == '\0')
        skip();
    snprintf(list, sizeof list, "%s", given);
    const char *words = getenv("RINGFENCE_ATTACK_WORDS");
    snprintf(more, sizeof more, "cmdline = %s\n", words != NULL ? words : "");
    attack_box_start(box, "by-hand", &attack_two_cpus, more);
    for (char *command; (command = strtok_r(rest, ";", &rest)) != NULL;)
        (void)attack_run(box, &(struct attack){command, CONTAINED, NULL});
    attack_check_neighbours(box);
}

static const struct CMUnitTest tests[] = {
    box_test(test_what_a_guest_survives_is_refused),
    box_test(test_an_old_local_apic_is_its_own),
    box_test(test_an_address_outside_ends_the_partition),
    box_test(test_a_guest_that_ends_itself_ends_alone),
    box_test(test_a_guest_that_never_yields_is_stopped),
    box_test(test_a_guest_on_the_consoles_cpu_does_not_hold_it),
    box_test(test_an_endless_debug_exception_is_stopped),
    box_test(test_nothing_is_left_in_the_cpu),
    box_test(test_interrupts_with_the_numbers_of_exceptions),
    box_test(test_cpus_of_one_partition_against_each_other),
    box_test(test_attacks_by_hand),
};

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
            puts(tests[i].name);
        return 0;
    }
    const char *only = getenv("RINGFENCE_ATTACK_ONLY"), *machine = getenv("RINGFENCE_ATTACK_MACHINE");
    if (only != NULL && *only != '\0')
        cmocka_set_test_filter(only);
    attack_machine_set(machine != NULL && *machine != '\0' ? machine : box_machine());
    if (!attack_table_open(getenv("RINGFENCE_ATTACK_ROWS")))
        return 1;
    int failed = cmocka_run_group_tests_name(attack_machine(), tests, NULL, NULL);
    return attack_table_close() ? failed : 1;
}
