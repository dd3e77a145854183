/*
 * Accesses that nothing answers and machine checks under every policy, and what learning makes of them; on a partition
 * that was started as it is in the box.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/exit_handle.h"

#include <stdio.h>
#include <string.h>

#include "core/hypercall.h"
#include "core/lifecycle.h"
#include "core/log.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_box_end.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define MEMORY (16 * KIB)
#define CODE   0x2000u
#define NOBODY 0xd0000000u /* guest-physical: no RAM, no model */
#define PORT   0x1234u
#define MSR    0x2ffu

static struct partition *p;
static struct vcpu *vcpu;
static struct fake_vcpu *fake;
static uint64_t log_from;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, 0x3000);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_cpu_setup();
    memset(&box_end, 0, sizeof box_end);
    p = fake_backend_setup(2);
    assert_int_equal(lifecycle_ask(p, GOAL_START), LIFECYCLE_ACCEPTED);
    assert_false(lifecycle_obey(&p->vcpus[1], &fake_backend_table));
    assert_true(lifecycle_obey(&p->vcpus[0], &fake_backend_table));
    vcpu = &p->vcpus[0];
    fake = fake_vcpu_of(vcpu);
    fake->view = (struct vcpu_state_view){.rip = CODE, .cr0 = 1, .cs_default32 = true, .rflags = 2};
    log_from = ring_end(log_ring());
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

static void rule(enum fault_class class, enum fault_action action)
{
    fake_guest.config.faults[class] = (struct fault_rule){.action = action};
}

/* How many lines of the log since the case began hold `text`. */
static uint32_t told(const char *text)
{
    struct log_reader reader = {.at = log_from};
    struct slice line;
    uint64_t lost;
    uint32_t count = 0;
    while (log_reader_next(&reader, &line, &lost)) {
        char copy[LOG_LINE_SIZE + 1];
        snprintf(copy, sizeof copy, "%.*s", (int)line.length, line.at);
        count += strstr(copy, text) != NULL;
    }
    return count;
}

static void expect_advance(void)
{
    assert_int_equal(fake->advances, 1);
    assert_int_equal(fake->exceptions, 0);
    assert_true(lifecycle_settled(p));
    fake->advances = 0;
}

static void expect_exception(uint8_t vector)
{
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->exceptions, 1);
    assert_int_equal(fake->vector, vector);
    assert_int_equal(fake->error_code, 0);
    assert_true(lifecycle_settled(p));
    fake->exceptions = 0;
}

static void expect_goal(enum partition_goal goal, const char *reason)
{
    assert_int_equal(fake->advances, 0);
    assert_int_equal(fake->exceptions, 0);
    assert_int_equal(lifecycle_goal(p), goal);
    assert_string_equal(p->reason, reason);
    p->goal = 0;
    p->reason[0] = '\0';
}

static void in(uint16_t port, uint8_t size)
{
    vcpu->gpr[GPR_RAX] = 0x1122334455667788;
    handle((struct exit){.kind = EXIT_PORT, .length = 1, .size = size, .address = port});
}

static void out(uint16_t port)
{
    handle((struct exit){.kind = EXIT_PORT, .length = 1, .size = 1, .write = true, .address = port, .value = 1});
}

static void rdmsr(uint32_t number)
{
    vcpu->gpr[GPR_RAX] = vcpu->gpr[GPR_RDX] = 0x55;
    handle((struct exit){.kind = EXIT_MSR_READ, .length = 2, .address = number});
}

static void wrmsr(uint32_t number)
{
    handle((struct exit){.kind = EXIT_MSR_WRITE, .length = 2, .address = number, .value = 7});
}

/* mov eax, [address] and mov [address], eax with a 32-bit displacement. */
static void access_memory(uint32_t address, bool write)
{
    uint8_t code[6] = {write ? 0x89 : 0x8b,      0x05,
                       (uint8_t)address,         (uint8_t)(address >> 8),
                       (uint8_t)(address >> 16), (uint8_t)(address >> 24)};
    assert_true(partition_write(p, gpa(CODE), code, sizeof code));
    vcpu->gpr[GPR_RAX] = 0x1122334455667788;
    handle((struct exit){.kind = EXIT_MEMORY, .address = address, .write = write});
}

