/*
 * Guest-physical addresses of a partition's RAM: translation, and copies that may cross chunks. What a guest names as
 * an address is foreign, so every access is checked whole before the first byte moves.
 */
#include "core/partition.h"
#include "core/phys.h"

bool plan_translate(const struct plan_partition *partition, gpa_t address, uint64_t size, hpa_t *out)
{
    for (uint32_t i = 0; i < partition->chunk_count; i++) {
        const struct plan_chunk *chunk = &partition->chunks[i];
        struct range guest = {chunk->gpa.raw, chunk->size};
        if (range_contains(guest, address.raw) && range_includes(guest, (struct range){address.raw, size})) {
            *out = hpa(chunk->hpa.raw + (address.raw - guest.base));
            return true;
        }
    }
    return false;
}

/* How many of `size` bytes from `address` on lie in the chunk that holds it, and where; 0: the address is not RAM. */
static size_t piece_at(const struct plan_partition *plan, uint64_t address, size_t size, hpa_t *out)
{
    for (uint32_t i = 0; i < plan->chunk_count; i++) {
        const struct plan_chunk *chunk = &plan->chunks[i];
        struct range guest = {chunk->gpa.raw, chunk->size};
        if (!range_contains(guest, address))
            continue;
        uint64_t offset = address - guest.base;
        *out = hpa(chunk->hpa.raw + offset);
        return chunk->size - offset < size ? (size_t)(chunk->size - offset) : size;
    }
    return 0;
}

/* Whether every byte is RAM. The address cannot wrap: it only moves on inside chunks, and those end below 2^64. */
static bool is_ram(const struct plan_partition *plan, uint64_t address, size_t size)
{
    while (size != 0) {
        hpa_t where;
        size_t piece = piece_at(plan, address, size, &where);
        if (piece == 0)
            return false;
        address += piece;
        size -= piece;
    }
    return true;
}

bool partition_read(const struct partition *p, gpa_t from, void *to, size_t size)
{
    uint8_t *bytes = to;
    if (!is_ram(p->plan, from.raw, size))
        return false;
    for (size_t done = 0; done < size;) {
        hpa_t where;
        size_t piece = piece_at(p->plan, from.raw + done, size - done, &where);
        phys_read(where, bytes + done, piece);
        done += piece;
    }
    return true;
}

bool partition_write(const struct partition *p, gpa_t to, const void *from, size_t size)
{
    const uint8_t *bytes = from;
    if (!is_ram(p->plan, to.raw, size))
        return false;
    for (size_t done = 0; done < size;) {
        hpa_t where;
        size_t piece = piece_at(p->plan, to.raw + done, size - done, &where);
        phys_write(where, bytes + done, piece);
        done += piece;
    }
    return true;
}
