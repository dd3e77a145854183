/*
 * One counter of the 8254, after the data sheet's "Mode Definitions":
 *
 *   0  interrupt on terminal count      gate low pauses
 *   1  hardware retriggerable one-shot  gate's rise starts
 *   2  rate generator                   gate low stops, its rise restarts
 *   3  square wave                      as 2; counts by two
 *   4  software triggered strobe        gate low pauses
 *   5  hardware triggered strobe        gate's rise starts
 *
 * Nothing is stepped: a counter keeps when it began and works out count and output from how many clocks have passed.
 * Simplified: the clock that transfers a count into the counting element takes no time, and in mode 3 a new count waits
 * for the end of the whole period, not the half.
 */
#include "drivers/virt/pit8254_counter.h"

#include "core/bytes.h"

enum {
    CONTROL_BCD = 1u << 0,
    CONTROL_MODE_SHIFT = 1,
    CONTROL_ACCESS_SHIFT = 4,
    CONTROL_KEPT = 0x3f,
    CONTROL_POWER_ON = 0x36,
    STATUS_OUTPUT = 1u << 7,
    STATUS_NULL_COUNT = 1u << 6,
};

enum { ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };
enum { MODE_TERMINAL, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_STROBE, MODE_HARDWARE_STROBE };

static uint32_t mode_of(const struct pit8254_counter *counter)
{
    uint32_t mode = (counter->control >> CONTROL_MODE_SHIFT) & 7u;

    return mode > MODE_HARDWARE_STROBE ? mode - 4 : mode; /* "X10" and "X11": 6 is 2, 7 is 3 */
}

static uint32_t access_of(const struct pit8254_counter *counter)
{
    return (counter->control >> CONTROL_ACCESS_SHIFT) & 3u;
}

static bool is_bcd(const struct pit8254_counter *counter) { return (counter->control & CONTROL_BCD) != 0; }
static uint32_t modulus(const struct pit8254_counter *counter) { return is_bcd(counter) ? 10000 : 65536; }

static bool is_periodic(const struct pit8254_counter *counter)
{
    return mode_of(counter) == MODE_RATE || mode_of(counter) == MODE_SQUARE;
}

static bool is_triggered(const struct pit8254_counter *counter)
{
    return mode_of(counter) == MODE_ONE_SHOT || mode_of(counter) == MODE_HARDWARE_STROBE;
}

static bool is_counting(const struct pit8254_counter *counter)
{
    return is_triggered(counter) ? counter->triggered : counter->loaded && counter->gate;
}

/* Clocks counted since the count was loaded or the trigger came. */
static uint64_t elapsed(const struct pit8254_counter *counter, uint64_t now)
{
    return counter->held + (is_counting(counter) && now > counter->start ? now - counter->start : 0);
}

static uint32_t decode(const struct pit8254_counter *counter, uint16_t value)
{
    uint32_t clocks = value;

    if (is_bcd(counter))
        clocks = (value >> 12) * 1000u + ((value >> 8) & 15u) * 100u + ((value >> 4) & 15u) * 10u + (value & 15u);
    clocks %= modulus(counter); /* digits above 9 */
    return clocks == 0 ? modulus(counter) : clocks;
}

static uint16_t encode(const struct pit8254_counter *counter, uint32_t clocks)
{
    clocks %= modulus(counter);
    if (is_bcd(counter))
        clocks = clocks / 1000 << 12 | clocks / 100 % 10 << 8 | clocks / 10 % 10 << 4 | clocks % 10;
    return (uint16_t)clocks;
}

static void load(struct pit8254_counter *counter, uint32_t period, uint64_t now, uint64_t already)
{
    counter->period = period;
    counter->next_period = 0;
    counter->start = now;
    counter->held = already;
    counter->loaded = true;
}

/* A count that was waiting for the end of the period takes over in its time, not at the access that notices. */
static void catch_up(struct pit8254_counter *counter, uint64_t now)
{
    uint64_t counted = elapsed(counter, now);

    if (is_periodic(counter) && counter->next_period != 0 && counted >= counter->switch_at)
        load(counter, counter->next_period, now, counted - counter->switch_at);
}

bool pit8254_counter_output(struct pit8254_counter *counter, uint64_t now)
{
    catch_up(counter, now);
    uint64_t counted = elapsed(counter, now);
    uint32_t period = counter->period;

    switch (mode_of(counter)) {
    case MODE_TERMINAL:
        return counter->loaded && counted >= period;
    case MODE_ONE_SHOT:
        return !counter->triggered || counted >= period;
    case MODE_RATE:
        return !is_counting(counter) || counted % period != period - 1;
    case MODE_SQUARE:
        return !is_counting(counter) || counted % period < (period + 1) / 2;
    default: /* both strobes */
        return !counter->loaded || (is_triggered(counter) && !counter->triggered) || counted != period;
    }
}

/* How many clocks must have been counted for OUT to rise next, when `counted` have; the same or less: never. */
static uint64_t next_rise_count(const struct pit8254_counter *counter, uint64_t counted)
{
    uint32_t period = counter->period;

    switch (mode_of(counter)) {
    case MODE_TERMINAL:
    case MODE_ONE_SHOT:
        return period;
    case MODE_RATE:
    case MODE_SQUARE:
        /* A count of 1 is forbidden here and leaves OUT where it is until another takes over. */
        if (period < 2)
            return counter->next_period != 0 ? counter->switch_at : 0;
        return (counted / period + 1) * period;
    default: /* both strobes */
        return (uint64_t)period + 1;
    }
}

