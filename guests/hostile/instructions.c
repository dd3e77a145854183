/*
 * Instructions that a guest may not have: all of VMX and SVM, and whatever else enters another world. RDI points to
 * memory of this guest; each is tried plain and behind prefixes.
 */
#include "guests/common/guest.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { VECTOR_UD = 6, VECTOR_GP = 13, BYTES = 6, SCRATCH = 4096 };

enum expected {
    REFUSED, /* #UD, or #GP where the CPU looks at its own rights first */
    HARMLESS,
    INTELS,   /* refused there; an AMD CPU may take the old encoding of MFENCE for it */
    ANYTHING, /* contained is all that is asked */
};

struct instruction {
    const char *name;
    uint8_t count;
    uint8_t bytes[BYTES];
    enum expected expected;
};

static uint8_t scratch[SCRATCH] __attribute__((aligned(4096)));

static const struct instruction instructions[] = {
    {"vmclear", 4, {0x66, 0x0f, 0xc7, 0x37}, REFUSED},
    {"vmptrld", 3, {0x0f, 0xc7, 0x37}, REFUSED},
    {"vmptrst", 3, {0x0f, 0xc7, 0x3f}, REFUSED},
    {"vmread", 3, {0x0f, 0x78, 0x07}, REFUSED},
    {"vmwrite", 3, {0x0f, 0x79, 0x07}, REFUSED},
    {"vmlaunch", 3, {0x0f, 0x01, 0xc2}, REFUSED},
    {"vmresume", 3, {0x0f, 0x01, 0xc3}, REFUSED},
    {"vmxoff", 3, {0x0f, 0x01, 0xc4}, REFUSED},
    {"vmxon", 4, {0xf3, 0x0f, 0xc7, 0x37}, REFUSED},
    {"invept", 5, {0x66, 0x0f, 0x38, 0x80, 0x07}, REFUSED},
    {"invvpid", 5, {0x66, 0x0f, 0x38, 0x81, 0x07}, REFUSED},
    {"vmfunc", 3, {0x0f, 0x01, 0xd4}, REFUSED},
    {"vmrun", 3, {0x0f, 0x01, 0xd8}, REFUSED},
    {"vmload", 3, {0x0f, 0x01, 0xda}, REFUSED},
    {"vmsave", 3, {0x0f, 0x01, 0xdb}, REFUSED},
    {"stgi", 3, {0x0f, 0x01, 0xdc}, REFUSED},
    {"clgi", 3, {0x0f, 0x01, 0xdd}, REFUSED},
    {"skinit", 3, {0x0f, 0x01, 0xde}, REFUSED},
    {"invlpga", 3, {0x0f, 0x01, 0xdf}, REFUSED},
    {"getsec", 2, {0x0f, 0x37}, REFUSED},
    {"rsm", 2, {0x0f, 0xaa}, REFUSED},
    {"encls", 3, {0x0f, 0x01, 0xcf}, REFUSED},
    {"enclv", 3, {0x0f, 0x01, 0xc0}, REFUSED},
    {"pconfig", 3, {0x0f, 0x01, 0xc5}, REFUSED},
    {"monitor", 3, {0x0f, 0x01, 0xc8}, REFUSED},
    {"mwait", 3, {0x0f, 0x01, 0xc9}, REFUSED},
    {"monitorx", 3, {0x0f, 0x01, 0xfa}, REFUSED},
    {"mwaitx", 3, {0x0f, 0x01, 0xfb}, REFUSED},
    {"rdpmc", 2, {0x0f, 0x33}, REFUSED},
    {"xsaves", 3, {0x0f, 0xc7, 0x2f}, REFUSED},
    {"xrstors", 3, {0x0f, 0xc7, 0x1f}, REFUSED},
    {"seamcall", 4, {0x66, 0x0f, 0x01, 0xcf}, REFUSED},
    {"tdcall", 4, {0x66, 0x0f, 0x01, 0xcc}, REFUSED},
    {"psmash", 4, {0xf3, 0x0f, 0x01, 0xff}, REFUSED},
    {"rmpadjust", 4, {0xf3, 0x0f, 0x01, 0xfe}, REFUSED},
    {"invlpgb", 3, {0x0f, 0x01, 0xfe}, REFUSED},
    {"tlbsync", 3, {0x0f, 0x01, 0xff}, REFUSED},
    {"rdpru", 3, {0x0f, 0x01, 0xfd}, REFUSED},
    {"tpause", 4, {0x66, 0x0f, 0xae, 0xf7}, INTELS},
    {"umwait", 4, {0xf2, 0x0f, 0xae, 0xf7}, INTELS},
    {"enqcmds", 5, {0xf3, 0x0f, 0x38, 0xf8, 0x07}, REFUSED},
    {"invd", 2, {0x0f, 0x08}, HARMLESS},
    {"wbinvd", 2, {0x0f, 0x09}, HARMLESS},
    {"invpcid", 5, {0x66, 0x0f, 0x38, 0x82, 0x07}, ANYTHING},
    {"xsetbv", 3, {0x0f, 0x01, 0xd1}, ANYTHING},
    {"smsw", 3, {0x0f, 0x01, 0xe0}, ANYTHING},
    {"lmsw", 3, {0x0f, 0x01, 0xf0}, ANYTHING},
    {"clts", 2, {0x0f, 0x06}, HARMLESS},
    {"vmcall", 3, {0x0f, 0x01, 0xc1}, ANYTHING},
    {"vmmcall", 3, {0x0f, 0x01, 0xd9}, ANYTHING},
    {"enclu", 3, {0x0f, 0x01, 0xd7}, ANYTHING},
    {"cldemote", 3, {0x0f, 0x1c, 0x07}, ANYTHING},
    {"rdtscp", 3, {0x0f, 0x01, 0xf9}, ANYTHING},
    {"rdpid", 4, {0xf3, 0x0f, 0xc7, 0xf8}, ANYTHING},
    {"ud2", 2, {0x0f, 0x0b}, REFUSED},
};

