/* Error lines and typed values out of any text: WP. */
#include "core/text_report.h"

/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);
/*@ assigns \nothing; */
void sink_vprint(struct sink *sink, const char *format, va_list arguments);
/*@ assigns \nothing; */
struct size_text size_text(uint64_t bytes);
/*@ requires slice_readable(s);
    assigns \nothing; */
bool slice_equals(struct slice s, const char *text);
/*@ assigns \nothing;
    ensures \valid_read(s + (0 .. \result)); */
size_t strlen(const char *s);

#include "core/text_report.c"
#include "core/text_value.c"
#include "core/text_nearest.c"
