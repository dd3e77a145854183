/*
 * Interrupt messages to everybody: every destination, delivery mode, shorthand, trigger and vector. A message that may
 * not be sent faults; one that is sent reaches nobody outside, which the neighbours' beats show.
 */
#include "guests/common/apic.h"
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { FIXED, LOWEST, SMI, RESERVED, NMI, INIT, STARTUP, EXTINT, MODES };
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS, SHORTHANDS };
enum { FIRST_LEGAL_VECTOR = 16, FIRST_INTERRUPT = 32, VECTORS = 256 };
enum { ICR_MODE_SHIFT = 8, ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_SHORTHAND_SHIFT = 18, ICR_BITS = 0xcdfff };

static bool reaches_self(uint32_t destination, uint32_t low)
{
    uint32_t id = apic_id(), shorthand = low >> ICR_SHORTHAND_SHIFT & 3;
    if (!apic_is_x2apic()) /* 8 bits, and a logical id that nobody has set */
        destination = (destination & 0xff) == 0xff ? UINT32_MAX : destination & 0xff;
    if (shorthand != SHORTHAND_NONE)
        return shorthand != SHORTHAND_OTHERS;
    if (destination == UINT32_MAX)
        return true;
    if ((low & ICR_LOGICAL) == 0)
        return destination == id;
    return destination >> 16 == id >> 4 && (destination >> (id & 15) & 1) != 0;
}

/*
 * What would end or confuse this guest itself has attacks of its own: init-self, leave-vectors. The spurious vector as
 * an interrupt is left out because Bochs 2.7 does not end it at an EOI.
 */
static bool is_spared(uint32_t destination, uint32_t low)
{
    uint32_t mode = low >> ICR_MODE_SHIFT & 7, vector = low & 0xff;
    if (!reaches_self(destination, low))
        return false;
    if (mode == FIXED || mode == LOWEST)
        return (vector >= FIRST_LEGAL_VECTOR && vector < FIRST_INTERRUPT) || vector == APIC_SPURIOUS_VECTOR;
    return mode == INIT;
}

static void send(uint32_t destination, uint32_t low)
{
    uint32_t mode = low >> ICR_MODE_SHIFT & 7, vector = low & 0xff;
    bool illegal = mode == SMI || mode == RESERVED || mode == EXTINT || (mode <= LOWEST && vector < FIRST_LEGAL_VECTOR);
    if (!apic_is_given()) /* a whole APIC drops what is illegal, and faults at what is reserved */
        illegal = apic_is_x2apic() && (low & ~(uint32_t)ICR_BITS) != 0;
    uint64_t value = (uint64_t)destination << 32 | low;
    if (is_spared(destination, low))
        return;
    struct caught caught = try(apic_send, value);
    attack_check(illegal ? caught_gp(caught) : !caught.faulted, illegal ? "icr accepts" : "icr refuses", value,
                 caught_number(caught));
}

static void send_vectors(uint32_t destination, uint32_t low)
{
    for (uint32_t vector = 0; vector < VECTORS; vector++)
        send(destination, low | vector);
}

static void run_icr(const uint64_t *numbers)
{
    static const uint32_t destinations[] = {0,    1,       2,       3,          4,      5,          0xfe,
                                            0xff, 0x10001, 0x1ffff, 0xffffffff, 0xffff, 0xfffffffe, 0x80000000};
    (void)numbers;
    for (size_t i = 0; i < sizeof destinations / sizeof destinations[0]; i++)
        for (uint32_t mode = 0; mode < MODES; mode++)
            for (uint32_t shorthand = 0; shorthand < SHORTHANDS; shorthand++)
                for (uint32_t rest = 0; rest < 8; rest++) { /* logical, assert, level */
                    uint32_t low = mode << ICR_MODE_SHIFT | shorthand << ICR_SHORTHAND_SHIFT |
                                   ((rest & 1) != 0 ? (uint32_t)ICR_LOGICAL : 0) | (rest >> 1) << 14;
                    if (i < 5 && rest == 2)
                        send_vectors(destinations[i], low);
                    else
                        send(destinations[i], low | 0x40), send(destinations[i], low);
                }
    /* What this guest sent to itself comes in now; it took no harm when the next line is printed. */
    __asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

static void run_icr_random(const uint64_t *numbers)
{
    uint64_t state = numbers[0];
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t value = attack_random(&state);
        send((uint32_t)(value >> 32) & (uint32_t)(attack_random(&state) | 7), (uint32_t)value);
    }
    __asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

void icr_step(uint64_t random) { send((uint32_t)(random >> 32) & 0xf, (uint32_t)random & ICR_BITS); }

/* The boot processor's INIT: the machine starts anew. */
static void run_init_self(const uint64_t *numbers)
{
    (void)numbers;
    apic_send((uint64_t)apic_id() << 32 | INIT << ICR_MODE_SHIFT | ICR_ASSERT);
    attack_survived("init-self");
}

static const struct attack table[] = {
    {"icr", 0, run_icr},
    {"icr-random", 1, run_icr_random},
    {"init-self", 0, run_init_self},
};
const struct attack_list attacks_icr = ATTACK_LIST(table);
