/* The builder of nested tables: any chunk, any format, any tables. */
#include "tests/proof/unknown.h"
#include "core/nested.c"

static bool take(struct page_source *self, hpa_t *out)
{
    out->raw = unknown_64();
    return unknown_bool();
}

int main(void)
{
    struct nested_tables tables;
    struct nested_format format;
    struct cpu_caps caps;
    struct page_source pages = {take};
    static struct plan_partition partition;
    struct plan_chunk chunk;
    hpa_t out;
    uint64_t size, entry;
    unknown(&format, sizeof format);
    caps = (struct cpu_caps){unknown_bool(), unknown_bool(), .physical_bits = (uint8_t)unknown_64()};
    unknown(&chunk, sizeof chunk);
    unknown(&partition.chunks, sizeof partition.chunks);
    partition.chunk_count = unknown_below(PLAN_MAX_CHUNKS + 1);
    if (!nested_init(&tables, &pages))
        return 0;
    if (nested_map(&tables, &format, &caps, chunk, NESTED_RAM, unknown_bool(), unknown_bool(), &pages))
        (void)!nested_lookup(&tables, &format, gpa(unknown_64()), &out, &size, &entry);
    (void)nested_tables_needed(&partition, &caps);
    return 0;
}
