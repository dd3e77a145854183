/* Which boot protocol, and what more than one of them writes. */
#include "core/loader.h"

#include "core/acpi_tables.h"
#include "core/loader_protocol.h"

#define RESET_CODE_AT 0xffff0u
static_assert(RESET_CODE_AT + 16 == GUEST_ACPI_BASE + GUEST_ACPI_SIZE, "reserved in E820");

/* Partitions start on their own CPUs at the same time, and the tables are too large for a stack. */
static struct spinlock acpi_lock;
static struct acpi_tables acpi_tables;

bool loader_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    switch (plan->config->boot) {
    case BOOT_LINUX:
        return loader_linux_check(plan, machine, errors);
    case BOOT_MULTIBOOT1:
        return loader_multiboot1_check(plan, machine, errors);
    case BOOT_MULTIBOOT2:
        return loader_multiboot2_check(plan, machine, errors);
    case BOOT_PVH:
        return loader_pvh_check(plan, machine, errors);
    case BOOT_FIRMWARE:
        return loader_firmware_check(plan, machine, errors);
    case BOOT_FLAT:
        return loader_flat_check(plan, machine, errors);
    }
    sink_print(errors, "partition '%s': boot protocol %d is not known\n", plan->config->name, (int)plan->config->boot);
    return false;
}

bool loader_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    switch (p->plan->config->boot) {
    case BOOT_LINUX:
        return loader_linux_load(p, entry, errors);
    case BOOT_MULTIBOOT1:
        return loader_multiboot1_load(p, entry, errors);
    case BOOT_MULTIBOOT2:
        return loader_multiboot2_load(p, entry, errors);
    case BOOT_PVH:
        return loader_pvh_load(p, entry, errors);
    case BOOT_FIRMWARE:
        return loader_firmware_load(p, entry, errors);
    case BOOT_FLAT:
        return loader_flat_load(p, entry, errors);
    }
    sink_print(errors, "partition '%s': boot protocol %d is not known\n", partition_name(p),
               (int)p->plan->config->boot);
    return false;
}

bool loader_write(const struct partition *p, uint64_t to, const void *from, size_t size, const char *what,
                  struct sink *errors)
{
    if (partition_write(p, gpa(to), from, size))
        return true;
    sink_print(errors, "partition '%s': no RAM at 0x%lx for %zu bytes of %s\n", partition_name(p), to, size, what);
    return false;
}

/*
 * What a guest finds at F000:FFF0, where a PC's firmware starts: programs go there in real mode to restart the machine.
 *     cli; mov al, GUEST_RESET_VALUE; mov dx, GUEST_RESET_PORT; out dx, al; hlt; jmp back to hlt
 */
static bool reset_code_write(const struct partition *p, struct sink *errors)
{
    static const uint8_t code[] = {
        0xfa, 0xb0, GUEST_RESET_VALUE, 0xba, GUEST_RESET_PORT & 0xff, GUEST_RESET_PORT >> 8, 0xee, 0xf4, 0xeb, 0xfd};
    return loader_write(p, RESET_CODE_AT, code, sizeof code, "the reset code", errors);
}

bool loader_write_acpi(const struct partition *p, struct sink *errors)
{
    uint32_t apic_ids[CONFIG_MAX_CPUS];
    uint32_t count = p->vcpu_count < CONFIG_MAX_CPUS ? p->vcpu_count : CONFIG_MAX_CPUS;
    for (uint32_t i = 0; i < count; i++)
        apic_ids[i] = p->vcpus[i].apic_id;
    struct acpi_guest guest = {
        .cpu_count = count, .apic_ids = apic_ids, .has_uart = p->plan->config->console == CONSOLE_UART};

    spin_lock(&acpi_lock);
    size_t size = acpi_tables_build(&guest, gpa(GUEST_ACPI_BASE), &acpi_tables);
    bool written = loader_write(p, GUEST_ACPI_BASE, &acpi_tables, size, "ACPI tables", errors);
    spin_unlock(&acpi_lock);
    return written && reset_code_write(p, errors);
}
