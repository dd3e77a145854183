/*
 * What an attack is: a word, some numbers, and a function that tries something which no guest may succeed in.
 *
 * An attack that the guest survives says what did not hold by attack_check; the words PASS or FAIL come from hostile.c.
 * One that ends the partition, or that goes on for ever, is judged from outside: tests/system/test_attack.c has the
 * table of what must become of each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTACK_NUMBERS = 4 };

struct attack {
    const char *name;
    unsigned numbers; /* how many it wants behind its name */
    void (*run)(const uint64_t *numbers);
};

struct attack_list {
    const struct attack *attacks;
    size_t count;
};
#define ATTACK_LIST(table)                                                                                             \
    {                                                                                                                  \
        (table), sizeof(table) / sizeof((table)[0])                                                                    \
    }

/* One a file. */
extern const struct attack_list attacks_memory, attacks_ports, attacks_msrs, attacks_icr, attacks_instructions,
    attacks_control, attacks_paging, attacks_modes, attacks_tables, attacks_faults, attacks_loops, attacks_storms,
    attacks_decoder, attacks_hypercalls, attacks_devices, attacks_cpus, attacks_leftovers, attacks_xapic;

/* Counts a promise that did not hold, and prints the first few: "hostile: not held: WHAT 0xNUMBER, found 0xFOUND". */
void attack_check(bool held, const char *what, uint64_t number, uint64_t found);

/* Said before what never returns by itself: from here on only the hypervisor can end it. */
void attack_goes_on(const char *name);

/* Says that the attack went through although it must have ended the partition. */
void attack_survived(const char *name);

/* Bytes of RAM from address 0 on, the hole below 1 MiB included. */
uint64_t attack_memory_end(void);

/* Pseudo-random numbers (xorshift): the same seed gives the same attack. 0 is no seed. */
uint64_t attack_random(uint64_t *state);

/* Fresh entries in the table of vectors: counts each interrupt from 32 on and ends it. */
uint64_t attack_interrupts(void);

/* random.c: executes random instruction bytes for ever, or performs random exits. */
void random_run(uint64_t seed, bool exits) __attribute__((noreturn));

/* One random step of the attack of that name; it needs to be survived, and checks nothing. */
void devices_step(uint64_t random);
void icr_step(uint64_t random);
void instructions_step(uint64_t random);
void control_step(uint64_t random, uint64_t value);
void msrs_step(uint64_t random, uint64_t value);
void apic_registers_step(uint64_t random, uint64_t value);
