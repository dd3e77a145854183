/*
 * The part of start-up that is C, and the ways a guest can end.
 */
#include "guests/common/guest.h"

#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/instructions.h"
#include "guests/common/multiboot1.h"
#include "guests/common/trap.h"

/* The virtual PC's ports (core/acpi_tables.h); a general guest would take them from the FADT. */
enum {
    SLEEP_CONTROL_PORT = 0x604,
    SLEEP_STATUS_PORT = 0x605,
    SLEEP_STATUS_WAKE = 1 << 7,
    SLEEP_TYPE_S5_AND_ENABLE = 5 << 2 | 1 << 5,
    RESET_PORT = 0xcf9,
    RESET_VALUE = 6,
    KEYBOARD_COMMAND_PORT = 0x64,
    KEYBOARD_RESET_COMMAND = 0xfe,
    PIC_PRIMARY_MASK_PORT = 0x21,
    PIC_SECONDARY_MASK_PORT = 0xa1,
};

enum { CPUID_TSC_LEAF = 0x15, CPUID_HYPERVISOR_LEAF = 0x40000000, CPUID_HYPERVISOR_TIMING_LEAF = 0x40000010 };
enum { CPUID_EXTENDED_LEAF = 0x80000001u - 0x80000000u, CPUID_EXTENDED_EDX_PAGE1GB = 1 << 26 };
#define CPUID_EXTENDED_BASE 0x80000000u
#define PDPT_LARGE_ENTRY    0x83u /* present, writable, 1 GiB */
#define PDPT_ENTRY_SIZE     ((uint64_t)1 << 30)

const char *guest_command_line = "";
const struct multiboot1_info *guest_multiboot;
uint64_t guest_memory_kib;

extern volatile uint64_t guest_pdpt[512];             /* start.S */
void guest_enter(const struct multiboot1_info *info); /* called by start.S */

/* On a bare machine ("bare" on the command line) the firmware's timer still ticks through the old controller. */
static void mask_pic(void)
{
    outb(PIC_PRIMARY_MASK_PORT, 0xff);
    outb(PIC_SECONDARY_MASK_PORT, 0xff);
}

void guest_enter(const struct multiboot1_info *info)
{
    guest_multiboot = info;
    if ((info->flags & MULTIBOOT1_INFO_CMDLINE) != 0)
        guest_command_line = (const char *)(uintptr_t)info->command_line;
    if ((info->flags & MULTIBOOT1_INFO_MEMORY) != 0)
        guest_memory_kib = info->memory_upper;
    console_init();
    trap_init();
    if (guest_has_word("bare"))
        mask_pic();
    /* "no-apic" is for a guest that passes the machine on to another kernel as it found it. */
    if (!guest_has_word("no-apic"))
        apic_init();
    guest_main();
    guest_power_off();
}

void guest_halt(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

void guest_power_off(void)
{
    outb(SLEEP_STATUS_PORT, SLEEP_STATUS_WAKE);
    outb(SLEEP_CONTROL_PORT, SLEEP_TYPE_S5_AND_ENABLE);
    print("%s: still here after power off\n", guest_name);
    guest_halt();
}

void guest_reset(void)
{
    outb(RESET_PORT, RESET_VALUE);
    print("%s: still here after reset\n", guest_name);
    guest_halt();
}

void guest_keyboard_reset(void)
{
    outb(KEYBOARD_COMMAND_PORT, KEYBOARD_RESET_COMMAND);
    print("%s: still here after the keyboard controller's reset\n", guest_name);
    guest_halt();
}

/* With no table of vectors the first exception becomes a double and then a triple fault. */
void guest_triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0; ud2" ::"m"(none));
    __builtin_unreachable();
}

bool guest_map_large(void)
{
    uint32_t leaf = CPUID_EXTENDED_BASE + CPUID_EXTENDED_LEAF;
    if (cpuid(CPUID_EXTENDED_BASE, 0).eax < leaf || (cpuid(leaf, 0).edx & CPUID_EXTENDED_EDX_PAGE1GB) == 0)
        return false;
    for (uint64_t i = 4; i < 512; i++)
        guest_pdpt[i] = i * PDPT_ENTRY_SIZE | PDPT_LARGE_ENTRY;
    return true; /* Entries that were not present are not cached: nothing to flush. */
}

bool guest_is_amd(void)
{
    uint32_t name = cpuid(0, 0).ebx;
    return name == 0x68747541 || name == 0x6f677948; /* "Auth"enticAMD, "Hygo"nGenuine */
}

uint64_t guest_tsc_hz(void)
{
    uint64_t khz = guest_option("tsc_khz", 0);
    if (khz != 0)
        return khz * 1000;
    if (cpuid(0, 0).eax >= CPUID_TSC_LEAF) {
        struct cpuid r = cpuid(CPUID_TSC_LEAF, 0);
        if (r.eax != 0 && r.ebx != 0 && r.ecx != 0)
            return (uint64_t)r.ecx * r.ebx / r.eax;
    }
    uint32_t last = cpuid(CPUID_HYPERVISOR_LEAF, 0).eax;
    if (last >= CPUID_HYPERVISOR_TIMING_LEAF && last < CPUID_HYPERVISOR_LEAF + 0x10000u)
        return (uint64_t)cpuid(CPUID_HYPERVISOR_TIMING_LEAF, 0).eax * 1000;
    return 0;
}
