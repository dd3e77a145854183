/*
 * The firmware configuration device of emulated PCs: numbered items, which firmware reads byte by byte, among them a
 * directory of named files (QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device"). Ports only, no DMA.
 */
#pragma once

#include "core/bus.h"
#include "core/platform.h"

enum {
    FW_CFG_PORT = 0x510,
    FW_CFG_PORTS = 2,
    FW_CFG_MAX_ITEMS = 24,
    FW_CFG_NAME_SIZE = 56, /* with the terminator */
    FW_CFG_MAX_PATCHES = 8,
};

struct fw_cfg_item {
    struct firmware_item given;  /* its bytes are NULL or stay where they are, its name is not looked at */
    char name[FW_CFG_NAME_SIZE]; /* "": it is no file */
    uint8_t value[8];            /* the bytes of a small item */
};

struct fw_cfg {
    uint16_t selected;
    uint32_t offset;     /* in the selected item; stays at its end */
    uint32_t item_count; /* 0: the device is not there */
    uint32_t patch_count;
    struct fw_cfg_item items[FW_CFG_MAX_ITEMS];
    struct fw_cfg_patch {
        uint16_t key;
        uint32_t at;
        uint8_t byte;
    } patches[FW_CFG_MAX_PATCHES];
    uint16_t window_key; /* what of a boot module was read last */
    uint32_t window_at, window_size;
    uint8_t window[256];
};

/* No items: the ports answer as if there were no device. */
void fw_cfg_reset(struct fw_cfg *cfg);

/* False when there is no room, the key is taken, or the name is too long. The first one makes the device appear. */
bool must_check fw_cfg_add(struct fw_cfg *cfg, const struct firmware_item *item);

/* What reads as `byte` at offset `at` of the item, whatever is there. False when there is no room. */
bool must_check fw_cfg_patch(struct fw_cfg *cfg, uint16_t key, uint32_t at, uint8_t byte);

/* A bus_handler for a slot of FW_CFG_PORTS ports and any width. */
void fw_cfg_access(void *cfg, uint64_t offset, struct bus_access *access);
