/*
 * From other CPUs to the owner, without a lock.
 *
 * A sender first leaves its message and then sets `outstanding`; the owner first clears `outstanding` and then looks
 * for messages. So whatever is left after a look has set `outstanding` again, and only the sender that found it clear
 * needs to kick. Senders never wait, and two of the same vector merge, as they do in IRR.
 */
#include "core/local_apic_registers.h"

static bool announce(struct local_apic_posts *posts)
{
    return __atomic_exchange_n(&posts->outstanding, 1, __ATOMIC_SEQ_CST) == 0;
}

/* The trigger mode is written first, so that it is there when the owner takes the request. */
static bool post_vector(struct local_apic_posts *posts, uint8_t vector, bool level)
{
    uint32_t word = vector / 64u;
    uint64_t bit = (uint64_t)1 << vector % 64;

    if (level)
        __atomic_fetch_or(&posts->levels[word], bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&posts->levels[word], ~bit, __ATOMIC_RELAXED);
    __atomic_fetch_or(&posts->requests[word], bit, __ATOMIC_RELEASE);
    return announce(posts);
}

static bool post_event(struct local_apic_posts *posts, uint32_t event)
{
    __atomic_fetch_or(&posts->events, event, __ATOMIC_RELEASE);
    return announce(posts);
}

bool local_apic_post(struct local_apic *lapic, const struct interrupt_message *message)
{
    struct local_apic_posts *posts = &lapic->posts;

    switch (message->delivery) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST:
        return post_vector(posts, message->vector, message->level);
    case DELIVERY_SMI:
        return post_event(posts, LOCAL_APIC_EVENT_SMI);
    case DELIVERY_NMI:
        return post_event(posts, LOCAL_APIC_EVENT_NMI);
    case DELIVERY_INIT:
        /* "INIT Level De-assert" does nothing on any CPU that has an x2APIC. */
        return (message->assert_line || !message->level) && post_event(posts, LOCAL_APIC_EVENT_INIT);
    case DELIVERY_STARTUP:
        __atomic_store_n(&posts->startup_vector, message->vector, __ATOMIC_RELAXED);
        return post_event(posts, LOCAL_APIC_EVENT_STARTUP);
    case DELIVERY_EXTINT:
        return post_event(posts, POST_EXTINT);
    default:
        return false;
    }
}

bool local_apic_post_line(struct local_apic *lapic, enum local_apic_lvt line, bool asserted)
{
    struct local_apic_posts *posts = &lapic->posts;

    if (line != LOCAL_APIC_LINT0 && line != LOCAL_APIC_LINT1)
        return false;
    uint32_t pin = 1u << (line - LOCAL_APIC_LINT0);
    uint32_t before = asserted ? __atomic_fetch_or(&posts->lines, pin, __ATOMIC_RELEASE)
                               : __atomic_fetch_and(&posts->lines, ~pin, __ATOMIC_RELEASE);
    if (((before & pin) != 0) == asserted)
        return false;
    if (asserted)
        __atomic_fetch_or(&posts->rises, pin, __ATOMIC_RELEASE);
    return announce(posts);
}

/* A disabled local APIC takes nothing; a software-disabled one takes everything but vectors. */
static void take_events(struct local_apic *lapic, uint32_t events)
{
    if ((lapic->base & APIC_BASE_EN) == 0)
        return;
    if ((events & LOCAL_APIC_EVENT_STARTUP) != 0)
        lapic->startup_vector = __atomic_load_n(&lapic->posts.startup_vector, __ATOMIC_RELAXED);
    lapic->extint_message =
        lapic->extint_message || ((events & POST_EXTINT) != 0 && local_apic_software_enabled(lapic));
    lapic->events |= events & ~POST_EXTINT;
}

static void take_vectors(struct local_apic *lapic, uint32_t word)
{
    uint64_t requests = __atomic_exchange_n(&lapic->posts.requests[word], 0, __ATOMIC_ACQUIRE);
    uint64_t levels = __atomic_load_n(&lapic->posts.levels[word], __ATOMIC_RELAXED);

    if ((lapic->base & APIC_BASE_EN) == 0 || !local_apic_software_enabled(lapic))
        return;
    while (requests != 0) {
        uint32_t bit = (uint32_t)__builtin_ctzll(requests);
        requests &= requests - 1;
        local_apic_request(lapic, (uint8_t)(word * 64 + bit), ((levels >> bit) & 1) != 0);
    }
}

void local_apic_absorb(struct local_apic *lapic)
{
    struct local_apic_posts *posts = &lapic->posts;

    /* Plainly first: most rounds find nothing, and a write would take the line away from the senders. */
    if (!local_apic_has_posts(lapic) || __atomic_exchange_n(&posts->outstanding, 0, __ATOMIC_SEQ_CST) == 0)
        return;
    take_events(lapic, __atomic_exchange_n(&posts->events, 0, __ATOMIC_ACQUIRE));
    for (uint32_t word = 0; word < LOCAL_APIC_WORDS; word++)
        take_vectors(lapic, word);
    uint32_t rises = __atomic_exchange_n(&posts->rises, 0, __ATOMIC_ACQUIRE);
    local_apic_lines(lapic, __atomic_load_n(&posts->lines, __ATOMIC_ACQUIRE), rises);
}

/* Of the pins only the edges are forgotten: their level is still what it is. */
void local_apic_forget_posts(struct local_apic *lapic)
{
    struct local_apic_posts *posts = &lapic->posts;

    for (uint32_t word = 0; word < LOCAL_APIC_WORDS; word++)
        __atomic_store_n(&posts->requests[word], 0, __ATOMIC_RELAXED);
    __atomic_fetch_and(&posts->events, ~POST_EXTINT, __ATOMIC_RELAXED);
    __atomic_store_n(&posts->rises, 0, __ATOMIC_RELAXED);
}

uint32_t local_apic_take_events(struct local_apic *lapic)
{
    uint32_t events = lapic->events;

    lapic->events = 0;
    return events;
}
