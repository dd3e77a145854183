/* Commands that show the box: mem, cpus, plan, machine, version. */
#include "core/command.h"

#include "core/bytes.h"
#include "core/version.h"

static void print_memory_row(struct sink *out, uint64_t base, uint64_t size)
{
    sink_print(out, "%012lx-%012lx %-13s ", base, base + size, size_text(size).text);
}

/* The hypervisor, the boot modules, the partitions' chunks, the sum. */
static void print_memory(const struct command_context *context, struct sink *out)
{
    const struct machine *machine = context->machine;
    uint64_t owned = 0;
    print_memory_row(out, machine->hypervisor.base, machine->hypervisor.size);
    sink_print(out, "hypervisor\n");
    print_memory_row(out, machine->heap.base, machine->heap.size);
    sink_print(out, "hypervisor's working memory\n");
    for (uint32_t i = 0; i < machine->module_count; i++) {
        const struct machine_module *module = &machine->modules[i];
        print_memory_row(out, module->range.base, module->range.size);
        sink_print(out, "module %.*s\n", MACHINE_MODULE_NAME_SIZE, module->name);
    }
    for (uint32_t i = 0; i < context->plan->partition_count; i++) {
        const struct plan_partition *owner = &context->plan->partitions[i];
        for (uint32_t j = 0; j < owner->chunk_count; j++) {
            const struct plan_chunk *chunk = &owner->chunks[j];
            print_memory_row(out, chunk->hpa.raw, chunk->size);
            sink_print(out, "%s at 0x%lx\n", owner->config->name, chunk->gpa.raw);
            owned += chunk->size;
        }
    }
    sink_print(out, "%s usable in this machine, %s owned by partitions\n", size_text(machine_usable(machine)).text,
               size_text(owned).text);
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

static void print_cpus(const struct command_context *context, struct sink *out)
{
    sink_print(out, "CPU   APIC ID   CORE      STATE     OWNER\n");
    for (uint32_t i = 0; i < context->machine->cpu_count; i++) {
        const struct machine_cpu *cpu = &context->machine->cpus[i];
        sink_print(out, "%-5u %-9u %-9u %-9s ", i, cpu->apic_id, cpu->core, cpu->online ? "online" : "offline");
        print_cpu_owner(context->plan, i, out);
        sink_print(out, "%s\n", i == context->plan->console_cpu ? " (serves this console)" : "");
    }
}

static void print_machine(const struct command_context *context, struct sink *out)
{
    machine_print(context->machine, out);
}

static void print_plan(const struct command_context *context, struct sink *out)
{
    plan_print(context->plan, context->machine, out);
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

bool command_show(struct command_context *context, struct command_run *run)
{
    static void (*const prints[])(const struct command_context *, struct sink *) = {
        [SHOW_MEMORY] = print_memory,
        [SHOW_CPUS] = print_cpus,
        [SHOW_PLAN] = print_plan,
        [SHOW_MACHINE] = print_machine,
    };
    /* Half of the room: a line feed takes two bytes. */
    uint64_t end = run->at + outbox_room(context->out) / 2;
    struct window_sink window = {{window_put}, &context->out->sink, run->at, end, 0};
    prints[run->command->what](context, &window.sink);
    run->at = end;
    return end < window.length;
}

bool command_version(struct command_context *context, struct command_run *run)
{
    (void)run;
    sink_print(&context->out->sink, "Ringfence " RINGFENCE_VERSION " on %s\n", context->backend->name);
    return false;
}
