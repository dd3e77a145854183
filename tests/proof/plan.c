#include "core/bytes.h"
#include "core/sink.h"

/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);
/*@ assigns \nothing; */
struct size_text size_text(uint64_t bytes);
/*@ assigns \nothing; */
void sink_vprint(struct sink *sink, const char *format, va_list arguments);
/*@ assigns \nothing; */
bool slice_equals(struct slice s, const char *text);

#include "core/plan.c"
