/*
 * Exits that an instruction caused: those that are carried out for the guest or only stepped over, and those that it
 * may not have. APM vol. 2, "Instruction Intercepts", "IOIO Intercepts", "MSR Intercepts".
 */
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/svm/length.h"
#include "arch/x86_64/svm/svm.h"
#include "core/partition.h"

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    return partition_read(context, from, to, size);
}
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    return partition_write(context, to, from, size);
}

static bool unknown(const struct vcpu *vcpu, struct exit *exit)
{
    exit->kind = EXIT_UNKNOWN;
    exit->raw_detail = svm_vmcb(vcpu)->control.exit_info1;
    return true;
}

static bool length_between(uint64_t rip, uint64_t next, uint8_t *length)
{
    /* Both are EIPs outside 64-bit mode, and the instruction may be the last before 4 GiB. */
    uint32_t distance = (uint32_t)next - (uint32_t)rip;
    *length = (uint8_t)distance;
    return distance >= 1 && distance <= DECODE_MAX_LENGTH;
}

/* Finds the instruction itself: its length, and which general register a MOV names. */
static bool length_find(struct vcpu *vcpu, enum svm_instruction instruction, struct exit *exit)
{
    struct vcpu_state_view view;
    struct svm_length length;
    struct guest_memory memory = {.read = ram_read,
                                  .write = ram_write,
                                  .context = vcpu->partition,
                                  .physical_bits = vcpu->partition->machine->caps.physical_bits};
    svm_vcpu_view(vcpu, &view);
    if (!svm_length_find(instruction, &view, &memory, &length))
        return false;
    exit->length = length.bytes;
    exit->gpr = length.gpr;
    return true;
}

/* An exit after which the guest goes on behind its instruction. Where that is not found, the exit is an unknown one. */
static bool stepping_over(struct vcpu *vcpu, struct exit *exit, enum exit_kind kind, enum svm_instruction instruction)
{
    const struct vmcb *v = svm_vmcb(vcpu);
    bool told = (svm_capability.features & SVM_FEATURE_NEXT_RIP) &&
                length_between(v->save.rip, v->control.next_rip, &exit->length);
    exit->kind = kind;
    return told || length_find(vcpu, instruction, exit) || unknown(vcpu, exit);
}

/* MOV from and to CR8. Which register it names is always looked up: only few CPUs tell. */
static bool task_priority_decode(struct vcpu *vcpu, struct exit *exit, bool write)
{
    exit->kind = EXIT_CONTROL_REGISTER;
    exit->address = 8;
    exit->write = write;
    return length_find(vcpu, write ? SVM_MOV_TO_CR : SVM_MOV_FROM_CR, exit) || unknown(vcpu, exit);
}

static bool refused_instruction(struct exit *exit, uint8_t vector)
{
    exit->kind = EXIT_INSTRUCTION;
    exit->vector = vector;
    return true;
}

/* Some CPUs and emulators look for the intercept first and for the privilege level after it: core/ counts on both. */
static bool privileged(const struct vcpu *vcpu, struct exit *exit)
{
    if (svm_vmcb(vcpu)->save.cpl == 0)
        return true;
    refused_instruction(exit, VECTOR_GP);
    return false;
}

static bool port_decode(struct vcpu *vcpu, struct exit *exit)
{
    const struct vmcb *v = svm_vmcb(vcpu);
    uint64_t info = v->control.exit_info1;
    exit->kind = EXIT_PORT;
    exit->size = (uint8_t)SVM_IOIO_SIZE(info);
    exit->write = !(info & SVM_IOIO_IN);
    exit->string = info & SVM_IOIO_STRING;
    exit->repeat = info & SVM_IOIO_REPEAT;
    exit->address = SVM_IOIO_PORT(info);
    exit->value = vcpu->gpr[GPR_RAX];
    bool sized = exit->size == 1 || exit->size == 2 || exit->size == 4;
    return (sized && length_between(v->save.rip, v->control.exit_info2, &exit->length)) || unknown(vcpu, exit);
}

