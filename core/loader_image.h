/*
 * An image: the bytes of one boot module, read and copied with bounds, and the messages about it. Private to the
 * loaders.
 */
#pragma once

#include "core/plan.h"

struct loader_image {
    const struct plan_partition *plan;
    const char *role;   /* "kernel", "initrd", "module" */
    const char *name;   /* of the module */
    struct range range; /* bytes, host-physical */
    struct sink *errors;
};

/* Finds module `index` of the machine. False with a line on `errors` when there is no such module. */
bool must_check loader_image_open(const struct plan_partition *plan, const struct machine *machine, int index,
                                  const char *role, struct sink *errors, struct loader_image *out);

/* Reads `size` bytes at `offset` of the image. False, nothing read and nothing said, when it has not as many. */
bool must_check loader_image_read(const struct loader_image *image, uint64_t offset, void *to, size_t size);

/*
 * Copies `part` (offset and size in the image) into guest RAM at `to`, across chunks. False with a line on the image's
 * errors, nothing copied, when the image has not as many bytes or a target byte is not the partition's RAM.
 */
bool must_check loader_image_copy(const struct loader_image *image, struct range part, gpa_t to);

/* One line: "FILE:LINE:COLUMN: partition 'P': ROLE 'NAME' " and then the text. Always false, for `return`. */
bool loader_image_error(const struct loader_image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
