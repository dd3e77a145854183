/*
 * Registers of the local APIC, and what its parts call of each other. Only for core/local_apic*.c and core/fast_apic.c.
 *
 * Offsets in the page; the x2APIC's MSR is 800h + offset / 10h. SDM vol. 3A, "Local APIC Register Address Map" and
 * "Local APIC Register Address Map Supported by x2APIC".
 */
#pragma once

#include "core/local_apic.h"

enum {
    APIC_ID = 0x020,
    APIC_VERSION = 0x030,
    APIC_TPR = 0x080,
    APIC_APR = 0x090,
    APIC_PPR = 0x0a0,
    APIC_EOI = 0x0b0,
    APIC_RRD = 0x0c0,
    APIC_LDR = 0x0d0,
    APIC_DFR = 0x0e0,
    APIC_SVR = 0x0f0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERFORMANCE = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_INITIAL_COUNT = 0x380,
    APIC_CURRENT_COUNT = 0x390,
    APIC_DIVIDE = 0x3e0,
    APIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

enum { MSR_IA32_APIC_BASE = 0x1b, MSR_IA32_TSC_DEADLINE = 0x6e0, MSR_X2APIC_FIRST = 0x800, MSR_X2APIC_LAST = 0x83f };

/* "Local APIC Status and Location" */
#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_EXTD   (1ull << 10)
#define APIC_BASE_EN     (1ull << 11)
#define APIC_BASE_MODE   (APIC_BASE_EXTD | APIC_BASE_EN)
#define APIC_MODE_XAPIC  APIC_BASE_EN
#define APIC_MODE_X2APIC (APIC_BASE_EN | APIC_BASE_EXTD)

/* "Local APIC Version Register": 14h, six LVT entries, EOI-broadcast suppression. */
#define APIC_VERSION_VALUE (0x14u | 5u << 16 | 1u << 24)

/* "Spurious Interrupt": bit 9, focus processor checking, is kept and means nothing. */
#define SVR_ENABLED      (1u << 8)
#define SVR_SUPPRESS_EOI (1u << 12)
#define SVR_WRITABLE     0x13ffu
#define SVR_RESET        0xffu

/* "Local Vector Table" */
#define LVT_VECTOR         0xffu
#define LVT_DELIVERY_SHIFT 8
#define LVT_DELIVERY_MASK  7u
#define LVT_STATUS         (1u << 12) /* read-only: delivery takes no time here */
#define LVT_POLARITY       (1u << 13)
#define LVT_REMOTE_IRR     (1u << 14) /* read-only */
#define LVT_LEVEL          (1u << 15)
#define LVT_MASKED         (1u << 16)
#define LVT_TIMER_PERIODIC (1u << 17)
#define LVT_TIMER_DEADLINE (1u << 18)
#define LVT_TIMER_MODE     (LVT_TIMER_PERIODIC | LVT_TIMER_DEADLINE)

/* "Error Status Register" */
#define ESR_SEND_VECTOR    (1u << 5)
#define ESR_RECEIVE_VECTOR (1u << 6)
#define ESR_REGISTER       (1u << 7) /* xAPIC only */

/* "Interrupt Command Register (ICR)": beside core/interrupt.h. */
#define ICR_WRITABLE      0x000ccfffu
#define ICR_HIGH_WRITABLE 0xff000000u
#define ICR_HIGH_SHIFT    24

#define DFR_WRITABLE    0xf0000000u
#define DFR_FLAT        0xffffffffu
#define DFR_CLUSTER     0x0fffffffu
#define LDR_WRITABLE    0xff000000u
#define DIVIDE_WRITABLE 0xbu
#define XAPIC_ID_SHIFT  24
#define XAPIC_BROADCAST 0xffu

enum { APIC_STRIDE = 0x10 };

static inline uint32_t local_apic_get(const struct local_apic *lapic, uint32_t offset)
{
    return lapic->registers[offset / sizeof(uint32_t)];
}
static inline void local_apic_put(struct local_apic *lapic, uint32_t offset, uint32_t value)
{
    __atomic_store_n(&lapic->registers[offset / sizeof(uint32_t)], value, __ATOMIC_RELAXED);
}

/* A map of 256 vectors is eight registers, 32 vectors in each: where one's is, and which bit. */
static inline uint32_t local_apic_map_at(uint32_t map, uint8_t vector) { return map + vector / 32u * APIC_STRIDE; }
static inline uint32_t local_apic_map_bit(uint8_t vector) { return 1u << vector % 32; }
/* The highest vector of a map; 0, which is never set: none. */
static inline uint8_t local_apic_highest(const struct local_apic *lapic, uint32_t map)
{
    const uint32_t *at = &lapic->registers[map / sizeof(uint32_t)];
    uint32_t i = at[28] ? 7 : at[24] ? 6 : at[20] ? 5 : at[16] ? 4 : at[12] ? 3 : at[8] ? 2 : at[4] ? 1 : 0;
    return at[4 * i] != 0 ? (uint8_t)(32 * i + 31 - (uint32_t)__builtin_clz(at[4 * i])) : 0;
}

static inline uint64_t local_apic_mode(const struct local_apic *lapic) { return lapic->base & APIC_BASE_MODE; }
static inline bool local_apic_software_enabled(const struct local_apic *lapic)
{
    return (local_apic_get(lapic, APIC_SVR) & SVR_ENABLED) != 0;
}
static inline bool local_apic_masked(const struct local_apic *lapic, uint32_t lvt)
{
    return (local_apic_get(lapic, lvt) & LVT_MASKED) != 0;
}
static inline bool local_apic_in_deadline_mode(const struct local_apic *lapic)
{
    return (local_apic_get(lapic, APIC_LVT_TIMER) & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE;
}
static inline uint32_t local_apic_x2apic_ldr(uint32_t id) { return ((id >> 4) & 0xffffu) << 16 | 1u << (id & 15u); }

/* local_apic_registers.c: `offset` is a multiple of 10h below 400h. */
enum local_apic_rule {
    RULE_XAPIC_READ = 1u << 0,
    RULE_XAPIC_WRITE = 1u << 1,
    RULE_X2APIC_READ = 1u << 2,
    RULE_X2APIC_WRITE = 1u << 3,
};
struct local_apic_register {
    uint8_t rules;     /* enum local_apic_rule; 0: reserved */
    uint32_t writable; /* x2APIC: a write with any other bit is #GP; read-only bits of the LVT and of ICR count, too */
};
const struct local_apic_register *local_apic_register(uint32_t offset);
uint32_t local_apic_register_read(struct local_apic *lapic, uint32_t offset, uint64_t now);
void local_apic_register_write(struct local_apic *lapic, uint32_t offset, uint32_t value, uint64_t now);

/* local_apic_priority.c */
uint8_t local_apic_ppr(const struct local_apic *lapic);
uint8_t local_apic_apr(const struct local_apic *lapic);
void local_apic_eoi(struct local_apic *lapic);
/* A vector below 16 is an error in ESR. */
void local_apic_request(struct local_apic *lapic, uint8_t vector, bool level);

/* local_apic_command.c: sends what the two halves of ICR hold. */
void local_apic_send(struct local_apic *lapic);
void local_apic_send_self(struct local_apic *lapic, uint8_t vector);

/* local_apic_lvt.c: `lvt` is the entry's offset. */
void local_apic_lvt_write(struct local_apic *lapic, uint32_t lvt, uint32_t value, uint64_t now);
void local_apic_lvt_mask_all(struct local_apic *lapic);
void local_apic_lvt_ended(struct local_apic *lapic, uint8_t vector);
void local_apic_raise(struct local_apic *lapic, uint32_t lvt); /* unless it is masked */
void local_apic_error(struct local_apic *lapic, uint32_t error);

/* local_apic_timer.c */
void local_apic_timer_write_initial(struct local_apic *lapic, uint32_t value, uint64_t now);
void local_apic_timer_write_divide(struct local_apic *lapic, uint32_t value, uint64_t now);
uint32_t local_apic_timer_current(struct local_apic *lapic, uint64_t now);
