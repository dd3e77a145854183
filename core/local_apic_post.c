/*
 * From other CPUs to the owner, without a lock.
 *
 * A sender first leaves its message and then sets `outstanding`; the owner first clears `outstanding` and then looks
 * for messages. So whatever is left after a look has set `outstanding` again, and only the sender that found it clear
 * needs to kick. Senders never wait, and two of the same vector merge, as they do in IRR.
 */
#include "core/local_apic_registers.h"

/* The trigger mode is written first, so that it is there when the owner takes the request. */
static void post_vector(struct local_apic_posts *posts, uint8_t vector, bool level)
{
    uint32_t word = vector / 64u;
    uint64_t bit = (uint64_t)1 << vector % 64;

    if (level)
        __atomic_fetch_or(&posts->levels[word], bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&posts->levels[word], ~bit, __ATOMIC_RELAXED);
    __atomic_fetch_or(&posts->requests[word], bit, __ATOMIC_RELEASE);
}

bool local_apic_post(struct local_apic *lapic, const struct interrupt_message *message)
{
    struct local_apic_posts *posts = &lapic->posts;

    switch (message->delivery) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST:
        post_vector(posts, message->vector, message->level);
        break;
    case DELIVERY_EXTINT:
        __atomic_store_n(&posts->extint, 1, __ATOMIC_RELEASE);
        break;
    default:
        return false;
    }
    return __atomic_exchange_n(&posts->outstanding, 1, __ATOMIC_SEQ_CST) == 0;
}

static void take_vectors(struct local_apic *lapic, uint32_t word, bool takes)
{
    uint64_t requests = __atomic_exchange_n(&lapic->posts.requests[word], 0, __ATOMIC_ACQUIRE);
    uint64_t levels = __atomic_load_n(&lapic->posts.levels[word], __ATOMIC_RELAXED);

    while (takes && requests != 0) {
        uint32_t bit = (uint32_t)__builtin_ctzll(requests);
        requests &= requests - 1;
        local_apic_request(lapic, (uint8_t)(word * 64 + bit), ((levels >> bit) & 1) != 0);
    }
}

/* A local APIC that is disabled, by its base register or by software, takes nothing. */
void local_apic_absorb(struct local_apic *lapic)
{
    struct local_apic_posts *posts = &lapic->posts;
    bool takes = (lapic->base & APIC_BASE_EN) != 0 && local_apic_software_enabled(lapic);

    /* Plainly first: most rounds find nothing, and a write would take the line away from the senders. */
    if (!local_apic_has_posts(lapic) || __atomic_exchange_n(&posts->outstanding, 0, __ATOMIC_SEQ_CST) == 0)
        return;
    if (__atomic_exchange_n(&posts->extint, 0, __ATOMIC_ACQUIRE) != 0 && takes)
        lapic->extint_message = true;
    for (uint32_t word = 0; word < LOCAL_APIC_WORDS; word++)
        take_vectors(lapic, word, takes);
}
