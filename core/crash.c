#include "core/crash.h"

#include "core/bytes.h"

#define CRC32_POLYNOMIAL 0xedb88320u /* of IEEE 802.3, bits reflected */

static uint32_t crc32_add(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC32_POLYNOMIAL : 0);
    }
    return crc;
}

/* The caller has made sure of `length`. */
static uint32_t checksum(const struct crash_page *page)
{
    size_t covered = offsetof(struct crash_page, text) - offsetof(struct crash_page, length) + page->length;
    return ~crc32_add(UINT32_MAX, &page->length, covered);
}

void crash_page_clear(struct crash_page *page)
{
    memset(page, 0, sizeof *page);
    page->magic = CRASH_MAGIC;
    page->checksum = checksum(page);
}

bool crash_page_holds(const struct crash_page *page)
{
    return page->magic == CRASH_MAGIC && page->length <= CRASH_TEXT_SIZE && page->reserved == 0 &&
           page->checksum == checksum(page);
}

/* Drops whole lines from the front until `wanted` bytes are free; all of them when there is no other way. */
static void make_room(struct crash_page *page, size_t wanted)
{
    uint32_t drop = 0;
    while (drop < page->length && CRASH_TEXT_SIZE - (page->length - drop) < wanted) {
        while (drop < page->length && page->text[drop] != '\n')
            drop++;
        drop += drop < page->length ? 1 : 0;
    }
    memmove(page->text, page->text + drop, page->length - drop);
    page->length -= drop;
    page->lost += drop;
}

void crash_page_add(struct crash_page *page, const char *text, size_t length)
{
    if (length > CRASH_TEXT_SIZE) {
        page->lost += length - CRASH_TEXT_SIZE;
        text += length - CRASH_TEXT_SIZE;
        length = CRASH_TEXT_SIZE;
    }
    make_room(page, length);
    memcpy(page->text + page->length, text, length);
    page->length += (uint32_t)length;
    page->checksum = checksum(page);
}
