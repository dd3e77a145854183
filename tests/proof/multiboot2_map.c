/* GRUB's memory map, any bytes: WP. */
#include "core/bytes.h"
#include "core/sink.h"

/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);

#include "boot/multiboot2_map.c"
