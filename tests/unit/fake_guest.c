/* A partition for loader tests. */
#include "tests/unit/fake_guest.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_phys.h"

#define HOST_BASE 0x40000000u

struct fake_guest fake_guest;

static struct plan_chunk whole[2]; /* the chunks without a hole */
static char text[4096];
static size_t text_used;
static uint64_t modules_used;

static void put(struct sink *self, const char *bytes, size_t length)
{
    (void)self;
    if (length >= sizeof text - text_used)
        abort();
    memcpy(text + text_used, bytes, length);
    text_used += length;
    text[text_used] = '\0';
}

static struct sink *errors(void)
{
    static struct sink sink = {put};
    text_used = 0;
    text[0] = '\0';
    return &sink;
}

void fake_guest_setup(enum boot_protocol boot, uint64_t memory, uint64_t split)
{
    struct fake_guest *g = &fake_guest;
    memset(g, 0, sizeof *g);
    modules_used = 0;
    fake_phys_setup(HOST_BASE, FAKE_GUEST_MODULES_SIZE + memory);
    hpa_t ram = hpa(HOST_BASE + FAKE_GUEST_MODULES_SIZE);

    strcpy(g->config.name, "p");
    g->config.boot = boot;
    g->config.memory = memory;
    g->config.cpu_count = 1;
    g->plan.config = &g->config;
    g->plan.cpu_count = 1;
    g->plan.initrd = PLAN_NO_MODULE;
    g->plan.chunk_count = 2;
    g->plan.chunks[0] = (struct plan_chunk){gpa(0), hpa(ram.raw + memory - split), split};
    g->plan.chunks[1] = (struct plan_chunk){gpa(split), ram, memory - split};
    memcpy(whole, g->plan.chunks, sizeof whole);
    g->machine.cpu_count = 1;
    g->partition.plan = &g->plan;
    g->partition.machine = &g->machine;
    g->partition.vcpus = g->vcpus;
    g->partition.vcpu_count = 1;
}

void fake_guest_teardown(void) { fake_phys_teardown(); }

uint8_t *fake_guest_module(const char *name, uint64_t size)
{
    struct machine *machine = &fake_guest.machine;
    struct machine_module *module = &machine->modules[machine->module_count];
    if (machine->module_count == MACHINE_MAX_MODULES || size > FAKE_GUEST_MODULES_SIZE - modules_used)
        abort();
    strncpy(module->name, name, sizeof module->name - 1);
    module->range = (struct range){HOST_BASE + modules_used, size};
    machine->module_count++;
    modules_used += size;
    return fake_phys_at(module->range.base, size);
}

void fake_guest_cmdline(const char *line) { fake_guest.config.cmdline.text = (struct slice){line, strlen(line)}; }

static void chunk_add(const struct plan_chunk *chunk, uint64_t from, uint64_t to)
{
    if (from < to)
        fake_guest.plan.chunks[fake_guest.plan.chunk_count++] =
            (struct plan_chunk){gpa(from), hpa(chunk->hpa.raw + (from - chunk->gpa.raw)), to - from};
}

void fake_guest_hole(uint64_t at)
{
    fake_guest.plan.chunk_count = 0;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        uint64_t from = whole[i].gpa.raw, to = from + whole[i].size;
        bool cut = at >= from && at < to;
        chunk_add(&whole[i], from, cut ? at : to);
        if (cut)
            chunk_add(&whole[i], at + PAGE_SIZE, to);
    }
}

static bool is_zero(uint64_t at)
{
    static const uint8_t zero[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];
    fake_guest_read(at, page, sizeof page);
    return memcmp(page, zero, sizeof page) == 0;
}

static bool errors_are(bool expected)
{
    static const char begin[] = "partition 'p': ";
    const char *end = strchr(text, '\n');
    bool one_line = strncmp(text, begin, sizeof begin - 1) == 0 && end != NULL && end[1] == '\0';
    return expected ? one_line : text[0] == '\0';
}

uint32_t fake_guest_load_with_holes(void)
{
    static bool filled[FAKE_GUEST_MAX_PAGES];
    uint32_t missed = 0;
    uint64_t pages = fake_guest.config.memory / PAGE_SIZE;
    if (pages > sizeof filled / sizeof filled[0] || !fake_guest_load())
        abort();
    for (uint64_t i = 0; i < pages; i++)
        filled[i] = !is_zero(i * PAGE_SIZE);
    for (uint64_t i = 0; i < pages; i++) {
        fake_guest_hole(i * PAGE_SIZE);
        bool loaded = fake_guest_load();
        if (!errors_are(!loaded) || (loaded && filled[i]))
            abort();
        missed += !loaded;
    }
    return missed;
}

bool fake_guest_check(void) { return loader_check(&fake_guest.plan, &fake_guest.machine, errors()); }

bool fake_guest_load(void)
{
    memset(&fake_guest.entry, 0xee, sizeof fake_guest.entry);
    return loader_load(&fake_guest.partition, &fake_guest.entry, errors());
}

const char *fake_guest_errors(void) { return text; }

void fake_guest_read(uint64_t from, void *to, size_t size)
{
    if (!partition_read(&fake_guest.partition, gpa(from), to, size))
        abort();
}