static void fetch(uint32_t address) { handle((struct exit){.kind = EXIT_MEMORY, .address = address, .fetch = true}); }

/* ---- ports ---- */

static void a_port_of_nobody_is_told_once_and_empty(void **state)
{
    (void)state;
    in(PORT, 1);
    assert_true(vcpu->gpr[GPR_RAX] == 0x11223344556677ff);
    expect_advance();
    out(PORT);
    expect_advance();
    assert_int_equal(told("port 1234"), 1);
    assert_int_equal(told("p: let through: vCPU 0: reads from port 1234 (1 bytes), which nothing owns (rip 2000)"), 1);
    in(PORT, 4); /* another access */
    assert_true(vcpu->gpr[GPR_RAX] == 0xffffffff);
    expect_advance();
    assert_int_equal(told("port 1234"), 2);
}

/* A guest that tries every port must not fill the log. */
static void ports_are_not_told_for_ever(void **state)
{
    (void)state;
    for (uint32_t port = 0x2000; port < 0x2100; port++) {
        in((uint16_t)port, 1);
        expect_advance();
    }
    assert_int_equal(told("let through"), 16);
    assert_int_equal(told("p: fault.port: 16 different ones were told, further ones are not"), 1);
}

static void an_allowed_port_is_not_a_fault(void **state)
{
    (void)state;
    rule(FAULT_PORT, FAULT_STOP);
    fake_guest.config.allowed_ports.at[0] = (struct config_range){PORT, PORT + 1};
    fake_guest.config.allowed_ports.count = 1;
    in(PORT, 2);
    assert_true(vcpu->gpr[GPR_RAX] == 0x112233445566ffff);
    expect_advance();
    out(PORT + 1);
    expect_advance();
    assert_int_equal(told("port"), 0);
    in(PORT, 4);
    expect_goal(GOAL_STOP, "vCPU 0: reads from port 1234 (4 bytes), which nothing owns (rip 2000)");
}

static void each_policy_for_ports(void **state)
{
    (void)state;
    rule(FAULT_PORT, FAULT_INJECT);
    in(PORT, 1);
    assert_true(vcpu->gpr[GPR_RAX] == 0x1122334455667788);
    expect_exception(13);
    rule(FAULT_PORT, FAULT_STOP);
    out(PORT);
    expect_goal(GOAL_STOP, "vCPU 0: writes to port 1234 (1 bytes), which nothing owns (rip 2000)");
    rule(FAULT_PORT, FAULT_RESTART);
    out(PORT);
    expect_goal(GOAL_RESTART, "vCPU 0: writes to port 1234 (1 bytes), which nothing owns (rip 2000)");
    assert_int_equal(box_end.calls, 0);
    rule(FAULT_PORT, FAULT_HALT_BOX);
    out(PORT);
    expect_goal(GOAL_STOP, "vCPU 0: writes to port 1234 (1 bytes), which nothing owns (rip 2000)");
    assert_int_equal(box_end.calls, 1);
    assert_false(box_end.reboot);
    assert_int_equal(told("p: its policy fault.port = halt-box stops the box"), 1);
    rule(FAULT_PORT, FAULT_REBOOT_BOX);
    out(PORT);
    expect_goal(GOAL_STOP, "vCPU 0: writes to port 1234 (1 bytes), which nothing owns (rip 2000)");
    assert_int_equal(box_end.calls, 2);
    assert_true(box_end.reboot);
    assert_int_equal(told("let through"), 0);
}

/* A port that a model owns is no matter of policy. */
static void a_model_answers_whatever_the_policy(void **state)
{
    (void)state;
    rule(FAULT_PORT, FAULT_STOP);
    in(0x3fd, 1);
    expect_advance();
    in(0x80, 1); /* known to be empty */
    expect_advance();
}

