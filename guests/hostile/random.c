/*
 * Random instruction bytes, for ever: half plain noise, half around instructions that leave the guest, with registers
 * that hold addresses, port numbers and register numbers of interest; each life of the partition in another mode.
 *
 * `random=SEED` on the command line mixes the number of this start into the seed, so that a partition that is restarted
 * goes on with something else, and the same seed gives the same lives; the state in force is printed, and
 * `random-exactly=STATE` runs that life again. `exits=SEED` performs random exits instead.
 */
#include "core/hypercall.h"
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/random.h"
#include "guests/hostile/tables.h"
#include "guests/hostile/try.h"

enum { REGISTER_RCX = 1, REGISTER_RDX = 2, REGISTERS = 16, STACK_SIZE = 16384, REPORT_EVERY = 500 };
enum { TIMER_VECTOR = 0x40, DIVIDE_BY_1 = 0xb, PATIENCE = 100000 /* of the timer's ticks */ };

#define IOAPIC_BASE 0xfec00000u

/* What the code starts with; the slot of RSP is not used. random_call.S knows the layout. */
uint64_t random_registers[REGISTERS];
extern void random_call(uint64_t code);

static uint8_t code[TRY_BYTES + 16];
static uint8_t scratch[STACK_SIZE] __attribute__((aligned(4096)));

static const struct {
    uint8_t count;
    uint8_t bytes[4];
} templates[] = {
    {2, {0x0f, 0x32}},
    {2, {0x0f, 0x30}},
    {2, {0x0f, 0xa2}},
    {3, {0x0f, 0x01, 0xc1}},
    {3, {0x0f, 0x22, 0xc0}},
    {3, {0x0f, 0x22, 0xe0}},
    {3, {0x0f, 0x22, 0xd8}},
    {3, {0x0f, 0x20, 0xc0}},
    {3, {0x0f, 0x21, 0xf8}},
    {3, {0x0f, 0x23, 0xf8}},
    {3, {0x0f, 0x23, 0xc0}},
    {1, {0xec}},
    {1, {0xee}},
    {1, {0xef}},
    {1, {0xed}},
    {2, {0x0f, 0x09}},
    {3, {0x0f, 0x01, 0xd1}},
    {3, {0x0f, 0x01, 0x17}},
    {3, {0x0f, 0x01, 0x1f}},
    {3, {0x0f, 0x00, 0xd8}},
    {3, {0x0f, 0x00, 0xd0}},
    {2, {0x0f, 0x06}},
    {3, {0x0f, 0x01, 0xf0}},
    {2, {0x8b, 0x07}},
    {2, {0x89, 0x07}},
    {2, {0xf3, 0xa5}},
    {1, {0xa4}},
    {2, {0xf3, 0xab}},
    {2, {0x0f, 0x33}},
    {3, {0x0f, 0x01, 0xf9}},
    {2, {0x0f, 0x31}},
    {2, {0xcd, 0x80}},
    {1, {0xf1}},
    {1, {0x9d}},
    {1, {0x9c}},
    {1, {0xcf}},
    {2, {0x8e, 0xd0}},
    {2, {0x8e, 0xd8}},
    {1, {0xcb}},
    {3, {0x0f, 0x01, 0xf8}},
    {3, {0x0f, 0xc7, 0x37}},
    {3, {0x0f, 0x01, 0xc2}},
    {3, {0x0f, 0x01, 0xd8}},
    {3, {0x0f, 0xae, 0x07}},
    {4, {0xf0, 0x0f, 0xb1, 0x07}},
    {3, {0x0f, 0xc1, 0x07}},
    {2, {0x87, 0x07}},
    {3, {0x0f, 0xa3, 0x07}},
    {1, {0xfb}},
    {1, {0xfa}},
    {1, {0xf4}},
    {3, {0x0f, 0xc7, 0x0f}},
};

static const uint64_t interesting[] = {
    0,          1,          0x10,       0x1b,       0x277,      0x480,      0x6e0,      0x802,       0x830,
    0x83f,      0xc0000080, 0xc0000102, 0xc0010114, 0x4b564d01, 0xfec00000, 0xfec00010, 0xfee00000,  0xfec00ffe,
    0x20000000, 0xa0000,    0x3f8,      0xcf8,      0xcf9,      0x70,       0x43,       0x100000000, 0x0000800000000000,
    0x80000011, 0x80050033, 0x20,       0x2020,     0x606b0,    0xd01,      0xffffffff, UINT64_MAX,  0x8000000000000000,
};

