/* The keys of ringfence.conf, with any text as their value: WP. */
#include "core/config_key.h"
#include "core/text_line.h"
#include "core/text_value.h"

/*@ ensures \valid_read(s + (0 .. \result));
    assigns \nothing; */
size_t strlen(const char *s);
/*@ assigns \nothing; */
int strcmp(const char *a, const char *b);

#include "core/config_fault.c"
#include "core/config_partition.c"

/* Both sections have a key of this name. */
#define set_console set_box_console
#include "core/config_box.c"
