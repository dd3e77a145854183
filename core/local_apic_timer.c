/*
 * The timer. SDM vol. 3A, "APIC Timer", "TSC-Deadline Mode".
 *
 * Nothing is stepped. Bus clocks are numbered from TSC 0; the counter remembers the number at which it began and works
 * out everything else from the number that it is now. So a late tick does not move the next one, and the error of
 * converting between the two clocks does not add up.
 */
#include "core/local_apic_registers.h"

#include "core/virt_clock.h"

static uint32_t initial_of(const struct local_apic *lapic) { return local_apic_get(lapic, APIC_INITIAL_COUNT); }

static bool is_periodic(const struct local_apic *lapic)
{
    return (local_apic_get(lapic, APIC_LVT_TIMER) & LVT_TIMER_MODE) == LVT_TIMER_PERIODIC;
}

/* Number of the present bus clock. */
static uint64_t clock_at(const struct local_apic *lapic, uint64_t now)
{
    struct virt_clock clock = {lapic->config.tsc_hz, now};

    return virt_clock_count(&clock, lapic->config.bus_hz);
}

/* "Divide Configuration Register": bits 3, 1, 0 are 0 for 2 up to 6 for 128, and 7 for 1. */
static uint32_t divisor(const struct local_apic *lapic)
{
    uint32_t divide = local_apic_get(lapic, APIC_DIVIDE), code = (divide & 3u) | (divide >> 1 & 4u);

    return code == 7 ? 1 : 2u << code;
}

static uint64_t counted(const struct local_apic *lapic, uint64_t now)
{
    uint64_t clock = clock_at(lapic, now);

    return clock > lapic->timer.start ? (clock - lapic->timer.start) / divisor(lapic) : 0;
}

/*
 * Whether the timer has expired since this was last asked. A periodic one has begun anew whenever it did: from the last
 * of these times on it counts now, so that a late look does not move it.
 */
static bool take_expiration(struct local_apic *lapic, uint64_t now)
{
    struct local_apic_timer *timer = &lapic->timer;

    if (timer->deadline != 0) {
        if (now < timer->deadline)
            return false;
        timer->deadline = 0;
        return true;
    }
    if (!timer->running)
        return false;
    uint64_t steps = counted(lapic, now);
    if (steps < timer->count)
        return false;
    timer->running = is_periodic(lapic);
    if (timer->running) {
        uint32_t initial = initial_of(lapic);
        timer->start += (steps - (steps - timer->count) % initial) * divisor(lapic);
        timer->count = initial;
    }
    return true;
}

/* A masked timer counts on and nobody misses its interrupts. */
void local_apic_tick(struct local_apic *lapic, uint64_t now)
{
    if (take_expiration(lapic, now))
        local_apic_raise(lapic, APIC_LVT_TIMER);
}

uint64_t local_apic_next_deadline(const struct local_apic *lapic)
{
    const struct local_apic_timer *timer = &lapic->timer;
    struct virt_clock clock = {lapic->config.tsc_hz, 0};
    uint64_t clocks;

    if (local_apic_masked(lapic, APIC_LVT_TIMER))
        return LOCAL_APIC_NEVER;
    if (timer->deadline != 0)
        return timer->deadline;
    if (!timer->running || __builtin_add_overflow(timer->start, (uint64_t)timer->count * divisor(lapic), &clocks))
        return LOCAL_APIC_NEVER;
    return virt_clock_when(&clock, lapic->config.bus_hz, clocks);
}

/* Both timer mode bits set is a reserved mode: the counter stands. */
static void count_from(struct local_apic *lapic, uint32_t count, uint64_t now)
{
    lapic->timer.running = count != 0 && (local_apic_get(lapic, APIC_LVT_TIMER) & LVT_TIMER_DEADLINE) == 0;
    lapic->timer.count = count;
    lapic->timer.start = clock_at(lapic, now);
}

/* Starts the counter again; 0 stops it. "In TSC-deadline mode, writes to the initial-count register are ignored." */
void local_apic_timer_write_initial(struct local_apic *lapic, uint32_t value, uint64_t now)
{
    if (local_apic_in_deadline_mode(lapic))
        return;
    local_apic_tick(lapic, now);
    local_apic_put(lapic, APIC_INITIAL_COUNT, value);
    count_from(lapic, value, now);
}

/* The count goes on from where it is; the part of a step that has passed is lost. */
void local_apic_timer_write_divide(struct local_apic *lapic, uint32_t value, uint64_t now)
{
    local_apic_tick(lapic, now);
    uint32_t count = local_apic_timer_current(lapic, now);
    local_apic_put(lapic, APIC_DIVIDE, value);
    if (lapic->timer.running)
        count_from(lapic, count, now);
}

uint32_t local_apic_timer_current(struct local_apic *lapic, uint64_t now)
{
    local_apic_tick(lapic, now);
    return lapic->timer.running ? lapic->timer.count - (uint32_t)counted(lapic, now) : 0;
}
