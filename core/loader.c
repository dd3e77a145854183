/* Which boot protocol, and what more than one of them writes. */
#include "core/loader.h"

#include "core/loader_protocol.h"

#define RESET_CODE_AT 0xffff0u
static_assert(RESET_CODE_AT + 16 == GUEST_ACPI_BASE + GUEST_ACPI_SIZE, "reserved in E820");

static const struct loader_protocol *const protocols[] = {
    [BOOT_LINUX] = &loader_linux, [BOOT_MULTIBOOT1] = &loader_multiboot1, [BOOT_MULTIBOOT2] = &loader_multiboot2,
    [BOOT_PVH] = &loader_pvh,     [BOOT_FIRMWARE] = &loader_firmware,     [BOOT_FLAT] = &loader_flat,
};

static bool decode(const struct plan_partition *plan, const struct machine *machine, struct sink *errors,
                   struct loader_layout *l)
{
    size_t boot = (size_t)plan->config->boot;
    if (boot >= array_size(protocols)) {
        sink_print(errors, "partition '%s': boot protocol %zu is not known\n", plan->config->name, boot);
        return false;
    }
    l->machine = machine;
    l->program.count = l->module_count = 0;
    return loader_image_open(plan, machine, plan->kernel, "kernel", errors, &l->kernel) && protocols[boot]->decode(l);
}

bool loader_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    struct loader_layout layout;
    return decode(plan, machine, errors, &layout);
}

bool loader_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    struct loader_layout layout;
    struct loader_writer w = {.p = p, .errors = errors};
    if (!decode(p->plan, p->machine, errors, &layout) || !loader_layout_copy(&layout))
        return false;
    *entry = (struct vcpu_entry){.mode = VCPU_MODE_FLAT32,
                                 .cs_selector = LOADER_CODE_SELECTOR,
                                 .ds_selector = LOADER_DATA_SELECTOR,
                                 .rip = layout.program.entry};
    const struct loader_protocol *protocol = protocols[p->plan->config->boot];
    if (protocol->write != NULL)
        protocol->write(&w, &layout, entry);
    return !w.failed;
}

void loader_write(struct loader_writer *w, uint64_t to, const void *from, size_t size, const char *what)
{
    if (w->failed || size == 0 || partition_write(w->p, gpa(to), from, size))
        return;
    sink_print(w->errors, "partition '%s': no RAM at 0x%lx for %zu bytes of %s\n", partition_name(w->p), to, size,
               what);
    w->failed = true;
}

uint32_t loader_write_string(struct loader_writer *w, struct slice text)
{
    uint32_t at = w->at;
    loader_write(w, at, text.at, text.length, "strings");
    w->at += (uint32_t)text.length + 1;
    return at;
}

/*
 * What a guest finds at F000:FFF0, where a PC's firmware starts: programs go there in real mode to restart the machine.
 *     cli; mov al, GUEST_RESET_VALUE; mov dx, GUEST_RESET_PORT; out dx, al; hlt; jmp back to hlt
 */
static const uint8_t reset_code[] = {
    0xfa, 0xb0, GUEST_RESET_VALUE, 0xba, GUEST_RESET_PORT & 0xff, GUEST_RESET_PORT >> 8, 0xee, 0xf4, 0xeb, 0xfd};

void loader_write_acpi(struct loader_writer *w)
{
    /* Partitions start on their own CPUs at the same time, and the tables are too large for a stack. */
    static struct spinlock lock;
    static struct acpi_tables tables;
    uint32_t apic_ids[CONFIG_MAX_CPUS];
    uint32_t count = w->p->vcpu_count < CONFIG_MAX_CPUS ? w->p->vcpu_count : CONFIG_MAX_CPUS;
    for (uint32_t i = 0; i < count; i++)
        apic_ids[i] = w->p->vcpus[i].apic_id;
    struct acpi_guest guest = {
        .cpu_count = count, .apic_ids = apic_ids, .has_uart = w->p->plan->config->console == CONSOLE_UART};

    spin_lock(&lock);
    size_t size = acpi_tables_build(&guest, gpa(GUEST_ACPI_BASE), &tables);
    loader_write(w, GUEST_ACPI_BASE, &tables, size, "ACPI tables");
    spin_unlock(&lock);
    loader_write(w, RESET_CODE_AT, reset_code, sizeof reset_code, "the reset code");
}
