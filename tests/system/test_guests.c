/*
 * Programs of others as guests, each as its distribution ships it: kernels by three boot protocols, boot loaders,
 * firmware, a memory tester. Each is run to the line that shows it works.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The machine as the person at the keyboard has chosen it; "": what tools/emulate.sh thinks best. */
static const char *engine(void)
{
    const char *name = getenv("RINGFENCE_ENGINE");
    return name != NULL ? name : "";
}

static bool is_bochs(void) { return engine()[0] == '\0' || strncmp(engine(), "bochs", 5) == 0; }

/* What this machine or this guest cannot have is no failure: SUPPORT.md shows it as a dash, and says why. */
static void skip_for(struct box *box, const char *reason)
{
    print_message("skipped: %s\n", reason);
    box_stop(box);
    skip();
}

static void skip_impossible(struct box *box)
{
    static const struct {
        const char *seen, *reason;
    } reasons[] = {
        {"interrupts = direct needs CPUs with x2APIC", "`direct` needs CPUs with x2APIC"},
        {"interrupts = direct on CPU", "`direct` needs a CPU that does not serve the console"},
        {"which needs interrupts = virtual", "firmware expects an older PC, which `virtual` alone has"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (box_seen(box, reasons[i].seen))
            skip_for(box, reasons[i].reason);
    if (box_seen(box, "partition 'guest': "))
        box_fail(box, "the box refused the partition");
}

/* One partition "guest" on CPU 1. Interrupts as the machine allows, or as $RINGFENCE_INTERRUPTS says. */
static void start_guest(struct box *box, const char *name, const char *keys, const char *const *modules,
                        unsigned memory_mib, unsigned limit)
{
    char conf[512], case_name[64];
    const char *interrupts = getenv("RINGFENCE_INTERRUPTS");
    interrupts = interrupts != NULL ? interrupts : "any";
    int length = snprintf(conf, sizeof conf,
                          "version = 1\n"
                          "[partition guest]\n"
                          "cpus = 1\n"
                          "interrupts = %s\n"
                          "start = manual\n"
                          "%s",
                          interrupts, keys);
    assert_in_range(length, 1, sizeof conf - 1);
    snprintf(case_name, sizeof case_name, "%s-%s", name, interrupts);
    box_start(box, &(struct box_setup){.name = case_name,
                                       .conf = conf,
                                       .modules = modules,
                                       .cpus = 2,
                                       .memory_mib = memory_mib,
                                       .limit_seconds = limit});
    box_expect(box, "ringfence> ");
    skip_impossible(box);
    box_command(box, "start guest");
    box_attach(box, "guest");
}

/* The initrd's shell computes, and switches the guest off. */
static void expect_shell(struct box *box)
{
    box_expect(box, "# ");
    box_send(box, "echo $((6 * 7))\r");
    box_expect_line(box, "^42$");
    box_send(box, "poweroff\r");
    box_expect(box, "guest is stopped: powered off");
}

#define CMDLINE "cmdline = console=ttyS0 cryptomgr.notests\n"

static void boot_linux(struct box *box, const char *name, const char *const *modules, const char *version)
{
    start_guest(box, name, "memory = 256M\nboot = linux\nkernel = vmlinuz\ninitrd = initrd\n" CMDLINE, modules, 1024,
                600);
    box_expect_line(box, version);
    expect_shell(box);
}

static void test_debian_6_1(void **state)
{
    static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd", NULL};
    boot_linux(*state, "guests-6.1", modules, "ringfence-guest: ready, 1 CPUs, kernel 6\\.1\\..*cloud");
}

static void test_debian_6_12(void **state)
{
    static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.12", "initrd=guests/initrd", NULL};
    boot_linux(*state, "guests-6.12", modules, "ringfence-guest: ready, 1 CPUs, kernel 6\\.12\\..*cloud");
}

static void test_debian_real_time(void **state)
{
    static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1-rt", "initrd=guests/initrd", NULL};
    boot_linux(*state, "guests-rt", modules, "ringfence-guest: ready, 1 CPUs, kernel 6\\.1\\..*-rt-");
}

/* The same kernel without its bzImage wrapping, started at the entry that its ELF note names. */
static void test_linux_by_pvh(void **state)
{
    static const char *const modules[] = {"vmlinux=guests/vmlinux-6.1", "initrd=guests/initrd", NULL};
    struct box *box = *state;
    start_guest(box, "guests-pvh", "memory = 256M\nboot = pvh\nkernel = vmlinux\nmodules = initrd\n" CMDLINE, modules,
                1024, 600);
    box_expect_line(box, "ringfence-guest: ready, 1 CPUs, kernel 6\\.1\\.");
    expect_shell(box);
}

/* RAM on both sides of the hole below 4 GiB, all of it the kernel's. More than Bochs has. */
static void test_memory_above_4_gib(void **state)
{
    static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd", NULL};
    struct box *box = *state;
    if (is_bochs())
        skip_for(box, "Bochs has less than 4 GiB");
    start_guest(box, "guests-4g", "memory = 3328M\nboot = linux\nkernel = vmlinuz\ninitrd = initrd\n" CMDLINE, modules,
                4608, 600);
    box_expect_line(box, "BIOS-e820: \\[mem 0x0000000000100000-0x00000000bfffffff\\] usable");
    box_expect_line(box, "BIOS-e820: \\[mem 0x0000000100000000-0x000000010fffffff\\] usable");
    box_expect(box, "# ");
    box_send(box, "grep MemTotal /proc/meminfo\r");
    box_expect_line(box, "^MemTotal: +([0-9]+) kB");
    assert_in_range(box_number(box, 1), 3100 * 1024, 3328 * 1024);
    expect_shell(box);
}

/* The hypervisor's own image, which is a multiboot2 kernel: it finds a machine without what it needs, and says so. */
static void test_multiboot2_kernel(void **state)
{
    static const char *const modules[] = {"kernel=ringfence.elf", NULL};
    struct box *box = *state;
    start_guest(box, "guests-multiboot2",
                "memory = 64M\nboot = multiboot2\nkernel = kernel\nmodules = kernel, kernel\ncmdline = one two\n",
                modules, 512, 300);
    box_expect_line(box, "1 CPUs, 6[0-9] MiB usable, .* 2 modules, command line 'one two'");
    box_expect_line(box, "(VT-x|AMD-V) .*MISSING");
    box_expect(box, "Ringfence stops here.");
}

/*
 * Its `reboot` ends in a triple fault where there is no BIOS, as on a PC with coreboot alone; that restarts a PC. Bochs
 * 2.7 with AMD-V ends itself at any triple fault.
 */
static void test_grub(void **state)
{
    static const char *const modules[] = {"grub.elf=guests/grub.elf", NULL};
    struct box *box = *state;
    start_guest(box, "guests-grub", "memory = 64M\nboot = multiboot1\nkernel = grub.elf\non_stop = restart\n", modules,
                512, 300);
    box_expect(box, "GNU GRUB  version");
    box_expect(box, "grub> ");
    box_send(box, "lsmmap\r");
    box_expect_line(box, "base_addr = 0x100000, length = 0x3f00000, available RAM");
    box_expect(box, "grub> ");
    if (strcmp(engine(), "bochs-svm") == 0)
        return;
    box_send(box, "reboot\r");
    box_expect(box, "GNU GRUB  version"); /* once more, from a fresh image */
    box_expect(box, "grub> ");
}

static void test_seabios(void **state)
{
    static const char *const modules[] = {"bios=guests/bios-256k.bin", NULL};
    struct box *box = *state;
    start_guest(box, "guests-seabios", "memory = 64M\nboot = firmware\nkernel = bios\n", modules, 512, 300);
    box_expect(box, "SeaBIOS (version ");
    box_expect(box, "Booting from Hard Disk...");
    box_expect(box, "No bootable device.");
}

/* A BIOS has room for few keys: waits for each one's echo, as a person's eyes would. */
static void type(struct box *box, const char *text)
{
    for (; *text != '\0'; text++) {
        char key[2] = {*text, '\0'};
        box_send(box, key);
        box_expect(box, key);
    }
}

/* In real mode with the firmware's services, up to its command line, which answers. */
static void test_ipxe(void **state)
{
    static const char *const modules[] = {"bios=guests/bios.bin", "linuxboot.bin=guests/linuxboot.bin",
                                          "ipxe.lkrn=guests/ipxe.lkrn", NULL};
    struct box *box = *state;
    start_guest(box, "guests-ipxe",
                "memory = 64M\nboot = firmware\nkernel = bios\nmodules = linuxboot.bin, ipxe.lkrn\n", modules, 512,
                300);
    box_expect(box, "Open Source Network Boot Firmware");
    box_expect(box, "Press Ctrl-B");
    box_send(box, "\x02");
    box_expect(box, "iPXE> ");
    type(box, "echo ring ${version}");
    box_send(box, "\r");
    box_expect_line(box, "^ring 1\\.");
}

/*
 * All of its tests, once, over all of its memory. Two of them wait 80 seconds of the guest's each: where the clock
 * counts instructions, a second of few instructions makes that short.
 */
static void test_memtest(void **state)
{
    static const char *const modules[] = {"memtest=guests/memtest", NULL};
    struct box *box = *state;
    setenv("RINGFENCE_IPS", "2000000", 0);
    start_guest(box, "guests-memtest",
                "memory = 8M\nboot = linux\nkernel = memtest\ncmdline = console=ttyS0,115200 nosmp nopause nobench\n",
                modules, 512, 1800);
    box_expect(box, "Memtest86+ v");
    box_expect(box, "Pass:  1");
    box_expect(box, "Errors: 0 ");
    for (unsigned digit = '1'; digit <= '9'; digit++) {
        char errors[] = "Errors: 1";
        errors[sizeof errors - 2] = (char)digit;
        assert_false(box_seen(box, errors));
    }
}

int main(void)
{
    const char *only = getenv("RINGFENCE_GUESTS_ONLY"); /* a pattern for the names of the tests */
    const struct CMUnitTest tests[] = {
        box_test(test_debian_6_1),
        box_test(test_debian_6_12),
        box_test(test_debian_real_time),
        box_test(test_linux_by_pvh),
        box_test(test_memory_above_4_gib),
        box_test(test_multiboot2_kernel),
        box_test(test_grub),
        box_test(test_seabios),
        box_test(test_ipxe),
        box_test(test_memtest),
    };
    if (only != NULL && *only != '\0')
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
