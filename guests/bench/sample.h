/*
 * Measuring: a case takes SAMPLES readings of the TSC around the same work, and an empty case is subtracted.
 *
 * The empty case has the same code around it and everything but the work itself, so what is left is the work, the
 * instruction that causes it included. All figures are ticks of the TSC.
 */
#pragma once

#include <stdint.h>

enum { SAMPLES = 1000 };

/*
 * Ticks of `setup` and `instruction` together, as assembly text. Both may use all registers but RSP and RBP; what
 * `setup` loads is there for `instruction`.
 */
#define SAMPLE_TICKS(setup, instruction)                                                                               \
    ({                                                                                                                 \
        uint64_t sample_ticks;                                                                                         \
        __asm__ volatile("lfence\n\trdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax\n\tmovq %%rax, %%r8\n\t" setup        \
                         "\n\t" instruction                                                                            \
                         "\n\tlfence\n\trdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax\n\tsubq %%r8, %%rax"              \
                         : "=a"(sample_ticks)                                                                          \
                         :                                                                                             \
                         : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");               \
        sample_ticks;                                                                                                  \
    })

/* One line for a case that is nothing but an instruction: SAMPLE_INSTRUCTION("cpuid", "xorl %%eax, %%eax", "cpuid"). */
#define SAMPLE_INSTRUCTION(name, setup, instruction)                                                                   \
    do {                                                                                                               \
        for (unsigned sample_index = 0; sample_index < SAMPLES; sample_index++)                                        \
            sample_empty(sample_index, SAMPLE_TICKS(setup, ""));                                                       \
        for (unsigned sample_index = 0; sample_index < SAMPLES; sample_index++)                                        \
            sample_put(sample_index, SAMPLE_TICKS(setup, instruction));                                                \
        sample_report(name);                                                                                           \
    } while (0)

/* Reading number `index` (below SAMPLES) of the case under way, and of the empty one. */
void sample_put(unsigned index, uint64_t ticks);
void sample_empty(unsigned index, uint64_t ticks);

/*
 * Prints "bench: NAME MINIMUM MEDIAN MAXIMUM SAMPLES", the median of the empty readings subtracted (0 when there were
 * none), and forgets all readings. A difference below 0 prints as 0: the clock is coarser than the work.
 */
void sample_report(const char *name);

/* Prints "bench: NAME absent: REASON": this machine does not have what the case measures. */
void sample_absent(const char *name, const char *reason);

/* Prints a single figure in the form of sample_report. */
void sample_figure(const char *name, uint64_t value);
