/*
 * Remembered instructions against forgetful ones: two guests with the same memory, registers and page tables make the
 * same accesses to the I/O APIC's page. The first may use what it has learned, the second never learns. Whatever the
 * input does to code, tables and registers between the accesses, the two must not differ.
 *
 * An access happens only where a CPU would make it: the harness walks the tables for the fetch and for the operand.
 */
#include "core/fast_memory.h"

#include "core/acpi_tables.h"
#include "core/decode.h"
#include "core/exit_handle.h"
#include "core/guest_walk.h"
#include "core/platform.h"
#include "drivers/virt/platform.h"
#include "tests/fuzz/box.h"

enum { ROOT = 0x1000, POINTERS = 0x2000, CODE = 0x3000, CODE_2 = POINTERS, ROOT_2 = 0, POSITIONS = 16, TWINS = 2 };
#define DEVICE_LINEAR ((uint64_t)GUEST_IOAPIC_BASE - GIB)
enum operation { OP_INSTRUCTION, OP_BYTES, OP_SPOIL, OP_REGISTER, OP_SPACE, OP_ACCESS, OP_ACCESS_AGAIN, OPS };

static struct vcpu *twins[TWINS];

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    return partition_read(context, from, to, size);
}
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    return partition_write(context, to, from, size);
}

static size_t in_page(uint64_t at, size_t size)
{
    return size < PAGE_SIZE - at % PAGE_SIZE ? size : (size_t)(PAGE_SIZE - at % PAGE_SIZE);
}

/* What of it lies in the page. */
static void write_both(uint64_t at, const void *bytes, size_t size)
{
    for (unsigned i = 0; i < TWINS; i++)
        require(partition_write(twins[i]->partition, gpa(at), bytes, in_page(at, size)));
}

static void write_entry(uint64_t at, uint64_t entry) { write_both(at, &entry, sizeof entry); }

/*
 * Two address spaces with the same linear addresses, code at CODE and the devices' GiB as the third: one maps CODE by a
 * page of 1 GiB, the other by a page that is its own table at all four levels, and to other memory.
 */
static void make_tables(void)
{
    write_entry(ROOT, POINTERS | 7);
    write_entry(POINTERS, 0x87);
    write_entry(POINTERS + 8 * 2, 3 * GIB | 0x87);
    write_entry(ROOT_2, ROOT_2 | 7);
    write_entry(ROOT_2 + 8 * 2, 3 * GIB | 0x87);
    write_entry(ROOT_2 + 8 * 3, CODE_2 | 7);
}

/* Behind what of a table is in use, in the page's first or last 128 bytes. */
static uint64_t place(uint8_t choice)
{
    return 0x40u + (choice % POSITIONS) * 4u + (choice >> 7) * (PAGE_SIZE - 0x80u);
}

static uint64_t code_page(uint8_t choice) { return choice & 0x40 ? CODE_2 : CODE; }

/* MOV between a register or an immediate and [base + displacement], 32 bits wide unless a prefix says something else.
 */
static void put_instruction(struct input *in)
{
    static const uint8_t opcodes[] = {0x89, 0x8b, 0xc7, 0x8b, 0x89, 0x01, 0x39, 0x87};
    static const uint8_t prefixes[] = {0x66, 0x67, 0x64, 0xf0, 0x48, 0x41, 0x44, 0x40};
    uint8_t where = input_8(in), how = input_8(in), code[16];
    uint64_t at = code_page(where) + place(where);
    size_t length = 0;
    if ((how & 0xc0) == 0xc0)
        code[length++] = prefixes[how >> 3 & 7];
    code[length++] = opcodes[how & 7];
    uint8_t modrm = input_8(in);
    code[length++] = (modrm & 0x38) | (modrm & 7) | ((modrm & 0xc0) == 0xc0 ? 0x40 : modrm & 0xc0);
    if ((modrm & 7) == 4)
        code[length++] = 0x20 | (how >> 3 & 7); /* SIB: a base, among them RSP, and no index */
    memset(code + length, 0, sizeof code - length);
    input_bytes(in, code + length, sizeof code - length < 8 ? sizeof code - length : 8);
    write_both(at, code, length + (how >> 4 & 3) + 2);
}

