/* Getting at the instruction that a guest stands at: translate, read, decode. */
#include "core/mmio_operand.h"

#include "core/range.h"
#include "core/register_bits.h"

static enum decode_mode code_mode(const struct vcpu_state_view *view)
{
    if ((view->efer & EFER_LMA) && view->cs_long)
        return DECODE_64;
    return view->cs_default32 ? DECODE_32 : DECODE_16;
}

/* Fetches up to the end of the page, or up to 15 bytes in all. */
static enum mmio_result fetch_part(struct emulation *e)
{
    struct mmio_outcome *out = e->out;
    uint64_t linear = e->view->rip + out->byte_count;
    if (e->mode != DECODE_64)
        linear = (linear + e->view->cs_base) & UINT32_MAX;
    uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;
    uint64_t wanted = (uint64_t)DECODE_MAX_LENGTH - out->byte_count;
    uint64_t size = room < wanted ? room : wanted;

    uint64_t at;
    enum mmio_result result = mmio_translate(e, linear, WALK_FETCH, false, &at);
    if (result != MMIO_DONE)
        return result;
    if (!e->memory->read(e->memory->context, gpa(at), out->bytes + out->byte_count, size))
        return mmio_unknown(e, "the instruction lies outside the guest's RAM");
    out->byte_count = (uint8_t)(out->byte_count + size);
    return MMIO_DONE;
}

/* The next page is looked at only when the instruction really goes on there. */
enum mmio_result mmio_fetch(struct emulation *e)
{
    e->mode = code_mode(e->view);
    *e->out = (struct mmio_outcome){.rflags = e->view->rflags};
    enum decode_result decoded = DECODE_TRUNCATED;
    while (decoded == DECODE_TRUNCATED) {
        enum mmio_result result = fetch_part(e);
        if (result != MMIO_DONE)
            return result;
        decoded = decode_instruction(e->mode, e->out->bytes, e->out->byte_count, &e->d);
    }
    if (decoded == DECODE_TOO_LONG)
        return mmio_exception(e, VECTOR_GP, 0, 0);
    if (decoded == DECODE_UNDEFINED)
        return mmio_exception(e, VECTOR_UD, 0, 0);
    if (decoded != DECODE_OK)
        return mmio_unknown(e, "the decoder does not know the instruction");
    e->out->length = e->d.length;
    return MMIO_DONE;
}
