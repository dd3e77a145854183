/* What is done about each kind of exit, on a partition that was started as it is in the box, with its whole virtual PC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/exit_handle.h"

#include <string.h>

#include "core/acpi_tables.h"
#include "core/hypercall.h"
#include "core/lifecycle.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define MEMORY (16 * KIB)
#define CODE   0x2000u

enum { IMAGE_SIZE = 16 };

static struct partition *p;
static struct vcpu *vcpu;
static struct fake_vcpu *fake;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, 0x3000);
    fake_guest_module("demo", IMAGE_SIZE);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_cpu_setup();
    p = fake_backend_setup(2);
    assert_int_equal(lifecycle_ask(p, GOAL_START), LIFECYCLE_ACCEPTED);
    assert_false(lifecycle_obey(&p->vcpus[1], &fake_backend_table));
    assert_true(lifecycle_obey(&p->vcpus[0], &fake_backend_table));
    p->vcpus[1].state = VCPU_RUNNING;
    vcpu = &p->vcpus[0];
    fake = fake_vcpu_of(vcpu);
    fake->view = (struct vcpu_state_view){.rip = CODE, .cr0 = 1, .cs_default32 = true, .rflags = 2};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

static void handle(struct exit exit) { exit_handle(vcpu, &fake_backend_table, &exit); }

/* The guest goes on after the instruction: no fault, no end. */
static void expect_advance(uint8_t length)
{
    assert_int_equal(fake->advances, 1);
    assert_int_equal(fake->advanced_by, length);
    assert_int_equal(fake->exceptions, 0);
    assert_true(lifecycle_settled(p));
    fake->advances = 0;
}

static void expect_fault(uint8_t vector)
{
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->exceptions, 1);
    assert_int_equal(fake->vector, vector);
    assert_int_equal(fake->error_code, 0);
    assert_true(lifecycle_settled(p));
    fake->exceptions = 0;
}

static void expect_end(const char *reason)
{
    assert_int_equal(lifecycle_goal(p), GOAL_STOP);
    assert_string_equal(p->reason, reason);
    assert_int_equal(fake->exceptions, 0);
    p->goal = 0;
    p->reason[0] = '\0';
}

static void put_code(const uint8_t *bytes, size_t size) { assert_true(partition_write(p, gpa(CODE), bytes, size)); }

/* ---- the small ones ---- */

static void kicks_and_windows_change_nothing(void **state)
{
    (void)state;
    static const enum exit_kind kinds[] = {EXIT_KICK, EXIT_TIMER, EXIT_NMI_WINDOW};
    for (size_t i = 0; i < array_size(kinds); i++)
        handle((struct exit){.kind = kinds[i], .length = 3});
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->exceptions, 0);
    assert_int_equal(vcpu->state, VCPU_RUNNING);
    assert_true(lifecycle_settled(p));
}

static void cache_instructions_are_skipped(void **state)
{
    (void)state;
    handle((struct exit){.kind = EXIT_CACHE, .length = 2});
    expect_advance(2);
}

static void refused_instructions_fault(void **state)
{
    (void)state;
    handle((struct exit){.kind = EXIT_INSTRUCTION, .length = 3, .vector = 6});
    expect_fault(6);
    handle((struct exit){.kind = EXIT_INSTRUCTION, .length = 3, .vector = 13});
    expect_fault(13);
}

static void hypercalls_answer(void **state)
{
    (void)state;
    static const struct {
        uint64_t number, answer;
    } cases[] = {
        {HYPERCALL_NOTHING, 0},
        {HYPERCALL_STARTS, 1},
        {HYPERCALL_HEARTBEAT + 1, (uint64_t)HYPERCALL_UNKNOWN},
        {UINT64_MAX, (uint64_t)HYPERCALL_UNKNOWN},
        {1ull << 32, (uint64_t)HYPERCALL_UNKNOWN},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        vcpu->gpr[GPR_RAX] = cases[i].number;
        vcpu->gpr[GPR_RBX] = 0x1234;
        handle((struct exit){.kind = EXIT_HYPERCALL, .length = 3});
        assert_true(vcpu->gpr[GPR_RAX] == cases[i].answer);
        assert_int_equal(vcpu->gpr[GPR_RBX], 0x1234);
        expect_advance(3);
    }
}

