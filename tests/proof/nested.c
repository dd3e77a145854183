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
    struct plan_chunk chunk;
    unknown(&format, sizeof format);
    caps = (struct cpu_caps){unknown_bool(), unknown_bool(), .physical_bits = (uint8_t)unknown_64()};
    unknown(&chunk, sizeof chunk);
    if (!nested_init(&tables, &pages))
        return 0;
    (void)!nested_map(&tables, &format, &caps, chunk, NESTED_RAM, unknown_bool(), unknown_bool(), &pages);
    return 0;
}
