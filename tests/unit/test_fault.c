/* What is configured for each class of fault, which rule is in force, the limit on restarts, and what is told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/fault.h"

#include <string.h>

#include "core/config.h"

#define HEAD "version = 1\n[partition a]\ncpus = 1\nmemory = 16M\nkernel = k\n"
#define HZ   1000000000ull /* 1 s */
#define MS   (HZ / 1000)

static char messages[4096];
static struct text_sink errors;
static struct config config;

static unsigned parse(const char *text)
{
    text_sink_init(&errors, messages, sizeof messages);
    memset(&config, 0xa5, sizeof config);
    return config_parse("f", text, strlen(text), &config, &errors.sink);
}

static const struct config_partition *good(const char *text)
{
    assert_int_equal(parse(text), 0);
    assert_string_equal(messages, "");
    return &config.partitions[0];
}

static void assert_refused(const char *text, const char *message)
{
    unsigned count = parse(text);
    assert_string_equal(messages, message);
    assert_int_equal(count, 1);
    assert_true(config.partitions[0].refused);
}

static void assert_rule(const struct config_partition *p, enum fault_class class, enum fault_action action,
                        uint32_t limit, uint32_t seconds)
{
    struct fault_rule rule = fault_rule_find(p, class);
    assert_int_equal(rule.action, action);
    assert_int_equal(rule.limit, limit);
    assert_int_equal(rule.seconds, seconds);
}

/* ---- rules ---- */

static void what_is_not_configured_has_a_default(void **state)
{
    (void)state;
    static const struct {
        const char *on_stop;
        enum fault_action action;
    } cases[] = {{"", FAULT_STOP},
                 {"on_stop = stay\n", FAULT_STOP},
                 {"on_stop = restart\n", FAULT_RESTART},
                 {"on_stop = halt-box\n", FAULT_HALT_BOX},
                 {"on_stop = reboot-box\n", FAULT_REBOOT_BOX}};
    static const enum fault_class endings[] = {FAULT_TRIPLE_FAULT, FAULT_MEMORY, FAULT_MACHINE_CHECK, FAULT_UNKNOWN,
                                               FAULT_POWER_OFF};
    for (size_t i = 0; i < array_size(cases); i++) {
        char text[300] = HEAD;
        strcat(text, cases[i].on_stop);
        const struct config_partition *p = good(text);
        for (size_t j = 0; j < array_size(endings); j++)
            assert_rule(p, endings[j], cases[i].action, 0, 0);
        assert_rule(p, FAULT_PORT, FAULT_LOG, 0, 0);
        assert_rule(p, FAULT_MSR, FAULT_INJECT, 0, 0);
        assert_rule(p, FAULT_WATCHDOG, FAULT_RESTART, 0, 0);
        assert_rule(p, FAULT_RESET, FAULT_RESTART, 0, 0);
        for (uint32_t c = 0; c < FAULT_CLASSES; c++)
            assert_false(fault_rule_is_configured(p, (enum fault_class)c));
        assert_false(p->learn);
    }
    assert_false(fault_rule_is_configured(&config.partitions[0], FAULT_CLASSES));
}

static void what_is_configured_holds(void **state)
{
    (void)state;
    const struct config_partition *p = good(HEAD "on_stop = halt-box\n"
                                                 "fault.triple-fault = restart 3/60s\n"
                                                 "fault.port = inject\n"
                                                 "fault.msr = log\n"
                                                 "fault.memory = reboot-box\n"
                                                 "fault.machine-check = inject\n"
                                                 "fault.unknown = restart\n"
                                                 "fault.watchdog = inject\n"
                                                 "fault.reset = restart 16/24h\n"
                                                 "fault.power-off = restart 1/5m\n"
                                                 "learn = yes\n");
    assert_rule(p, FAULT_TRIPLE_FAULT, FAULT_RESTART, 3, 60);
    assert_rule(p, FAULT_PORT, FAULT_INJECT, 0, 0);
    assert_rule(p, FAULT_MSR, FAULT_LOG, 0, 0);
    assert_rule(p, FAULT_MEMORY, FAULT_REBOOT_BOX, 0, 0);
    assert_rule(p, FAULT_MACHINE_CHECK, FAULT_INJECT, 0, 0);
    assert_rule(p, FAULT_UNKNOWN, FAULT_RESTART, 0, 0);
    assert_rule(p, FAULT_WATCHDOG, FAULT_INJECT, 0, 0);
    assert_rule(p, FAULT_RESET, FAULT_RESTART, 16, 24 * 60 * 60);
    assert_rule(p, FAULT_POWER_OFF, FAULT_RESTART, 1, 300);
    assert_true(p->learn);
    for (uint32_t c = 0; c < FAULT_CLASSES; c++)
        assert_true(fault_rule_is_configured(p, (enum fault_class)c));
    assert_false(good(HEAD "learn = no\n")->learn);
}

