#include "arch/x86_64/cpu.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/trap.h"
#include "core/bytes.h"

static const struct machine *machine;
static uint32_t stopping;
static uint64_t xcr0_all; /* every state component this CPU has */
static struct {
    uint64_t count;
    uint32_t cpu; /* that took the last one */
} strange_nmis;

void cpu_init(const struct machine *new_machine) { machine = new_machine; }

uint32_t cpu_current(void) { return percpu_this()->cpu; }
uint64_t cpu_clock(void) { return tsc_read(); }
bool cpu_xcr0_write(uint64_t value) { return (cr4_read() & CR4_OSXSAVE) && trap_xsetbv(value); }
void cpu_send_vector(uint32_t cpu, uint8_t vector) { apic_send(machine->cpus[cpu].apic_id, APIC_FIXED | vector); }

void cpu_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    __asm__ volatile("cpuid"
                     : "=a"(out->eax), "=b"(out->ebx), "=c"(out->ecx), "=d"(out->edx)
                     : "a"(leaf), "c"(subleaf));
}

void cpu_kick(uint32_t cpu)
{
    struct percpu *target = percpu_of(cpu);
    __atomic_store_n(&target->kicked, 1, __ATOMIC_SEQ_CST);
    if (cpu != cpu_current() && __atomic_exchange_n(&target->nmi_sent, 1, __ATOMIC_SEQ_CST) == 0)
        apic_send(target->apic_id, APIC_NMI);
}

void cpu_nmi_again(uint32_t cpu) { apic_send(percpu_of(cpu)->apic_id, APIC_NMI); }

bool cpu_nmi_waits(uint32_t cpu) { return __atomic_load_n(&percpu_of(cpu)->nmi_sent, __ATOMIC_ACQUIRE) != 0; }

void cpu_nmi_taken(void)
{
    struct percpu *here = percpu_this();
    cpu_check_stopping();
    if (__atomic_exchange_n(&here->nmi_sent, 0, __ATOMIC_SEQ_CST) != 0 || here->nmi_own)
        return;
    __atomic_store_n(&strange_nmis.cpu, here->cpu, __ATOMIC_RELAXED);
    __atomic_fetch_add(&strange_nmis.count, 1, __ATOMIC_RELEASE);
}

uint64_t cpu_strange_nmis(uint32_t *cpu)
{
    uint64_t count = __atomic_load_n(&strange_nmis.count, __ATOMIC_ACQUIRE);
    *cpu = __atomic_load_n(&strange_nmis.cpu, __ATOMIC_RELAXED);
    return count;
}

void cpu_kick_taken(void) { __atomic_store_n(&percpu_this()->kicked, 0, __ATOMIC_SEQ_CST); }

void cpu_idle(void)
{
    trap_idle();
    cpu_check_stopping();
}

void cpu_wait(void)
{
    trap_wait();
    cpu_check_stopping();
}

void cpu_timer_set(uint64_t deadline) { apic_timer_set(deadline, machine->tsc_hz); }
void cpu_take_interrupts(void) { __asm__ volatile("sti; nop; nop; cli" : : : "memory"); }

void cpu_delay_us(uint64_t microseconds)
{
    uint64_t end = tsc_read() + machine->tsc_hz / 1000000 * microseconds;
    while (tsc_read() < end)
        cpu_pause();
}

struct cpuid_regs cpu_leaf(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = {0};
    struct cpuid_regs top;
    cpu_cpuid(leaf & 0x80000000u, 0, &top);
    if (leaf <= top.eax)
        cpu_cpuid(leaf, subleaf, &r);
    return r;
}

bool cpu_has_x2apic(void) { return cpu_leaf(1, 0).ecx & (1u << 21); }
bool cpu_has_invariant_tsc(void) { return cpu_leaf(0x80000007, 0).edx & (1u << 8); }

uint8_t cpu_physical_bits(void)
{
    uint8_t bits = (uint8_t)cpu_leaf(0x80000008, 0).eax;
    return bits >= 32 && bits <= 52 ? bits : 36;
}

const char *cpu_vendor(void)
{
    static char text[13];
    struct cpuid_regs r = cpu_leaf(0, 0);
    memcpy(text, &r.ebx, 4);
    memcpy(text + 4, &r.edx, 4);
    memcpy(text + 8, &r.ecx, 4);
    return text;
}

/* SDM vol. 4, "MSRs in Processors Based on Nehalem Microarchitecture"; no AMD CPU has a register for it. */
bool cpu_smi_count(uint32_t *count)
{
    uint64_t value;
    bool may_have = strcmp(cpu_vendor(), "GenuineIntel") == 0 && ((cpu_leaf(1, 0).eax >> 8) & 0xf) == 6;
    if (!may_have || !cpu_msr_read(MSR_SMI_COUNT, &value))
        return false;
    *count = (uint32_t)value;
    return true;
}

const char *cpu_brand(void)
{
    static char text[49];
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_regs r = cpu_leaf(0x80000002 + i, 0);
        memcpy(text + 16 * i, &r, sizeof r);
    }
    const char *start = text;
    while (*start == ' ')
        start++;
    return start;
}

