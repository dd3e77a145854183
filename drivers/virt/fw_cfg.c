/*
 * fw_cfg: a 16-bit write to the first port selects an item, reads of the second give its bytes one by one and zeros
 * after its end. Nothing can be written.
 */
#include "drivers/virt/fw_cfg.h"

#include "core/bytes.h"
#include "core/phys.h"

enum { PORT_SELECT = 0, PORT_DATA = 1 };

enum {
    KEY_SIGNATURE = 0x00, /* "QEMU" */
    KEY_ID = 0x01,        /* 32 bits: what the device can do */
    KEY_DIRECTORY = 0x19, /* a 32-bit count, then the files; big-endian */
    KEY_FIRST_FILE = 0x20,
    ID_PORTS = 1u << 0,
    FILE_SIZE = 64, /* of a file in the directory: size, key, two bytes reserved, name */
    COUNT_SIZE = 4,
};

static const uint8_t signature[] = {'Q', 'E', 'M', 'U'};
static const uint8_t id[] = {ID_PORTS, 0, 0, 0};

void fw_cfg_reset(struct fw_cfg *cfg) { memset(cfg, 0, sizeof *cfg); }

static const struct fw_cfg_item *item_find(const struct fw_cfg *cfg, uint16_t key)
{
    for (uint32_t i = 0; i < cfg->item_count; i++)
        if (cfg->items[i].given.key == key)
            return &cfg->items[i];
    return NULL;
}

static bool is_file(const struct fw_cfg_item *item) { return item->name[0] != '\0'; }

static uint32_t file_count(const struct fw_cfg *cfg)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cfg->item_count; i++)
        count += is_file(&cfg->items[i]);
    return count;
}

bool fw_cfg_add(struct fw_cfg *cfg, const struct firmware_item *item)
{
    if (cfg->item_count == FW_CFG_MAX_ITEMS)
        return false;
    struct fw_cfg_item *to = &cfg->items[cfg->item_count];
    *to = (struct fw_cfg_item){.given = *item};
    size_t length = item->name != NULL ? strlen(item->name) : 0;
    if (length >= sizeof to->name)
        return false;
    if (length != 0) {
        memcpy(to->name, item->name, length);
        to->given.key = (uint16_t)(KEY_FIRST_FILE + file_count(cfg));
    }
    if (item_find(cfg, to->given.key) != NULL)
        return false;
    if (item->bytes != NULL && item->size <= sizeof to->value)
        to->given.bytes = memcpy(to->value, item->bytes, item->size);
    cfg->item_count++;
    return true;
}

bool fw_cfg_patch(struct fw_cfg *cfg, uint16_t key, uint32_t at, uint8_t byte)
{
    if (cfg->patch_count == FW_CFG_MAX_PATCHES)
        return false;
    cfg->patches[cfg->patch_count++] = (struct fw_cfg_patch){key, at, byte};
    return true;
}

static uint8_t big_endian(uint32_t value, unsigned bytes, uint32_t at)
{
    return (uint8_t)(value >> 8 * (bytes - 1 - at));
}

static uint8_t file_byte(const struct fw_cfg_item *item, uint32_t at)
{
    if (at < 4)
        return big_endian(item->given.size, 4, at);
    if (at < 6)
        return big_endian(item->given.key, 2, at - 4);
    return at < FILE_SIZE - FW_CFG_NAME_SIZE ? 0 : (uint8_t)item->name[at - (FILE_SIZE - FW_CFG_NAME_SIZE)];
}

static uint8_t directory_byte(const struct fw_cfg *cfg, uint32_t at)
{
    if (at < COUNT_SIZE)
        return big_endian(file_count(cfg), COUNT_SIZE, at);
    uint32_t file = (at - COUNT_SIZE) / FILE_SIZE;
    for (uint32_t i = 0; i < cfg->item_count; i++)
        if (is_file(&cfg->items[i]) && file-- == 0)
            return file_byte(&cfg->items[i], (at - COUNT_SIZE) % FILE_SIZE);
    return 0;
}

/* A byte of a boot module, through a window, because each look at it costs a mapping. */
static uint8_t module_byte(struct fw_cfg *cfg, const struct fw_cfg_item *item, uint32_t at)
{
    if (cfg->window_key != item->given.key || at < cfg->window_at || at - cfg->window_at >= cfg->window_size) {
        uint32_t left = item->given.size - at;
        cfg->window_key = item->given.key;
        cfg->window_at = at;
        cfg->window_size = left < sizeof cfg->window ? left : (uint32_t)sizeof cfg->window;
        phys_read(hpa(item->given.host.raw + at), cfg->window, cfg->window_size);
    }
    return cfg->window[at - cfg->window_at];
}

static uint8_t item_byte(struct fw_cfg *cfg, const struct fw_cfg_item *item, uint32_t at)
{
    for (uint32_t i = 0; i < cfg->patch_count; i++)
        if (cfg->patches[i].key == item->given.key && cfg->patches[i].at == at)
            return cfg->patches[i].byte;
    const uint8_t *bytes = item->given.bytes;
    return bytes != NULL ? bytes[at] : module_byte(cfg, item, at);
}

static uint8_t next_byte(struct fw_cfg *cfg)
{
    const struct fw_cfg_item *item = item_find(cfg, cfg->selected);
    uint32_t at = cfg->offset;
    if (at != UINT32_MAX)
        cfg->offset++;
    if (item != NULL)
        return at < item->given.size ? item_byte(cfg, item, at) : 0;
    if (cfg->selected == KEY_SIGNATURE)
        return at < sizeof signature ? signature[at] : 0;
    if (cfg->selected == KEY_ID)
        return at < sizeof id ? id[at] : 0;
    return cfg->selected == KEY_DIRECTORY ? directory_byte(cfg, at) : 0;
}

void fw_cfg_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct fw_cfg *cfg = device;

    if (access->write) {
        if (offset == PORT_SELECT && access->size == 2) {
            cfg->selected = (uint16_t)access->value;
            cfg->offset = 0;
        }
        return;
    }
    if (cfg->item_count == 0)
        bus_nothing(access);
    else
        access->value = offset == PORT_DATA && access->size == 1 ? next_byte(cfg) : 0;
}