static void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    switch (leaf) {
    case 0:
        *out = (struct cpuid_regs){.eax = 0x16, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69};
        return;
    case 1:
        *out = (struct cpuid_regs){.ecx = 1u << 26 | 1u << 5, .edx = 1u << 0};
        return;
    case 0xd:
        if (subleaf == 0)
            *out = (struct cpuid_regs){.eax = 0x207, .ebx = 0x340, .ecx = 0xa88};
        else if (subleaf == 2)
            *out = (struct cpuid_regs){.eax = 0x100, .ebx = 0x240};
        return;
    default:
        return;
    }
}

static void cpuid_answers_for_this_vcpu(void **state)
{
    (void)state;
    fake_cpu.cpuid = host_cpuid;
    fake->view.cr4 = 1u << 18;
    for (size_t i = 0; i < GPRS; i++)
        vcpu->gpr[i] = 0xaaaaaaaa00000000 | i;
    vcpu->gpr[GPR_RAX] = 0xffffffff00000001; /* only EAX counts */
    handle((struct exit){.kind = EXIT_CPUID, .length = 2});
    assert_true(vcpu->gpr[GPR_RBX] <= UINT32_MAX);
    assert_int_equal(vcpu->gpr[GPR_RBX] >> 24, vcpu->apic_id);
    assert_true(vcpu->gpr[GPR_RCX] & 1u << 27); /* OSXSAVE: the guest's CR4 */
    assert_true(vcpu->gpr[GPR_RCX] & 1u << 31); /* hypervisor */
    assert_false(vcpu->gpr[GPR_RCX] & 1u << 5); /* VMX is not for guests */
    assert_true(vcpu->gpr[GPR_RSI] == (0xaaaaaaaa00000000 | GPR_RSI));
    expect_advance(2);

    vcpu = &p->vcpus[1];
    fake = fake_vcpu_of(vcpu);
    vcpu->gpr[GPR_RAX] = 1;
    handle((struct exit){.kind = EXIT_CPUID, .length = 2});
    assert_int_equal(vcpu->gpr[GPR_RBX] >> 24, vcpu->apic_id);
    assert_false(vcpu->gpr[GPR_RCX] & 1u << 27);
    expect_advance(2);
}

static void xsetbv_takes_what_cpuid_shows(void **state)
{
    (void)state;
    fake_cpu.cpuid = host_cpuid;
    vcpu->gpr[GPR_RCX] = 0;
    handle((struct exit){.kind = EXIT_XSETBV, .length = 3, .value = 7});
    assert_int_equal(vcpu->xcr0, 7);
    assert_int_equal(fake_cpu.xcr0, 7);
    expect_advance(3);

    static const uint64_t refused[] = {1u << 3 | 3, 1u << 17 | 1, 1ull << 63 | 1, UINT64_MAX};
    for (size_t i = 0; i < array_size(refused); i++) {
        handle((struct exit){.kind = EXIT_XSETBV, .length = 3, .value = refused[i]});
        assert_int_equal(vcpu->xcr0, 7);
        assert_int_equal(fake_cpu.xcr0, 7);
        expect_fault(13);
    }
    vcpu->gpr[GPR_RCX] = 1; /* there is XCR0 alone */
    handle((struct exit){.kind = EXIT_XSETBV, .length = 3, .value = 3});
    expect_fault(13);
    vcpu->gpr[GPR_RCX] = 1ull << 32; /* ECX is 0 */
    fake_cpu.xcr0_refused = true;
    handle((struct exit){.kind = EXIT_XSETBV, .length = 3, .value = 6});
    assert_int_equal(vcpu->xcr0, 7);
    expect_fault(13);
    fake_cpu.xcr0_refused = false;
    handle((struct exit){.kind = EXIT_XSETBV, .length = 3, .value = 3});
    assert_int_equal(vcpu->xcr0, 3);
    expect_advance(3);
}

/* ---- ends ---- */

static void triple_fault_ends(void **state)
{
    (void)state;
    fake->view = (struct vcpu_state_view){.rip = 0xabc, .cr0 = 0x11, .cr3 = 0x3000, .cr4 = 0x20};
    handle((struct exit){.kind = EXIT_TRIPLE_FAULT});
    expect_end("vCPU 0: triple fault at rip abc (cr0 11, cr3 3000, cr4 20)");
}