/* Every class takes the actions that make sense, and no other. */
static void classes_take_what_makes_sense(void **state)
{
    (void)state;
    static const char logs[] = "port msr memory watchdog ";
    static const char injects[] = "port msr memory watchdog machine-check ";
    for (uint32_t c = 0; c < FAULT_CLASSES; c++) {
        for (uint32_t action = FAULT_LOG; action <= FAULT_REBOOT_BOX; action++) {
            const char *name = fault_class_name((enum fault_class)c);
            char text[300];
            bool fits = true;
            if (action == FAULT_LOG || action == FAULT_INJECT)
                fits = strstr(action == FAULT_LOG ? logs : injects, name) != NULL;
            text_print(text, sizeof text, HEAD "fault.%s = %s\n", name, fault_action_name((enum fault_action)action));
            assert_int_equal(parse(text), fits ? 0 : 1);
            assert_int_equal(config.partitions[0].refused, !fits);
            assert_int_equal(config.partitions[0].faults[c].action, fits ? action : FAULT_BY_DEFAULT);
        }
    }
    assert_string_equal(fault_class_name(FAULT_CLASSES), "?");
    assert_string_equal(fault_action_name(FAULT_BY_DEFAULT), "?");
}

static void bad_rules(void **state)
{
    (void)state;
    assert_refused(HEAD "fault.triple-fault = log\n",
                   "f:6:22: unknown value 'log' (expected stop, restart, halt-box or reboot-box)\n");
    assert_refused(HEAD "fault.unknown = inject\n",
                   "f:6:17: unknown value 'inject' (expected stop, restart, halt-box or reboot-box)\n");
    assert_refused(HEAD "fault.port = ignore\n", "f:6:14: unknown value 'ignore' (expected log, inject, stop, restart, "
                                                 "halt-box or reboot-box)\n");
    assert_refused(HEAD "fault.ports = log\n", "f:6:1: unknown key 'fault.ports' (did you mean 'fault.port'?)\n");
    assert_refused(HEAD "fault.port =\n", "f:6:1: key without a value 'fault.port' (expected fault.port = VALUE)\n");
    assert_refused(HEAD "fault.port = stop\nfault.port = log\n",
                   "f:7:1: key given twice 'fault.port' (expected it once; it is on line 6 already)\n");
    assert_refused(HEAD "fault.msr = stop 3/60s\n",
                   "f:6:18: text after the action '3/60s' (expected a limit after 'restart' only)\n");
    assert_refused(HEAD "fault.msr = restart 3/60s now\n",
                   "f:6:27: text after the limit 'now' (expected an action and a limit only)\n");
    assert_refused(HEAD "learn = maybe\n", "f:6:9: unknown value 'maybe' (expected no or yes)\n");
}

