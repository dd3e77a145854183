/* Snapshots of exit counters, and their table. */
#include "core/stats.h"

void stats_take(struct vcpu *vcpu, bool forget, struct stats_look *look)
{
    for (size_t i = 0; i < EXIT_KINDS; i++) {
        uint64_t total = __atomic_load_n(&vcpu->stats.exits[i], __ATOMIC_RELAXED);
        uint64_t seen = forget ? 0 : vcpu->stats.seen[i];
        look->total[i] = total;
        look->since[i] = total >= seen ? total - seen : total; /* the counter was set back without a start we saw */
        vcpu->stats.seen[i] = total;
    }
}

static void print_row(struct sink *out, const char *name, uint64_t total, uint64_t since)
{
    sink_print(out, "    %-18.18s %12llu %12llu\n", name, (unsigned long long)total, (unsigned long long)since);
}

void stats_print(const struct stats_look *look, struct sink *out)
{
    uint64_t total = 0;
    uint64_t since = 0;
    for (size_t i = 0; i < EXIT_KINDS; i++) {
        if (look->total[i] != 0)
            print_row(out, exit_kind_name((enum exit_kind)i), look->total[i], look->since[i]);
        total += look->total[i]; /* 64 bits of exits are never counted up */
        since += look->since[i];
    }
    print_row(out, "all exits", total, since);
}
