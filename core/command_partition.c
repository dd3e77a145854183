/* Commands that show partitions: list, stats, log. */
#include "core/command.h"

#include "core/cpu.h"
#include "core/crash_record.h"
#include "core/duration.h"
#include "core/stats.h"

static uint64_t partition_memory(const struct plan_partition *plan)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < plan->chunk_count; i++)
        sum += plan->chunks[i].size; /* parts of one machine's memory: can not wrap */
    return sum;
}

static void print_up_time(struct sink *out, uint64_t seconds)
{
    uint64_t hours = seconds / 3600;
    if (hours >= 24)
        sink_print(out, "%lud ", hours / 24);
    sink_print(out, "%lu:%02lu:%02lu", hours % 24, seconds / 60 % 60, seconds % 60);
}

/* Ticks from `from` until now; 0 when another CPU has just set `from` to a moment after `now` was read. */
static uint64_t ticks_since(uint64_t from)
{
    uint64_t now = cpu_clock();
    return now >= from ? now - from : 0;
}

/* Columns of `list`, as in its head. */
enum { LIST_STATE = 13, LIST_CPUS = 24, LIST_MEMORY = 32, LIST_STARTS = 42, LIST_UP = 50, LIST_REASON = 61 };
static const char list_head[] = "NAME         STATE      CPUS    MEMORY    STARTS  UP         WHY STOPPED\n";

static void print_row(struct command_context *context, struct partition *p)
{
    struct outbox *out = context->out;
    char reason[PARTITION_REASON_SIZE];
    partition_reason_copy(p, reason);
    sink_print(&out->sink, "%s", partition_name(p));
    outbox_pad(out, LIST_STATE);
    sink_print(&out->sink, "%s", partition_state_text(p));
    outbox_pad(out, LIST_CPUS);
    plan_print_cpus(p->plan->cpus, p->plan->cpu_count, &out->sink);
    outbox_pad(out, LIST_MEMORY);
    sink_print(&out->sink, "%s", size_text(partition_memory(p->plan)).text);
    outbox_pad(out, LIST_STARTS);
    sink_print(&out->sink, "%u", p->starts);
    outbox_pad(out, LIST_UP);
    if (partition_state_now(p) == PARTITION_STOPPED)
        sink_print(&out->sink, "-");
    else
        print_up_time(&out->sink, duration_from_ticks(ticks_since(p->started_at), context->machine->tsc_hz).seconds);
    if (reason[0] != '\0') {
        outbox_pad(out, LIST_REASON);
        sink_print(&out->sink, "%s", reason);
    }
    sink_print(&out->sink, "\n");
}

bool command_list(struct command_context *context, struct command_run *run)
{
    if (partition_table.count == 0) {
        sink_print(&context->out->sink, "there is no partition: 'log' says why\n");
        return false;
    }
    if (run->step == 0)
        sink_print(&context->out->sink, "%s", list_head);
    else
        print_row(context, &partition_table.partitions[run->step - 1]);
    return run->step < partition_table.count;
}

static void print_stats_head(struct command_context *context, struct partition *p)
{
    struct sink *out = &context->out->sink;
    uint64_t hz = context->machine->tsc_hz;
    sink_print(out, "%s: %s", partition_name(p), partition_state_text(p));
    if (partition_state_now(p) != PARTITION_STOPPED) {
        struct duration up = duration_from_ticks(ticks_since(p->started_at), hz);
        bool same_run = context->looked_starts[p->index] == p->starts;
        struct duration since = same_run ? duration_from_ticks(ticks_since(context->looked_at[p->index]), hz) : up;
        sink_print(out, ", %lu.%03u s since its start, %lu.%03u s since the last look", up.seconds, up.thousandths,
                   since.seconds, since.thousandths);
    }
    sink_print(out, "\n");
}

_Static_assert(STATS_PRINT_SIZE + 300 <= COMMAND_STEP_SIZE, "one vCPU is printed in one step");

