/* Sections and keys of ringfence.conf, in any text: WP. What a key's value means is proven in config_keys.c. */
#include "core/config_key.h"
#include "core/text_line.h"
#include "core/text_nearest.h"
#include "core/text_value.h"

/*@ requires slice_readable(s);
    assigns \nothing; */
bool slice_equals(struct slice s, const char *text);
/*@ requires slice_readable(s) && \valid(to + (0 .. size - 1)) && size != 0;
    assigns to[0 .. size - 1]; */
bool slice_copy(struct slice s, char *to, size_t size);
/*@ assigns \nothing; */
void sink_print(struct sink *sink, const char *format, ...);
/*@ assigns \nothing; */
int strcmp(const char *a, const char *b);

/* The tables of the other files; what their keys are does not matter here. */
extern const struct config_key any_keys[CONFIG_MAX_KEYS];
const struct config_keys config_box_keys = {"[box]", CONFIG_MAX_KEYS, any_keys};
const struct config_keys config_partition_keys = {"[partition NAME]", CONFIG_MAX_KEYS, any_keys};

#include "core/config.c"
