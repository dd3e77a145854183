/*
 * How long each stage of the boot took, in ticks of the TSC, for `log`. Boot CPU only, before the first guest.
 */
#pragma once

/* The first: what all others are counted from. */
void stages_begin(void);

/* The stage of that name is over; what was said in it is drawn on the screen. `name` is one word. */
void stages_over(const char *name);

/* One log line: "boot: entered at TSC 1000; ticks from there: console 20, machine 3000". */
void stages_log(void);