static void print_stats_vcpu(struct command_context *context, struct partition *p, uint32_t number)
{
    struct sink *out = &context->out->sink;
    struct vcpu *vcpu = &p->vcpus[number];
    sink_print(out, "  vCPU %-3u on CPU %-5u      since start   since look\n", number, vcpu->cpu);
    stats_print(vcpu, context->looked_starts[p->index] != p->starts, out);
}

/*
 * What is the hardware's and the firmware's. The console's CPU stands for all: firmware takes them together, where they
 * count that at all.
 */
static void print_box(struct command_context *context)
{
    struct sink *out = &context->out->sink;
    uint32_t smis, cpu;
    uint64_t nmis = cpu_strange_nmis(&cpu);
    if (nmis != 0)
        sink_print(out, "box: %lu NMIs of the hardware since the start, the last one to CPU %u\n", nmis, cpu);
    if (!cpu_smi_count(&smis))
        return;
    sink_print(out, "box: %u SMIs since power-on, %u since the last look (CPU %u)\n", smis, smis - context->looked_smis,
               cpu_current());
    context->looked_smis = smis;
}

/* run->at is the partition's number, run->end the line group: 0 for its head, then its vCPUs. */
bool command_stats(struct command_context *context, struct command_run *run)
{
    if (run->step == 0)
        print_box(context);
    if (run->step == 0 && run->partition != NULL)
        run->at = run->partition->index;
    if (run->at >= partition_table.count) {
        sink_print(&context->out->sink, "there is no partition: 'log' says why\n");
        return false;
    }
    struct partition *p = &partition_table.partitions[run->at];
    if (run->end == 0)
        print_stats_head(context, p);
    else
        print_stats_vcpu(context, p, (uint32_t)run->end - 1);
    run->end++;
    if (run->end <= p->vcpu_count)
        return true;
    context->looked_at[run->at] = cpu_clock();
    context->looked_starts[run->at] = p->starts;
    run->at++;
    run->end = 0;
    return run->partition == NULL && run->at < partition_table.count;
}

/* Foreign bytes for a terminal: control characters are spelled, so that a dump can not move the cursor or lie. */
static void print_spelled(struct sink *out, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (c == '\r')
            continue; /* line ends are ours to make */
        if (c == '\n' || c == '\t' || (c >= ' ' && c <= '~'))
            out->put(out, &c, 1);
        else if (c == 0x7f || (c >= 0 && c < ' '))
            sink_print(out, "^%c", c ^ 0x40);
        else
            out->put(out, ".", 1);
    }
}

enum { LOG_PIECE = 512 };
_Static_assert(2 * LOG_PIECE + 64 <= COMMAND_STEP_SIZE, "each byte may take two");

/* The record lies still, so its text is printed piece by piece from where it is. */
static bool log_crash(struct outbox *out, struct command_run *run)
{
    const struct crash_page *page = crash_record_last();
    if (page == NULL) {
        sink_print(&out->sink, "the boot before this one left no crash record\n");
        return false;
    }
    if (run->step == 0)
        outbox_tell_lost(out, page->lost, "older lines");
    size_t left = page->length - (size_t)run->at;
    size_t count = left < LOG_PIECE ? left : LOG_PIECE;
    print_spelled(&out->sink, page->text + run->at, count);
    run->at += count;
    if (run->at < page->length)
        return true;
    outbox_end_line(out);
    return false;
}

bool command_log(struct command_context *context, struct command_run *run)
{
    if (run->crash)
        return log_crash(context->out, run);
    struct ring *ring = run->partition != NULL ? run->partition->output : log_ring();
    struct outbox *out = context->out;
    if (run->step == 0)
        run->end = ring_end(ring); /* A guest that never stops writing does not keep the command from ending. */
    char piece[LOG_PIECE];
    uint64_t left = run->end - run->at;
    uint64_t lost;
    size_t count = ring_read(ring, &run->at, piece, left < sizeof piece ? (size_t)left : sizeof piece, &lost);
    if (run->step != 0) /* at first it is all that has given way since the start */
        outbox_tell_lost(out, lost, "output");
    print_spelled(&out->sink, piece, count);
    if (count != 0 && run->at < run->end)
        return true;
    outbox_end_line(out);
    return false;
}
