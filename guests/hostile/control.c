/*
 * Control registers: each single bit turned over, and random values. What is not the guest's must fault or stay.
 */
#include "guests/common/instructions.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

enum { MSR_EFER = 0xc0000080, MSR_DEBUGCTL = 0x1d9, RANDOM_VALUES = 4000 };
#define CR0_PE         ((uint64_t)1 << 0)
#define CR0_PG         ((uint64_t)1 << 31)
#define CR0_SETTABLE   0xffffffffull
#define CR4_FIRST      0x7ffull /* bits that every CPU has */
#define CR4_PAE        ((uint64_t)1 << 5)
#define CR4_LA57       ((uint64_t)1 << 12)
#define CR4_VMXE       ((uint64_t)1 << 13)
#define CR4_SMXE       ((uint64_t)1 << 14)
#define CR4_OSXSAVE    ((uint64_t)1 << 18)
#define CR4_CET        ((uint64_t)1 << 23)
#define CR4_NOT_GUESTS (CR4_LA57 | CR4_VMXE | CR4_SMXE | CR4_CET | ~(uint64_t)0xffffffff)
#define EFER_SVME      ((uint64_t)1 << 12)
#define EFER_LMA       ((uint64_t)1 << 10)

static uint64_t saved;

#define CONTROL_REGISTER(n)                                                                                            \
    static uint64_t read_cr##n(void)                                                                                   \
    {                                                                                                                  \
        uint64_t value;                                                                                                \
        __asm__ volatile("movq %%cr" #n ", %0" : "=r"(value));                                                         \
        return value;                                                                                                  \
    }                                                                                                                  \
    static void write_cr##n(uint64_t value) { __asm__ volatile("movq %0, %%cr" #n ::"r"(value) : "memory"); }
CONTROL_REGISTER(0)
CONTROL_REGISTER(4)

/* Sets it and puts it back at once: between the two nothing else runs. */
static void swap_cr0(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr0; movq %1, %%cr0" ::"r"(value), "r"(saved) : "memory");
}
static void swap_cr4(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4; movq %1, %%cr4" ::"r"(value), "r"(saved) : "memory");
}

static void attack_cr0(uint64_t value)
{
    saved = read_cr0();
    struct caught caught = try(swap_cr0, value);
    attack_check((value & ~CR0_SETTABLE) == 0 || caught_gp(caught), "cr0", value, caught_number(caught));
    if (caught.faulted)
        write_cr0(saved);
    attack_check(read_cr0() == saved, "cr0 afterwards", saved, read_cr0());
}

static void attack_cr4(uint64_t value)
{
    saved = read_cr4();
    struct caught caught = try(swap_cr4, value);
    attack_check((value & CR4_NOT_GUESTS) == 0 || caught_gp(caught), "cr4", value, caught_number(caught));
    if (caught.faulted)
        write_cr4(saved);
    attack_check(read_cr4() == saved, "cr4 afterwards", saved, read_cr4());
}

static void write_efer(uint64_t value) { wrmsr(MSR_EFER, value); }

static void attack_efer(uint64_t value)
{
    uint64_t before = rdmsr(MSR_EFER);
    (void)try(write_efer, value);
    uint64_t after = rdmsr(MSR_EFER);
    attack_check((after & EFER_SVME) == 0, "efer has SVME", value, after);
    attack_check((after & EFER_LMA) != 0, "efer lost LMA", value, after);
    (void)try(write_efer, before);
    attack_check(rdmsr(MSR_EFER) == before, "efer afterwards", before, rdmsr(MSR_EFER));
}

static void write_xcr0(uint64_t value)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void attack_xcr0(uint64_t value)
{
    struct cpuid shown = cpuid(0xd, 0);
    uint64_t allowed = (uint64_t)shown.edx << 32 | shown.eax;
    uint64_t before = read_xcr0();
    struct caught caught = try(write_xcr0, value);
    attack_check((value & ~allowed) == 0 || caught_gp(caught), "xcr0", value, caught_number(caught));
    attack_check(read_xcr0() == (caught.faulted ? before : value), "xcr0 afterwards", value, read_xcr0());
    (void)try(write_xcr0, before);
}

static void write_dr7(uint64_t value) { __asm__ volatile("movq %0, %%dr7" ::"r"(value)); }
static void write_dr6(uint64_t value) { __asm__ volatile("movq %0, %%dr6" ::"r"(value)); }
/* The general-detect bit makes the write that clears it fault once, and is gone then. */
static void attack_debug(uint64_t value)
{
    (void)try(write_dr6, value);
    struct caught caught = try(write_dr7, value);
    attack_check(value >> 32 == 0 || caught_gp(caught), "dr7", value, caught_number(caught));
    (void)try(write_dr7, 0x400);
    (void)try(write_dr7, 0x400);
    (void)try(write_dr6, 0xffff0ff0);
}

static void write_cr8(uint64_t value) { __asm__ volatile("movq %0, %%cr8" ::"r"(value)); }
static void attack_cr8(uint64_t value)
{
    struct caught caught = try(write_cr8, value);
    attack_check(value < 16 || caught_gp(caught), "cr8", value, caught_number(caught));
    write_cr8(0);
}

static const struct {
    void (*attack)(uint64_t value);
    uint64_t (*read)(void); /* bits are turned over in this; NULL: in 0 */
} registers[] = {
    {attack_cr0, read_cr0}, {attack_cr4, read_cr4}, {attack_efer, NULL},
    {attack_xcr0, NULL},    {attack_debug, NULL},   {attack_cr8, NULL},
};

static void with_xsave(void (*what)(uint64_t), uint64_t number)
{
    uint64_t cr4 = read_cr4();
    bool has_xsave = (cpuid(1, 0).ecx >> 26 & 1) != 0;
    if (has_xsave)
        write_cr4(cr4 | CR4_OSXSAVE);
    what(number);
    write_cr4(cr4);
}

static void all_bits(uint64_t unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t now = registers[i].attack == attack_efer   ? rdmsr(MSR_EFER)
                           : registers[i].read != NULL          ? registers[i].read()
                           : registers[i].attack == attack_xcr0 ? read_xcr0()
                                                                : 0;
            registers[i].attack(now ^ (uint64_t)1 << bit);
        }
}

