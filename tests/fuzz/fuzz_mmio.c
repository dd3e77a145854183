/*
 * Device-memory emulation: any instruction bytes, registers, paging mode and tables. What the rest of the hypervisor
 * relies on: accesses stay inside one page, nothing but the arithmetic flags changes, and what is not done leaves the
 * registers as they were.
 */
#include "core/mmio.h"

#include "core/bytes.h"
#include "core/range.h"
#include "tests/fuzz/input.h"

enum { RAM_SIZE = 0x8000, ROOT = 0x1000, PAGE_DIRECTORY = 0x3000, PAGES_32 = 0x4000, CODE = 0x5000, DATA = 0x6000 };
#define DEVICE_BASE ((uint64_t)0xfec00000)
#define FLAGS_ARITH ((uint64_t)0x8d5)
#define CR0_PG      ((uint64_t)1 << 31)
#define CR4_PAE     ((uint64_t)1 << 5)
#define EFER_LMA    ((uint64_t)1 << 10)

static uint8_t ram[RAM_SIZE];
static struct vcpu vcpu;

static struct {
    unsigned reads, writes;
    bool refuses;
    bool clean; /* answers have no bits above the access's size */
    uint64_t answer;
} device;

static bool is_ram(uint64_t at, size_t size)
{
    return range_includes((struct range){0, RAM_SIZE}, (struct range){at, size});
}

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    require(context == ram && size != 0);
    if (!is_ram(from.raw, size))
        return false;
    memcpy(to, ram + from.raw, size);
    return true;
}

static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    require(context == ram && size != 0);
    if (!is_ram(to.raw, size))
        return false;
    memcpy(ram + to.raw, from, size);
    return true;
}

static bool device_access(void *context, struct bus_access *access)
{
    require(context == &device);
    require(access->size == 1 || access->size == 2 || access->size == 4 || access->size == 8);
    require(access->address % PAGE_SIZE <= PAGE_SIZE - access->size);
    require(!access->write || (access->value & ~bus_all_ones(access->size)) == 0);
    if (device.refuses || access->address < DEVICE_BASE)
        return false;
    device.reads += !access->write;
    device.writes += access->write;
    if (!access->write)
        access->value = device.clean ? device.answer & bus_all_ones(access->size) : device.answer;
    return true;
}

static void require_outcome(enum mmio_result result, const struct vcpu_state_view *view, const uint64_t *before,
                            const struct mmio_outcome *out)
{
    bool same = memcmp(before, vcpu.gpr, sizeof vcpu.gpr) == 0;
    unsigned accesses = device.reads + device.writes;
    require(out->length <= DECODE_MAX_LENGTH && out->byte_count <= DECODE_MAX_LENGTH);
    require((out->reason != NULL) == (result == MMIO_UNKNOWN));
    require(((out->rflags ^ view->rflags) & ~FLAGS_ARITH) == 0);
    require(result == MMIO_DONE || out->rflags == view->rflags);
    require(accesses <= 2 * MMIO_MAX_ELEMENTS);
    switch (result) {
    case MMIO_DONE:
        require(out->length >= 1 && out->length <= out->byte_count);
        break;
    case MMIO_AGAIN:
        break;
    case MMIO_EXCEPTION:
        require(out->vector == VECTOR_UD || out->vector == VECTOR_SS || out->vector == VECTOR_GP ||
                out->vector == VECTOR_PF);
        require(out->vector == VECTOR_PF || out->error_code == 0);
        require(same || accesses != 0);
        break;
    case MMIO_REFUSED:
        require(out->refused.size != 0 && (device.refuses || out->refused.address < DEVICE_BASE));
        require(same || accesses != 0);
        break;
    case MMIO_UNKNOWN:
        require(same || accesses != 0); /* whole elements of a REP may be done */
        break;
    }
}

