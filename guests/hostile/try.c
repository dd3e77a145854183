/*
 * Every exception goes to one handler, which leaves the code under trial through the stack that try_call kept.
 */
#include "guests/hostile/try.h"

#include "guests/common/console.h"
#include "guests/common/guest.h"

enum { VECTOR_NMI = 2, VECTOR_GP = 13, EXCEPTIONS = 32, SELECTOR_CODE = 8, SELECTOR_DATA = 16, RFLAGS_FIXED = 2 };
enum { OPCODE_RET = 0xc3, RETS = 8 };

/* try_call.S */
bool try_call(void (*code)(uint64_t), uint64_t argument);
extern const char try_recover[];
extern uint64_t try_stack; /* 0: nothing is under trial */

volatile uint64_t try_nmis;
static struct caught last;
static uint8_t bytes_page[4096] __attribute__((aligned(4096)));

static void leave(struct trap_frame *frame)
{
    frame->rip = (uint64_t)(uintptr_t)try_recover;
    frame->rsp = try_stack;
    frame->cs = SELECTOR_CODE;
    frame->ss = SELECTOR_DATA;
    frame->rflags = RFLAGS_FIXED;
}

static void catch_exception(struct trap_frame *frame)
{
    uint64_t cr2;
    __asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
    if (frame->vector == VECTOR_NMI) {
        try_nmis++;
        return;
    }
    if (try_stack == 0) {
        print("%s: unexpected vector %lu, error 0x%lx, at 0x%lx, cr2 0x%lx: powering off\n", guest_name, frame->vector,
              frame->error, frame->rip, cr2);
        guest_power_off();
    }
    last = (struct caught){true, (uint8_t)frame->vector, frame->error, frame->rip, cr2};
    leave(frame);
}

void try_abandon(struct trap_frame *frame)
{
    last = (struct caught){.faulted = true, .vector = (uint8_t)frame->vector, .rip = frame->rip};
    if (try_stack != 0)
        leave(frame);
}

void try_init(void)
{
    for (unsigned vector = 0; vector < EXCEPTIONS; vector++)
        trap_set((uint8_t)vector, catch_exception);
}

struct caught try(void (*code)(uint64_t), uint64_t argument)
{
    last = (struct caught){.faulted = false};
    if (!try_call(code, argument))
        last.faulted = false;
    return last;
}

struct caught try_bytes(const uint8_t *bytes, size_t count, uint64_t argument)
{
    for (size_t i = 0; i < count && i < TRY_BYTES; i++)
        bytes_page[i] = bytes[i];
    /* More than one: with a prefix some instruction takes the first as its operand. */
    for (size_t i = count < TRY_BYTES ? count : TRY_BYTES; i < TRY_BYTES + RETS; i++)
        bytes_page[i] = OPCODE_RET;
    /* Code that was just written is fetched anew after a jump on every x86; a serialising instruction is the rule. */
    __asm__ volatile("xorl %%eax, %%eax; cpuid" ::: "eax", "ebx", "ecx", "edx", "memory");
    return try((void (*)(uint64_t))(uintptr_t)bytes_page, argument);
}

bool caught_gp(struct caught caught) { return caught.faulted && caught.vector == VECTOR_GP && caught.error == 0; }
uint64_t caught_number(struct caught caught) { return caught.faulted ? caught.vector : 0x100; }
