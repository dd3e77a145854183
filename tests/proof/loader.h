/* A partition and a machine of which only the counts are in range: what the loaders' checks are called with. */
#pragma once

#include "tests/proof/unknown.h"
#include "core/bytes.c"
#include "core/loader_image.c"
#include "core/multiboot1.h"
#include "core/plan.h"

static struct machine machine;
static struct config_partition config;
static struct plan_partition partition;
static struct sink sink;
static char text[MACHINE_MODULE_NAME_SIZE];

/* GCC's own; nothing here takes a lock. */
_Bool __atomic_exchange_n(void *at, _Bool value, int order);
void __atomic_store_n(void *at, _Bool value, int order);

static void loader_unknown(void)
{
    unknown(&machine, sizeof machine);
    machine.module_count = unknown_below(MACHINE_MAX_MODULES + 1);
    for (size_t i = 0; i < MACHINE_MAX_MODULES; i++)
        machine.modules[i].name[MACHINE_MODULE_NAME_SIZE - 1] = '\0';
    config.memory = unknown_64();
    config.cmdline.text.length = unknown_64();
    config.module_count = unknown_below(CONFIG_MAX_MODULES + 1);
    unknown(text, sizeof text);
    for (size_t i = 0; i < CONFIG_MAX_MODULES; i++)
        config.modules[i].text = (struct slice){text, unknown_below(sizeof text + 1)};
    partition.config = &config;
    partition.kernel = (int)unknown_64();
    partition.initrd = (int)unknown_64();
    partition.chunk_count = unknown_below(PLAN_MAX_CHUNKS + 1);
    unknown(partition.chunks, sizeof partition.chunks);
}

/* Any module as the kernel; false: the loaders' own check has refused it. */
static inline bool loader_unknown_image(struct loader_image *image)
{
    loader_unknown();
    return loader_image_open(&partition, &machine, partition.kernel, "kernel", &sink, image);
}
