/*
 * The part of the fast path that is C, and the step past the instruction. What is declined here goes the general way,
 * which decides the same by the same tables.
 */
#include "core/fast.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/fast_icr.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/fast_apic.h"
#include "core/fast_memory.h"
#include "core/local_apic.h"

/* "Exit Qualification for I/O Instructions": size - 1, string, REP; then the direction and the port. */
#define IO_NOT_A_BYTE 0x37u
#define IO_IN         0x08u

/* "Exit Qualification for EPT Violations": read, write, fetch. */
#define EPT_ACCESS_MASK (EPT_FINAL | 7u)
#define EPT_READ        (EPT_FINAL | 1u)
#define EPT_WRITE       (EPT_FINAL | 2u)

enum { MAX_INSTRUCTION = 15, CLASS = 0xf0, APIC_PPR = 0xa0 };

/* vmcs_read for fields that are there on every CPU. */
static inline uint64_t field_read(uint64_t field)
{
    uint64_t value;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
    return value;
}

/*
 * Whether moving the guest past its instruction takes no more than a new RIP. Otherwise there is a #DB due after it, a
 * shadow that ends with it, or 4 GiB might be passed, where it depends on the mode what comes next.
 */
static inline bool is_plain(uint64_t rip)
{
    return (field_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) == 0 &&
           (field_read(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_SHADOW) == 0 &&
           (uint32_t)rip < UINT32_MAX - MAX_INSTRUCTION;
}

bool vmx_fast_port(struct vcpu *vcpu)
{
    if (!is_plain(field_read(VMCS_GUEST_RIP)))
        return false;
    uint32_t q = (uint32_t)field_read(VMCS_EXIT_QUALIFICATION);
    return (q & IO_NOT_A_BYTE) == 0 && fast_port(vcpu, q >> 16, (q & IO_IN) != 0);
}

bool vmx_fast_rdmsr(struct vcpu *vcpu) { return is_plain(field_read(VMCS_GUEST_RIP)) && fast_apic_read(vcpu); }

bool vmx_fast_wrmsr(struct vcpu *vcpu)
{
    if (!is_plain(field_read(VMCS_GUEST_RIP)))
        return false;
    return vcpu->apic != NULL ? fast_apic_write(vcpu) : fast_icr_write(vcpu);
}

/*
 * A guest whose requested vectors the CPU takes by itself sleeps inside the guest: with nothing that it could take,
 * else it goes on and takes it. It has usually just executed STI.
 */
bool vmx_fast_halt(struct vcpu *vcpu)
{
    if (!vmx_delivers(vcpu) || !(vmx_capability.misc & MISC_ACTIVITY_HLT))
        return false;
    uint64_t next = field_read(VMCS_GUEST_RIP) + field_read(VMCS_EXIT_LENGTH), flags = field_read(VMCS_GUEST_RFLAGS);
    if ((flags & (RFLAGS_IF | RFLAGS_TF)) != RFLAGS_IF || (uint32_t)next < MAX_INSTRUCTION)
        return false;
    vmcs_write(VMCS_GUEST_RIP, next);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, field_read(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_SHADOW);
    if ((field_read(VMCS_GUEST_INTERRUPT_STATUS) & CLASS) <= (vcpu->apic->registers[APIC_PPR / 4] & CLASS))
        vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
    return true;
}

/* "Guest Interrupt Status": the highest requested vector is its low byte. */
static void request(uint32_t vector)
{
    uint32_t status = (uint32_t)field_read(VMCS_GUEST_INTERRUPT_STATUS);
    if ((uint8_t)status < vector)
        vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, (status & 0xff00) | vector);
}

/* The timer of a vCPU whose local APIC is a model; the exit has acknowledged the interrupt. */
bool vmx_fast_interrupt(struct vcpu *vcpu)
{
    bool by_itself = vmx_delivers(vcpu);
    if (!(field_read(VMCS_EXIT_INTERRUPTION) & INTERRUPTION_VALID) ||
        (field_read(VMCS_IDT_VECTORING) & INTERRUPTION_VALID) ||
        (!by_itself && (!(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) ||
                        (field_read(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_SHADOW))))
        return false;
    int vector = fast_apic_timer(vcpu, by_itself);
    if (vector < 0)
        return false;
    apic_end_interrupt();
    if (by_itself)
        request((uint32_t)vector);
    else
        vmcs_write(VMCS_ENTRY_INTERRUPTION, (uint32_t)vector | INTERRUPTION_EXTERNAL << 8 | INTERRUPTION_VALID);
    return true;
}

bool vmx_fast_memory(struct vcpu *vcpu)
{
    uint32_t q = (uint32_t)field_read(VMCS_EXIT_QUALIFICATION) & EPT_ACCESS_MASK;
    if ((q != EPT_READ && q != EPT_WRITE) || (field_read(VMCS_IDT_VECTORING) & INTERRUPTION_VALID) ||
        !(field_read(VMCS_GUEST_CS_RIGHTS) & RIGHTS_LONG) || !(field_read(VMCS_GUEST_EFER) & EFER_LMA))
        return false;
    uint64_t rip = field_read(VMCS_GUEST_RIP);
    if (!is_plain(rip))
        return false;
    struct fast_access access = {
        .rip = rip,
        .cr3 = field_read(VMCS_GUEST_CR3),
        .cr4 = field_read(VMCS_GUEST_CR4),
        .address = field_read(VMCS_GUEST_PHYSICAL_ADDRESS),
        .write = q == EPT_WRITE,
    };
    uint8_t length = fast_memory(vcpu, &access);
    if (length == 0)
        return false;
    vmcs_write(VMCS_GUEST_RIP, rip + length);
    return true;
}