/* Bits of a register that not every CPU has, and the bit of CPUID that tells. */
struct known_bit {
    uint32_t leaf;
    uint8_t part; /* EAX to EDX */
    uint8_t tells;
    uint8_t bit;
};
enum { EAX, EBX, ECX, EDX, PARTS };

static uint64_t known(uint64_t bits, const struct known_bit *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct cpuid_regs answer = cpu_leaf(rows[i].leaf, 0);
        uint32_t parts[PARTS];
        memcpy(parts, &answer, sizeof parts);
        bits |= (uint64_t)(parts[rows[i].part] >> rows[i].tells & 1) << rows[i].bit;
    }
    return bits;
}

/* SDM vol. 3 and APM vol. 2, "CR4" */
uint64_t cpu_cr4_known(void)
{
    static const struct known_bit rows[] = {
        {1, EDX, 7, 6},   /* MCE */
        {7, ECX, 2, 11},  /* UMIP */
        {7, ECX, 16, 12}, /* LA57 */
        {7, EBX, 0, 16},  /* FSGSBASE */
        {1, ECX, 17, 17}, /* PCID */
        {1, ECX, 26, 18}, /* XSAVE */
        {7, EBX, 7, 20},  /* SMEP */
        {7, EBX, 20, 21}, /* SMAP */
        {7, ECX, 3, 22},  /* PKU */
        {7, ECX, 7, 23},  /* CET */
    };
    return known(0x7bf, rows, array_size(rows));
}

/* APM vol. 2, "Extended Feature Enable Register (EFER)". LMSLE, bit 13: which CPUs have it cannot be told from CPUID.
 */
uint64_t cpu_efer_known(void)
{
    static const struct known_bit rows[] = {
        {0x80000001, EDX, 25, 14}, /* FFXSR */
        {0x80000001, ECX, 17, 15}, /* TCE */
        {0x80000008, EBX, 8, 17},  /* MCOMMIT */
        {0x80000008, EBX, 13, 18}, /* INTWB */
        {0x80000021, EAX, 7, 20},  /* UAI */
        {0x80000021, EAX, 8, 21},  /* automatic IBRS */
    };
    return known(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | 1u << 13, rows, array_size(rows));
}

void cpu_protect(void)
{
    uint64_t wanted = CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_OSXSAVE | CR4_MCE;
    uint64_t cr4 = cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT | (cpu_cr4_known() & wanted);
    cr4_write(cr4);
    /* A known start for machine-check exceptions: CR0 as the boot code set it, CD and NW clear. */
    cr0_write((cr0_read() & ~(CR0_CD | CR0_NW | CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP);
    if (cr4 & CR4_OSXSAVE) {
        struct cpuid_regs xsave = cpu_leaf(0xd, 0);
        xcr0_all = (uint64_t)xsave.edx << 32 | xsave.eax;
    }
    /* Page-table entries of ours and of AMD's nested tables name types by number: 0 is write-back, 3 uncached. */
    msr_write(MSR_IA32_PAT, PAT_AFTER_RESET);
    cpu_side_doors_close();
}

/* An XSAVE area (SDM vol. 1, "XRSTOR"); its legacy part is what FXRSTOR loads on a CPU without XSAVE. */
struct fpu_area {
    uint16_t fcw;
    uint8_t between[22];
    uint32_t mxcsr;
    uint8_t rest[512 - 28 + 64];
} __attribute__((aligned(64)));

void cpu_fpu_reset(void)
{
    /* The header says that every component is in its initial state. */
    const struct fpu_area initial = {.fcw = 0x37f, .mxcsr = 0x1f80};
    /* AMD's CPUs do not restore the x87's last instruction and operand without an exception; this clears them. */
    __asm__ volatile("fninit");
    if (cr4_read() & CR4_OSXSAVE) {
        if (!trap_xsetbv(xcr0_all))
            return;
        __asm__ volatile("xrstor64 %0" : : "m"(initial), "a"(0xffffffffu), "d"(0xffffffffu));
        if (!trap_xsetbv(1))
            return;
    } else {
        __asm__ volatile("fxrstor64 %0" : : "m"(initial));
    }
}

void cpu_check_stopping(void)
{
    while (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST))
        __asm__ volatile("cli; hlt");
}

void cpu_stop_others(void)
{
    __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
    apic_send(0, APIC_NMI | APIC_OTHERS);
}

void cpu_box_halt(void)
{
    cpu_stop_others();
    for (;;)
        cpu_check_stopping();
}

void cpu_box_reboot(void)
{
    cpu_stop_others();
    if (machine->has_reset_register)
        out8(machine->reset_port, machine->reset_value);
    cpu_delay_us(50000);
    out8(0xcf9, 0x02); /* the chipset's reset control register: a cold reset is armed, then done */
    out8(0xcf9, 0x06);
    cpu_delay_us(50000);
    out8(0x64, 0xfe); /* the keyboard controller's reset line */
    cpu_delay_us(50000);
    /* A triple fault is left: every PC resets on it. */
    struct descriptor_pointer none = {0, 0};
    __asm__ volatile("lidt %0; int3" : : "m"(none));
    for (;;)
        ;
}
