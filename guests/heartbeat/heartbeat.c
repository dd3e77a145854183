/*
 * heartbeat: a beat every millisecond from the CPU's own timer, and how late each one came.
 *
 * What a control loop on a dedicated CPU would see. The timer runs in TSC-deadline mode: beat n is due at start + n
 * periods whatever happened before, so lateness does not add up. A beat that comes a whole period late or more has
 * missed that many deadlines. One line a second, or every N seconds with quiet=N on the command line.
 */
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"

const char guest_name[] = "heartbeat";

enum { BEATS_PER_SECOND = 1000, TIMER_VECTOR = 0x40, BUCKETS = 64 };

struct heart {
    uint64_t period;        /* ticks of the TSC between two beats */
    uint64_t deadline;      /* when the next beat is due */
    uint64_t beats;         /* deadlines that have passed, missed ones too */
    uint64_t missed;        /* deadlines that passed without a beat of their own */
    uint64_t worst;         /* ticks that the latest beat came late */
    uint64_t late[BUCKETS]; /* bucket i: beats that came 2^i to 2^(i+1) - 1 ticks late; bucket 0 also 0 */
};

static struct heart heart;

static unsigned bucket(uint64_t ticks) { return ticks < 2 ? 0 : 63 - (unsigned)__builtin_clzll(ticks); }

static void beat(struct trap_frame *frame)
{
    (void)frame;
    uint64_t now = rdtsc();
    uint64_t late = now > heart.deadline ? now - heart.deadline : 0;
    uint64_t passed = 1 + late / heart.period;
    heart.late[bucket(late)]++;
    if (late > heart.worst)
        heart.worst = late;
    heart.beats += passed;
    heart.missed += passed - 1;
    heart.deadline += passed * heart.period;
    wrmsr(MSR_TSC_DEADLINE, heart.deadline);
    apic_eoi();
}

static void start(uint64_t hz)
{
    heart.period = hz / BEATS_PER_SECOND;
    trap_set(TIMER_VECTOR, beat);
    apic_write(APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | TIMER_VECTOR);
    /* The mode must be in force before the deadline is written (SDM vol. 3, "TSC-Deadline Mode"). */
    __asm__ volatile("mfence; lfence" ::: "memory");
    heart.deadline = rdtsc() + heart.period;
    wrmsr(MSR_TSC_DEADLINE, heart.deadline);
}

/* Prints from a copy, because the line takes longer than a beat. */
static void report(uint64_t second)
{
    static struct heart copy;
    cli();
    copy = heart;
    sti();
    print("heartbeat: second %lu, %lu beats, %lu missed, worst late %lu ticks, histogram", second, copy.beats,
          copy.missed, copy.worst);
    for (unsigned i = 0; i < BUCKETS; i++)
        if (copy.late[i] != 0)
            print(" 2^%u:%lu", i, copy.late[i]);
    print("\n");
}

/* Sleeps until `beats` deadlines have passed. Interrupts are off between the look and the HLT, so no beat is slept
 * over. */
static void sleep_until(uint64_t beats)
{
    for (;;) {
        cli();
        if (heart.beats >= beats)
            break;
        sti_hlt();
    }
    sti();
}

void guest_main(void)
{
    uint64_t hz = guest_tsc_hz();
    uint64_t quiet = guest_option("quiet", 1);
    uint64_t seconds = guest_option("seconds", 0); /* 0: for ever */
    if (hz < BEATS_PER_SECOND || !apic_has_tsc_deadline()) {
        print("heartbeat: needs a TSC-deadline timer and its frequency in CPUID (found %lu Hz)\n", hz);
        return;
    }
    print("heartbeat: APIC id %u, %u beats a second, a period is %lu ticks\n", apic_id(), BEATS_PER_SECOND,
          hz / BEATS_PER_SECOND);
    start(hz);
    for (uint64_t second = 1; seconds == 0 || second <= seconds; second++) {
        sleep_until(second * BEATS_PER_SECOND);
        if (quiet <= 1 || second % quiet == 0)
            report(second);
    }
    cli();
    print("heartbeat: done\n");
}
