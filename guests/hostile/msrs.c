/*
 * Every model-specific register of the ranges that have any, read and written with hostile values. What is not the
 * guest's own must fault; what answers with a constant must keep it.
 */
#include "guests/common/apic.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"

enum rights {
    OWN,      /* the guest's: msrs-own */
    FIXED,    /* may be read, a write faults */
    CONSTANT, /* writes are swallowed and change nothing */
    SPARED,   /* has an attack of its own */
};

static const struct {
    uint32_t first, last;
    enum rights rights;
} known[] = {
    {0x10, 0x10, FIXED},
    {0x11, 0x12, SPARED}, /* kvm-clock */
    {0x1b, 0x1b, SPARED}, /* apic-base */
    {0x3a, 0x3a, FIXED},
    {0x3b, 0x3b, CONSTANT},
    {0x8b, 0x8b, CONSTANT},
    {0xfe, 0xfe, FIXED},
    {0x140, 0x140, CONSTANT},
    {0x174, 0x176, OWN},
    {0x1a0, 0x1a0, CONSTANT},
    {0x277, 0x277, OWN},
    {0x6e0, 0x6e0, OWN},
    {0x800, 0x83f, SPARED}, /* icr and apic-registers */
    {0xda0, 0xda0, FIXED},
    {0x4b564d00, 0x4b564d01, SPARED}, /* kvm-clock */
    {0xc0000080, 0xc0000080, SPARED}, /* efer-bits */
    {0xc0000081, 0xc0000084, OWN},
    {0xc0000100, 0xc0000103, OWN},
    {0xc0010010, 0xc0010010, CONSTANT},
    {0xc0010015, 0xc0010015, CONSTANT},
    {0xc001001f, 0xc001001f, CONSTANT},
    {0xc0010055, 0xc0010055, CONSTANT},
    {0xc0010055, 0xc0010055, CONSTANT},
    {0xc0011020, 0xc0011020, CONSTANT},
    {0xc0011029, 0xc0011029, CONSTANT},
};
enum { KNOWN = sizeof known / sizeof known[0], VECTOR_GP = 13 };

static const struct {
    uint32_t first, last;
} ranges[] = {
    {0x0, 0x1fff},
    {0xc0000000, 0xc0001fff},
    {0xc0010000, 0xc0011fff},
    {0x4b564d00, 0x4b564dff},
    {0x40000000, 0x400001ff},
};

static const uint64_t values[] = {0,          1,      UINT64_MAX,         0x8000000000000000, 0xfee00d00,
                                  0xffffffff, 0x100d, 0x0000800000000000, 0x5a5a5a5a5a5a5a5a};
enum { VALUES = sizeof values / sizeof values[0] };

static size_t find(uint32_t number)
{
    size_t i = 0;
    while (i < KNOWN && (number < known[i].first || number > known[i].last))
        i++;
    return i;
}

static bool refused(struct trap_probe probe) { return probe.faulted && probe.vector == VECTOR_GP && probe.error == 0; }

static void attack_unknown(uint32_t number)
{
    uint64_t value = 0;
    attack_check(refused(probe_rdmsr(number, &value)), "rdmsr", number, value);
    for (size_t i = 0; i < VALUES; i++)
        attack_check(refused(probe_wrmsr(number, values[i])), "wrmsr", number, values[i]);
}

static void attack_known(uint32_t number, enum rights rights)
{
    uint64_t before = 0, after = 0;
    attack_check(!probe_rdmsr(number, &before).faulted, "rdmsr faults", number, 0);
    for (size_t i = 0; i < VALUES; i++) {
        struct trap_probe probe = probe_wrmsr(number, values[i]);
        attack_check(rights != FIXED || refused(probe), "wrmsr of a fixed register", number, values[i]);
        if (rights != CONSTANT)
            continue;
        attack_check(!probe_rdmsr(number, &after).faulted && after == before, "constant register", number, after);
    }
}

