/* Pumping bytes between a terminal and a partition, neither of which waits for the other. */
#include "core/attach.h"

#include "core/bytes.h"
#include "core/cpu.h"

enum {
    ATTACH_PIECE = 256,   /* bytes of output moved in one go */
    ATTACH_BACKLOG = 512, /* no more output is queued than this, so that the escape key answers soon */
};

static void fresh_line(struct outbox *out)
{
    if (out->column != 0)
        sink_print(&out->sink, "\n");
}

static uint64_t *seen(struct attach *attach) { return &attach->seen[attach->partition - partition_table.partitions]; }

/* "Ctrl-]" */
static void print_escape(const struct attach *attach)
{
    bool control = attach->escape < ' ' || attach->escape == 0x7f;
    char key = (char)(control ? attach->escape ^ 0x40 : attach->escape);
    sink_print(&attach->out->sink, "%s%c", control ? "Ctrl-" : "", key);
}

void attach_init(struct attach *attach, uint8_t escape, struct outbox *out)
{
    *attach = (struct attach){.out = out, .escape = escape};
}

void attach_begin(struct attach *attach, struct partition *p)
{
    attach->partition = p;
    attach->input_length = 0;
    attach->starts = p->starts;
    /* As if it had run, so that attach_service tells when it does not. */
    attach->state = PARTITION_RUNNING;
    sink_print(&attach->out->sink, "[attached to %s; ", partition_name(p));
    print_escape(attach);
    sink_print(&attach->out->sink, " returns]\n");
}

static void detach(struct attach *attach)
{
    attach->partition = NULL;
    fresh_line(attach->out);
    sink_print(&attach->out->sink, "[detached]\n");
}

size_t attach_type(struct attach *attach, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((uint8_t)bytes[i] == attach->escape) {
            detach(attach);
            return i + 1;
        }
        if (attach->input_length < ATTACH_INPUT_SIZE)
            attach->input[attach->input_length++] = bytes[i];
        else if (outbox_room(attach->out) >= COMMAND_STEP_SIZE)
            outbox_put_raw(attach->out, "\a", 1);
    }
    return length;
}

static void move_input(struct attach *attach)
{
    struct partition *p = attach->partition;
    if (attach->input_length == 0 || partition_state_now(p) == PARTITION_PAUSED)
        return;
    if (partition_state_now(p) == PARTITION_STOPPED) {
        attach->input_length = 0; /* Nobody is there to read it, and the next start shall not find it. */
        return;
    }
    struct platform_outcome outcome = {.request = PLATFORM_NOTHING};
    size_t taken = platform_input(p->platform, attach->input, attach->input_length, cpu_clock(), &outcome);
    if (taken > attach->input_length)
        taken = attach->input_length;
    attach->input_length -= (uint32_t)taken;
    memmove(attach->input, attach->input + taken, attach->input_length);
    partition_deliver(p, &outcome);
}

/* False when the partition has nothing new to show. */
static bool move_output(struct attach *attach)
{
    char piece[ATTACH_PIECE];
    struct outbox *out = attach->out;
    if (OUTBOX_SIZE - outbox_room(out) >= ATTACH_BACKLOG)
        return true;
    uint64_t lost;
    size_t count = ring_read(attach->partition->output, seen(attach), piece, sizeof piece, &lost);
    if (lost != 0) {
        fresh_line(out);
        sink_print(&out->sink, "[ringfence: %llu bytes of output lost]\n", (unsigned long long)lost);
    }
    outbox_put_raw(out, piece, count);
    return count != 0;
}

static void tell_state(struct attach *attach)
{
    struct partition *p = attach->partition;
    enum partition_state state = partition_state_now(p);
    uint32_t starts = __atomic_load_n(&p->starts, __ATOMIC_RELAXED);
    if (state == attach->state && starts == attach->starts)
        return;
    char reason[PARTITION_REASON_SIZE];
    partition_reason_copy(p, reason);
    fresh_line(attach->out);
    sink_print(&attach->out->sink, "[%s is %s", partition_name(p),
               state == PARTITION_RUNNING ? "running again" : partition_state_text(p));
    if (state == PARTITION_STOPPED && reason[0] != '\0')
        sink_print(&attach->out->sink, ": %s", reason);
    sink_print(&attach->out->sink, "; ");
    print_escape(attach);
    sink_print(&attach->out->sink, " returns]\n");
    attach->state = state;
    attach->starts = starts;
}

void attach_service(struct attach *attach)
{
    move_input(attach);
    /* What the guest has said before it stopped comes before the news that it did. */
    if (!move_output(attach))
        tell_state(attach);
}