static void a_task_switch_ends(void **state)
{
    (void)state;
    fake->view = (struct vcpu_state_view){.rip = 0x7c00};
    handle((struct exit){.kind = EXIT_TASK_SWITCH, .address = 0x28});
    assert_int_equal(fake->dumps, 0);
    expect_end("vCPU 0: switches tasks by hardware, to TSS selector 28, which is not supported (rip 7c00)");
}

static void unknown_exit_ends_with_a_dump(void **state)
{
    (void)state;
    handle((struct exit){.kind = EXIT_UNKNOWN, .raw_reason = 0x41, .raw_detail = 0x99});
    assert_int_equal(fake->dumps, 1);
    expect_end("vCPU 0: an exit that nothing asked for (fake reason 41, detail 99)");
}

static void failed_entry_ends_with_a_dump(void **state)
{
    (void)state;
    handle((struct exit){.kind = EXIT_ENTRY_FAILED, .raw_reason = 0x80000021, .raw_detail = 4});
    assert_int_equal(fake->dumps, 1);
    expect_end("vCPU 0: the CPU refused to enter the guest (fake reason 80000021, detail 4)");
}

static void exceptions_end(void **state)
{
    (void)state;
    vcpu = &p->vcpus[1];
    fake = fake_vcpu_of(vcpu);
    handle((struct exit){.kind = EXIT_EXCEPTION, .vector = 18});
    expect_end("vCPU 1: machine check, the CPU's context is lost (bank 0 status 0 address 0, global 0)");
    handle((struct exit){.kind = EXIT_EXCEPTION, .vector = VECTOR_DB});
    expect_end("vCPU 1: exception (vector 1)");
}

/* ---- ports ---- */

static uint64_t in(uint16_t port, uint8_t size)
{
    vcpu->gpr[GPR_RAX] = 0x1122334455667788;
    handle((struct exit){.kind = EXIT_PORT, .length = 1, .size = size, .address = port});
    expect_advance(1);
    return vcpu->gpr[GPR_RAX];
}

static void out(uint16_t port, uint8_t size, uint64_t rax)
{
    vcpu->gpr[GPR_RAX] = rax;
    handle((struct exit){.kind = EXIT_PORT, .length = 2, .size = size, .write = true, .address = port, .value = rax});
    assert_true(vcpu->gpr[GPR_RAX] == rax);
}

static void port_of_nobody_reads_all_ones(void **state)
{
    (void)state;
    assert_true(in(0x1234, 1) == 0x11223344556677ff);
    assert_true(in(0x1234, 2) == 0x112233445566ffff);
    assert_true(in(0x1234, 4) == 0xffffffff); /* a 32-bit result clears the upper half */
    out(0x1234, 4, 0x55);
    expect_advance(2);
}

static void port_of_a_model_answers(void **state)
{
    (void)state;
    char text[3];
    uint64_t at = 0, lost;
    assert_true(in(GUEST_UART_PORT + 5, 1) == 0x1122334455667760); /* the transmitter is empty */
    out(GUEST_UART_PORT, 1, 0xffffff00 | 'H');
    expect_advance(2);
    out(GUEST_UART_PORT, 1, 'i');
    expect_advance(2);
    assert_int_equal(ring_read(p->output, &at, text, sizeof text, &lost), 2);
    assert_memory_equal(text, "Hi", 2);
}

static void port_strings_go_through_memory(void **state)
{
    (void)state;
    static const uint8_t rep_outsb[] = {0xf3, 0x6e};
    char text[3];
    uint64_t at = 0, lost;
    put_code(rep_outsb, sizeof rep_outsb);
    assert_true(partition_write(p, gpa(0x2800), "Hi", 2));
    vcpu->gpr[GPR_RSI] = 0x2800;
    vcpu->gpr[GPR_RCX] = 2;
    vcpu->gpr[GPR_RDX] = GUEST_UART_PORT;
    handle((struct exit){
        .kind = EXIT_PORT, .size = 1, .string = true, .repeat = true, .write = true, .address = GUEST_UART_PORT});
    expect_advance(sizeof rep_outsb);
    assert_int_equal(vcpu->gpr[GPR_RCX], 0);
    assert_int_equal(vcpu->gpr[GPR_RSI], 0x2802);
    assert_int_equal(ring_read(p->output, &at, text, sizeof text, &lost), 2);
    assert_memory_equal(text, "Hi", 2);
}