/*
 * CPUID tells the size of the state that XCR0 enables. The guest's XCR0 is in the CPU, and there it is looked up: QEMU
 * up to 7.2 lets a guest write it without the exit that was asked for.
 */
static bool cpuid_decode(struct vcpu *vcpu, struct exit *exit)
{
    if (cr4_read() & CR4_OSXSAVE)
        vcpu->xcr0 = xcr0_read();
    return stepping_over(vcpu, exit, EXIT_CPUID, SVM_CPUID);
}

static uint64_t edx_eax(const struct vcpu *vcpu) { return vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX]; }

static bool efer_handle(struct vcpu *vcpu, struct exit *exit)
{
    bool write = exit->kind == EXIT_MSR_WRITE;
    vcpu->stats.exits[exit->kind]++;
    if (write && !svm_efer_write(vcpu, exit->value)) {
        svm_inject_exception(vcpu, VECTOR_GP, 0);
        return false;
    }
    if (!write) {
        uint64_t value = svm_efer_read(vcpu);
        vcpu->gpr[GPR_RAX] = (uint32_t)value;
        vcpu->gpr[GPR_RDX] = value >> 32;
    }
    svm_backend_advance(vcpu, exit);
    return false;
}

static bool msr_decode(struct vcpu *vcpu, struct exit *exit)
{
    bool write = svm_vmcb(vcpu)->control.exit_info1 & 1;
    if (!privileged(vcpu, exit))
        return true;
    exit->address = (uint32_t)vcpu->gpr[GPR_RCX];
    exit->value = write ? edx_eax(vcpu) : 0;
    (void)stepping_over(vcpu, exit, write ? EXIT_MSR_WRITE : EXIT_MSR_READ, write ? SVM_WRMSR : SVM_RDMSR);
    if (exit->kind != EXIT_UNKNOWN && exit->address == MSR_IA32_EFER)
        return efer_handle(vcpu, exit);
    return true;
}

bool svm_instruction_decode(struct vcpu *vcpu, struct exit *exit, uint64_t code)
{
    switch (code) {
    case SVM_EXIT_CPUID:
        return cpuid_decode(vcpu, exit);
    case SVM_EXIT_VMMCALL:
        return stepping_over(vcpu, exit, EXIT_HYPERCALL, SVM_VMMCALL);
    case SVM_EXIT_CR8_READ:
    case SVM_EXIT_CR8_WRITE:
        return !privileged(vcpu, exit) || task_priority_decode(vcpu, exit, code == SVM_EXIT_CR8_WRITE);
    case SVM_EXIT_IOIO:
        return port_decode(vcpu, exit);
    case SVM_EXIT_MSR:
        return msr_decode(vcpu, exit);
    case SVM_EXIT_HLT:
        return !privileged(vcpu, exit) || stepping_over(vcpu, exit, EXIT_HALT, SVM_HLT);
    case SVM_EXIT_INVD:
    case SVM_EXIT_WBINVD:
        return !privileged(vcpu, exit) || stepping_over(vcpu, exit, EXIT_CACHE, SVM_CACHE);
    case SVM_EXIT_XSETBV:
        exit->value = edx_eax(vcpu);
        return !privileged(vcpu, exit) || stepping_over(vcpu, exit, EXIT_XSETBV, SVM_XSETBV);
    case SVM_EXIT_RDPMC:
        return refused_instruction(exit, VECTOR_GP);
    case SVM_EXIT_RSM:
    case SVM_EXIT_INVLPGA:
    case SVM_EXIT_VMRUN:
    case SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT:
    case SVM_EXIT_MONITOR ... SVM_EXIT_MWAIT_ARMED:
    case SVM_EXIT_RDPRU:
        return refused_instruction(exit, VECTOR_UD);
    default:
        return unknown(vcpu, exit);
    }
}
