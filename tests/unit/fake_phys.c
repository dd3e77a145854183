/* Host-physical memory for tests: one array that stands for [fake_phys_base, + fake_phys_size). */
#include "tests/unit/fake_phys.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *bytes;
static uint64_t base;
static uint64_t bytes_size;

void fake_phys_setup(uint64_t new_base, uint64_t size)
{
    free(bytes);
    bytes = calloc(1, size);
    base = new_base;
    bytes_size = size;
    assert(bytes != NULL);
}

void fake_phys_teardown(void)
{
    free(bytes);
    bytes = NULL;
}

uint8_t *fake_phys_at(uint64_t address, uint64_t size)
{
    /* An access outside is a bug in the code under test: stop loudly. */
    if (address < base || address - base > bytes_size || size > bytes_size - (address - base))
        abort();
    return bytes + (address - base);
}

void phys_read(hpa_t from, void *to, size_t size) { memcpy(to, fake_phys_at(from.raw, size), size); }
void phys_write(hpa_t to, const void *from, size_t size) { memcpy(fake_phys_at(to.raw, size), from, size); }
bool phys_compare(const struct phys_word *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, fake_phys_at(words[i].at.raw, sizeof value), sizeof value);
        if ((value ^ words[i].value) & words[i].mask)
            return false;
    }
    return true;
}
void phys_zero(hpa_t to, uint64_t size) { memset(fake_phys_at(to.raw, size), 0, size); }
void phys_copy(hpa_t to, hpa_t from, uint64_t size)
{
    memmove(fake_phys_at(to.raw, size), fake_phys_at(from.raw, size), size);
}
