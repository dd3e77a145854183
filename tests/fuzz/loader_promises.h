/*
 * What every boot protocol promises: checking and loading agree, boot modules are only read, and what the guest is told
 * about its memory is its memory. Works on tests/unit/fake_guest.h.
 */
#pragma once

#include "core/acpi_tables.h"
#include "core/bytes.h"
#include "core/e820.h"
#include "tests/fuzz/phys.h"
#include "tests/unit/fake_guest.h"

/* RAM of up to 3 MiB in two chunks. */
static inline void setup_guest(struct input *in, enum boot_protocol boot)
{
    uint64_t pages = input_16(in) % 768 + 2;
    uint64_t split = input_16(in) % (pages - 1) + 1;
    fake_guest_setup(boot, pages * PAGE_SIZE, split * PAGE_SIZE);
}

/* Guest RAM as a heap block; it must be RAM. */
static inline uint8_t *guest_bytes(uint64_t at, uint64_t size)
{
    uint8_t *bytes = malloc(size);
    require(bytes != NULL || size == 0);
    if (size != 0)
        fake_guest_read(at, bytes, size);
    return bytes;
}

static inline void require_guest_has(uint64_t at, const void *expected, uint64_t size)
{
    uint8_t *bytes = guest_bytes(at, size);
    require(size == 0 || memcmp(bytes, expected, size) == 0);
    free(bytes);
}

static inline void require_guest_zero(uint64_t at, uint64_t size)
{
    uint8_t *bytes = guest_bytes(at, size);
    for (uint64_t i = 0; i < size; i++)
        require(bytes[i] == 0);
    free(bytes);
}

static inline void require_e820(const struct e820_entry *entries, uint32_t count)
{
    uint64_t end = 0, ram = 0;
    for (uint32_t i = 0; i < count; i++) {
        require(entries[i].size != 0 && entries[i].base >= end);
        end = entries[i].base + entries[i].size;
        require(end <= fake_guest.config.memory); /* this guest's RAM is all below the hole */
        ram += entries[i].kind == E820_RAM ? entries[i].size : 0;
        require(entries[i].kind != E820_RAM || end <= E820_LOW_END || entries[i].base >= MIB);
    }
    require(ram != 0);
}

static inline void require_acpi(uint64_t rsdp)
{
    require(rsdp >= GUEST_ACPI_BASE && rsdp < GUEST_ACPI_BASE + GUEST_ACPI_SIZE);
    require_guest_has(rsdp, "RSD PTR ", 8);
}

/* Checks, then loads; true when the guest can start. The modules' bytes must be what they were. */
static inline bool load_guest(void)
{
    uint8_t *before[MACHINE_MAX_MODULES];
    const struct machine *m = &fake_guest.machine;
    for (uint32_t i = 0; i < m->module_count; i++) {
        before[i] = malloc(m->modules[i].range.size);
        require(before[i] != NULL || m->modules[i].range.size == 0);
        phys_read(hpa(m->modules[i].range.base), before[i], m->modules[i].range.size);
    }
    bool good = fake_guest_check();
    require(good == (fake_guest_errors()[0] == '\0'));
    bool loaded = fake_guest_load();
    require(loaded == good && good == (fake_guest_errors()[0] == '\0'));
    struct line_sink lines = line_sink_new();
    line_sink_put(&lines.sink, fake_guest_errors(), strlen(fake_guest_errors()));
    require(line_sink_count(&lines) == !good);
    for (uint32_t i = 0; i < m->module_count; i++) {
        uint64_t size = m->modules[i].range.size;
        require(size == 0 || memcmp(before[i], fake_phys_at(m->modules[i].range.base, size), size) == 0);
        free(before[i]);
    }
    require(!good || fake_guest.entry.mode == VCPU_MODE_FLAT32);
    require(!good || fake_guest.entry.rip < fake_guest.config.memory);
    return good;
}
