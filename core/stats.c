#include "core/stats.h"

static void print_row(struct sink *out, const char *name, uint64_t total, uint64_t since)
{
    sink_print(out, "    %-18.18s %12lu %12lu\n", name, total, since);
}

void stats_print(struct vcpu *vcpu, bool forget, struct sink *out)
{
    uint64_t all = 0;
    uint64_t all_since = 0;
    for (size_t i = 0; i < EXIT_KINDS; i++) {
        uint64_t total = __atomic_load_n(&vcpu->stats.exits[i], __ATOMIC_RELAXED);
        uint64_t seen = forget ? 0 : vcpu->stats.seen[i];
        uint64_t since = total >= seen ? total - seen : total; /* the counter was set back without a start we saw */
        vcpu->stats.seen[i] = total;
        if (total != 0)
            print_row(out, exit_kind_name((enum exit_kind)i), total, since);
        all += total; /* 64 bits of exits are never counted up */
        all_since += since;
    }
    print_row(out, "all exits", all, all_since);
}
