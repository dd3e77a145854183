/*
 * What the proofs by Eva start from: arguments of which nothing is known, and stand-ins for what lies outside of the
 * code that is proven. The assumptions that these make are named in tests/proof/README.md.
 */
#pragma once

#include <__fc_builtin.h>
#include <string.h>

#include "core/bytes.h"
#include "core/machine.h"
#include "core/phys.h"

/*@ assigns ((char *)at)[0 .. size - 1] \from Frama_C_entropy_source; */
void unknown(void *at, size_t size);
void unknown(void *at, size_t size)
{
    if (size != 0)
        Frama_C_make_unknown(at, size);
}

static inline uint64_t unknown_64(void)
{
    uint64_t value;
    unknown(&value, sizeof value);
    return value;
}
static inline uint32_t unknown_below(uint32_t limit) { return (uint32_t)Frama_C_interval(0, (int)limit - 1); }
static inline bool unknown_bool(void) { return Frama_C_interval(0, 1) != 0; }
/* Sizes up to which arrays are filled: what counters are tried at. */

/* Texts go nowhere. */
void sink_print(struct sink *sink, const char *format, ...) {}
void sink_vprint(struct sink *sink, const char *format, va_list arguments) {}

/* Memory that is not the hypervisor's own holds any bytes, at each look others. */
void phys_read(hpa_t from, void *to, size_t size) { unknown(to, size); }

/*@ requires \valid_read((const char *)from + (0 .. size - 1));
    assigns \nothing; */
void phys_write(hpa_t to, const void *from, size_t size);
/*@ assigns \nothing; */
void phys_copy(hpa_t to, hpa_t from, uint64_t size);