static void bad_limits(void **state)
{
    (void)state;
    static const char *const shapeless[] = {"3", "3/", "3/60", "/", "3/60d", "s"};
    for (size_t i = 0; i < array_size(shapeless); i++) {
        char text[300], message[300];
        text_print(text, sizeof text, HEAD "fault.msr = restart %s\n", shapeless[i]);
        text_print(message, sizeof message,
                   "f:6:21: bad limit of restarts '%s' (expected N/TIME with s, m or h, such as 3/60s: three within a "
                   "minute)\n",
                   shapeless[i]);
        assert_refused(text, message);
    }
    assert_refused(HEAD "fault.msr = restart 0/60s\n",
                   "f:6:21: number out of range '0' (expected a number of restarts from 1 to 16)\n");
    assert_refused(HEAD "fault.msr = restart 17/60s\n",
                   "f:6:21: number out of range '17' (expected a number of restarts from 1 to 16)\n");
    assert_refused(HEAD "fault.msr = restart 1/0s\n",
                   "f:6:23: number out of range '0' (expected a time from 1 to 86400)\n");
    assert_refused(HEAD "fault.msr = restart 1/25h\n",
                   "f:6:23: number out of range '25' (expected a time from 1 to 24)\n");
    assert_refused(HEAD "fault.msr = restart 1/99999999999999999999s\n",
                   "f:6:23: number out of range '99999999999999999999' (expected a time from 1 to 86400)\n");
    assert_refused(HEAD "fault.msr = restart x/60s\n",
                   "f:6:21: not a number 'x' (expected a number of restarts, decimal or 0x hexadecimal)\n");
    assert_refused(HEAD "fault.msr = restart /60s\n",
                   "f:6:21: not a number '' (expected a number of restarts, decimal or 0x hexadecimal)\n");
    assert_int_equal(config.partitions[0].faults[FAULT_MSR].action, FAULT_BY_DEFAULT);
}

/* ---- allow ---- */

static void allowed_ports(void **state)
{
    (void)state;
    const struct config_partition *p = good(HEAD "allow.port = 0x80-0x8f, 0x300,65535\n");
    assert_int_equal(p->allowed_ports.count, 3);
    assert_true(fault_port_is_allowed(p, 0x80, 1));
    assert_true(fault_port_is_allowed(p, 0x8f, 1));
    assert_true(fault_port_is_allowed(p, 0x8c, 4));
    assert_true(fault_port_is_allowed(p, 0x300, 1));
    assert_true(fault_port_is_allowed(p, 0xffff, 1));
    assert_false(fault_port_is_allowed(p, 0x7f, 1));
    assert_false(fault_port_is_allowed(p, 0x7f, 2));
    assert_false(fault_port_is_allowed(p, 0x90, 1));
    assert_false(fault_port_is_allowed(p, 0x8d, 4));
    assert_false(fault_port_is_allowed(p, 0x300, 2));
    assert_false(fault_port_is_allowed(p, 0xffff, 2));
    assert_false(fault_port_is_allowed(p, 0x80, 0));
    assert_false(fault_port_is_allowed(p, UINT64_MAX, 4));
    assert_false(fault_port_is_allowed(good(HEAD), 0x80, 1));
}

static void allowed_msrs(void **state)
{
    (void)state;
    const struct config_partition *p = good(HEAD "allow.msr = 0x34, 0xc0010000-0xffffffff\n");
    assert_true(fault_msr_is_allowed(p, 0x34));
    assert_true(fault_msr_is_allowed(p, 0xc0010000));
    assert_true(fault_msr_is_allowed(p, 0xffffffff));
    assert_false(fault_msr_is_allowed(p, 0x33));
    assert_false(fault_msr_is_allowed(p, 0x35));
    assert_false(fault_msr_is_allowed(p, 0xc000ffff));
    assert_false(fault_msr_is_allowed(p, 0x100000000));
    assert_false(fault_msr_is_allowed(good(HEAD), 0));
}

static void bad_ranges(void **state)
{
    (void)state;
    assert_refused(HEAD "allow.port = 0x10000\n",
                   "f:6:14: number out of range '0x10000' (expected a port from 0 to 65535)\n");
    assert_refused(HEAD "allow.port = 5-x\n",
                   "f:6:16: not a number 'x' (expected a port, decimal or 0x hexadecimal)\n");
    assert_refused(HEAD "allow.port = 5-\n", "f:6:16: not a number '' (expected a port, decimal or 0x hexadecimal)\n");
    assert_refused(HEAD "allow.port = 9-8\n", "f:6:14: reversed range '9-8' (expected the lower number first)\n");
    assert_refused(HEAD "allow.port = 1,,2\n",
                   "f:6:16: not a number '' (expected a port, decimal or 0x hexadecimal)\n");
    assert_refused(HEAD "allow.msr = 0x100000000\n",
                   "f:6:13: number out of range '0x100000000' (expected an MSR number from 0 to 4294967295)\n");
    assert_refused(HEAD "allow.port = 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n",
                   "f:6:53: too many ranges '17' (expected at most 16 in a line)\n");
    assert_int_equal(config.partitions[0].allowed_ports.count, 16);
}

