/* The header of a Linux kernel: any bytes, in a module of any size at any address. */
#include "tests/proof/loader.h"
#include "core/loader_linux.c"

int main(void)
{
    static struct loader_layout layout;
    if (!loader_unknown_image(&layout.kernel))
        return 0;
    layout.machine = &machine;
    (void)!decode(&layout);
    return 0;
}