/* Identity for the RAM, and the device's page, in the format of each mode; the input may spoil entries after that. */
static void make_tables(const struct vcpu_state_view *view)
{
    uint64_t top = ROOT + 0x1000 + 7, directory = PAGE_DIRECTORY + 7;
    uint64_t small = 0x83 + 4, big = (DEVICE_BASE & ~(uint64_t)0x1fffff) | 0x87;
    if ((view->efer & EFER_LMA) != 0) {
        memcpy(ram + ROOT, &top, 8);
        memcpy(ram + ROOT + 0x1000, &directory, 8);
        memcpy(ram + PAGE_DIRECTORY, &small, 8);
        memcpy(ram + PAGE_DIRECTORY + 8, &big, 8);
    } else if ((view->cr4 & CR4_PAE) != 0) {
        directory = PAGE_DIRECTORY + 1;
        memcpy(ram + ROOT, &directory, 8);
        memcpy(ram + PAGE_DIRECTORY, &small, 8);
        memcpy(ram + PAGE_DIRECTORY + 8, &big, 8);
    } else {
        uint32_t pages = PAGES_32 + 7;
        memcpy(ram + ROOT, &pages, 4);
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t page = i * 0x1000 + 7, device_page = (uint32_t)DEVICE_BASE + i * 0x1000 + 7;
            memcpy(ram + PAGES_32 + i * 4, &page, 4);
            memcpy(ram + PAGES_32 + 0x800 + i * 4, &device_page, 4);
        }
    }
}

static struct vcpu_state_view make_view(struct input *in)
{
    struct vcpu_state_view view = {.rip = CODE + (input_8(in) & 0xf), .rflags = 2, .cr3 = ROOT, .cr0 = 1};
    uint8_t flags = input_8(in);
    view.rflags |= input_16(in) & 0xfd5;
    view.cpl = flags >> 6;
    view.cr0 |= flags & 1 ? CR0_PG : 0;
    view.cr4 = flags & 2 ? CR4_PAE : 0;
    if ((flags & 5) == 5) {
        view.cr4 = CR4_PAE;
        view.efer = EFER_LMA;
        view.cs_long = (flags & 8) != 0;
    }
    view.cs_default32 = !view.cs_long && (flags & 16) != 0;
    if ((flags & 32) != 0) {
        view.ds_base = input_16(in);
        view.es_base = input_32(in);
        view.fs_base = input_64(in);
        view.gs_base = input_16(in);
        view.ss_base = input_16(in);
    }
    return view;
}

/* Registers that matter point at the device, at RAM, or anywhere. */
static uint64_t make_register(struct input *in, bool paging)
{
    uint8_t kind = input_8(in);
    uint64_t window = paging ? 0x200000 : DEVICE_BASE;
    switch (kind & 3) {
    case 0:
        return window + (kind & 0xfc);
    case 1:
        return DATA + kind;
    case 2:
        return kind >> 2;
    default:
        return input_64(in);
    }
}

static enum mmio_result emulate(const struct vcpu_state_view *view, uint64_t fault, struct mmio_outcome *out)
{
    struct guest_memory memory = {ram_read, ram_write, ram, 40};
    memset(out, 0xee, sizeof *out);
    return mmio_emulate(&vcpu, view, gpa(fault), &memory, device_access, &device, out);
}

/* Emulates once, and when a device was read once more with other bits above the size: they must make no difference. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static uint8_t initial[RAM_SIZE], written[RAM_SIZE];
    uint64_t before[GPRS], after[GPRS];
    struct mmio_outcome out, clean;
    memset(ram, 0, sizeof ram);
    memset(&vcpu, 0, sizeof vcpu);
    memset(&device, 0, sizeof device);
    struct vcpu_state_view view = make_view(&in);
    make_tables(&view);
    device.refuses = (input_8(&in) & 7) == 7;
    device.answer = input_64(&in);
    uint8_t page = input_8(&in);
    uint64_t fault = page & 0x80 ? input_64(&in) : DEVICE_BASE + (uint64_t)(page & 3) * PAGE_SIZE;
    input_bytes(&in, ram + view.rip, DECODE_MAX_LENGTH);
    for (unsigned i = 0; i < GPRS; i++)
        vcpu.gpr[i] = make_register(&in, (view.cr0 & CR0_PG) != 0);
    while (in.left != 0) {
        uint16_t where = input_16(&in);
        ram[where % RAM_SIZE] = input_8(&in);
    }
    memcpy(before, vcpu.gpr, sizeof before);
    memcpy(initial, ram, sizeof ram);
    enum mmio_result result = emulate(&view, fault, &out);
    require_outcome(result, &view, before, &out);
    if (device.reads == 0)
        return 0;
    memcpy(after, vcpu.gpr, sizeof after);
    memcpy(vcpu.gpr, before, sizeof before);
    memcpy(written, ram, sizeof ram);
    memcpy(ram, initial, sizeof ram);
    device.clean = true;
    require(emulate(&view, fault, &clean) == result && clean.rflags == out.rflags);
    require(memcmp(after, vcpu.gpr, sizeof after) == 0 && memcmp(written, ram, sizeof ram) == 0);
    return 0;
}
