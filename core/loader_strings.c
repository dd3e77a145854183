/* Writing strings for the guest. */
#include "core/loader_strings.h"

bool loader_string_write(const struct partition *p, struct slice text, uint32_t *at, uint32_t *address,
                         struct sink *errors)
{
    *address = *at;
    *at += (uint32_t)text.length + 1;
    return text.length == 0 || loader_write(p, *address, text.at, text.length, "strings", errors);
}
