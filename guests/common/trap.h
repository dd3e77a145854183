/*
 * Vectors: handlers for interrupts, and probes that survive an instruction which may fault.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What start.S pushes, last pushed first. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error; /* 0 for vectors that have none */
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void trap_handler(struct trap_frame *frame);

/* What became of a probed instruction. */
struct trap_probe {
    bool faulted;
    uint8_t vector;
    uint64_t error;
};

void trap_init(void);
void trap_set(uint8_t vector, trap_handler *handler);

/* Each does one access; *value is only written when it did not fault. `size` is 1, 2 or 4 bytes. */
struct trap_probe probe_rdmsr(uint32_t number, uint64_t *value);
struct trap_probe probe_wrmsr(uint32_t number, uint64_t value);
struct trap_probe probe_in(uint16_t port, unsigned size, uint32_t *value);
struct trap_probe probe_out(uint16_t port, unsigned size, uint32_t value);
struct trap_probe probe_read(uint64_t address, uint32_t *value);
struct trap_probe probe_write(uint64_t address, uint32_t value);
struct trap_probe probe_vmcall(uint64_t number, uint64_t argument, uint64_t *value);
struct trap_probe probe_vmxon(void);
struct trap_probe probe_vmrun(void);
struct trap_probe probe_xsetbv(uint64_t value);
