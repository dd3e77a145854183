/*
 * One instruction under emulation, and its operands. Private to core/mmio*.c and core/port_string.c.
 *
 * Functions that return a result give MMIO_DONE for "go on".
 */
#pragma once

#include "core/mmio.h"

struct emulation {
    struct vcpu *vcpu;
    const struct vcpu_state_view *view;
    const struct guest_memory *memory;
    mmio_access *access;
    void *context;
    struct mmio_outcome *out;
    uint64_t fault_page; /* the page that was refused; MMIO_NO_PAGE: none */
    uint64_t port;       /* of INS and OUTS */
    enum decode_mode mode;
    struct decoded d;
};

enum { MMIO_NO_PAGE = 1 }; /* no page begins there */

/* Where a memory operand lies: one part, or two when it crosses a page. */
struct operand {
    unsigned parts;
    uint64_t at[2];
    uint8_t size[2];
};

/* End the emulation: with half a sentence for a person, or with a fault for the guest. */
extern const char mmio_elsewhere[];
enum mmio_result must_check mmio_unknown(struct emulation *e, const char *reason);
enum mmio_result must_check mmio_exception(struct emulation *e, uint8_t vector, uint32_t error_code, uint64_t cr2);

/* Fetches and decodes the instruction at the view's RIP into `mode` and `d`. *out begins anew. */
enum mmio_result must_check mmio_fetch(struct emulation *e);

/* A general register's low `size` bytes. A 32-bit write clears the upper half. */
uint64_t mmio_gpr(const struct emulation *e, uint8_t reg, unsigned size);
void mmio_gpr_write(struct emulation *e, uint8_t reg, unsigned size, uint64_t value);

/* Moves an index register by one element, in the direction that DF says. */
void mmio_step(struct emulation *e, uint8_t reg);

/* The register operand, AH to BH among them. */
uint64_t mmio_register(const struct emulation *e);
void mmio_register_write(struct emulation *e, uint64_t value);

/* What is added to the segment's base, and what a bit number in a register adds to that. */
uint64_t mmio_effective_offset(const struct emulation *e);
uint64_t mmio_bit_offset(const struct emulation *e);

/* From linear to guest-physical; `stack`: the access goes through SS. */
enum mmio_result must_check mmio_translate(struct emulation *e, uint64_t linear, unsigned access, bool stack,
                                           uint64_t *out);
enum mmio_result must_check mmio_locate(struct emulation *e, enum decode_segment segment, uint64_t offset, bool write,
                                        struct operand *o);
bool mmio_on_fault_page(const struct emulation *e, const struct operand *o);

/* False: not all of the operand is RAM, and nothing was done. */
bool must_check mmio_ram_read(const struct emulation *e, const struct operand *o, uint64_t *value);
bool must_check mmio_ram_write(const struct emulation *e, const struct operand *o, uint64_t value);

/* The same in RAM or on the page that was refused. */
enum mmio_result must_check mmio_operand_read(struct emulation *e, const struct operand *o, uint64_t *value);
enum mmio_result must_check mmio_operand_write(struct emulation *e, const struct operand *o, uint64_t value);

/* Carries out a string instruction. An element is MMIO_AGAIN when the CPU can do it itself: not what made it exit. */
typedef enum mmio_result mmio_element(struct emulation *e);
enum mmio_result must_check mmio_repeat(struct emulation *e, mmio_element *element);
