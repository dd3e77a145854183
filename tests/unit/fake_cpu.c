/* core/cpu.h without a CPU. */
#include "tests/unit/fake_cpu.h"

#include <stdlib.h>
#include <string.h>

struct fake_cpu fake_cpu;

void fake_cpu_setup(void) { memset(&fake_cpu, 0, sizeof fake_cpu); }

uint32_t cpu_current(void) { return fake_cpu.current; }

uint64_t cpu_clock(void)
{
    fake_cpu.clock += fake_cpu.clock_step;
    return fake_cpu.clock;
}

void cpu_kick(uint32_t cpu)
{
    /* A CPU that no test has is a bug in the code under test: stop loudly. */
    if (cpu >= FAKE_CPUS)
        abort();
    fake_cpu.kicks[cpu]++;
}

void cpu_kick_taken(void) { fake_cpu.kicks_taken++; }

bool cpu_nmi_waits(uint32_t cpu)
{
    if (cpu >= FAKE_CPUS)
        abort();
    return fake_cpu.nmi_waits[cpu];
}

void cpu_nmi_again(uint32_t cpu)
{
    if (cpu >= FAKE_CPUS)
        abort();
    fake_cpu.nmis_again[cpu]++;
}

uint64_t cpu_strange_nmis(uint32_t *cpu)
{
    *cpu = fake_cpu.strange_nmi_cpu;
    return fake_cpu.strange_nmis;
}

bool cpu_smi_count(uint32_t *count)
{
    if (fake_cpu.counts_smis)
        *count = fake_cpu.smis;
    return fake_cpu.counts_smis;
}

void cpu_send_vector(uint32_t cpu, uint8_t vector)
{
    if (cpu >= FAKE_CPUS)
        abort();
    fake_cpu.vectors_sent++;
    fake_cpu.last_vector_cpu = cpu;
    fake_cpu.last_vector = vector;
}

static void wait(void)
{
    if (fake_cpu.on_wait != NULL)
        fake_cpu.on_wait();
}

void cpu_idle(void)
{
    fake_cpu.idles++;
    wait();
}

void cpu_timer_set(uint64_t deadline) { fake_cpu.timer_deadline = deadline; }

void cpu_wait(void)
{
    fake_cpu.waits++;
    wait();
}

void cpu_take_interrupts(void) { fake_cpu.interrupts_taken++; }

void cpu_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    memset(out, 0, sizeof *out);
    if (fake_cpu.cpuid != NULL)
        fake_cpu.cpuid(leaf, subleaf, out);
}

static struct fake_msr *find_msr(uint32_t number)
{
    for (uint32_t i = 0; i < fake_cpu.msr_count; i++) {
        if (fake_cpu.msrs[i].number == number)
            return &fake_cpu.msrs[i];
    }
    return NULL;
}

bool cpu_msr_read(uint32_t number, uint64_t *out)
{
    const struct fake_msr *msr = find_msr(number);
    if (msr != NULL)
        *out = msr->value;
    return msr != NULL;
}

bool cpu_msr_write(uint32_t number, uint64_t value)
{
    struct fake_msr *msr = find_msr(number);
    if (msr == NULL || msr->read_only)
        return false;
    msr->value = value;
    return true;
}

bool cpu_xcr0_write(uint64_t value)
{
    if (!fake_cpu.xcr0_refused)
        fake_cpu.xcr0 = value;
    return !fake_cpu.xcr0_refused;
}

void cpu_guest_interrupts_reset(void) { fake_cpu.interrupt_resets++; }
void cpu_predictors_clear(void) { fake_cpu.predictor_clears++; }
void cpu_buffers_clear(void) { fake_cpu.buffer_clears++; }

static void __attribute__((noreturn)) end_box(void)
{
    if (fake_cpu.box_end == NULL)
        abort();
    longjmp(*fake_cpu.box_end, 1);
}

void cpu_box_halt(void)
{
    fake_cpu.halts++;
    end_box();
}

void cpu_box_reboot(void)
{
    fake_cpu.reboots++;
    end_box();
}
