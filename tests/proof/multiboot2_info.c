/* GRUB's tags, any bytes: WP. */
#include "boot/acpi.h"
#include "core/bytes.h"

/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);
/*@ requires \valid(to + (0 .. size - 1)) && slice_readable(s);
    requires s.length == 0 || \separated(to + (0 .. size - 1), s.at + (0 .. s.length - 1));
    assigns to[0 .. size - 1];
    ensures 0 < size ==> \exists integer n; 0 <= n < size && to[n] == 0; */
bool slice_copy(struct slice s, char *to, size_t size);
/*@ requires \valid_read(rsdp + (0 .. size - 1));
    assigns \nothing; */
bool acpi_rsdp_valid(const uint8_t *rsdp, size_t size, const char *place, struct sink *errors);

#include "core/bytes.c"
#include "boot/multiboot2.c"
