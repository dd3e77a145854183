/* coreboot's table of a partition. */
#include "core/coreboot_table.h"

#include "core/bytes.h"

static const char signature[] = {'L', 'B', 'I', 'O'};

/* RFC 1071, of an even number of bytes. */
static uint16_t internet_checksum(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        sum += load16(at + i);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

size_t coreboot_table_build(const struct e820_map *map, struct coreboot_table *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->memory, map->entries, map->count * sizeof map->entries[0]);
    uint32_t size = (uint32_t)(sizeof out->record + map->count * sizeof out->memory[0]);
    out->record = (struct coreboot_record){COREBOOT_TAG_MEMORY, size};
    out->header.header_size = sizeof out->header;
    out->header.table_size = size;
    out->header.table_records = 1;
    out->header.table_checksum = internet_checksum(&out->record, size);
    memcpy(out->header.signature, signature, sizeof signature);
    out->header.header_checksum = internet_checksum(&out->header, sizeof out->header);
    return sizeof out->header + size;
}
