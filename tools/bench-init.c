/*
 * The first program of the Linux that is measured: says at which TSC it began, is idle, is busy, and switches off.
 * No C library: nothing else runs between the kernel and this.
 */
#include <linux/reboot.h>
#include <stdint.h>
#include <sys/syscall.h>

enum { IDLE_SECONDS = 4, BUSY_SECONDS = 4, TEXT_SIZE = 64 };

/* The kernel's struct __kernel_timespec. */
struct time {
    int64_t seconds, nanoseconds;
};

/* The kernel enters with another stack alignment than a call. */
void _start(void) __attribute__((force_align_arg_pointer));

static long call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return number;
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static int64_t now(void)
{
    struct time time = {0, 0};
    call(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, (long)&time, 0, 0);
    return time.seconds;
}

static void say(const char *text)
{
    long length = 0;
    while (text[length] != '\0')
        length++;
    call(SYS_write, 1, (long)text, length, 0);
}

static void say_tsc(uint64_t tsc)
{
    char text[TEXT_SIZE];
    char *at = text + sizeof text - 1;
    *at = '\0';
    *--at = '\n';
    do {
        *--at = (char)('0' + tsc % 10);
        tsc /= 10;
    } while (tsc != 0);
    for (const char *head = " cst :tini-hcneb"; *head != '\0'; head++)
        *--at = *head;
    say(at);
}

void _start(void)
{
    say_tsc(rdtsc());
    say("bench-init: idle\n");
    struct time time = {IDLE_SECONDS, 0};
    call(SYS_nanosleep, (long)&time, 0, 0, 0);
    say("bench-init: busy\n");
    for (int64_t until = now() + BUSY_SECONDS; now() < until;)
        for (volatile int i = 0; i < 100000; i++)
            ;
    say("bench-init: end\n");
    call(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, (long)LINUX_REBOOT_CMD_POWER_OFF, 0);
    for (;;)
        call(SYS_pause, 0, 0, 0, 0);
}
