/* What the console shows of the boot before, of the firmware and the hardware: `log crash`, SMIs and NMIs in `stats`. */
#include "tests/unit/console_box.h"

#include <stdio.h>

#include "core/crash_record.h"

static struct crash_page kept; /* the region that survives a warm reset */

/* A boot that says `text`, then this one. */
static void boot_after(const char *text)
{
    memset(&kept, 0, sizeof kept);
    crash_record_open(&kept, BOX_HZ, 0);
    if (text != NULL)
        crash_record_panic(text, strlen(text));
    crash_record_open(&kept, BOX_HZ, 0);
}

static void without_a_record_it_says_so(void **state)
{
    (void)state;
    boot_after(NULL);
    command("log crash");
    expect("the boot before this one left no crash record\r\n");
    expect("ringfence> ");
}

static void the_record_is_shown_and_stays(void **state)
{
    (void)state;
    boot_after("vector 14 at rip 1234\nrax 0\n");
    for (unsigned i = 0; i < 2; i++) {
        command("log crash");
        expect("vector 14 at rip 1234");
        expect("rax 0");
        expect("ringfence> ");
    }
}

/* A record of a page comes in pieces, whole, with a word about what did not fit into it. */
static void a_long_record_is_whole(void **state)
{
    (void)state;
    static char text[3 * CRASH_TEXT_SIZE];
    size_t length = 0;
    for (unsigned i = 0; length < sizeof text - 32; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "line %u\n", i);
    boot_after(text);
    const struct crash_page *last = crash_record_last();
    assert_non_null(last);
    assert_true(last->lost != 0);
    command("log crash");
    expect("bytes of older lines lost]\r\n");
    size_t shown = box.checked;
    char *found = strstr(box.output + shown, "ringfence> ");
    assert_non_null(found);
    /* The terminal gets a carriage return with each line feed. */
    size_t at = 0;
    for (const char *c = box.output + shown; c < found; c++) {
        if (*c == '\r')
            continue;
        assert_in_range(at, 0, last->length - 1);
        assert_int_equal(*c, last->text[at++]);
    }
    assert_int_equal(at, last->length);
}

/* A partition of that name is what its operator means. */
static void a_partition_called_crash_comes_first(void **state)
{
    (void)state;
    boot_after("never shown\n");
    strcpy(box.config.partitions[1].name, "crash");
    guest_says(1, "hello\n");
    command("log crash");
    expect("hello");
    expect_none("never shown");
}

/* Where the CPU counts SMIs, `stats` of everybody tells them and how many came since it was asked last. */
static void smis_are_counted_from_look_to_look(void **state)
{
    (void)state;
    command("stats");
    expect_none("SMIs");
    fake_cpu.counts_smis = true;
    fake_cpu.smis = 5;
    command("stats");
    expect("box: 5 SMIs since power-on, ");
    fake_cpu.smis = 8;
    command("stats");
    expect("box: 8 SMIs since power-on, 3 since the last look (CPU 0)\r\n");
}

/* NMIs that no CPU has sent are nobody's fault here, and are told beside them. */
static void nmis_of_the_hardware_are_counted(void **state)
{
    (void)state;
    command("stats");
    expect_none("NMI");
    fake_cpu.strange_nmis = 3;
    fake_cpu.strange_nmi_cpu = 2;
    command("stats tiny");
    expect("box: 3 NMIs of the hardware since the start, the last one to CPU 2\r\n");
}

#define TEST(name) cmocka_unit_test_setup(name, box_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_record_it_says_so),
        TEST(the_record_is_shown_and_stays),
        TEST(a_long_record_is_whole),
        TEST(a_partition_called_crash_comes_first),
        TEST(nmis_of_the_hardware_are_counted),
        TEST(smis_are_counted_from_look_to_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
