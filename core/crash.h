/*
 * The crash record: the last words of panics and of partitions, in a page of memory that no loader or firmware clears
 * at a warm reset. Foreign bytes until crash_page_holds says otherwise. Pure.
 */
#pragma once

#include <assert.h>

#include "core/types.h"

enum { CRASH_PAGE_SIZE = 4096, CRASH_TEXT_SIZE = CRASH_PAGE_SIZE - 32 };

#define CRASH_MAGIC 0x3148534152434652ull /* "RFCRASH1": another layout gets another number */

struct crash_page {
    uint64_t magic;
    uint32_t checksum;          /* CRC-32 of all that follows, the text as far as it goes */
    uint32_t length;            /* bytes of text */
    uint64_t lost;              /* bytes of older lines that gave way */
    uint64_t reserved;          /* 0 */
    char text[CRASH_TEXT_SIZE]; /* whole lines, each with its line feed */
};
static_assert(sizeof(struct crash_page) == CRASH_PAGE_SIZE && offsetof(struct crash_page, text) == 32, "crash page");

/* Makes it a record without lines. */
void crash_page_clear(struct crash_page *page);

/* Whether it is a record that was written wholly. */
bool must_check crash_page_holds(const struct crash_page *page);

/*
 * Adds text, which ends with a line feed, to a record; the oldest lines give way. Of a text longer than the record its
 * end is kept. `page` must be one that holds.
 */
void crash_page_add(struct crash_page *page, const char *text, size_t length);
