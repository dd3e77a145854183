/*
 * Every hypercall number with hostile arguments, none of which is a time that a heartbeat may take: what does not exist
 * says so, and changes no register but RAX.
 */
#include "core/hypercall.h"
#include "guests/common/guest.h"
#include "guests/hostile/attack.h"

enum { NUMBERS = 4096, RANDOM_NUMBERS = 4096, MANY_STARTS = 1000000 };

struct arguments {
    uint64_t rax, rbx, rcx, rdx, rsi;
};

static struct arguments call(struct arguments a)
{
    if (guest_is_amd())
        __asm__ volatile("vmmcall" : "+a"(a.rax), "+b"(a.rbx), "+c"(a.rcx), "+d"(a.rdx), "+S"(a.rsi)::"memory");
    else
        __asm__ volatile("vmcall" : "+a"(a.rax), "+b"(a.rbx), "+c"(a.rcx), "+d"(a.rdx), "+S"(a.rsi)::"memory");
    return a;
}

static void attack_number(uint64_t number, uint64_t argument)
{
    struct arguments before = {number, argument, ~argument, argument ^ 0xfee00000, 0x8000000000000000 | argument};
    struct arguments after = call(before);
    if (number == HYPERCALL_STARTS)
        attack_check(after.rax >= 1 && after.rax < MANY_STARTS, "hypercall", number, after.rax);
    else if (number == HYPERCALL_HEARTBEAT)
        attack_check(after.rax == (argument == 0 ? 0 : (uint64_t)HYPERCALL_BAD_ARGUMENT), "heartbeat", argument,
                     after.rax);
    else
        attack_check(after.rax == (number == HYPERCALL_NOTHING ? 0 : (uint64_t)HYPERCALL_UNKNOWN), "hypercall", number,
                     after.rax);
    attack_check(after.rbx == before.rbx && after.rcx == before.rcx && after.rdx == before.rdx &&
                     after.rsi == before.rsi,
                 "hypercall changes registers", number, after.rbx);
}

static void run(const uint64_t *numbers)
{
    static const uint64_t arguments[] = {0, 1, UINT64_MAX, 0xfec00000, 0x0000800000000000};
    uint64_t state = numbers[0];
    for (uint64_t number = 0; number < NUMBERS; number++)
        for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++)
            if (number != HYPERCALL_RESTART && number != HYPERCALL_STOP) /* they do what they say */
                attack_number(number, arguments[i]);
    for (unsigned i = 0; i < RANDOM_NUMBERS; i++)
        attack_number(attack_random(&state) | NUMBERS, attack_random(&state));
}

static const struct attack table[] = {{"hypercalls", 1, run}};
const struct attack_list attacks_hypercalls = ATTACK_LIST(table);