/* ---- restarts ---- */

static struct fault_history history;

static bool allowed(struct fault_rule rule, uint64_t now, uint64_t delay, uint32_t number)
{
    uint64_t given_delay = 1;
    uint32_t given_number = 99;
    bool is = fault_restart_allowed(&history, rule, now, HZ, &given_delay, &given_number);
    if (is) {
        assert_true(given_delay == delay);
        assert_int_equal(given_number, number);
    }
    return is;
}

static void restarts_are_limited_and_wait(void **state)
{
    (void)state;
    struct fault_rule rule = {FAULT_RESTART, 3, 60};
    memset(&history, 0, sizeof history);
    assert_true(allowed(rule, 100 * HZ, 0, 1));
    assert_true(allowed(rule, 100 * HZ, 0, 1)); /* asking counts nothing */
    fault_restart_count(&history, 100 * HZ);
    assert_true(allowed(rule, 101 * HZ, 1000 * MS, 2));
    fault_restart_count(&history, 101 * HZ);
    assert_true(allowed(rule, 104 * HZ, 2000 * MS, 3));
    fault_restart_count(&history, 104 * HZ);
    assert_false(allowed(rule, 105 * HZ, 0, 0));
    assert_false(allowed(rule, 160 * HZ - 1, 0, 0));
    /* The first one is long enough ago. */
    assert_true(allowed(rule, 160 * HZ, 2000 * MS, 3));
    assert_true(allowed(rule, 1000 * HZ, 0, 1));
    /* A time before the ones that were counted, as another CPU may have read it, counts as the same time. */
    assert_false(allowed(rule, 99 * HZ, 0, 0));
}

/* Whatever the rule: a guest that ends at once uses its restarts up within the rule's time. */
static void every_limit_is_reached(void **state)
{
    (void)state;
    static const uint32_t seconds[] = {1, 2, 10, 60, 3600, FAULT_MAX_SECONDS};
    for (uint32_t limit = 1; limit <= FAULT_MAX_RESTARTS; limit++) {
        for (size_t i = 0; i < array_size(seconds); i++) {
            struct fault_rule rule = {FAULT_RESTART, limit, seconds[i]};
            uint64_t now = 7 * HZ, delay, last = 0;
            uint32_t number, restarts = 0;
            memset(&history, 0, sizeof history);
            while (fault_restart_allowed(&history, rule, now, HZ, &delay, &number)) {
                assert_true(delay >= last); /* each wait is at least as long as the one before */
                last = delay;
                fault_restart_count(&history, now);
                now += delay;
                assert_true(++restarts <= limit);
                assert_int_equal(number, restarts);
            }
            assert_int_equal(restarts, limit);
            assert_true(now - 7 * HZ <= seconds[i] * HZ / 2);
        }
    }
}

static void a_rule_without_a_limit_always_allows(void **state)
{
    (void)state;
    struct fault_rule rule = {.action = FAULT_RESTART};
    memset(&history, 0, sizeof history);
    for (uint32_t i = 0; i < 3 * FAULT_MAX_RESTARTS; i++) {
        assert_true(allowed(rule, i, 0, 0));
        fault_restart_count(&history, i);
    }
    assert_int_equal(history.count, FAULT_MAX_RESTARTS);
    assert_int_equal(history.at[FAULT_MAX_RESTARTS - 1], 3 * FAULT_MAX_RESTARTS - 1);
    assert_int_equal(history.at[0], 2 * FAULT_MAX_RESTARTS);
}

