#include "core/fast_memory.h"

#include "core/bytes.h"
#include "core/guest_walk.h"
#include "core/mmio.h"
#include "core/phys.h"
#include "core/register_bits.h"

_Static_assert((int)FAST_CODE_LEVELS == (int)WALK_MAX_LEVELS, "room for every walk");

enum { OPERAND_SIZE = FAST_CODE_OPERAND, SLOT_BYTES = 4 };

static struct fast_code *slot_of(struct vcpu *vcpu, uint64_t rip)
{
    return &vcpu->codes[rip / SLOT_BYTES % FAST_CODE_SLOTS];
}

/* The operand is at the address that the CPU has reported, and nowhere else. */
static bool in_one_page(const struct vcpu *vcpu, const struct fast_code *code, uint64_t address)
{
    uint64_t linear = code->displacement + (code->base != DECODE_NO_REGISTER ? vcpu->gpr[code->base] : 0);

    return (linear ^ address) % PAGE_SIZE == 0 && address % PAGE_SIZE <= PAGE_SIZE - OPERAND_SIZE;
}

static bool store(const struct vcpu *vcpu, const struct fast_code *code, uint64_t address)
{
    return platform_quick_write(vcpu->partition->platform, address, fast_memory_value(vcpu, code));
}

static bool load(struct vcpu *vcpu, const struct fast_code *code, uint64_t address)
{
    int64_t value = platform_quick_read(vcpu->partition->platform, address);

    if (value < 0)
        return false;
    fast_memory_set(vcpu, code, (uint32_t)value);
    return true;
}

static bool is_known(const struct vcpu *vcpu, const struct fast_code *code, const struct fast_access *access)
{
    return code->rip == access->rip && code->cr3 == access->cr3 && code->la57 == (access->cr4 & CR4_LA57) &&
           code->count != 0 && code->write == access->write && in_one_page(vcpu, code, access->address) &&
           phys_compare(code->words, code->count);
}

const struct fast_code *fast_memory_find(struct vcpu *vcpu, const struct fast_access *access)
{
    for (uint32_t i = 0; i < FAST_CODE_SLOTS; i++)
        if (is_known(vcpu, &vcpu->codes[i], access))
            return &vcpu->codes[i];
    return NULL;
}

uint8_t fast_memory(struct vcpu *vcpu, const struct fast_access *access)
{
    const struct fast_code *code = slot_of(vcpu, access->rip);

    if (!is_known(vcpu, code, access) ||
        !(code->write ? store(vcpu, code, access->address) : load(vcpu, code, access->address)))
        return 0;
    vcpu->stats.exits[EXIT_MEMORY]++;
    return code->length;
}

/* Remembering */

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    return partition_read(context, from, to, size);
}

/* The walk that is noted is one for which nothing had to be marked any more: mmio_emulate has just made it too. */
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    (void)context, (void)to, (void)from, (void)size;
    return false;
}

/* Eight bytes of RAM, which do not cross a page: table entries are aligned, and of code it has been asked for. */
static bool add_word(const struct vcpu *vcpu, struct fast_code *code, gpa_t at, uint64_t value, uint64_t mask)
{
    struct phys_word *word = &code->words[code->count++];

    *word = (struct phys_word){.value = value, .mask = mask};
    return plan_translate(vcpu->partition->plan, at, sizeof value, &word->at);
}

static bool is_simple(const struct decoded *d, const struct vcpu_state_view *view)
{
    bool loads = d->form == DECODE_TO_REGISTER,
         stores = d->form == DECODE_TO_MEMORY || d->form == DECODE_FROM_IMMEDIATE;
    bool sized = d->size == OPERAND_SIZE && (d->reg == DECODE_NO_REGISTER || d->register_size == OPERAND_SIZE);

    /* RSP is not always in its slot, and a narrow address wraps. */
    return d->operation == DECODE_MOV && (loads || stores) && sized && !d->lock && !d->high_byte &&
           d->address_size == 8 && d->segment != SEGMENT_FS && d->segment != SEGMENT_GS && d->base != GPR_RSP &&
           d->index == DECODE_NO_REGISTER && d->reg != GPR_RSP && d->length <= FAST_CODE_BYTES &&
           view->rip % PAGE_SIZE <= PAGE_SIZE - FAST_CODE_BYTES;
}

/* Notes all that leads to the instruction, and the instruction. */
static bool record(struct vcpu *vcpu, const struct vcpu_state_view *view, const uint8_t *bytes, struct fast_code *code)
{
    struct guest_memory memory = {.read = ram_read,
                                  .write = ram_write,
                                  .context = vcpu->partition,
                                  .physical_bits = vcpu->partition->machine->caps.physical_bits};
    uint8_t own[FAST_CODE_BYTES] = {0};
    struct walk_outcome walk;

    if (guest_walk(view, &memory, view->rip, WALK_FETCH, &walk) != WALK_OK || walk.depth == 0)
        return false;
    for (uint32_t i = 0; i < walk.depth; i++)
        if (!add_word(vcpu, code, walk.at[i], walk.entries[i], UINT64_MAX))
            return false;
    memcpy(own, bytes, code->length);
    return add_word(vcpu, code, walk.address, load64(own), UINT64_MAX >> (64 - 8 * code->length));
}

/* Two that want the same slot must not drive each other out for ever: the older one moves on to the next. */
static void put(struct vcpu *vcpu, const struct fast_code *code)
{
    struct fast_code *slot = slot_of(vcpu, code->rip);

    if (slot->count != 0 && slot->rip != code->rip)
        *slot_of(vcpu, code->rip + SLOT_BYTES) = *slot;
    *slot = *code;
}

void fast_memory_learn(struct vcpu *vcpu, const struct vcpu_state_view *view, const struct mmio_outcome *outcome)
{
    struct decoded d;

    if ((view->efer & EFER_LMA) == 0 || !view->cs_long ||
        decode_instruction(DECODE_64, outcome->bytes, outcome->byte_count, &d) != DECODE_OK || !is_simple(&d, view))
        return;
    struct fast_code code = {
        .rip = view->rip,
        .cr3 = view->cr3,
        .la57 = view->cr4 & CR4_LA57,
        .length = d.length,
        .write = d.form != DECODE_TO_REGISTER,
        .has_immediate = d.form == DECODE_FROM_IMMEDIATE,
        .reg = d.reg,
        .base = d.base,
        .displacement = d.displacement + (d.rip_relative ? view->rip + d.length : 0),
        .immediate = (uint32_t)d.immediate,
    };
    if (record(vcpu, view, outcome->bytes, &code))
        put(vcpu, &code);
}
