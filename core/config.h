/*
 * ringfence.conf: the text that says which CPUs, memory and devices each guest owns.
 *
 *     version = 1
 *
 *     [box]
 *     console     = com1 115200      # port com1..com4 or a port number, then the speed
 *     console_cpu = 0                # the CPU that serves the console
 *     escape      = ^]               # the key that leaves `attach`
 *     share_cores = no               # yes: hyperthreads of one core may belong to different partitions
 *
 *     [partition linux]
 *     cpus       = 0-1               # physical CPU numbers; the first listed starts the guest
 *     memory     = 256M
 *     boot       = linux             # linux | multiboot1 | multiboot2 | pvh | firmware | flat
 *     kernel     = vmlinuz           # name of a multiboot2 module
 *     initrd     = initrd
 *     modules    = a, b              # multiboot1, multiboot2, pvh (Linux: its initrd), firmware (option ROMs, and a
 *                                    # kernel that one of them starts)
 *     cmdline    = console=ttyS0
 *     load       = 0x100000          # flat only: where the image goes
 *     entry      = 0x100000          # flat only: where it starts (default: load)
 *     console    = uart              # uart | none
 *     interrupts = any               # direct | virtual | any: direct where the CPUs allow it, else virtual
 *     acceleration = no              # yes: virtual interrupts with the CPU's help, where it has any (VT-x)
 *     start      = auto              # auto | manual
 *     on_stop    = stay              # stay | restart | halt-box | reboot-box
 *
 *     # What follows a fault: log | inject | stop | restart [N/TIME] | halt-box | reboot-box. Not all go with all:
 *     # only a port, an MSR, memory and the watchdog can be logged, only these and a machine check injected. N/TIME:
 *     # at most N restarts (1 to 16) in TIME (60s, 5m, 1h), each later one after a longer wait; then it stays stopped.
 *     # Without it a partition that ends five times within a second of its start stays stopped. on_stop says what is
 *     # the default where the default here is "on_stop" (stay means stop).
 *     fault.triple-fault  = restart 3/60s # default: on_stop
 *     fault.port          = log           # a port that nothing owns; default: log, reads all ones
 *     fault.msr           = inject        # a register that is not listed; default: inject, #GP
 *     fault.memory        = stop          # an address that is not the partition's; default: on_stop
 *     fault.machine-check = stop          # default: on_stop
 *     fault.unknown       = stop          # an exit or an instruction nobody knows; default: on_stop
 *     fault.watchdog      = restart       # watchdog or heartbeat has run out; default: restart; inject: an NMI
 *     fault.reset         = restart       # the guest asks for it; default: restart
 *     fault.power-off     = stop          # the guest asks for it; default: on_stop
 *     learn               = no            # yes: say for each refused access, once, which line would allow it, and
 *                                         # let through (as log does) what would end the partition
 *     allow.port          = 0x80-0x8f, 0x300 # not a fault, and not logged: reads all ones, writes do nothing
 *     allow.msr           = 0x34             # not a fault, and not logged: reads 0, writes do nothing; registers that
 *                                            # core/msr.c lists keep what is said there
 *
 * The parser never stops at the first error: a bad partition is marked `refused` and the others
 * stand. Slices point into the text, which the caller keeps.
 */
#pragma once

#include "core/bytes.h"
#include "core/fault.h"
#include "core/sink.h"

enum {
    CONFIG_VERSION = 1,
    CONFIG_MAX_SIZE = 32 * 1024, /* bytes of text */
    CONFIG_MAX_PARTITIONS = 16,
    CONFIG_NAME_SIZE = 24,
    CONFIG_MAX_CPUS = 64,        /* per partition */
    CONFIG_MAX_MODULES = 8,      /* per partition */
    CONFIG_MAX_ALLOWED = 16,     /* ranges of allow.port and of allow.msr, per partition */
};