static void without_a_clock_no_limit_can_be_kept(void **state)
{
    (void)state;
    struct fault_rule rule = {FAULT_RESTART, 1, 1};
    uint64_t delay;
    uint32_t number;
    memset(&history, 0, sizeof history);
    assert_false(fault_restart_allowed(&history, rule, 5, 0, &delay, &number));
}

/* ---- told once ---- */

static void each_is_told_once(void **state)
{
    (void)state;
    struct fault_seen seen = {0};
    assert_int_equal(fault_seen_add(&seen, 5, 3), FAULT_NEWS);
    assert_int_equal(fault_seen_add(&seen, 5, 3), FAULT_KNOWN);
    assert_int_equal(fault_seen_add(&seen, 0, 3), FAULT_NEWS);
    assert_int_equal(fault_seen_add(&seen, 0, 3), FAULT_KNOWN);
    assert_int_equal(fault_seen_add(&seen, UINT64_MAX, 3), FAULT_NEWS);
    assert_int_equal(fault_seen_add(&seen, 6, 3), FAULT_CLOSED);
    assert_int_equal(fault_seen_add(&seen, 6, 3), FAULT_KNOWN);
    assert_int_equal(fault_seen_add(&seen, 7, 3), FAULT_KNOWN);
    assert_int_equal(seen.count, 3);
}

static void the_table_has_an_end(void **state)
{
    (void)state;
    struct fault_seen seen = {0};
    for (uint32_t i = 0; i < FAULT_SEEN_MAX; i++)
        assert_int_equal(fault_seen_add(&seen, i, UINT32_MAX), FAULT_NEWS);
    assert_int_equal(fault_seen_add(&seen, FAULT_SEEN_MAX, UINT32_MAX), FAULT_CLOSED);
    assert_int_equal(seen.count, FAULT_SEEN_MAX);
}

static void the_first_ends_of_each_minute_are_told(void **state)
{
    (void)state;
    struct fault_pace pace = {0};
    uint32_t untold;
    uint64_t t = 5 * HZ;
    for (uint32_t minute = 0; minute < 3; minute++, t += FAULT_PACE_SECONDS * HZ) {
        for (uint32_t i = 0; i < FAULT_PACE_MOST; i++) {
            assert_int_equal(fault_pace_add(&pace, t + i, HZ, &untold), FAULT_NEWS);
            assert_int_equal(untold, i == 0 && minute != 0 ? 3 : 0);
        }
        assert_int_equal(fault_pace_add(&pace, t + HZ, HZ, &untold), FAULT_CLOSED);
        assert_int_equal(fault_pace_add(&pace, t + 2 * HZ, HZ, &untold), FAULT_KNOWN);
        assert_int_equal(fault_pace_add(&pace, t + FAULT_PACE_SECONDS * HZ - 1, HZ, &untold), FAULT_KNOWN);
        assert_int_equal(untold, 0);
    }
    /* Another CPU has read its clock a little earlier: that begins no new minute. */
    pace = (struct fault_pace){0};
    assert_int_equal(fault_pace_add(&pace, t, HZ, &untold), FAULT_NEWS);
    assert_int_equal(fault_pace_add(&pace, t - 1, HZ, &untold), FAULT_NEWS);
    assert_int_equal(pace.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_configured_has_a_default),
        cmocka_unit_test(what_is_configured_holds),
        cmocka_unit_test(classes_take_what_makes_sense),
        cmocka_unit_test(bad_rules),
        cmocka_unit_test(bad_limits),
        cmocka_unit_test(allowed_ports),
        cmocka_unit_test(allowed_msrs),
        cmocka_unit_test(bad_ranges),
        cmocka_unit_test(restarts_are_limited_and_wait),
        cmocka_unit_test(every_limit_is_reached),
        cmocka_unit_test(a_rule_without_a_limit_always_allows),
        cmocka_unit_test(without_a_clock_no_limit_can_be_kept),
        cmocka_unit_test(each_is_told_once),
        cmocka_unit_test(the_table_has_an_end),
        cmocka_unit_test(the_first_ends_of_each_minute_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
