#include "core/bytes.h"
#include "core/sink.h"

/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);
/*@ assigns \nothing; */
size_t strlen(const char *s);
/*@ assigns \nothing; */
int memcmp(const void *a, const void *b, size_t size);

#include "core/plan_check.c"
#include "core/plan_check_memory.c"
#include "core/plan_cores.c"
