/*
 * Interrupts inside one partition, from its vCPUs and from its devices; what a platform asks for besides; finding a
 * partition by its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/exit_handle.h"

#include <string.h>

#include "core/lifecycle.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

enum { VCPUS = 3 };

static struct partition *p;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, 16 * KIB, 4 * KIB);
    fake_cpu_setup();
    p = fake_backend_setup(VCPUS);
    for (uint32_t i = 0; i < VCPUS; i++)
        p->vcpus[i].state = VCPU_RUNNING;
    p->state = PARTITION_RUNNING;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

/* vCPU i has APIC id 2 * i and runs on CPU i + 1: see fake_backend_setup. */
static uint32_t id_of(uint32_t vcpu) { return 2 * vcpu; }

static void expect_vectors(uint32_t count, uint32_t last_vcpu, uint8_t vector)
{
    assert_int_equal(fake_cpu.vectors_sent, count);
    if (count != 0) {
        assert_int_equal(fake_cpu.last_vector_cpu, last_vcpu + 1);
        assert_int_equal(fake_cpu.last_vector, vector);
    }
    fake_cpu.vectors_sent = 0;
}

/* Which vCPUs have exactly these requests; the others have none. Each of them was kicked once. */
static void expect_requests(uint32_t set, uint32_t requests)
{
    for (uint32_t i = 0; i < VCPUS; i++) {
        bool in = (set >> i) & 1;
        assert_int_equal(p->vcpus[i].requests, in ? requests : 0);
        assert_int_equal(fake_cpu.kicks[i + 1], in);
        p->vcpus[i].requests = 0;
        fake_cpu.kicks[i + 1] = 0;
    }
    assert_int_equal(fake_cpu.kicks[0], 0); /* a CPU that is not the partition's */
}

static enum interrupt_verdict send(struct interrupt_message message, uint32_t sender)
{
    return partition_interrupt(p, &message, sender);
}

static void fixed_goes_to_the_cpu_of_the_target(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < VCPUS; i++) {
        assert_int_equal(send((struct interrupt_message){.destination = id_of(i), .vector = 0x31}, 0),
                         INTERRUPT_DELIVER);
        expect_vectors(1, i, 0x31);
    }
    assert_int_equal(send((struct interrupt_message){.shorthand = SHORTHAND_OTHERS, .vector = 0x32}, 2),
                     INTERRUPT_DELIVER);
    expect_vectors(2, 1, 0x32);
    assert_int_equal(send((struct interrupt_message){.shorthand = SHORTHAND_SELF, .vector = 0xff}, 2),
                     INTERRUPT_DELIVER);
    expect_vectors(1, 2, 0xff);
    assert_int_equal(send((struct interrupt_message){.destination = 0xffffffff, .vector = 0x33}, 1), INTERRUPT_DELIVER);
    expect_vectors(3, 2, 0x33);
    assert_int_equal(
        send((struct interrupt_message){.destination = 0xffffffff, .delivery = DELIVERY_LOWEST, .vector = 0x34}, 1),
        INTERRUPT_DELIVER);
    expect_vectors(1, 0, 0x34);
    expect_requests(0, 0);
}

static void nothing_leaves_the_partition(void **state)
{
    (void)state;
    static const uint32_t foreign[] = {1, 3, 2 * VCPUS, 0x80000000};
    static const uint8_t modes[] = {DELIVERY_FIXED, DELIVERY_LOWEST, DELIVERY_NMI, DELIVERY_INIT, DELIVERY_STARTUP};
    for (size_t i = 0; i < array_size(foreign); i++) {
        for (size_t j = 0; j < array_size(modes); j++) {
            struct interrupt_message message = {
                .destination = foreign[i], .assert_line = true, .delivery = modes[j], .vector = 0x40};
            assert_int_equal(send(message, 0), INTERRUPT_NOTHING);
        }
    }
    expect_vectors(0, 0, 0);
    expect_requests(0, 0);
}

static void refuses_what_no_guest_may_send(void **state)
{
    (void)state;
    static const uint8_t modes[] = {DELIVERY_SMI, 3, DELIVERY_EXTINT};
    for (size_t i = 0; i < array_size(modes); i++)
        assert_int_equal(send((struct interrupt_message){.destination = 0, .delivery = modes[i], .vector = 0x40}, 0),
                         INTERRUPT_BAD_MODE);
    for (uint8_t vector = 0; vector < 16; vector++)
        assert_int_equal(send((struct interrupt_message){.destination = 0, .vector = vector}, 0), INTERRUPT_BAD_VECTOR);
    expect_vectors(0, 0, 0);
    expect_requests(0, 0);
}

/* Its CPU's local APIC is not the guest's business until it runs. */
static void vcpu_that_does_not_run_takes_no_vector(void **state)
{
    (void)state;
    static const enum vcpu_state states[] = {VCPU_OFF, VCPU_WAIT_SIPI};
    for (size_t i = 0; i < array_size(states); i++) {
        p->vcpus[1].state = states[i];
        (void)send((struct interrupt_message){.destination = id_of(1), .vector = 0x31}, 0);
        expect_vectors(0, 0, 0);
        (void)send((struct interrupt_message){.shorthand = SHORTHAND_ALL, .vector = 0x31}, 0);
        expect_vectors(2, 2, 0x31);
    }
}

