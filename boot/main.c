/*
 * The composition root: what happens from GRUB's jump to the first guest, as a list of calls. Each stage takes the one
 * before as const.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/percpu.h"
#include "boot/cpus.h"
#include "boot/crash_place.h"
#include "boot/discover.h"
#include "boot/partitions.h"
#include "boot/report.h"
#include "boot/self_check.h"
#include "boot/stages.h"
#include "core/bytes.h"
#include "core/console.h"
#include "core/lifecycle.h"
#include "core/log.h"
#include "core/phys.h"
#include "core/run.h"
#include "core/version.h"
#include "drivers/hw/cmos_clock.h"
#include "drivers/hw/legacy_interrupts.h"
#include "drivers/hw/screen.h"
#include "drivers/hw/terminal.h"
#include "drivers/hw/uart.h"

static const char config_name[] = "ringfence.conf";

static struct machine machine;
static struct multiboot2_info loader_info;
static struct config config;
static struct plan plan;
static const struct backend *backend;

/* What the loader has left: first its information, which nobody needs any more when the configuration is read. */
static char text[MULTIBOOT2_MAX_SIZE];
_Static_assert((size_t)CONFIG_MAX_SIZE <= sizeof text, "the configuration fits too");

static void stop(struct sink *out) __attribute__((noreturn));
static void stop(struct sink *out)
{
    sink_print(out, "Ringfence stops here.\n");
    terminal_flush();
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void configuration_read(struct sink *out)
{
    int module = machine_find_module(&machine, slice_of(config_name));
    if (module < 0) {
        sink_print(out,
                   "There is no configuration: no partition is started.\n"
                   "Add this line to the entry in grub.cfg, after the multiboot2 line:\n"
                   "    module2 /boot/%s %s\n"
                   "and one such line for every kernel and initrd that it names.\n",
                   config_name, config_name);
        return;
    }
    uint64_t size = machine.modules[module].range.size;
    size_t length = size <= CONFIG_MAX_SIZE ? size : 0;
    phys_read(hpa(machine.modules[module].range.base), text, length);
    /* The parser looks at no byte of a text that is too large, and says how large it is. */
    unsigned errors = config_parse(config_name, text, size, &config, out);
    if (errors != 0)
        sink_print(out, "%s: %u errors; what is named there is not started, the rest is\n", config_name, errors);
}

static void console_open(void)
{
    if (config.console_port != 0x3f8 || config.console_baud != 115200) {
        sink_print(terminal_sink(), "The console goes on at port %x, %u baud.\n", config.console_port,
                   config.console_baud);
        uart_init(config.console_port, config.console_baud);
    }
}

static void *map_device(hpa_t page)
{
    static uint64_t next = LAYOUT_SLOT((uint64_t)PML4_DEVICE) + 0x100000;
    void *at = (void *)next;
    next += PAGE_SIZE;
    return paging_map((uint64_t)at, page, PAGE_SIZE, PAGING_WRITE | PAGING_UNCACHED) ? at : NULL;
}

static void memory_take(struct sink *out)
{
    uint64_t size = partitions_memory_bound(&config, &machine);
    uint64_t base;
    if (!machine_find_free(&machine, size, MIB, 4 * GIB, &base) ||
        !machine_reserve(&machine, (struct range){base, size})) {
        sink_print(out, "The hypervisor needs %lu KiB of memory below 4 GiB and finds none.\n", size / KIB);
        stop(out);
    }
    machine.heap = (struct range){base, size};
    heap_init(machine.heap);
}

static void plan_make(struct sink *out)
{
    unsigned left_out = plan_build(config_name, &config, &machine, &plan, out);
    left_out += partitions_drop_unfit(&plan, &machine, out);
    if (!plan_check(&plan, &machine, out))
        panic("the plan breaks a promise: see the lines above");
    partitions_create(&plan, &machine, backend, out);
    if (left_out != 0)
        sink_print(out, "%u of %u partitions left out\n", left_out, config.partition_count);
}

static void start_partitions(void)
{
    for (uint32_t i = 0; i < partition_table.count; i++) {
        struct partition *p = &partition_table.partitions[i];
        if (p->plan->config->start == START_AUTO && lifecycle_ask(p, GOAL_START) != LIFECYCLE_ACCEPTED)
            log_line("%s: cannot be started", partition_name(p));
    }
}

static void run(uint32_t cpu)
{
    struct vcpu *vcpu = partitions_vcpu_on(cpu);
    percpu_this()->vcpu = vcpu;
    run_cpu(backend, vcpu, cpu == plan.console_cpu, machine.tsc_hz);
}

void boot_main(uint32_t magic, uint32_t info) __attribute__((noreturn));
void boot_main(uint32_t magic, uint32_t info)
{
    struct sink *out = terminal_sink();
    stages_begin();
    percpu_load_early();                    /* GS base and exceptions: everything below may fault and says so */
    paging_init();                          /* W^X */
    pic8259_mask_all();                     /* firmware's interrupts end here */
    config_defaults(&config);
    uart_init(config.console_port, config.console_baud);
    sink_print(out, "\nRingfence %s\n", RINGFENCE_VERSION);

    if (magic != MULTIBOOT2_LOADER_MAGIC) {
        sink_print(out, "This was not started by a multiboot2 loader (EAX is %x, expected %x).\n", magic,
                   MULTIBOOT2_LOADER_MAGIC);
        stop(out);
    }
    bool discovered = discover_machine(info, text, &machine, &loader_info, out);
    if (screen_init(&loader_info.screen))   /* what was said so far went to the serial port alone */
        sink_print(screen_sink(), "Ringfence %s\n", RINGFENCE_VERSION);
    if (!discovered)
        stop(out);
    bool timed = discover_clock(&machine, report_sink());
    stages_over("machine");
    discover_print(&machine, &loader_info, out);
    backend = self_check(&machine, out);
    if (backend == NULL || !timed)
        stop(out);
    log_set_clock(machine.tsc_hz, cpu_clock());
    stages_over("self_check");
    machine.wall_clock = cmos_clock_read() - cpu_clock() / machine.tsc_hz;

    configuration_read(report_sink());
    console_open();
    hpa_t crash_page;
    bool keeps_crashes = crash_place_take(&machine, &crash_page); /* first: it must lie where it lay last time */
    memory_take(report_sink());                       /* the hypervisor's own, out of everybody's map */
    if (keeps_crashes)
        crash_place_open(&machine, crash_page, map_device, out);
    else
        sink_print(out, "There is no memory for a crash record: nothing is kept of a crash.\n");
    stages_over("configuration");
    if (!cpus_start(&machine, backend, report_sink()))
        stop(out);
    ioapic_mask_all(&machine, map_device);
    stages_over("cpus");
    plan_make(report_sink());                         /* and build what it says */
    stages_over("plan");
    plan_print(&plan, &machine, out);
    stages_over("plan_print");
    heap_close();                           /* the plan is committed: nothing is allocated from here on */

    log_line("boot: %lu of %lu KiB of working memory are used", heap_used() / KIB, machine.heap.size / KIB);

    console_init(terminal_console_port(), &config, &machine, &plan, backend);
    start_partitions();
    stages_over("start");
    stages_log();
    cpus_release(run);
}