static void string_instructions_know_the_policy_too(void **state)
{
    (void)state;
    static const uint8_t outsb[] = {0x6e};
    struct exit exit = {.kind = EXIT_PORT, .size = 1, .write = true, .string = true, .address = PORT};
    assert_true(partition_write(p, gpa(CODE), outsb, sizeof outsb));
    vcpu->gpr[GPR_RDX] = PORT;
    vcpu->gpr[GPR_RSI] = 0x100;
    handle(exit);
    expect_advance();
    assert_int_equal(told("let through: vCPU 0: writes to port 1234"), 1);
    rule(FAULT_PORT, FAULT_INJECT);
    handle(exit);
    expect_exception(13);
    assert_int_equal(vcpu->gpr[GPR_RSI], 0x101);
    rule(FAULT_PORT, FAULT_STOP);
    handle(exit);
    expect_goal(GOAL_STOP, "vCPU 0: writes to port 1234 (1 bytes), which nothing owns (rip 2000)");
}

/* ---- MSRs ---- */

static void each_policy_for_msrs(void **state)
{
    (void)state;
    rdmsr(MSR); /* by default */
    expect_exception(13);
    assert_true(vcpu->gpr[GPR_RAX] == 0x55);
    assert_int_equal(told("MSR"), 0);
    rule(FAULT_MSR, FAULT_LOG);
    rdmsr(MSR);
    expect_advance();
    assert_true(vcpu->gpr[GPR_RAX] == 0 && vcpu->gpr[GPR_RDX] == 0);
    wrmsr(MSR);
    expect_advance();
    assert_int_equal(told("p: let through: vCPU 0: reads from MSR 2ff, which is not listed (rip 2000)"), 1);
    assert_int_equal(told("MSR 2ff"), 1);
    rule(FAULT_MSR, FAULT_STOP);
    wrmsr(MSR);
    expect_goal(GOAL_STOP, "vCPU 0: writes to MSR 2ff, which is not listed (rip 2000)");
}

static void an_allowed_msr_reads_zero(void **state)
{
    (void)state;
    fake_guest.config.allowed_msrs.at[0] = (struct config_range){MSR, MSR};
    fake_guest.config.allowed_msrs.count = 1;
    rdmsr(MSR);
    expect_advance();
    assert_true(vcpu->gpr[GPR_RAX] == 0 && vcpu->gpr[GPR_RDX] == 0);
    wrmsr(MSR);
    expect_advance();
    assert_int_equal(told("MSR"), 0);
    rdmsr(MSR + 1);
    expect_exception(13);
}

/* What the table refuses of a register that it lists stays refused: the guest would believe a write that was not done.
 */
static void listed_msrs_are_no_matter_of_policy(void **state)
{
    (void)state;
    rule(FAULT_MSR, FAULT_LOG);
    fake_guest.config.learn = true;
    fake_guest.config.allowed_msrs.at[0] = (struct config_range){0, UINT32_MAX};
    fake_guest.config.allowed_msrs.count = 1;
    wrmsr(0x3a); /* FEATURE_CONTROL, locked */
    expect_exception(13);
    wrmsr(0x1b); /* APIC_BASE: moving it */
    expect_exception(13);
}

/* ---- memory ---- */

static void each_policy_for_memory(void **state)
{
    (void)state;
    access_memory(NOBODY, false); /* by default */
    expect_goal(GOAL_STOP, "vCPU 0: reads from guest-physical d0000000, which is not the partition's (rip 2000)");
    rule(FAULT_MEMORY, FAULT_LOG);
    access_memory(NOBODY, false);
    expect_advance();
    assert_true(vcpu->gpr[GPR_RAX] == 0xffffffff);
    access_memory(NOBODY + 8, true);
    expect_advance();
    assert_int_equal(told("p: let through: vCPU 0: reads from guest-physical d0000000"), 1);
    assert_int_equal(told("let through"), 1); /* once for a page */
    rule(FAULT_MEMORY, FAULT_INJECT);
    access_memory(NOBODY, true);
    expect_exception(13);
    rule(FAULT_MEMORY, FAULT_RESTART);
    access_memory(NOBODY, true);
    expect_goal(GOAL_RESTART, "vCPU 0: writes to guest-physical d0000000, which is not the partition's (rip 2000)");
}