uint64_t random_number(uint64_t *state)
{
    uint64_t random = attack_random(state), any = attack_random(state);
    return random % 8 == 1 ? any : interesting[any % (sizeof interesting / sizeof interesting[0])];
}

/* RCX and RDX hold the numbers of registers and ports; the others mostly point to where a write does no harm. */
static uint64_t choose(uint64_t *state, unsigned reg)
{
    uint64_t random = attack_random(state), any = attack_random(state);
    bool number = reg == REGISTER_RCX || reg == REGISTER_RDX;
    if (number || random % 64 == 0)
        return random_number(state);
    if (random % 64 == 1)
        return any;
    if (random % 8 == 2)
        return IOAPIC_BASE + (any & 0x1c);
    return (uint64_t)(uintptr_t)scratch + any % (STACK_SIZE - 64);
}

/* Port string instructions and large displacements end the partition too soon to be of interest each time. */
static uint8_t noise(uint64_t random)
{
    uint8_t byte = (uint8_t)random;
    bool ends = (byte >= 0x6c && byte <= 0x6f) || (byte >= 0xa0 && byte <= 0xa3);
    return ends && (random >> 8) % 16 != 0 ? 0x90 : byte;
}

void random_bytes(uint64_t *state, uint8_t *to, size_t count)
{
    size_t length = 0;
    while (length < count) {
        uint64_t random = attack_random(state);
        size_t i = (random >> 8) % (sizeof templates / sizeof templates[0]);
        if (random % 2 == 0) {
            for (size_t j = 0; j < templates[i].count && length < count; j++)
                to[length++] = templates[i].bytes[j];
        } else {
            for (unsigned j = 0; j <= (random >> 32) % 4 && length < count; j++)
                to[length++] = noise(attack_random(state));
        }
    }
}

static void compose(uint64_t *state)
{
    random_bytes(state, code, TRY_BYTES);
    code[TRY_BYTES] = 0xc3;
    for (unsigned i = 0; i < REGISTERS; i++)
        random_registers[i] = choose(state, i);
}

/* What a snippet may have left behind that would end all further ones at once. */
static void repair(struct tables_pointer idt, uint64_t cr0, uint64_t cr4)
{
    tables_lidt(idt.base, idt.limit);
    tables_load((uint64_t)(uintptr_t)(scratch + STACK_SIZE));
    __asm__ volatile("movq %0, %%cr0; movq %1, %%cr4; movq %2, %%dr7" ::"r"(cr0), "r"(cr4), "r"((uint64_t)0x400));
}

/* SplitMix64: neighbouring seeds and starts give lives that have nothing in common. */
static uint64_t mix(uint64_t seed, uint64_t start)
{
    uint64_t z = seed + start * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) | 1; /* 0 is no state */
}

/* What loops is interrupted. A snippet may have changed the APIC too. */
static void arm_timer(void)
{
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, TIMER_VECTOR);
    apic_write(APIC_TIMER_INITIAL, PATIENCE);
}

static void time_is_up(struct trap_frame *frame)
{
    apic_eoi();
    try_abandon(frame);
}

static void __attribute__((noreturn)) run_64(uint64_t *state)
{
    uint64_t cr0, cr4;
    trap_set(TIMER_VECTOR, time_is_up);
    struct tables_pointer idt = tables_sidt();
    __asm__ volatile("movq %%cr0, %0; movq %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    for (uint64_t i = 1;; i++) {
        compose(state);
        arm_timer();
        sti();
        (void)try(random_call, (uint64_t)(uintptr_t)code);
        cli();
        repair(idt, cr0, cr4);
        if (i % REPORT_EVERY == 0)
            print("hostile: random, %lu snippets\n", i);
    }
}

void random_run(uint64_t seed, bool exits)
{
    static const char *const names[] = {"real", "32 bits", "32 bits, PAE", "virtual-8086", "16 bits", "64 bits"};
    uint64_t start = 0, exact = guest_option("random-exactly", 0);
    (void)probe_vmcall(HYPERCALL_STARTS, 0, &start);
    uint64_t state = exact != 0 ? exact : mix(seed, start);
    /* Every other life is in 64-bit mode, where one life sees most. */
    uint64_t kind = state / 2 % (2 * RANDOM_64);
    enum random_kind mode = kind < RANDOM_64 ? (enum random_kind)kind : RANDOM_64;
    print("hostile: random-exactly=0x%lx, %s\n", state, exits ? "exits" : names[mode]);
    if (exits)
        random_exits_run(&state);
    else if (mode == RANDOM_64)
        run_64(&state);
    random_modes_run(mode, &state);
}