static void all_random(uint64_t seed)
{
    for (unsigned i = 0; i < RANDOM_VALUES; i++)
        for (size_t j = 0; j < sizeof registers / sizeof registers[0]; j++) {
            uint64_t value = attack_random(&seed);
            /* Mostly few bits, so that not every value fails at the first reserved one. */
            if (i % 4 != 0)
                value &= attack_random(&seed) & attack_random(&seed) & 0xffffffff;
            registers[j].attack(value);
        }
}

/*
 * XCR0 is left out: OSXSAVE may be off. What 64-bit mode rests on stays, because QEMU 7.2 and Bochs 2.7 let SVM guests
 * lose it; so do reserved bits of CR4, which QEMU 7.2 tells as a refused VMRUN.
 */
void control_step(uint64_t random, uint64_t value)
{
    static void (*const attacks[])(uint64_t) = {attack_cr0, attack_cr4, attack_efer, attack_debug, attack_cr8};
    void (*attack)(uint64_t) = attacks[random % (sizeof attacks / sizeof attacks[0])];
    if (attack == attack_cr0)
        value = (value & CR0_SETTABLE) | CR0_PE | CR0_PG;
    else if (attack == attack_cr4)
        value = (value & CR4_FIRST) | CR4_PAE;
    attack(value);
}

static void run_bits(const uint64_t *numbers)
{
    (void)numbers;
    with_xsave(all_bits, 0);
}

static void run_random(const uint64_t *numbers) { with_xsave(all_random, numbers[0]); }

/* Bits of CR4 that CPUID promises: SDM vol. 3, "Control Registers". A system sets what it is shown without asking. */
static void run_shown(const uint64_t *numbers)
{
    enum { LEAF_1_ECX, LEAF_7_EBX, LEAF_7_ECX, WORDS };
    static const struct {
        uint8_t word, bit, cr4;
    } promises[] = {{LEAF_1_ECX, 17, 17}, {LEAF_1_ECX, 26, 18}, {LEAF_7_EBX, 0, 16}, {LEAF_7_EBX, 7, 20},
                    {LEAF_7_EBX, 20, 21}, {LEAF_7_ECX, 2, 11},  {LEAF_7_ECX, 3, 22}, {LEAF_7_ECX, 16, 12}};
    const uint32_t words[WORDS] = {cpuid(1, 0).ecx, cpuid(7, 0).ebx, cpuid(7, 0).ecx};
    (void)numbers;
    for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
        saved = read_cr4();
        struct caught caught = try(swap_cr4, saved | (uint64_t)1 << promises[i].cr4);
        if (caught.faulted)
            write_cr4(saved);
        if ((words[promises[i].word] >> promises[i].bit & 1) != 0)
            attack_check(!caught.faulted, "CR4 bit that CPUID shows", promises[i].cr4, caught_number(caught));
    }
}

static const struct attack table[] = {
    {"control-bits", 0, run_bits}, {"control-random", 1, run_random}, {"control-shown", 0, run_shown}};
const struct attack_list attacks_control = ATTACK_LIST(table);