static void port_string_without_its_instruction_ends(void **state)
{
    (void)state;
    static const uint8_t nops[] = {0x90, 0x90, 0x90};
    put_code(nops, sizeof nops);
    handle((struct exit){.kind = EXIT_PORT, .size = 2, .string = true, .address = 0x1f0});
    assert_int_equal(lifecycle_goal(p), GOAL_STOP);
    assert_non_null(strstr(p->reason, "vCPU 0: read of port 1f0 by a string instruction"));
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->exceptions, 0);
}

static void string_exit(bool write, uint16_t port)
{
    vcpu->gpr[GPR_RDX] = port;
    handle(
        (struct exit){.kind = EXIT_PORT, .size = 1, .string = true, .repeat = true, .write = write, .address = port});
}

static void port_strings_fill_memory(void **state)
{
    (void)state;
    static const uint8_t rep_insb[] = {0xf3, 0x6c}, all_ones[] = {0xff, 0xff, 0xff, 0};
    uint8_t found[4];
    put_code(rep_insb, sizeof rep_insb);
    vcpu->gpr[GPR_RDI] = 0x2800;
    vcpu->gpr[GPR_RCX] = 3;
    string_exit(false, 0x1234); /* nobody's */
    expect_advance(sizeof rep_insb);
    assert_int_equal(vcpu->gpr[GPR_RDI], 0x2803);
    assert_true(partition_read(p, gpa(0x2800), found, sizeof found));
    assert_memory_equal(found, all_ones, sizeof found);
    put_code(rep_insb, sizeof rep_insb);
    vcpu->gpr[GPR_RDI] = 0x2800;
    vcpu->gpr[GPR_RCX] = 1;
    string_exit(false, GUEST_UART_PORT + 5); /* a model's: the transmitter is empty */
    expect_advance(sizeof rep_insb);
    assert_true(partition_read(p, gpa(0x2800), found, 1));
    assert_int_equal(found[0], 0x60);
}

/* A long one lets the vCPU look at its requests now and then, and goes on where it was. */
static void long_port_string_comes_again(void **state)
{
    (void)state;
    static const uint8_t rep_outsb[] = {0xf3, 0x6e};
    put_code(rep_outsb, sizeof rep_outsb);
    vcpu->gpr[GPR_RSI] = 0;
    vcpu->gpr[GPR_RCX] = 2000;
    for (unsigned i = 0; fake->advances == 0; i++) {
        assert_in_range(i, 0, 1000);
        uint64_t left = vcpu->gpr[GPR_RCX];
        string_exit(true, GUEST_UART_PORT);
        assert_true(vcpu->gpr[GPR_RCX] < left);
        assert_int_equal(vcpu->gpr[GPR_RSI], 2000 - vcpu->gpr[GPR_RCX]);
        assert_true(i > 0 || fake->advances == 0);
    }
    expect_advance(sizeof rep_outsb);
    assert_int_equal(vcpu->gpr[GPR_RCX], 0);
    assert_int_equal(ring_end(p->output), 2000);
}

static void port_string_faults_go_to_the_guest(void **state)
{
    (void)state;
    fake->view.cr0 = 0x80000001;
    fake->view.cr3 = 0x3000; /* zero: nothing is present */
    string_exit(true, GUEST_UART_PORT);
    assert_int_equal(fake->cr2_sets, 1);
    assert_int_equal(fake->cr2, CODE);
    expect_fault(14);
}

/* In 64-bit mode an address that is not canonical is #GP, and CR2 stays. One page of 1 GiB maps all. */
static void port_string_to_no_address_is_a_gp(void **state)
{
    (void)state;
    static const uint8_t outsb[] = {0x6e};
    static const uint64_t root = 0x3007, page = 0x87;
    assert_true(partition_write(p, gpa(0x1000), &root, sizeof root) &&
                partition_write(p, gpa(0x3000), &page, sizeof page));
    put_code(outsb, sizeof outsb);
    fake->view.cr0 = 0x80000001;
    fake->view.cr3 = 0x1000;
    fake->view.cr4 = 0x20;
    fake->view.efer = 0x500;
    fake->view.cs_long = true;
    vcpu->gpr[GPR_RSI] = (uint64_t)1 << 60;
    string_exit(true, GUEST_UART_PORT);
    assert_int_equal(fake->cr2_sets, 0);
    expect_fault(13);
}

static void port_resets_and_powers_off(void **state)
{
    (void)state;
    out(GUEST_RESET_PORT, 1, GUEST_RESET_VALUE);
    assert_int_equal(lifecycle_goal(p), GOAL_RESTART);
    p->goal = 0;
    out(GUEST_SLEEP_CONTROL_PORT, 1, GUEST_SLEEP_S5);
    expect_end("powered off by the guest");
}