uint64_t pit8254_counter_next_rise(struct pit8254_counter *counter, uint64_t now)
{
    catch_up(counter, now);
    uint64_t counted = elapsed(counter, now);
    uint64_t rise = next_rise_count(counter, counted);

    return is_counting(counter) && rise > counted ? now + (rise - counted) : VIRT_CLOCK_NEVER;
}

/* Mode 3: an odd count is high one clock longer than low, and the counting element holds even numbers only. */
static uint32_t square_wave_count(uint32_t period, uint32_t phase)
{
    uint32_t high = (period + 1) / 2;

    return (period & ~1u) - 2 * (phase < high ? phase : phase - high);
}

static uint16_t count(const struct pit8254_counter *counter, uint64_t now)
{
    uint64_t counted = elapsed(counter, now);
    uint32_t period = counter->period;
    uint32_t size = modulus(counter);

    if (mode_of(counter) == MODE_RATE)
        return encode(counter, period - (uint32_t)(counted % period));
    if (mode_of(counter) == MODE_SQUARE)
        return encode(counter, square_wave_count(period, (uint32_t)(counted % period)));
    /* The others go on downwards through 0. */
    return encode(counter, period + size - (uint32_t)(counted % size));
}

/* A whole count has been written. */
static void accept(struct pit8254_counter *counter, uint16_t value, uint64_t now)
{
    uint32_t period = decode(counter, value);

    catch_up(counter, now);
    if (is_periodic(counter) && counter->loaded) {
        if (counter->next_period == 0)
            counter->switch_at = (elapsed(counter, now) / counter->period + 1) * counter->period;
        counter->next_period = period;
    } else if (is_triggered(counter) && counter->triggered) {
        counter->next_period = period;
    } else {
        load(counter, period, now, 0);
    }
}

void pit8254_counter_write(struct pit8254_counter *counter, uint8_t byte, uint64_t now)
{
    if (access_of(counter) == ACCESS_LOW) {
        accept(counter, byte, now);
    } else if (access_of(counter) == ACCESS_HIGH) {
        accept(counter, (uint16_t)(byte << 8), now);
    } else if (counter->write_high) {
        counter->write_high = false;
        accept(counter, (uint16_t)(byte << 8 | counter->low_written), now);
    } else {
        counter->write_high = true;
        counter->low_written = byte;
        /* "Mode 0": writing the first byte disables counting, and OUT goes low at once. */
        if (mode_of(counter) == MODE_TERMINAL) {
            counter->held = elapsed(counter, now);
            counter->loaded = false;
        }
    }
}

/* The low or the high byte, as the access bits and the flip-flop say. */
static uint8_t pick_byte(struct pit8254_counter *counter, uint16_t value)
{
    bool high = access_of(counter) == ACCESS_HIGH;

    if (access_of(counter) == ACCESS_BOTH) {
        high = counter->read_high;
        counter->read_high = !high;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

uint8_t pit8254_counter_read(struct pit8254_counter *counter, uint64_t now)
{
    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->status;
    }
    if (counter->latched_bytes != 0) {
        counter->latched_bytes--;
        return pick_byte(counter, counter->latch);
    }
    catch_up(counter, now);
    return pick_byte(counter, count(counter, now));
}

void pit8254_counter_latch_count(struct pit8254_counter *counter, uint64_t now)
{
    /* A latched count that has not been read out stays. */
    if (counter->latched_bytes != 0)
        return;
    catch_up(counter, now);
    counter->latch = count(counter, now);
    counter->latched_bytes = access_of(counter) == ACCESS_BOTH && !counter->read_high ? 2 : 1;
}

void pit8254_counter_latch_status(struct pit8254_counter *counter, uint64_t now)
{
    if (counter->status_latched)
        return;
    uint32_t status = counter->control;
    if (pit8254_counter_output(counter, now))
        status |= STATUS_OUTPUT;
    if (!counter->loaded || counter->next_period != 0)
        status |= STATUS_NULL_COUNT;
    counter->status = (uint8_t)status;
    counter->status_latched = true;
}

/* A rising gate starts the one-shots and restarts the periodic modes; a count that was waiting takes over. */
static void trigger(struct pit8254_counter *counter, uint64_t now)
{
    load(counter, counter->next_period != 0 ? counter->next_period : counter->period, now, 0);
    counter->triggered = is_triggered(counter);
}

void pit8254_counter_set_gate(struct pit8254_counter *counter, bool gate, uint64_t now)
{
    if (gate == counter->gate)
        return;
    catch_up(counter, now);
    if (!is_triggered(counter)) {
        counter->held = elapsed(counter, now);
        counter->start = now;
    }
    counter->gate = gate;
    if (gate && counter->loaded && (is_triggered(counter) || is_periodic(counter)))
        trigger(counter, now);
}

void pit8254_counter_program(struct pit8254_counter *counter, uint8_t control)
{
    bool gate = counter->gate;

    pit8254_counter_reset(counter);
    counter->control = control & CONTROL_KEPT;
    counter->gate = gate;
}

void pit8254_counter_reset(struct pit8254_counter *counter)
{
    memset(counter, 0, sizeof *counter);
    counter->control = CONTROL_POWER_ON;
    counter->period = 65536; /* never 0: it divides */
}