/* All ones are no instruction. */
static void a_fetch_from_nowhere_is_an_invalid_opcode(void **state)
{
    (void)state;
    rule(FAULT_MEMORY, FAULT_LOG);
    fetch(NOBODY);
    expect_exception(6);
    assert_int_equal(told("let through: vCPU 0: executes at guest-physical d0000000"), 1);
    rule(FAULT_MEMORY, FAULT_INJECT);
    fetch(NOBODY);
    expect_exception(13);
    rule(FAULT_MEMORY, FAULT_STOP);
    fetch(NOBODY);
    expect_goal(GOAL_STOP, "vCPU 0: executes at guest-physical d0000000, which is not the partition's (rip 2000)");
}

/* ---- learning ---- */

static void learning_names_the_line_and_goes_on(void **state)
{
    (void)state;
    fake_guest.config.learn = true;
    rule(FAULT_PORT, FAULT_STOP);
    in(PORT, 1);
    expect_advance();
    in(PORT, 4);
    expect_advance();
    in(PORT, 4);
    expect_advance();
    assert_int_equal(told("p: learn: allow.port = 0x1234 # vCPU 0: reads from port 1234 (1 bytes)"), 1);
    assert_int_equal(told("p: learn: allow.port = 0x1234-0x1237 # vCPU 0: reads"), 1);
    access_memory(NOBODY, true);
    expect_advance();
    assert_int_equal(told("p: learn: fault.memory = log # vCPU 0: writes to guest-physical d0000000"), 1);
    rule(FAULT_MSR, FAULT_STOP);
    rdmsr(MSR);
    expect_advance();
    assert_int_equal(told("p: learn: allow.msr = 0x2ff # vCPU 0: reads from MSR 2ff"), 1);
    fetch(NOBODY + PAGE_SIZE);
    expect_exception(6);
    assert_int_equal(told("executes at guest-physical d0001000"), 1);
}

/* A fault that the guest may survive is left to it, but named. */
static void learning_leaves_what_does_not_end_the_guest(void **state)
{
    (void)state;
    fake_guest.config.learn = true;
    rdmsr(MSR);
    expect_exception(13);
    assert_int_equal(told("p: learn: allow.msr = 0x2ff"), 1);
    rdmsr(MSR);
    expect_exception(13);
    assert_int_equal(told("allow.msr"), 1);
    rule(FAULT_PORT, FAULT_INJECT);
    out(PORT);
    expect_exception(13);
    assert_int_equal(told("p: learn: allow.port = 0x1234 #"), 1);
    rule(FAULT_MEMORY, FAULT_INJECT);
    access_memory(NOBODY, true);
    expect_exception(13);
    assert_int_equal(told("p: learn: fault.memory = log # vCPU 0: writes to guest-physical d0000000"), 1);
}

/* Learning is for accesses: what else ends the partition ends it. */
static void learning_does_not_save_the_rest(void **state)
{
    (void)state;
    fake_guest.config.learn = true;
    handle((struct exit){.kind = EXIT_UNKNOWN, .raw_reason = 1, .raw_detail = 2});
    expect_goal(GOAL_STOP, "vCPU 0: an exit that nothing asked for (fake reason 1, detail 2)");
}

/* ---- classes ---- */

