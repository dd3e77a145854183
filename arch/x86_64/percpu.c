#include "arch/x86_64/percpu.h"

#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"

static struct percpu early;

static bool area_map(uint64_t area)
{
    for (unsigned page = 0; PERCPU_MAPPED >> page != 0; page++) {
        hpa_t fresh;
        if ((PERCPU_MAPPED >> page) % 2 == 1 &&
            (!heap_take_page(&fresh) || !paging_map(area + page * PAGE_SIZE, fresh, PAGE_SIZE, PAGING_WRITE)))
            return false;
    }
    return true;
}

bool percpu_create(uint32_t cpu, uint32_t apic_id)
{
    uint64_t area = percpu_area(cpu);
    if (!area_map(area))
        return false;

    struct percpu *p = percpu_of(cpu);
    p->self = p;
    p->cpu = cpu;
    p->apic_id = apic_id;
    p->tss.rsp[0] = area + PERCPU_STACK_TOP;
    p->tss.ist[IST_DOUBLE_FAULT - 1] = area + PERCPU_DF_STACK_TOP;
    p->tss.ist[IST_NMI - 1] = area + PERCPU_NMI_STACK_TOP;
    p->tss.ist[IST_MACHINE_CHECK - 1] = area + PERCPU_MC_STACK_TOP;
    p->tss.io_map_base = sizeof(struct tss);

    uint64_t tss = (uint64_t)&p->tss;
    p->gdt[1] = 0x00af9b000000ffff; /* 64-bit code, accessed */
    p->gdt[2] = 0x00cf93000000ffff; /* data, accessed */
    p->gdt[3] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | ((tss >> 24) & 0xff) << 56;
    p->gdt[4] = tss >> 32;
    return true;
}

void percpu_load(struct percpu *p)
{
    struct descriptor_pointer gdtr = {sizeof p->gdt - 1, (uint64_t)p->gdt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %2, %%ss\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%fs\n\t"
                     "mov %2, %%gs\n\t"
                     :
                     : "m"(gdtr), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA)
                     : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
    msr_write(MSR_IA32_GS_BASE, (uint64_t)p);
    trap_load();
}

void percpu_load_early(void)
{
    early.self = &early;
    msr_write(MSR_IA32_GS_BASE, (uint64_t)&early);
    trap_load_early();
}
