/*
 * What the boot protocols have in common, and how core/loader.c calls each. Private to the loaders.
 */
#pragma once

#include "core/acpi_tables.h"
#include "core/loader.h"
#include "core/loader_layout.h"

/* Selectors of the flat segments a guest starts with. Linux asks for these ("32-bit boot protocol"), others do not
 * care. */
enum {
    LOADER_CODE_SELECTOR = 0x10,
    LOADER_DATA_SELECTOR = 0x18,
};

/*
 * The most that command line and module names can take, each with its terminator: they are pieces of one text. Its
 * reader refuses a longer one.
 */
enum { LOADER_STRINGS_MAX = CONFIG_MAX_SIZE + 1 + CONFIG_MAX_MODULES };

/* Writes what the loaders themselves tell a guest. After the first failure, of which a line tells, it writes no more.
 */
struct loader_writer {
    const struct partition *p;
    struct sink *errors;
    uint32_t at; /* guest-physical: where the next string goes */
    bool failed;
};

void loader_write(struct loader_writer *w, uint64_t to, const void *from, size_t size, const char *what);

/* Writes `text` where `at` is and moves that behind its terminator, which zeroed RAM has already. Returns where it was.
 */
uint32_t loader_write_string(struct loader_writer *w, struct slice text);

/* Writes the ACPI tables to GUEST_ACPI_BASE, and what restarts the machine to F000:FFF0. */
void loader_write_acpi(struct loader_writer *w);

struct loader_protocol {
    /* Fills program and modules from the kernel, which is open. False with a line on its errors; nothing is written. */
    bool (*decode)(struct loader_layout *l);
    /*
     * Writes all but the images, and changes `entry`, which is a start in 32-bit protected mode at the program's entry
     * with general registers zero. NULL: there is nothing else.
     */
    void (*write)(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry);
};

extern const struct loader_protocol loader_linux, loader_multiboot1, loader_multiboot2, loader_pvh, loader_firmware,
    loader_flat;
