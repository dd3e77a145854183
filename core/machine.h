/*
 * What box this is: everything that was read from GRUB's tags, the ACPI tables and
 * CPUID, in one struct that later stages take as const. boot/ fills it in the
 * hypervisor; tools/rf-check fills it from a text file that the hypervisor's own
 * `machine` command printed (core/machine_text.c writes that text, tools/machine_parse.c reads it).
 */
#pragma once

#include "core/bytes.h"
#include "core/range.h"
#include "core/sink.h"

enum {
    MACHINE_MAX_CPUS = 256,
    MACHINE_MAX_REGIONS = 128,
    MACHINE_MAX_MODULES = 32,
    MACHINE_MODULE_NAME_SIZE = 64,
    MACHINE_MAX_IOAPICS = 8,
};

/* What a region of the physical memory map may be used for, the stricter kinds last. */
enum memory_kind {
    MEMORY_USABLE,   /* free RAM, once modules and the hypervisor are taken out */
    MEMORY_ACPI,     /* ACPI tables and NVS: read, never given to a guest */
    MEMORY_RESERVED, /* firmware, devices, anything unknown: never touched */
    MEMORY_BAD,
};

struct machine_region {
    struct range range; /* bytes, host-physical; sorted by base, not overlapping */
    enum memory_kind kind;
};

/* CPUs are numbered in the order of the MADT, the boot CPU moved to 0: the number a configuration uses. */
struct machine_cpu {
    uint32_t apic_id;  /* x2APIC id, or the 8-bit xAPIC id */
    uint32_t acpi_uid; /* ACPI processor UID */
    uint32_t core;     /* the same for the hyperthreads of one core */
    bool online;       /* answered its start-up IPI */
};

struct machine_module {
    struct range range; /* bytes, host-physical */
    char name[MACHINE_MODULE_NAME_SIZE];  /* first word of its multiboot2 string */
};

struct machine_ioapic {
    uint32_t address;
    uint32_t gsi_base;
};

/* What the CPU can do, vendor-neutral: the backend's probe fills it. false = missing. */
struct cpu_caps {
    bool nested_1g;      /* 1 GiB pages in the nested tables */
    bool nested_2m;      /* 2 MiB pages in the nested tables */
    bool x2apic;
    bool tsc_deadline;
    bool invariant_tsc;
    bool guest_timer;    /* the backend can come back from a guest by a timer of its own */
    uint8_t physical_bits; /* MAXPHYADDR */
};

struct machine {
    uint64_t tsc_hz;     /* calibrated */
    const char *tsc_told_by; /* which clock it was held against, for a person */
    uint64_t wall_clock; /* seconds since 1970 when the TSC was 0, by the box's own clock */
    uint32_t cpu_count;
    uint32_t region_count;
    uint32_t module_count;
    uint32_t ioapic_count;
    struct machine_cpu cpus[MACHINE_MAX_CPUS];
    struct machine_region regions[MACHINE_MAX_REGIONS];
    struct machine_module modules[MACHINE_MAX_MODULES];
    struct machine_ioapic ioapics[MACHINE_MAX_IOAPICS];
    struct range hypervisor; /* its image: in nobody's map */
    struct range heap;       /* its working memory, a reserved region of the map; size 0 until it is taken */
    struct cpu_caps caps;
    hpa_t rsdp;              /* 0 when there is none */
    bool has_reset_register; /* FADT reset register, system I/O space only */
    uint16_t reset_port;
    uint8_t reset_value;
    uint16_t pm_timer_port; /* of ACPI's power management timer; 0: it has none in I/O space */
};

/*@ predicate machine_readable(struct machine *m) = \valid_read(m) && m->cpu_count <= MACHINE_MAX_CPUS &&
      m->region_count <= MACHINE_MAX_REGIONS && m->module_count <= MACHINE_MAX_MODULES; */

/* The region that holds the whole range, or NULL. */
/*@ requires \valid_read(machine) && machine->region_count <= MACHINE_MAX_REGIONS;
    assigns \nothing;
    ensures \result == \null || \valid_read(\result); */
const struct machine_region *machine_find_region(const struct machine *machine, struct range range);

/* Index of the module with that name, or -1. */
/*@ requires \valid_read(machine) && machine->module_count <= MACHINE_MAX_MODULES;
    assigns \nothing;
    ensures -1 <= \result < machine->module_count; */
int machine_find_module(const struct machine *machine, struct slice name);

/*
 * Turns `range`, which must lie in one usable region, into a reserved one: the hypervisor takes it for itself. False,
 * nothing changed: it does not lie in one, or the table of regions is full.
 */
bool must_check machine_reserve(struct machine *machine, struct range range);

/*
 * Finds `size` free bytes, page-aligned, inside [floor, ceiling): usable, in no module and not in the hypervisor. The
 * highest such place. False: there is none.
 */
bool must_check machine_find_free(const struct machine *machine, uint64_t size, uint64_t floor, uint64_t ceiling,
                                  uint64_t *out);

/* Bytes of usable memory, modules and the hypervisor among them. */
uint64_t machine_usable(const struct machine *machine);

/* The machine as text: a person's report, and the input of rf-check --machine. */
void machine_print(const struct machine *machine, struct sink *out);
