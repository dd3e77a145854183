/* Pumping bytes between a terminal and a partition, neither of which waits for the other. */
#include "core/attach.h"

#include "core/cpu.h"
#include "core/lifecycle.h"

enum {
    ATTACH_PIECE = 256,   /* bytes of output moved in one go */
    ATTACH_BACKLOG = 512, /* no more output is queued than this, so that the escape key answers soon */
};

/* "; Ctrl-] returns]" */
static void print_way_back(const struct attach *attach)
{
    bool control = attach->escape < ' ' || attach->escape == 0x7f;
    sink_print(&attach->out->sink, "; %s%c returns]\n", control ? "Ctrl-" : "",
               control ? attach->escape ^ 0x40 : attach->escape);
}

void attach_begin(struct attach *attach, struct partition *p)
{
    attach->partition = p;
    attach->starts = p->starts;
    /* As if it had run, so that attach_service tells when it does not. */
    attach->state = PARTITION_RUNNING;
    sink_print(&attach->out->sink, "[attached to %s", partition_name(p));
    print_way_back(attach);
}

size_t attach_type(struct attach *attach, const char *bytes, size_t length)
{
    struct partition *p = attach->partition;
    for (size_t i = 0; i < length; i++) {
        if ((uint8_t)bytes[i] == attach->escape) {
            attach->partition = NULL;
            outbox_end_line(attach->out);
            sink_print(&attach->out->sink, "[detached]\n");
            return i + 1;
        }
    }
    if (length == 0 || partition_state_now(p) == PARTITION_PAUSED)
        return 0;
    if (partition_state_now(p) == PARTITION_STOPPED)
        return length; /* Nobody is there to read it, and the next start shall not find it. */
    struct platform_outcome outcome = {.request = PLATFORM_NOTHING};
    size_t taken = platform_input(p->platform, bytes, length, cpu_clock(), &outcome);
    partition_deliver(p, &outcome);
    return taken < length ? taken : length;
}

/* False when the partition has nothing new to show. */
static bool move_output(struct attach *attach)
{
    char piece[ATTACH_PIECE];
    struct outbox *out = attach->out;
    if (OUTBOX_SIZE - outbox_room(out) >= ATTACH_BACKLOG)
        return true;
    uint64_t lost;
    uint64_t *seen = &attach->seen[attach->partition - partition_table.partitions];
    size_t count = ring_read(attach->partition->output, seen, piece, sizeof piece, &lost);
    outbox_tell_lost(out, lost, "output");
    outbox_put_raw(out, piece, count);
    return count != 0;
}

static void tell_state(struct attach *attach)
{
    struct partition *p = attach->partition;
    if (!lifecycle_settled(p))
        return;
    enum partition_state state = partition_state_now(p);
    uint32_t starts = __atomic_load_n(&p->starts, __ATOMIC_RELAXED);
    if (state == attach->state && starts == attach->starts)
        return;
    char reason[PARTITION_REASON_SIZE];
    partition_reason_copy(p, reason);
    outbox_end_line(attach->out);
    sink_print(&attach->out->sink, "[%s is %s", partition_name(p),
               state == PARTITION_RUNNING ? "running again" : partition_state_text(p));
    if (state == PARTITION_STOPPED && reason[0] != '\0')
        sink_print(&attach->out->sink, ": %s", reason);
    print_way_back(attach);
    attach->state = state;
    attach->starts = starts;
}

void attach_service(struct attach *attach)
{
    /* What the guest has said before it stopped comes before the news that it did. */
    if (!move_output(attach))
        tell_state(attach);
}