/* ---- MSRs ---- */

static void read_msr(uint32_t number)
{
    vcpu->gpr[GPR_RAX] = vcpu->gpr[GPR_RDX] = UINT64_MAX;
    handle((struct exit){.kind = EXIT_MSR_READ, .length = 2, .address = number});
}

static void expect_msr(uint32_t number, uint64_t value)
{
    read_msr(number);
    assert_true(vcpu->gpr[GPR_RAX] == (uint32_t)value);
    assert_true(vcpu->gpr[GPR_RDX] == value >> 32);
    expect_advance(2);
}

static void expect_msr_unreadable(uint32_t number)
{
    read_msr(number);
    assert_true(vcpu->gpr[GPR_RAX] == UINT64_MAX && vcpu->gpr[GPR_RDX] == UINT64_MAX);
    expect_fault(13);
}

static void write_msr(uint32_t number, uint64_t value)
{
    handle((struct exit){.kind = EXIT_MSR_WRITE, .length = 2, .address = number, .value = value});
}

static void expect_msr_unwritable(uint32_t number, uint64_t value)
{
    write_msr(number, value);
    expect_fault(13);
}

static void msr_default_is_refusal(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0x0, 0xce, 0x19b, 0x480, 0x12345, 0xc0010117, 0xffffffff};
    for (size_t i = 0; i < array_size(numbers); i++) {
        expect_msr_unreadable(numbers[i]);
        expect_msr_unwritable(numbers[i], 0);
    }
}

static void msr_constants(void **state)
{
    (void)state;
    expect_msr(0x8b, 0);
    write_msr(0x8b, 0x1234);
    expect_advance(2);
    expect_msr(0x8b, 0);
    expect_msr(0x3a, 1);
    expect_msr_unwritable(0x3a, 5);
}

/* What a backend cannot hand out is read for the guest, never written. */
static void msr_direct(void **state)
{
    (void)state;
    fake_cpu.msrs[0] = (struct fake_msr){.number = 0x10, .value = 0x123456789abcdef0};
    fake_cpu.msr_count = 1;
    expect_msr(0x10, 0x123456789abcdef0);
    expect_msr_unwritable(0x10, 0);
    assert_true(fake_cpu.msrs[0].value == 0x123456789abcdef0);
    expect_msr_unreadable(0x277); /* this CPU has none */
}

static void msr_apic_base_stays(void **state)
{
    (void)state;
    expect_msr(0x1b, 0xfee00d00);
    write_msr(0x1b, 0xfee00d00);
    expect_advance(2);
    expect_msr_unwritable(0x1b, 0xfee00900); /* out of x2APIC mode */
    expect_msr_unwritable(0x1b, 0xfee00500); /* off */
    expect_msr_unwritable(0x1b, 0xfed00d00);
    vcpu = &p->vcpus[1];
    fake = fake_vcpu_of(vcpu);
    expect_msr(0x1b, 0xfee00c00); /* not the boot processor */
    expect_msr_unwritable(0x1b, 0xfee00d00);
}

static void msr_icr_sends_inside_the_partition(void **state)
{
    (void)state;
    write_msr(0x830, 2ull << 32 | 0x45);
    expect_advance(2);
    assert_int_equal(fake_cpu.vectors_sent, 1);
    assert_int_equal(fake_cpu.last_vector_cpu, 2);
    assert_int_equal(fake_cpu.last_vector, 0x45);
    write_msr(0x830, 2ull << 32 | 0x400);
    expect_advance(2);
    assert_int_equal(p->vcpus[1].requests, VCPU_REQUEST_NMI);
    write_msr(0x830, 1ull << 32 | 0x45); /* somebody else's CPU, or nobody's */
    expect_advance(2);
    assert_int_equal(fake_cpu.vectors_sent, 1);
    expect_msr_unwritable(0x830, 2ull << 32 | 0x200); /* SMI */
    expect_msr_unwritable(0x830, 2ull << 32 | 0x700); /* ExtINT */
    expect_msr_unwritable(0x830, 2ull << 32 | 0x0f);  /* an illegal vector */
    assert_int_equal(fake_cpu.vectors_sent, 1);
}

