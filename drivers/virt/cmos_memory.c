/*
 * Memory sizes in CMOS RAM. IBM's PC/AT technical reference, "CMOS RAM addresses", for the first two; the units of 64
 * KiB are of the makers of emulators, and their firmware asks for nothing else.
 */
#include "drivers/virt/cmos_memory.h"

enum {
    CMOS_BASE = 0x15,          /* KiB below 640 KiB, 16 bits */
    CMOS_EXTENDED = 0x17,      /* KiB above 1 MiB, 16 bits */
    CMOS_EXTENDED_SEEN = 0x30, /* the same, as the firmware's own test found it */
    CMOS_ABOVE_16M = 0x34,     /* 64 KiB above 16 MiB, 16 bits */
    CMOS_ABOVE_4G = 0x5b,      /* 64 KiB above 4 GiB, 24 bits */
    CMOS_LAST_CPU = 0x5f,      /* number of CPUs less 1 */
    BASE_KIB = 640,
    UNIT = 64 * 1024,
};

/* What of `size` bytes lies above `from`, in units, at most as much as `bytes` bytes can say. */
static void put(struct rtc *rtc, uint8_t at, unsigned bytes, uint64_t size, uint64_t from, uint64_t unit)
{
    uint64_t most = ((uint64_t)1 << 8 * bytes) - 1;
    uint64_t value = size > from ? (size - from) / unit : 0;
    if (value > most)
        value = most;
    for (unsigned i = 0; i < bytes; i++)
        rtc->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

void cmos_memory_write(struct rtc *rtc, uint64_t low, uint64_t high, uint32_t cpus)
{
    put(rtc, CMOS_BASE, 2, low < BASE_KIB * KIB ? low : BASE_KIB * KIB, 0, KIB);
    put(rtc, CMOS_EXTENDED, 2, low, 1 * MIB, KIB);
    put(rtc, CMOS_EXTENDED_SEEN, 2, low, 1 * MIB, KIB);
    put(rtc, CMOS_ABOVE_16M, 2, low, 16 * MIB, UNIT);
    put(rtc, CMOS_ABOVE_4G, 3, high, 0, UNIT);
    put(rtc, CMOS_LAST_CPU, 1, cpus, 1, 1);
}
