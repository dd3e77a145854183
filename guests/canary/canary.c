/*
 * canary: owns its memory and registers, and looks at them for ever.
 *
 * All memory above its image holds a pattern that follows from the address; general, debug, vector and model-specific
 * registers hold patterns too. Each sweep compares everything; each second one line says how many sweeps there were,
 * how many words or registers had changed, and how many interrupts came although nothing may send one. Interrupts are
 * on.
 */
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

const char guest_name[] = "canary";

enum { FIRST_INTERRUPT = 32, VECTOR_NMI = 2, VECTORS = 256, IMAGE_END = 0x180000, SHOWN = 8, CR4_SSE = 3 << 9 };
#define PATTERN 0x5bd1e9955bd1e995ull

static const uint32_t registers[] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000102, 0x175, 0x176};
enum { REGISTERS = sizeof registers / sizeof registers[0] };

static volatile uint64_t interrupts;
static uint64_t changed;

/* canary_registers.S: loads patterns, waits a moment, and counts those that are others then. */
uint64_t canary_registers(uint64_t pattern);

static void count_interrupt(struct trap_frame *frame)
{
    interrupts++;
    if (frame->vector >= FIRST_INTERRUPT)
        apic_eoi();
}

static uint64_t memory_end(void) { return (guest_memory_kib + 1024) * 1024; }
static uint64_t expected(uint64_t address) { return (address ^ PATTERN) * 0x9e3779b97f4a7c15; }
/* Canonical, so that every register takes it. */
static uint64_t expected_register(unsigned i) { return (PATTERN >> 18) + i; }

static void report(const char *what, uint64_t where, uint64_t found)
{
    changed++;
    if (changed <= SHOWN)
        print("canary: CHANGED: %s 0x%lx is 0x%lx\n", what, where, found);
}

static void fill(void)
{
    for (uint64_t at = IMAGE_END; at < memory_end(); at += 8)
        *(volatile uint64_t *)(uintptr_t)at = expected(at);
    for (unsigned i = 0; i < REGISTERS; i++)
        wrmsr(registers[i], expected_register(i));
    __asm__ volatile("movq %0, %%dr0; movq %0, %%dr3" ::"r"(PATTERN));
    uint64_t cr4;
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movq %0, %%cr4" ::"r"(cr4 | CR4_SSE));
}

/* Returns a sum over all that was seen, which stays the same while nothing changes. */
static uint64_t sweep(void)
{
    uint64_t sum = 0, value;
    for (uint64_t at = IMAGE_END; at < memory_end(); at += 8) {
        value = *(const volatile uint64_t *)(uintptr_t)at;
        sum = sum * 3 + value;
        if (value != expected(at))
            report("memory", at, value);
    }
    for (unsigned i = 0; i < REGISTERS; i++) {
        value = rdmsr(registers[i]);
        sum = sum * 3 + value;
        if (value != expected_register(i))
            report("register", registers[i], value);
    }
    __asm__ volatile("movq %%dr0, %0" : "=r"(value));
    if (value != PATTERN)
        report("debug register", 0, value);
    value = canary_registers(PATTERN);
    if (value != 0)
        report("general or vector registers", value, value);
    return sum;
}

void guest_main(void)
{
    uint64_t hz = guest_tsc_hz(), sweeps = 0;
    for (unsigned vector = FIRST_INTERRUPT; vector < VECTORS; vector++)
        trap_set((uint8_t)vector, count_interrupt);
    trap_set(VECTOR_NMI, count_interrupt);
    if (hz == 0 || memory_end() <= IMAGE_END) {
        print("canary: needs a clock and memory above its image (found %lu Hz, %lu KiB)\n", hz, guest_memory_kib);
        return;
    }
    fill();
    print("canary: APIC id %u, %lu KiB under watch\n", apic_id(), (memory_end() - IMAGE_END) / 1024);
    sti();
    uint64_t next = rdtsc() + hz, first = sweep();
    for (uint64_t second = 1;; sweeps++) {
        uint64_t sum = sweep();
        if (sum != first)
            report("checksum", first, sum);
        uint64_t now = rdtsc();
        for (; now >= next; next += hz, second++)
            print("canary: second %lu, %lu sweeps, checksum %lx, %lu changed, %lu interrupts\n", second, sweeps, sum,
                  changed, interrupts);
    }
}
