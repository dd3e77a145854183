/*
 * Guest-physical addresses of a partition's RAM: translation, and copies that may cross chunks. What a guest names as
 * an address is foreign, so every access is checked whole before the first byte moves.
 */
#include "core/partition.h"
#include "core/phys.h"

/* Where a byte of RAM lies, and how many follow it in its chunk, itself included. False: the address is not RAM. */
static bool find(const struct plan_partition *plan, uint64_t address, hpa_t *out, uint64_t *left)
{
    for (uint32_t i = 0; i < plan->chunk_count; i++) {
        const struct plan_chunk *chunk = &plan->chunks[i];
        if (!range_contains((struct range){chunk->gpa.raw, chunk->size}, address))
            continue;
        uint64_t offset = address - chunk->gpa.raw;
        *out = hpa(chunk->hpa.raw + offset);
        *left = chunk->size - offset;
        return true;
    }
    return false;
}

bool plan_translate(const struct plan_partition *partition, gpa_t address, uint64_t size, hpa_t *out)
{
    hpa_t where;
    uint64_t left;
    if (!find(partition, address.raw, &where, &left) || size > left)
        return false;
    *out = where;
    return true;
}

/*
 * Copies the bytes to `to`, or from `from`, or with neither looks whether they are RAM. The address cannot wrap: it
 * only moves on inside chunks, and those end below 2^64.
 */
static bool pass(const struct plan_partition *plan, gpa_t address, size_t size, uint8_t *to, const uint8_t *from)
{
    for (size_t done = 0; done < size;) {
        hpa_t where;
        uint64_t left;
        if (!find(plan, address.raw + done, &where, &left))
            return false;
        size_t piece = left < size - done ? (size_t)left : size - done;
        if (to != NULL)
            phys_read(where, to + done, piece);
        if (from != NULL)
            phys_write(where, from + done, piece);
        done += piece;
    }
    return true;
}

bool partition_read(const struct partition *p, gpa_t from, void *to, size_t size)
{
    return pass(p->plan, from, size, NULL, NULL) && pass(p->plan, from, size, to, NULL);
}

bool partition_write(const struct partition *p, gpa_t to, const void *from, size_t size)
{
    return pass(p->plan, to, size, NULL, NULL) && pass(p->plan, to, size, NULL, from);
}

bool plan_copy(const struct plan_partition *partition, gpa_t to, hpa_t from, uint64_t size)
{
    if (!pass(partition, to, size, NULL, NULL))
        return false;
    for (uint64_t done = 0; done < size;) {
        hpa_t where;
        uint64_t left;
        if (!find(partition, to.raw + done, &where, &left))
            return false;
        uint64_t piece = left < size - done ? left : size - done;
        phys_copy(where, hpa(from.raw + done), piece);
        done += piece;
    }
    return true;
}
