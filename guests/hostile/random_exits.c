/*
 * Random exits, one after the other: CPUID, registers of every kind, ports, device memory, messages, hypercalls,
 * instructions that are refused. None of them ends the partition by design.
 */
#include "core/hypercall.h"
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/instructions.h"
#include "guests/hostile/random.h"

enum { REPORT_EVERY = 50000, QUIETEN_EVERY = 256, STRING_BYTES = 64 };
enum { FIRST_DEVICE_PORT = 0x20, LAST_DEVICE_PORT = 0x61 };

static uint8_t buffer[STRING_BYTES];

static void cpuid_step(uint64_t random, uint64_t value)
{
    static const uint32_t bases[] = {0, 0, 0x80000000, 0x40000000};
    (void)cpuid(random % 16 == 0 ? (uint32_t)value : bases[random % 4] + (uint32_t)(value & 0x1f),
                (uint32_t)random >> 8);
}

static void hypercall_step(uint64_t random, uint64_t value)
{
    uint64_t number = random % 8 == 0 ? value : random % 8, answer;
    if (number != HYPERCALL_RESTART && number != HYPERCALL_STOP)
        (void)probe_vmcall(number, number == HYPERCALL_HEARTBEAT ? 0 : value, &answer);
}

static void string_step(uint64_t random, uint64_t value)
{
    uint16_t port = (uint16_t)(FIRST_DEVICE_PORT + value % (LAST_DEVICE_PORT - FIRST_DEVICE_PORT));
    uint64_t count = random % STRING_BYTES, at = (uint64_t)(uintptr_t)buffer;
    if (random >> 32 & 1)
        __asm__ volatile("rep insb" : "+D"(at), "+c"(count) : "d"(port) : "memory");
    else
        __asm__ volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(port) : "memory");
}

static void step(uint64_t random, uint64_t value)
{
    switch (random >> 56 & 15) {
    case 0:
    case 1:
        cpuid_step(random, value);
        break;
    case 2:
        hypercall_step(random, value);
        break;
    case 3:
        string_step(random, value);
        break;
    case 4:
        icr_step(value);
        break;
    case 5:
        instructions_step(random);
        break;
    case 6:
        control_step(random, value);
        break;
    case 7:
    case 8:
        msrs_step(random, value);
        break;
    case 9:
        apic_registers_step(random, value);
        break;
    default:
        devices_step(random);
        break;
    }
}

/* Interrupts are off but for a moment now and then, in which all that has gathered comes in. */
void random_exits_run(uint64_t *state)
{
    for (uint64_t i = 1;; i++) {
        uint64_t random = attack_random(state);
        step(random, attack_random(state));
        if (i % QUIETEN_EVERY == 0) {
            /* A timer with a short period would let nothing else run. */
            apic_write(APIC_TIMER_INITIAL, 0);
            apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
            apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
            __asm__ volatile("sti; nop; nop; cli" ::: "memory");
        }
        if (i % REPORT_EVERY == 0) {
            console_init();
            print("hostile: %lu random exits\n", i);
        }
    }
}