static void each_exit_has_its_class(void **state)
{
    (void)state;
    rule(FAULT_TRIPLE_FAULT, FAULT_HALT_BOX);
    handle((struct exit){.kind = EXIT_TRIPLE_FAULT});
    assert_int_equal(told("fault.triple-fault = halt-box"), 1);
    p->goal = 0;
    rule(FAULT_UNKNOWN, FAULT_HALT_BOX);
    handle((struct exit){.kind = EXIT_UNKNOWN});
    p->goal = 0;
    handle((struct exit){.kind = EXIT_ENTRY_FAILED});
    p->goal = 0;
    handle((struct exit){.kind = EXIT_EXCEPTION, .vector = 3});
    p->goal = 0;
    assert_int_equal(told("fault.unknown = halt-box"), 3);
    rule(FAULT_POWER_OFF, FAULT_REBOOT_BOX);
    partition_deliver(p, &(struct platform_outcome){.request = PLATFORM_POWER_OFF});
    assert_int_equal(told("fault.power-off = reboot-box restarts the box"), 1);
    p->goal = 0;
    rule(FAULT_RESET, FAULT_STOP);
    partition_deliver(p, &(struct platform_outcome){.request = PLATFORM_RESET});
    assert_int_equal(lifecycle_goal(p), GOAL_STOP);
    assert_int_equal(told("p: stopped: reset by the guest"), 1);
}

/* ---- machine checks ---- */

#define BANK_VALID (1ull << 63)
#define BANK_UC    (1ull << 61)
#define BANK_ADDR  (1ull << 58)
#define BANK_PCC   (1ull << 57)

/* Two banks; the second holds `status`. */
static void machine_check(uint64_t global, uint64_t status)
{
    static const uint32_t numbers[] = {0x179, 0x17a, 0x401, 0x402, 0x405, 0x406};
    const uint64_t values[] = {2, global, 0, 0, status, 0xfee1000};
    for (uint32_t i = 0; i < array_size(numbers); i++)
        fake_cpu.msrs[i] = (struct fake_msr){numbers[i], values[i], false};
    fake_cpu.msr_count = array_size(numbers);
    handle((struct exit){.kind = EXIT_EXCEPTION, .vector = 18});
    assert_int_equal(fake_cpu.msrs[1].value, 0);
    assert_int_equal(fake_cpu.msrs[4].value, status & BANK_VALID ? 0 : status);
}

static void a_machine_check_of_another_cpu_changes_nothing(void **state)
{
    (void)state;
    machine_check(5, 0);
    assert_int_equal(fake->exceptions, 0);
    assert_true(lifecycle_settled(p));
    machine_check(5, BANK_VALID | 0x150); /* corrected */
    assert_int_equal(fake->exceptions, 0);
    assert_true(lifecycle_settled(p));
    assert_int_equal(told("p: vCPU 0: a machine check that is another CPU's: it goes on"), 2);
}

static void a_contained_one_is_the_owners(void **state)
{
    (void)state;
    machine_check(5, BANK_VALID | BANK_UC | BANK_ADDR | 0x135);
    expect_goal(GOAL_STOP,
                "vCPU 0: machine check, contained (bank 1 status a400000000000135 address fee1000, global 5)");
    fake->view.cr4 = 1u << 6; /* the guest has a handler */
    machine_check(5, BANK_VALID | BANK_UC | 0x135);
    expect_exception(18);
    machine_check(2, 0); /* no way back for what ran here */
    expect_exception(18);
}

static void a_lost_context_is_for_policy(void **state)
{
    (void)state;
    fake->view.cr4 = 1u << 6;
    machine_check(5, BANK_VALID | BANK_UC | BANK_PCC);
    expect_goal(GOAL_STOP, "vCPU 0: machine check, the CPU's context is lost (bank 1 status a200000000000000 address "
                           "0, global 5)");
    machine_check(4, 0);
    expect_goal(GOAL_STOP, "vCPU 0: machine check, the CPU's context is lost (bank 0 status 0 address 0, global 4)");
    rule(FAULT_MACHINE_CHECK, FAULT_REBOOT_BOX);
    machine_check(5, BANK_VALID | BANK_UC | BANK_PCC);
    assert_int_equal(box_end.calls, 1);
    p->goal = 0;
    rule(FAULT_MACHINE_CHECK, FAULT_INJECT);
    machine_check(5, BANK_VALID | BANK_UC | BANK_PCC);
    expect_exception(18);
}

/* ---- hypercalls ---- */

