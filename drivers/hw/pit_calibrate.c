/*
 * Intel 8254 data sheet, "Mode 0: Interrupt on terminal count"; channel 2's gate and output are bits 0 and 5 of port 61h.
 */
#include "drivers/hw/pit_calibrate.h"

#include "arch/x86_64/cpu_instructions.h"

enum { PIT_CHANNEL2 = 0x42, PIT_CONTROL = 0x43, PORT_B = 0x61 };
#define PIT_HZ          1193182ull
#define PIT_COUNT       23864u /* 20 ms */
#define PORT_B_GATE2    0x01u
#define PORT_B_SPEAKER  0x02u
#define PORT_B_OUT2     0x20u

static uint64_t measure(void)
{
    uint8_t port_b = (uint8_t)(in8(PORT_B) & ~(PORT_B_SPEAKER | PORT_B_GATE2));
    out8(PORT_B, port_b);
    out8(PIT_CONTROL, 0xb0); /* channel 2, low then high byte, mode 0 */
    out8(PIT_CHANNEL2, (uint8_t)PIT_COUNT);
    out8(PIT_CHANNEL2, (uint8_t)(PIT_COUNT >> 8));
    out8(PORT_B, port_b | PORT_B_GATE2);
    uint64_t start = tsc_read();
    uint64_t patience = 2000000; /* port reads take about 1 us: two seconds */
    while (!(in8(PORT_B) & PORT_B_OUT2) && --patience > 0)
        ;
    uint64_t ticks = tsc_read() - start;
    out8(PORT_B, port_b);
    return patience == 0 ? 0 : ticks;
}

uint64_t pit_calibrate_tsc(void)
{
    /* An SMI in between only makes a measurement longer: of two, the shorter is right. */
    uint64_t first = measure();
    uint64_t second = measure();
    uint64_t ticks = first < second ? first : second;
    return ticks * PIT_HZ / PIT_COUNT;
}
