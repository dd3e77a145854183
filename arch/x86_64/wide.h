/*
 * Large blocks of memory, moved in the widest pieces that this CPU has and past its caches: a partition's RAM is
 * cleared and its images are copied before it starts, and nobody reads either soon.
 *
 * The vector registers belong to whichever guest ran here last; what these functions use of them, and XCR0, is put
 * back.
 */
#pragma once

#include "core/types.h"

/* Any size and alignment; what is odd about them goes the plain way. The blocks do not overlap. */
void wide_zero(void *to, size_t size);
void wide_copy(void *to, const void *from, size_t size);