static void judge(const struct instruction *instruction, struct caught caught)
{
    bool refused = caught.faulted && (caught.vector == VECTOR_UD || caught.vector == VECTOR_GP);
    enum expected expected = instruction->expected;
    if (expected == INTELS)
        expected = guest_is_amd() ? ANYTHING : REFUSED;
    bool held = expected == ANYTHING || (expected == REFUSED ? refused : !caught.faulted);
    attack_check(held, instruction->name, instruction->count, caught_number(caught));
}

static void run_plain(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t i = 0; i < sizeof instructions / sizeof instructions[0]; i++)
        judge(&instructions[i], try_bytes(instructions[i].bytes, instructions[i].count, (uint64_t)(uintptr_t)scratch));
}

void instructions_step(uint64_t random)
{
    const struct instruction *instruction = &instructions[random % (sizeof instructions / sizeof instructions[0])];
    (void)try_bytes(instruction->bytes, instruction->count, (uint64_t)(uintptr_t)scratch);
}

static void try_prefixed(const struct instruction *instruction, uint8_t prefix)
{
    uint8_t bytes[1 + BYTES] = {prefix};
    for (size_t k = 0; k < instruction->count; k++)
        bytes[1 + k] = instruction->bytes[k];
    (void)try_bytes(bytes, 1u + instruction->count, (uint64_t)(uintptr_t)scratch);
}

/* Whether a prefix makes another instruction of it is the CPU's affair; the attack is the decoding. */
static void run_prefixed(const uint64_t *numbers)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x41, 0x48, 0x4f};
    (void)numbers;
    for (size_t i = 0; i < sizeof instructions / sizeof instructions[0]; i++)
        for (size_t j = 0; j < sizeof prefixes; j++)
            try_prefixed(&instructions[i], prefixes[j]);
}

/* One of them by its place in the table, to find which it was. */
static void run_one(const uint64_t *numbers)
{
    try_prefixed(&instructions[numbers[0] % (sizeof instructions / sizeof instructions[0])], (uint8_t)numbers[1]);
}

static const struct attack table[] = {
    {"instructions", 0, run_plain}, {"instructions-prefixed", 0, run_prefixed}, {"instruction", 2, run_one}};
const struct attack_list attacks_instructions = ATTACK_LIST(table);
