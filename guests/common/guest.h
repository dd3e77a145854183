/*
 * What every small guest has: a name, a command line, a console on COM1, and ways to end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each guest defines these two. guest_main may return: the guest then powers off. */
extern const char guest_name[];
void guest_main(void);

/* Set before guest_main. */
extern const char *guest_command_line;                /* "" when there was none */
extern const struct multiboot1_info *guest_multiboot; /* all that the loader told */
extern uint64_t guest_memory_kib;                     /* contiguous memory above 1 MiB, 0 when not told */

void guest_power_off(void) __attribute__((noreturn));      /* ACPI S5 */
void guest_reset(void) __attribute__((noreturn));          /* ACPI reset register */
void guest_keyboard_reset(void) __attribute__((noreturn)); /* the keyboard controller's reset line */
void guest_triple_fault(void) __attribute__((noreturn));
void guest_halt(void) __attribute__((noreturn)); /* for ever, with interrupts off */

/* Maps 512 GiB one to one instead of 4; false when this CPU has no pages of 1 GiB. */
bool guest_map_large(void);

/* Whether a hypercall is VMMCALL here, as AMD and Hygon have it; elsewhere it is VMCALL. */
bool guest_is_amd(void);

/* Ticks of the TSC a second: from CPUID, or the command line's tsc_khz=N. 0 when neither says so. */
uint64_t guest_tsc_hz(void);

/*
 * Command-line words. word_next copies the next word at *at into `word` (cut to `size` - 1) and moves on; false at the
 * end. number_parse reads decimal or 0x hexadecimal; false when there is none, something follows it or it is above
 * 2^64-1.
 */
bool word_next(const char **at, char *word, size_t size);
bool number_parse(const char *text, uint64_t *out);
/* The text after the first '=' when the word starts with `key`=, else NULL. */
const char *word_value(const char *word, const char *key);
/* Looks for key=NUMBER on the command line; `otherwise` when it is not there. */
uint64_t guest_option(const char *key, uint64_t otherwise);
bool guest_has_word(const char *wanted);
bool text_equals(const char *a, const char *b);