static void nmi_init_and_startup_become_requests(void **state)
{
    (void)state;
    assert_int_equal(send((struct interrupt_message){.destination = id_of(1), .delivery = DELIVERY_NMI}, 0),
                     INTERRUPT_DELIVER);
    expect_requests(1u << 1, VCPU_REQUEST_NMI);
    assert_int_equal(
        send((struct interrupt_message){.shorthand = SHORTHAND_OTHERS, .assert_line = true, .delivery = DELIVERY_INIT},
             0),
        INTERRUPT_DELIVER);
    expect_requests(1u << 1 | 1u << 2, VCPU_REQUEST_INIT);
    assert_int_equal(send((struct interrupt_message){.shorthand = SHORTHAND_OTHERS,
                                                     .level = true,
                                                     .assert_line = false,
                                                     .delivery = DELIVERY_INIT},
                          0),
                     INTERRUPT_NOTHING);
    expect_requests(0, 0);
    assert_int_equal(
        send((struct interrupt_message){.destination = id_of(2), .delivery = DELIVERY_STARTUP, .vector = 0x07}, 0),
        INTERRUPT_DELIVER);
    assert_int_equal(p->vcpus[2].sipi_vector, 0x07);
    expect_requests(1u << 2, VCPU_REQUEST_SIPI);
    expect_vectors(0, 0, 0);
}

static void requests_add_up(void **state)
{
    (void)state;
    (void)send((struct interrupt_message){.destination = 2, .assert_line = true, .delivery = DELIVERY_INIT}, 0);
    (void)send((struct interrupt_message){.destination = 2, .delivery = DELIVERY_STARTUP, .vector = 9}, 0);
    (void)send((struct interrupt_message){.destination = 2, .delivery = DELIVERY_NMI}, 0);
    assert_int_equal(p->vcpus[1].requests, VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI | VCPU_REQUEST_NMI);
    assert_int_equal(fake_cpu.kicks[2], 3);
}

/* ---- what a platform asks for ---- */

static void deliver_sends_messages_in_order(void **state)
{
    (void)state;
    struct platform_outcome outcome = {.message_count = 3,
                                       .messages = {{.destination = 0, .vector = 0x51},
                                                    {.destination = id_of(2), .vector = 0x52},
                                                    {.destination = id_of(1), .vector = 0x53}}};
    partition_deliver(p, &outcome);
    expect_vectors(3, 1, 0x53);
    assert_true(lifecycle_settled(p));
    assert_int_equal(p->dropped_interrupts, 0);
}

static void deliver_counts_what_is_dropped(void **state)
{
    (void)state;
    struct platform_outcome outcome = {
        .message_count = 2, .messages = {{.destination = 0, .vector = 3}, {.destination = 0, .vector = 0x20}}};
    partition_deliver(p, &outcome);
    expect_vectors(1, 0, 0x20);
    assert_int_equal(p->dropped_interrupts, 1);
}

static void deliver_carries_out_requests(void **state)
{
    (void)state;
    partition_deliver(p, &(struct platform_outcome){.request = PLATFORM_NOTHING});
    assert_int_equal(lifecycle_goal(p), GOAL_NONE);
    partition_deliver(p, &(struct platform_outcome){.request = PLATFORM_RESET});
    assert_int_equal(lifecycle_goal(p), GOAL_RESTART);
    assert_string_equal(p->reason, "");
    p->goal = 0;
    partition_deliver(p, &(struct platform_outcome){.request = PLATFORM_POWER_OFF});
    assert_int_equal(lifecycle_goal(p), GOAL_STOP);
    assert_string_equal(p->reason, "powered off by the guest");
}

static void find_knows_names(void **state)
{
    (void)state;
    static struct config_partition configs[2] = {{.name = "linux"}, {.name = "linux2"}};
    static struct plan_partition plans[2] = {{.config = &configs[0]}, {.config = &configs[1]}};
    partition_table.count = 2;
    for (uint32_t i = 0; i < 2; i++)
        partition_table.partitions[i].plan = &plans[i];
    assert_ptr_equal(partition_find((struct slice){"linux", 5}), &partition_table.partitions[0]);
    assert_ptr_equal(partition_find((struct slice){"linux2", 6}), &partition_table.partitions[1]);
    assert_ptr_equal(partition_find((struct slice){"linux2", 5}), &partition_table.partitions[0]);
    assert_null(partition_find((struct slice){"linu", 4}));
    assert_null(partition_find((struct slice){"linux3", 6}));
    assert_null(partition_find((struct slice){"", 0}));
    partition_table.count = 1;
    assert_null(partition_find((struct slice){"linux2", 6}));
    partition_table.count = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fixed_goes_to_the_cpu_of_the_target),  TEST(nothing_leaves_the_partition),
        TEST(refuses_what_no_guest_may_send),       TEST(vcpu_that_does_not_run_takes_no_vector),
        TEST(nmi_init_and_startup_become_requests), TEST(requests_add_up),
        TEST(deliver_sends_messages_in_order),      TEST(deliver_counts_what_is_dropped),
        TEST(deliver_carries_out_requests),         TEST(find_knows_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
