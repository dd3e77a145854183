/*
 * The keys of ringfence.conf as tables: private to core/config*.c.
 */
#pragma once

#include "core/text_value.h"

enum {
    CONFIG_MAX_KEYS = 32, /* per section */
};

/* Boot protocols as a mask, for keys that only some of them know; 0: all do. */
#define FOR_LINUX      (1u << BOOT_LINUX)
#define FOR_MULTIBOOT1 (1u << BOOT_MULTIBOOT1)
#define FOR_MULTIBOOT2 (1u << BOOT_MULTIBOOT2)
#define FOR_PVH        (1u << BOOT_PVH)
#define FOR_FIRMWARE   (1u << BOOT_FIRMWARE)
#define FOR_FLAT       (1u << BOOT_FLAT)
#define FOR_MODULES    (FOR_MULTIBOOT1 | FOR_MULTIBOOT2 | FOR_PVH | FOR_FIRMWARE)

/* The state of config_parse. */
struct config_parser {
    struct text_report report;
    struct config *config;
    struct config_partition *partition;        /* of the section we are in, or NULL */
    struct config_place seen[CONFIG_MAX_KEYS]; /* where each key of this section's table stood; line 0: nowhere */
    const struct config_key *key;              /* whose value is being set */
    bool boot_bad;                             /* this partition's boot protocol is not known */
    bool version_good;
};

/*@ predicate partition_usable(struct config_partition *p) =
      p->cpu_count <= CONFIG_MAX_CPUS && p->module_count <= CONFIG_MAX_MODULES &&
      p->allowed_ports.count <= CONFIG_MAX_ALLOWED && p->allowed_msrs.count <= CONFIG_MAX_ALLOWED &&
      BOOT_LINUX <= p->boot <= BOOT_FLAT;

    // The partition that is being read is the last one.
    predicate parser_usable(struct config_parser *p) =
      \valid(p) && \valid(p->config) && \separated(p, p->config) &&
      p->config->partition_count <= CONFIG_MAX_PARTITIONS &&
      (\forall integer i; 0 <= i < p->config->partition_count ==> partition_usable(&p->config->partitions[i])) &&
      (p->partition == \null || (0 < p->config->partition_count &&
        p->partition == &p->config->partitions[p->config->partition_count - 1]));

    predicate in_partition(struct config_parser *p) =
      parser_usable(p) && p->partition != \null && \valid(p->partition) && \separated(p, p->partition); */

struct config_key {
    const char *name;
    void (*set)(struct config_parser *parser, struct config_text value); /* reports its own errors */
    const char *example; /* of a required key, or NULL */
    uint8_t boots;       /* FOR_... mask */
    bool may_be_empty;

    /* For setters that several keys share: where in struct config_partition the value goes, and what it may be. */
    uint8_t size;
    uint8_t choice_count;
    uint32_t offset;
    const struct text_choice *choices;
};
#define CONFIG_FIELD(member)                                                                                           \
    .offset = offsetof(struct config_partition, member), .size = sizeof(((struct config_partition *)0)->member)
#define CONFIG_CHOICES(table) .choices = (table), .choice_count = array_size(table)

/*@ predicate key_readable(struct config_key *k) =
      \valid_read(k) && \valid_read(k->choices + (0 .. k->choice_count - 1)); */

struct config_keys {
    const char *section; /* as a person writes it */
    size_t count;
    const struct config_key *keys;
};

/*@ predicate keys_readable(struct config_keys *k) =
      \valid_read(k) && k->count <= CONFIG_MAX_KEYS && \valid_read(k->keys + (0 .. k->count - 1)); */

extern const struct config_keys config_top_keys;
extern const struct config_keys config_box_keys;
extern const struct config_keys config_partition_keys;

/* What `yes` and `no` mean. */
extern const struct text_choice config_yes_no[2];

/*
 * Fills the field of the key that is being set. That the table names fields of the partition is assumed: WP knows no
 * offsets.
 */
/*@ requires in_partition(parser) && key_readable(parser->key);
    assigns *parser->partition;
    ensures in_partition(parser); */
void config_set_field(struct config_parser *parser, const void *value);

/* What follows a fault: all actions, and those that make sense for a class of faults are the last ones of them. */
enum { CONFIG_ACTIONS = FAULT_REBOOT_BOX };
extern const struct text_choice config_actions[CONFIG_ACTIONS];

/* Setters of core/config_fault.c: fault.CLASS, allow.port, allow.msr. */
/*@ requires in_partition(parser) && key_readable(parser->key) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
void config_set_fault(struct config_parser *parser, struct config_text value);
/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
void config_set_allowed_ports(struct config_parser *parser, struct config_text value);
/*@ requires in_partition(parser) && slice_readable(value.text);
    assigns parser->report.count, *parser->partition;
    ensures in_partition(parser); */
void config_set_allowed_msrs(struct config_parser *parser, struct config_text value);

/* Fills in what a new partition has before its first key. */
/*@ requires \valid(partition);
    assigns *partition;
    ensures partition_usable(partition); */
void config_partition_defaults(struct config_partition *partition);

/* Reports what is missing from a partition's section, or does not go together. To be called at its end. */
/*@ requires in_partition(parser);
    assigns parser->report.count, parser->partition->entry;
    ensures in_partition(parser); */
void config_partition_finish(struct config_parser *parser);