static void put_bytes(struct input *in)
{
    uint8_t bytes[8] = {0}, where = input_8(in);
    uint64_t at = code_page(where) + place(where);
    input_bytes(in, bytes, sizeof bytes);
    write_both(at, bytes, sizeof bytes);
}

static void spoil(struct input *in)
{
    uint16_t at = input_16(in);
    uint8_t byte = input_8(in);
    /* Half of them hit the tables. */
    uint64_t table = at & 1 ? POINTERS : at & 0x4000 ? ROOT : ROOT_2;
    write_both(at & 0x8000 ? table + (at >> 1 & 31) : at % BOX_RAM, &byte, 1);
}

static void set_register(struct input *in)
{
    uint8_t which = input_8(in) % GPRS, how = input_8(in);
    uint64_t value = how & 1 ? input_64(in) : DEVICE_LINEAR + (how & 0xf8);
    for (unsigned i = 0; i < TWINS; i++)
        twins[i]->gpr[which] = value;
}

static void switch_space(struct input *in)
{
    uint8_t how = input_8(in);
    box.view.cr3 = (how & 1 ? ROOT : ROOT_2) | (how & 0x18); /* PWT and PCD change nothing */
    box.view.cr4 = how & 2 ? 0x20 : 0x20 | 1 << 7;
    box.view.cpl = how & 4 ? 3 : 0;
}

/* Both walk, since a CPU marks the tables too. False: the access is a fault of the guest's own. */
static bool walk(uint64_t linear, unsigned access, uint64_t *address)
{
    struct walk_outcome out[TWINS];
    enum walk_result results[TWINS];
    for (unsigned i = 0; i < TWINS; i++) {
        struct partition *p = twins[i]->partition;
        const struct guest_memory memory = {ram_read, ram_write, p, p->machine->caps.physical_bits};
        results[i] = guest_walk(&box.view, &memory, linear, access, &out[i]);
    }
    require(results[0] == results[1]);
    require(results[0] != WALK_OK || out[0].address.raw == out[1].address.raw);
    *address = out[0].address.raw;
    return results[0] == WALK_OK;
}

/* Where the one memory operand lies; false for instructions that have it elsewhere, or two. */
static bool operand(const struct decoded *d, uint64_t *linear)
{
    if (d->form == DECODE_STRING || d->segment == SEGMENT_FS || d->segment == SEGMENT_GS ||
        (d->operation >= DECODE_BT && d->operation <= DECODE_BTC))
        return false;
    uint64_t sum = d->displacement;
    sum += d->base != DECODE_NO_REGISTER ? twins[0]->gpr[d->base] : 0;
    sum += d->index != DECODE_NO_REGISTER ? twins[0]->gpr[d->index] * d->scale : 0;
    sum += d->rip_relative ? box.view.rip + d->length : 0;
    *linear = d->address_size == 8 ? sum : (uint32_t)sum;
    return d->address_size != 2;
}

/* The instruction at RIP as the CPU has fetched it, and what it accesses; false when it never reaches the device. */
static bool execute(struct decoded *d, struct exit *exit)
{
    uint8_t bytes[DECODE_MAX_LENGTH];
    uint64_t at, linear, address;
    if (!walk(box.view.rip, WALK_FETCH, &at) ||
        !partition_read(twins[0]->partition, gpa(at), bytes, in_page(at, sizeof bytes)) ||
        decode_instruction(DECODE_64, bytes, in_page(at, sizeof bytes), d) != DECODE_OK || !operand(d, &linear))
        return false;
    bool writes = d->operation != DECODE_CMP && d->operation != DECODE_TEST && d->form != DECODE_TO_REGISTER;
    if (linear % PAGE_SIZE > PAGE_SIZE - d->size || !walk(linear, writes ? WALK_WRITE : 0, &address) ||
        address < GUEST_IOAPIC_BASE || address >= GUEST_IOAPIC_BASE + PAGE_SIZE)
        return false;
    *exit = (struct exit){.kind = EXIT_MEMORY, .address = address, .write = writes};
    return true;
}

