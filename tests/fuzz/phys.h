/*
 * Host-physical memory in place of tests/unit/fake_phys.c, for targets whose memory is large: one array that stays, of
 * which only the touched pages are cleared for the next input. Definitions: a target that includes this has them.
 */
#pragma once

#include "tests/fuzz/input.h"
#include "tests/unit/fake_phys.h"

enum { PHYS_SIZE = 8 * 1024 * 1024, PHYS_PAGE = 4096 };

static uint8_t phys_bytes[PHYS_SIZE];
static bool phys_touched[PHYS_SIZE / PHYS_PAGE];
static uint64_t phys_base, phys_limit;

void fake_phys_setup(uint64_t base, uint64_t size)
{
    require(size <= PHYS_SIZE);
    for (size_t i = 0; i < PHYS_SIZE / PHYS_PAGE; i++) {
        if (phys_touched[i])
            memset(phys_bytes + i * PHYS_PAGE, 0, PHYS_PAGE);
        phys_touched[i] = false;
    }
    phys_base = base;
    phys_limit = size;
}

void fake_phys_teardown(void) { phys_limit = 0; }

/* An access outside is a bug in the code under test. */
static uint8_t *phys_at(uint64_t address, uint64_t size)
{
    require(address >= phys_base && address - phys_base <= phys_limit);
    require(size <= phys_limit - (address - phys_base));
    return phys_bytes + (address - phys_base);
}

/* The caller may write. */
uint8_t *fake_phys_at(uint64_t address, uint64_t size)
{
    uint8_t *at = phys_at(address, size);
    uint64_t offset = address - phys_base;
    for (uint64_t page = offset / PHYS_PAGE; size != 0 && page <= (offset + size - 1) / PHYS_PAGE; page++)
        phys_touched[page] = true;
    return at;
}

void phys_read(hpa_t from, void *to, size_t size)
{
    if (size != 0)
        memcpy(to, phys_at(from.raw, size), size);
}

void phys_write(hpa_t to, const void *from, size_t size)
{
    if (size != 0)
        memcpy(fake_phys_at(to.raw, size), from, size);
}

bool phys_compare(const struct phys_word *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, phys_at(words[i].at.raw, sizeof value), sizeof value);
        if ((value ^ words[i].value) & words[i].mask)
            return false;
    }
    return true;
}

void phys_zero(hpa_t to, uint64_t size) { memset(fake_phys_at(to.raw, size), 0, size); }

void phys_copy(hpa_t to, hpa_t from, uint64_t size)
{
    memmove(fake_phys_at(to.raw, size), phys_at(from.raw, size), size);
}