static void msr_kvm_clock(void **state)
{
    (void)state;
    static const uint32_t time_msrs[] = {0x12, 0x4b564d01};
    static const uint32_t wall_msrs[] = {0x11, 0x4b564d00};
    for (size_t i = 0; i < 2; i++) {
        uint32_t version = 0;
        uint64_t place = 0x2000 + 0x100 * i;
        write_msr(time_msrs[i], place | 1);
        expect_advance(2);
        fake_guest_read(place, &version, sizeof version);
        assert_int_equal(version, 2);
        expect_msr(time_msrs[i], place | 1);
        expect_msr_unwritable(time_msrs[i], MEMORY | 1);
        expect_msr(time_msrs[i], place | 1);

        write_msr(wall_msrs[i], place + 0x40);
        expect_advance(2);
        fake_guest_read(place + 0x40, &version, sizeof version);
        assert_int_equal(version, 2);
        expect_msr(wall_msrs[i], 0);
        expect_msr_unwritable(wall_msrs[i], MEMORY);
    }
}

/* ---- memory ---- */

enum { IOAPIC_SELECT = 0x00, IOAPIC_WINDOW = 0x10 };

static void handle_memory(uint64_t address, bool write)
{
    handle((struct exit){.kind = EXIT_MEMORY, .address = address, .write = write});
}

/* MOV DWORD PTR [address], value */
static void write_ioapic(uint32_t offset, uint32_t value)
{
    uint32_t address = GUEST_IOAPIC_BASE + offset;
    uint8_t code[10] = {0xc7, 0x05};
    memcpy(code + 2, &address, 4);
    memcpy(code + 6, &value, 4);
    put_code(code, sizeof code);
    handle_memory(address, true);
    expect_advance(sizeof code);
}

static void set_ioapic(uint32_t index, uint32_t value)
{
    write_ioapic(IOAPIC_SELECT, index);
    write_ioapic(IOAPIC_WINDOW, value);
}

static void memory_of_a_model_answers(void **state)
{
    (void)state;
    static const uint8_t read_window[] = {0xa1, 0x10, 0x00, 0xc0, 0xfe}; /* MOV EAX, [FEC00010h] */
    write_ioapic(IOAPIC_SELECT, 1);
    fake->view.rflags = 0x246;
    put_code(read_window, sizeof read_window);
    vcpu->gpr[GPR_RAX] = UINT64_MAX;
    handle_memory(GUEST_IOAPIC_BASE + IOAPIC_WINDOW, false);
    assert_int_equal(vcpu->gpr[GPR_RAX], 0x170020);
    assert_int_equal(fake->write_backs, 2);
    assert_int_equal(fake->rflags, 0x246);
    expect_advance(sizeof read_window);
}

/* The whole way of a device's interrupt: UART, I/O APIC pin 4, a vector for vCPU 1's CPU. */
static void device_interrupt_reaches_a_cpu(void **state)
{
    (void)state;
    set_ioapic(0x10 + 2 * GUEST_UART_IRQ + 1, 2u << 24);
    set_ioapic(0x10 + 2 * GUEST_UART_IRQ, 0x61);
    assert_int_equal(fake_cpu.vectors_sent, 0);
    out(GUEST_UART_PORT + 4, 1, 0x0b); /* MCR: OUT2 lets the line through */
    out(GUEST_UART_PORT + 1, 1, 2);    /* IER: transmitter empty */
    assert_int_equal(fake_cpu.vectors_sent, 1);
    assert_int_equal(fake_cpu.last_vector_cpu, 2);
    assert_int_equal(fake_cpu.last_vector, 0x61);
}

static void memory_that_is_nobodys_ends(void **state)
{
    (void)state;
    handle_memory(0xfe000000, true);
    expect_end("vCPU 0: writes to guest-physical fe000000, which is not the partition's (rip 2000)");
    handle_memory(0xfee00020, false);
    expect_end("vCPU 0: reads from guest-physical fee00020, which is not the partition's (rip 2000)");
    handle((struct exit){.kind = EXIT_MEMORY, .address = GUEST_IOAPIC_BASE, .fetch = true});
    expect_end("vCPU 0: executes at guest-physical fec00000, which is not the partition's (rip 2000)");
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->write_backs, 0);
}