static void require_same(void)
{
    uint8_t ram[TWINS][BOX_RAM];
    const struct platform *a = twins[0]->partition->platform, *b = twins[1]->partition->platform;
    require(memcmp(twins[0]->gpr, twins[1]->gpr, sizeof twins[0]->gpr) == 0);
    require(memcmp(&a->ioapic, &b->ioapic, sizeof a->ioapic) == 0);
    require(lifecycle_settled(twins[0]->partition) == lifecycle_settled(twins[1]->partition));
    for (unsigned i = 0; i < TWINS; i++)
        require(partition_read(twins[i]->partition, gpa(0), ram[i], BOX_RAM));
    require(memcmp(ram[0], ram[1], BOX_RAM) == 0);
}

/* Returns false when the guests have ended. */
static bool access(uint8_t where)
{
    struct decoded d;
    struct exit exit;
    box.view.rip = CODE + place(where);
    if (!execute(&d, &exit))
        return true;
    struct fast_access fast = {
        .rip = box.view.rip, .cr3 = box.view.cr3, .cr4 = box.view.cr4, .address = exit.address, .write = exit.write};
    /* RSP is the CPU's until the backend looks at the guest. */
    uint64_t rsp = twins[0]->gpr[GPR_RSP];
    twins[0]->gpr[GPR_RSP] = ~rsp;
    uint8_t length = fast_memory(twins[0], &fast);
    require(length == 0 || length == d.length);
    require(twins[0]->gpr[GPR_RSP] == ~rsp);
    twins[0]->gpr[GPR_RSP] = rsp;
    unsigned advanced[TWINS] = {0}, injected[TWINS] = {0};
    for (unsigned i = 0; i < TWINS; i++) {
        memset(&box.calls, 0, sizeof box.calls);
        fake_cpu.current = twins[i]->cpu;
        exit.own = i == 0;
        memset(&twins[1]->codes, 0, sizeof twins[1]->codes);
        if (i != 0 || length == 0)
            exit_handle(twins[i], &box.backend, &exit);
        else
            box.calls.advanced = 1;
        advanced[i] = box.calls.advanced;
        injected[i] = box.calls.injected;
    }
    require(advanced[0] == advanced[1] && injected[0] == injected[1]);
    require_same();
    return lifecycle_settled(twins[0]->partition);
}

static uint8_t last; /* where the last access was */

static bool operate(struct input *in)
{

    switch ((enum operation)(input_8(in) % OPS)) {
    case OP_INSTRUCTION:
        put_instruction(in);
        return true;
    case OP_BYTES:
        put_bytes(in);
        return true;
    case OP_SPOIL:
        spoil(in);
        return true;
    case OP_REGISTER:
        set_register(in);
        return true;
    case OP_SPACE:
        switch_space(in);
        return true;
    case OP_ACCESS:
        last = input_8(in);
        return access(last);
    case OP_ACCESS_AGAIN:
        return access(last) && access(last);
    case OPS:
        break;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    box_setup(0);
    last = 0;
    twins[0] = &box.vcpus[0];
    twins[1] = &box.vcpus[BOX_VCPUS - 1];
    for (uint32_t i = 0; i < BOX_PARTITIONS; i++)
        require(lifecycle_ask(&partition_table.partitions[i], GOAL_START) == LIFECYCLE_ACCEPTED);
    (void)box_obey();
    (void)box_obey();
    for (unsigned i = 0; i < TWINS; i++) {
        require(twins[i]->partition->state == PARTITION_RUNNING);
        for (unsigned r = 0; r < GPRS; r++)
            twins[i]->gpr[r] = DEVICE_LINEAR + (r & 1) * 0x10;
    }
    make_tables();
    box.view = (struct vcpu_state_view){
        .cr0 = 0x80000001, .cr3 = ROOT, .cr4 = 0x20, .efer = 0x500, .cs_long = true, .rflags = 2};
    while (in.left != 0 && operate(&in))
        ;
    box_require_isolated();
    box_teardown();
    return 0;
}