static void run_sweep(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        for (uint32_t number = ranges[i].first; number <= ranges[i].last; number++) {
            size_t place = find(number);
            if (place == KNOWN)
                attack_unknown(number);
            else if (known[place].rights == FIXED || known[place].rights == CONSTANT)
                attack_known(number, known[place].rights);
        }
}

/* Whatever the CPU takes or refuses: nobody else may notice. */
static void run_own(const uint64_t *numbers)
{
    (void)numbers;
    for (size_t i = 0; i < KNOWN; i++)
        for (uint32_t number = known[i].first; known[i].rights == OWN && number <= known[i].last; number++) {
            uint64_t before = 0;
            (void)probe_rdmsr(number, &before);
            for (size_t j = 0; j < VALUES; j++)
                (void)probe_wrmsr(number, values[j]);
            (void)probe_wrmsr(number, before);
        }
}

/* A clock placed somewhere would write to this guest's own memory. */
void msrs_step(uint64_t random, uint64_t value)
{
    size_t range = random % (sizeof ranges / sizeof ranges[0]);
    uint32_t number = ranges[range].first + (uint32_t)(random >> 8) % (ranges[range].last - ranges[range].first + 1);
    size_t place = find(number);
    uint64_t read;
    (void)probe_rdmsr(number, &read);
    if (place == KNOWN || known[place].rights == FIXED || known[place].rights == CONSTANT)
        (void)probe_wrmsr(number, value);
}

/* Numbers from all 32 bits. */
static void run_random(const uint64_t *numbers)
{
    uint64_t state = numbers[0], value = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t number = (uint32_t)attack_random(&state);
        if (find(number) != KNOWN)
            continue;
        attack_check(refused(probe_rdmsr(number, &value)), "rdmsr", number, value);
        attack_check(refused(probe_wrmsr(number, attack_random(&state))), "wrmsr", number, 0);
    }
}

/* The hypervisor writes to an address that the guest names: only its own RAM will do, whole. */
static void run_kvm_clock(const uint64_t *numbers)
{
    static const uint32_t registers[] = {0x12, 0x4b564d01, 0x11, 0x4b564d00};
    uint64_t end = attack_memory_end();
    const uint64_t places[] = {end | 1,         (end - 4) | 1,      0xfee00001,         0xfec00001,
                               UINT64_MAX,      0xfffffffffffffffd, 0x8000000000000001, 0xc0000001,
                               0x100000000 | 1, 0x000fffffffffffe1, 0xfffffff1};
    (void)numbers;
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        for (size_t j = 0; j < sizeof places / sizeof places[0]; j++)
            attack_check(refused(probe_wrmsr(registers[i], places[j])), "clock placed at", places[j], registers[i]);
    attack_check(!probe_wrmsr(0x4b564d01, 0).faulted, "clock switched off", 0, 0);
}

/* The local APIC cannot move. */
static void run_apic_base(const uint64_t *numbers)
{
    uint64_t before = 0, after = 0;
    (void)numbers;
    (void)probe_rdmsr(0x1b, &before);
    for (unsigned bit = 0; bit < 64; bit++) {
        /* In a whole APIC the boot processor's bit is fixed without a fault, and modes change, as apic-modes tries. */
        if (!apic_is_given() && (bit == 10 || bit == 11))
            continue;
        struct trap_probe probe = probe_wrmsr(0x1b, before ^ (uint64_t)1 << bit);
        attack_check(refused(probe) || (bit == 8 && !apic_is_given()), "APIC_BASE with bit changed", bit, 0);
        (void)probe_rdmsr(0x1b, &after);
        attack_check(after == before, "APIC_BASE", bit, after);
    }
    attack_check(!probe_wrmsr(0x1b, before).faulted, "APIC_BASE as it is", before, 0);
}

static const struct attack table[] = {
    {"msrs", 0, run_sweep},          {"msrs-own", 0, run_own},        {"msrs-random", 1, run_random},
    {"kvm-clock", 0, run_kvm_clock}, {"apic-base", 0, run_apic_base},
};
const struct attack_list attacks_msrs = ATTACK_LIST(table);
