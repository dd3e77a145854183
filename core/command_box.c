/* Commands that show the box: mem, cpus, plan, machine, version. */
#include "core/command.h"

#include "core/bytes.h"
#include "core/version.h"

static void print_memory_row(struct outbox *out, uint64_t base, uint64_t size)
{
    sink_print(&out->sink, "%012llx-%012llx ", (unsigned long long)base, (unsigned long long)(base + size));
    sink_print_size(&out->sink, size);
    outbox_pad(out, 40);
}

/* The number-th chunk of all partitions in a row; NULL after the last. */
static const struct plan_chunk *find_chunk(const struct plan *plan, uint32_t number,
                                           const struct plan_partition **owner)
{
    for (uint32_t i = 0; i < plan->partition_count; i++) {
        *owner = &plan->partitions[i];
        if (number < (*owner)->chunk_count)
            return &(*owner)->chunks[number];
        number -= (*owner)->chunk_count;
    }
    return NULL;
}

static void print_memory_sum(struct command_context *context)
{
    struct sink *out = &context->out->sink;
    uint64_t usable = 0;
    uint64_t owned = 0;
    for (uint32_t i = 0; i < context->machine->region_count; i++) {
        if (context->machine->regions[i].kind == MEMORY_USABLE)
            usable += context->machine->regions[i].range.size;
    }
    const struct plan_partition *owner;
    const struct plan_chunk *chunk;
    for (uint32_t i = 0; (chunk = find_chunk(context->plan, i, &owner)) != NULL; i++)
        owned += chunk->size;
    sink_print_size(out, usable);
    sink_print(out, " usable in this machine, ");
    sink_print_size(out, owned);
    sink_print(out, " owned by partitions\n");
}

/* One line a step: the hypervisor, the boot modules, the partitions' chunks, the sum. */
bool command_mem(struct command_context *context, struct command_run *run)
{
    const struct machine *machine = context->machine;
    struct outbox *out = context->out;
    if (run->step == 0) {
        print_memory_row(out, machine->hypervisor.base, machine->hypervisor.size);
        sink_print(&out->sink, "hypervisor\n");
        return true;
    }
    if (run->step == 1) {
        print_memory_row(out, machine->heap.base, machine->heap.size);
        sink_print(&out->sink, "hypervisor's working memory\n");
        return true;
    }
    uint32_t number = run->step - 2;
    if (number < machine->module_count) {
        const struct machine_module *module = &machine->modules[number];
        print_memory_row(out, module->range.base, module->range.size);
        sink_print(&out->sink, "module %.*s\n", MACHINE_MODULE_NAME_SIZE, module->name);
        return true;
    }
    const struct plan_partition *owner;
    const struct plan_chunk *chunk = find_chunk(context->plan, number - machine->module_count, &owner);
    if (chunk == NULL) {
        print_memory_sum(context);
        return false;
    }
    print_memory_row(out, chunk->hpa.raw, chunk->size);
    sink_print(&out->sink, "%s at 0x%llx\n", owner->config->name, (unsigned long long)chunk->gpa.raw);
    return true;
}

static void print_cpu_owner(const struct plan *plan, uint32_t cpu, struct sink *out)
{
    for (uint32_t i = 0; i < plan->partition_count; i++) {
        const struct plan_partition *partition = &plan->partitions[i];
        for (uint32_t j = 0; j < partition->cpu_count; j++) {
            if (partition->cpus[j] == cpu) {
                sink_print(out, "%s, vCPU %u", partition->config->name, j);
                return;
            }
        }
    }
    sink_print(out, "nobody");
}

bool command_cpus(struct command_context *context, struct command_run *run)
{
    struct outbox *out = context->out;
    if (run->step == 0)
        sink_print(&out->sink, "CPU   APIC ID   CORE      STATE     OWNER\n");
    if (run->step >= context->machine->cpu_count)
        return false;
    const struct machine_cpu *cpu = &context->machine->cpus[run->step];
    sink_print(&out->sink, "%-5u %-9u %-9u %-9s ", run->step, cpu->apic_id, cpu->core,
               cpu->online ? "online" : "offline");
    print_cpu_owner(context->plan, run->step, &out->sink);
    sink_print(&out->sink, "%s\n", run->step == context->plan->console_cpu ? " (serves this console)" : "");
    return run->step + 1 < context->machine->cpu_count;
}

/*
 * Lets a part of a long text through. What prints from data that never changes can be printed again for each part,
 * which takes no buffer of the text's size. `sink` is first.
 */
struct window_sink {
    struct sink sink;
    struct sink *to;
    uint64_t first; /* the part is [first, end) of the text */
    uint64_t end;
    uint64_t length; /* of the text so far */
};

static void window_put(struct sink *self, const char *text, size_t length)
{
    struct window_sink *window = (struct window_sink *)self;
    uint64_t base = window->length;
    window->length += length;
    if (window->length <= window->first || base >= window->end)
        return;
    size_t from = window->first > base ? (size_t)(window->first - base) : 0;
    size_t to = window->end < window->length ? (size_t)(window->end - base) : length;
    window->to->put(window->to, text + from, to - from);
}

/* Half of the room: a line feed takes two bytes. */
static struct window_sink window_open(struct command_context *context, const struct command_run *run)
{
    uint64_t size = outbox_room(context->out) / 2;
    return (struct window_sink){{window_put}, &context->out->sink, run->at, run->at + size, 0};
}

static bool window_close(const struct window_sink *window, struct command_run *run)
{
    run->at = window->end;
    return window->end < window->length;
}

bool command_machine(struct command_context *context, struct command_run *run)
{
    struct window_sink window = window_open(context, run);
    machine_print(context->machine, &window.sink);
    return window_close(&window, run);
}

bool command_plan(struct command_context *context, struct command_run *run)
{
    struct window_sink window = window_open(context, run);
    plan_print(context->plan, context->machine, &window.sink);
    return window_close(&window, run);
}

bool command_version(struct command_context *context, struct command_run *run)
{
    (void)run;
    sink_print(&context->out->sink, "Ringfence " RINGFENCE_VERSION " on %s\n", context->backend->name);
    return false;
}
