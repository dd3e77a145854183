#include "drivers/virt/watchdog.h"

enum { TICKS_PER_SECOND = 1000 / GUEST_WATCHDOG_PERIOD_MS };

static void due_set(struct watchdog *w, uint64_t due) { __atomic_store_n(&w->due, due, __ATOMIC_RELEASE); }

uint64_t watchdog_due(const struct watchdog *watchdog) { return __atomic_load_n(&watchdog->due, __ATOMIC_ACQUIRE); }

/* From now on it has all of its time. */
static void wind_up(struct watchdog *w)
{
    uint64_t wait = virt_clock_when(w->clock, TICKS_PER_SECOND, w->count), due;
    if (!w->running)
        return;
    if (wait == VIRT_CLOCK_NEVER || __builtin_add_overflow(w->clock->now, wait, &due))
        due = VIRT_CLOCK_NEVER;
    due_set(w, due);
}

static void stop(struct watchdog *w)
{
    w->running = false;
    due_set(w, VIRT_CLOCK_NEVER);
}

void watchdog_reset(struct watchdog *watchdog, const struct virt_clock *clock)
{
    bool caused = watchdog->has_expired;
    *watchdog = (struct watchdog){.clock = clock, .count = GUEST_WATCHDOG_MAX, .caused_start = caused};
    due_set(watchdog, VIRT_CLOCK_NEVER);
}

/* What is left, in ticks, rounded up: a guest that reads 0 is past its end. */
static uint32_t ticks_left(const struct watchdog *w)
{
    uint64_t due = watchdog_due(w), now = w->clock->now;
    if (!w->running)
        return w->count;
    if (due <= now || w->clock->hz == 0)
        return due == VIRT_CLOCK_NEVER ? w->count : 0;
    struct virt_clock rest = {w->clock->hz, due - now - 1};
    uint64_t ticks = virt_clock_count(&rest, TICKS_PER_SECOND);
    return ticks < w->count ? (uint32_t)ticks + 1 : w->count;
}

static uint64_t register_read(const struct watchdog *w, uint64_t offset, uint8_t size)
{
    if (offset == GUEST_WATCHDOG_COUNT && size == 4)
        return w->count;
    if (offset == GUEST_WATCHDOG_LEFT && size == 4)
        return ticks_left(w);
    if (offset == GUEST_WATCHDOG_CONTROL && size == 1)
        return w->running ? GUEST_WATCHDOG_RUNNING : 0;
    if (offset == GUEST_WATCHDOG_RELOAD && size == 1)
        return 0;
    if (offset == GUEST_WATCHDOG_STATUS && size == 1)
        return w->caused_start ? GUEST_WATCHDOG_CAUSED_START : 0;
    return bus_all_ones(size);
}

static void count_write(struct watchdog *w, uint32_t value)
{
    w->count = value < GUEST_WATCHDOG_MIN ? GUEST_WATCHDOG_MIN : value;
    if (w->count > GUEST_WATCHDOG_MAX)
        w->count = GUEST_WATCHDOG_MAX;
    wind_up(w);
}

static void control_write(struct watchdog *w, uint8_t value)
{
    bool run = value & GUEST_WATCHDOG_RUNNING;
    if (run == w->running)
        return; /* starting what runs already is no sign of life */
    if (!run) {
        stop(w);
        return;
    }
    w->running = true;
    w->has_expired = false; /* the guest has lived through it */
    wind_up(w);
}

static void register_write(struct watchdog *w, uint64_t offset, uint8_t size, uint64_t value)
{
    if (offset == GUEST_WATCHDOG_COUNT && size == 4)
        count_write(w, (uint32_t)value);
    else if (offset == GUEST_WATCHDOG_CONTROL && size == 1)
        control_write(w, (uint8_t)value);
    else if (offset == GUEST_WATCHDOG_RELOAD && size == 1)
        wind_up(w);
    else if (offset == GUEST_WATCHDOG_STATUS && size == 1 && (value & GUEST_WATCHDOG_CAUSED_START))
        w->caused_start = false; /* written as 1, as status bits are */
}

void watchdog_access(void *watchdog, uint64_t offset, struct bus_access *access)
{
    if (access->write)
        register_write(watchdog, offset, access->size, access->value);
    else
        access->value = register_read(watchdog, offset, access->size);
}

bool watchdog_expire(struct watchdog *watchdog)
{
    if (!watchdog->running || watchdog->clock->now < watchdog_due(watchdog))
        return false;
    stop(watchdog);
    watchdog->has_expired = true;
    return true;
}

void watchdog_hold(struct watchdog *watchdog) { wind_up(watchdog); }