static void instruction_that_is_not_known_ends(void **state)
{
    (void)state;
    static const uint8_t fld[] = {0xd9, 0x05, 0x00, 0x00, 0xc0, 0xfe};
    put_code(fld, sizeof fld);
    handle_memory(GUEST_IOAPIC_BASE, false);
    assert_int_equal(lifecycle_goal(p), GOAL_STOP);
    assert_non_null(strstr(p->reason, "vCPU 0: access to guest-physical fec00000 at rip 2000 "));
    assert_non_null(strstr(p->reason, ": d9 05 00 00 c0 fe"));
    assert_int_equal(fake->advances, 0);
}

/* The guest's page tables have changed under it: it gets the fault that the CPU would have raised. */
static void page_fault_goes_to_the_guest(void **state)
{
    (void)state;
    fake->view.cr0 = 0x80000001;
    fake->view.cr3 = 0x3000; /* zero: nothing is present */
    handle_memory(GUEST_IOAPIC_BASE, true);
    assert_int_equal(fake->cr2_sets, 1);
    assert_int_equal(fake->cr2, CODE);
    expect_fault(14);
}

/* A string instruction has two operands: what is refused is the one that is nobody's, wherever the exit was. */
static void the_other_operand_may_be_refused(void **state)
{
    (void)state;
    static const uint8_t movsd[] = {0xa5};
    put_code(movsd, sizeof movsd);
    vcpu->gpr[GPR_RSI] = GUEST_IOAPIC_BASE;
    vcpu->gpr[GPR_RDI] = 0xfe000000;
    handle_memory(GUEST_IOAPIC_BASE, false);
    expect_end("vCPU 0: writes to guest-physical fe000000, which is not the partition's (rip 2000)");
    assert_int_equal(fake->advances, 0);
}

/* A long string instruction lets the vCPU look at its requests now and then. */
static void long_string_instruction_comes_again(void **state)
{
    (void)state;
    static const uint8_t rep_stosd[] = {0xf3, 0xab};
    put_code(rep_stosd, sizeof rep_stosd);
    vcpu->gpr[GPR_RCX] = 100;
    vcpu->gpr[GPR_RDI] = GUEST_IOAPIC_BASE;
    handle_memory(GUEST_IOAPIC_BASE, true);
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->write_backs, 1);
    assert_in_range(vcpu->gpr[GPR_RCX], 1, 99);
    uint64_t left = vcpu->gpr[GPR_RCX];
    assert_int_equal(vcpu->gpr[GPR_RDI], GUEST_IOAPIC_BASE + 4 * (100 - left));
    handle_memory(vcpu->gpr[GPR_RDI], true);
    assert_int_equal(vcpu->gpr[GPR_RCX], 0);
    expect_advance(sizeof rep_stosd);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXIT_KINDS; i++) {
        const char *name = exit_kind_name((enum exit_kind)i);
        assert_true(strlen(name) > 2);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name, exit_kind_name((enum exit_kind)j));
    }
    assert_string_equal(exit_kind_name(EXIT_KINDS), "?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kicks_and_windows_change_nothing),
        TEST(cache_instructions_are_skipped),
        TEST(refused_instructions_fault),
        TEST(hypercalls_answer),
        TEST(cpuid_answers_for_this_vcpu),
        TEST(xsetbv_takes_what_cpuid_shows),
        TEST(triple_fault_ends),
        TEST(a_task_switch_ends),
        TEST(unknown_exit_ends_with_a_dump),
        TEST(failed_entry_ends_with_a_dump),
        TEST(exceptions_end),
        TEST(port_of_nobody_reads_all_ones),
        TEST(port_of_a_model_answers),
        TEST(port_strings_go_through_memory),
        TEST(port_string_without_its_instruction_ends),
        TEST(port_strings_fill_memory),
        TEST(long_port_string_comes_again),
        TEST(port_string_faults_go_to_the_guest),
        TEST(port_string_to_no_address_is_a_gp),
        TEST(port_resets_and_powers_off),
        TEST(msr_default_is_refusal),
        TEST(msr_constants),
        TEST(msr_direct),
        TEST(msr_apic_base_stays),
        TEST(msr_icr_sends_inside_the_partition),
        TEST(msr_kvm_clock),
        TEST(memory_of_a_model_answers),
        TEST(device_interrupt_reaches_a_cpu),
        TEST(memory_that_is_nobodys_ends),
        TEST(instruction_that_is_not_known_ends),
        TEST(page_fault_goes_to_the_guest),
        TEST(the_other_operand_may_be_refused),
        TEST(long_string_instruction_comes_again),
        TEST(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
