#include "core/bytes.h"
#include "core/sink.h"

/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);
/*@ assigns \nothing; */
void sink_print_size(struct sink *sink, uint64_t bytes);
/*@ assigns \nothing; */
bool slice_equals(struct slice s, const char *text);

#include "core/plan.c"