enum boot_protocol { BOOT_LINUX, BOOT_MULTIBOOT1, BOOT_MULTIBOOT2, BOOT_PVH, BOOT_FIRMWARE, BOOT_FLAT };
enum partition_console { CONSOLE_UART, CONSOLE_NONE };
enum interrupt_mode { INTERRUPTS_DIRECT, INTERRUPTS_VIRTUAL, INTERRUPTS_ANY };
enum start_mode { START_AUTO, START_MANUAL };
enum stop_action { ON_STOP_STAY, ON_STOP_RESTART, ON_STOP_HALT_BOX, ON_STOP_REBOOT_BOX };

/* Where in the text a value stands, for messages of later stages. */
struct config_place {
    uint32_t line;   /* from 1; 0: not given in the text */
    uint32_t column; /* from 1 */
};

struct config_text {
    struct slice text;
    struct config_place place;
};

/* Ports or MSRs, both ends included. */
struct config_range {
    uint32_t first, last;
};

struct config_ranges {
    uint32_t count;
    struct config_range at[CONFIG_MAX_ALLOWED];
};

struct config_partition {
    char name[CONFIG_NAME_SIZE];
    const char *file;          /* of the text, as config_parse was told; for messages of later stages */
    struct config_place place; /* of the section header */
    bool refused;              /* had an error: must not be started */

    uint32_t cpu_count;
    uint32_t cpus[CONFIG_MAX_CPUS]; /* physical CPU numbers, in the order given */
    struct config_place cpus_place;
    uint64_t memory; /* bytes, a multiple of 4 KiB */
    struct config_place memory_place;

    enum boot_protocol boot;
    struct config_text kernel;
    struct config_text initrd; /* place.line 0: none */
    uint32_t module_count;
    struct config_text modules[CONFIG_MAX_MODULES];
    struct config_text cmdline;
    uint64_t load;
    uint64_t entry;

    enum partition_console console;
    enum interrupt_mode interrupts;
    struct config_place interrupts_place;
    bool acceleration;
    enum start_mode start;
    enum stop_action on_stop;

    struct fault_rule faults[FAULT_CLASSES]; /* FAULT_BY_DEFAULT: not given; see fault_rule_find */
    bool learn;
    struct config_ranges allowed_ports;
    struct config_ranges allowed_msrs;
};

struct config {
    uint16_t console_port;   /* I/O port of the UART; default 0x3f8 */
    uint32_t console_baud;   /* default 115200 */
    uint32_t console_cpu;    /* default 0 */
    struct config_place console_cpu_place;
    uint8_t escape;          /* control character that leaves `attach`; default 0x1d, Ctrl-] */
    bool share_cores;        /* default false */
    uint32_t partition_count;
    struct config_partition partitions[CONFIG_MAX_PARTITIONS];
};

/* What holds when there is no configuration at all. */
/*@ requires \valid(config);
    assigns *config;
    ensures config->partition_count == 0; */
void config_defaults(struct config *config);

/*
 * Parses `length` bytes of `text`, which may be anything. Each error is one line
 * "FILE:LINE:COLUMN: what, 'offending text', what was expected" on `errors`. Returns the number of
 * errors. An error outside a partition section (version, box) leaves the default in force, except
 * that a missing or unknown version refuses every partition.
 */
/*@ requires \valid(out) && (length == 0 || \valid_read(text + (0 .. length - 1)));
    requires \separated(out, text + (0 .. length - 1));
    assigns *out; */
unsigned must_check config_parse(const char *file, const char *text, size_t length, struct config *out,
                                 struct sink *errors);

/*@ assigns \nothing; */
const char *boot_protocol_name(enum boot_protocol boot);
const char *start_mode_name(enum start_mode mode);
const char *stop_action_name(enum stop_action action);
const char *fault_class_name(enum fault_class class);    /* "triple-fault" */
const char *fault_action_name(enum fault_action action); /* "halt-box" */