static uint64_t call(uint64_t number, uint64_t argument)
{
    vcpu->gpr[GPR_RAX] = number;
    vcpu->gpr[GPR_RBX] = argument;
    handle((struct exit){.kind = EXIT_HYPERCALL, .length = 3});
    assert_int_equal(fake->advances, 1);
    assert_int_equal(vcpu->gpr[GPR_RBX], argument);
    fake->advances = 0;
    return vcpu->gpr[GPR_RAX];
}

static void a_guest_asks_for_its_end(void **state)
{
    (void)state;
    assert_int_equal(call(HYPERCALL_STOP, 0), 0);
    expect_goal(GOAL_STOP, "stopped at the guest's request");
    assert_int_equal(call(HYPERCALL_RESTART, 0), 0);
    expect_goal(GOAL_RESTART, "");
    rule(FAULT_RESET, FAULT_STOP);
    assert_int_equal(call(HYPERCALL_RESTART, 0), 0);
    expect_goal(GOAL_STOP, "reset by the guest");
}

/* A program inside the guest must not end the partition or keep its watchdog quiet. */
static void a_program_of_the_guest_may_not(void **state)
{
    (void)state;
    for (uint8_t cpl = 1; cpl <= 3; cpl++) {
        fake->view.cpl = cpl;
        for (uint64_t number = HYPERCALL_RESTART; number <= HYPERCALL_HEARTBEAT; number++)
            assert_true(call(number, 1000) == (uint64_t)HYPERCALL_REFUSED);
        assert_int_equal(call(HYPERCALL_STARTS, 0), 1);
        assert_true(lifecycle_settled(p));
        assert_true(p->heartbeat_due == 0);
    }
}

static void a_heartbeat_has_its_bounds(void **state)
{
    (void)state;
    static const uint64_t bad[] = {1, HYPERCALL_HEARTBEAT_MIN - 1, HYPERCALL_HEARTBEAT_MAX + 1ull, 1ull << 32,
                                   UINT64_MAX};
    fake_cpu.clock = 500;
    for (size_t i = 0; i < array_size(bad); i++)
        assert_true(call(HYPERCALL_HEARTBEAT, bad[i]) == (uint64_t)HYPERCALL_BAD_ARGUMENT);
    assert_true(p->heartbeat_due == 0);
    assert_int_equal(call(HYPERCALL_HEARTBEAT, HYPERCALL_HEARTBEAT_MAX), 0);
    assert_true(p->heartbeat_due == 500 + 86400 * p->machine->tsc_hz);
    assert_int_equal(call(HYPERCALL_HEARTBEAT, 10), 0);
    assert_true(p->heartbeat_due == 500 + p->machine->tsc_hz / 100);
    assert_true(call(HYPERCALL_HEARTBEAT, 9) == (uint64_t)HYPERCALL_BAD_ARGUMENT); /* changes nothing */
    assert_true(p->heartbeat_due == 500 + p->machine->tsc_hz / 100);
    assert_int_equal(call(HYPERCALL_HEARTBEAT, 0), 0);
    assert_true(p->heartbeat_due == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_port_of_nobody_is_told_once_and_empty),
        TEST(ports_are_not_told_for_ever),
        TEST(an_allowed_port_is_not_a_fault),
        TEST(each_policy_for_ports),
        TEST(a_model_answers_whatever_the_policy),
        TEST(string_instructions_know_the_policy_too),
        TEST(each_policy_for_msrs),
        TEST(an_allowed_msr_reads_zero),
        TEST(listed_msrs_are_no_matter_of_policy),
        TEST(each_policy_for_memory),
        TEST(a_fetch_from_nowhere_is_an_invalid_opcode),
        TEST(learning_names_the_line_and_goes_on),
        TEST(learning_leaves_what_does_not_end_the_guest),
        TEST(learning_does_not_save_the_rest),
        TEST(each_exit_has_its_class),
        TEST(a_machine_check_of_another_cpu_changes_nothing),
        TEST(a_contained_one_is_the_owners),
        TEST(a_lost_context_is_for_policy),
        TEST(a_guest_asks_for_its_end),
        TEST(a_program_of_the_guest_may_not),
        TEST(a_heartbeat_has_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
